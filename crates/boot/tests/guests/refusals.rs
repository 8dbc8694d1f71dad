// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What the program says to input that can't be right.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

use stdvga_testing::program::text;

use crate::BOOT;
use crate::run::{SEABIOS, SEAVGABIOS, bios, have_kvm_and, temporary};

#[test]
fn bad_sizes_and_keys_are_refused() {
    BOOT.assert_refuses(
        &["--vgamem", "2", "--guest", "scripted"],
        &["--vgamem 2", "4 MiB"],
    );
    BOOT.assert_refuses(&["--type", "<f13>"], &["<f13>", "<enter>"]);
    BOOT.assert_refuses(&["--type", "<enter"], &["<enter", "<lt>"]);
}

#[test]
fn a_vnc_address_that_is_none_is_refused_with_what_can_be_given() {
    for address in ["", "here", "99999", "-1", "127.0.0.1:"] {
        BOOT.assert_refuses(
            &["--vnc", address],
            &[&format!("--vnc {address}: "), "HOST:PORT", "65535"],
        );
    }
}

/// Fails unless a value is taken for wrong usage, by a message that names it, its option, and what's wrong.
#[track_caller]
fn assert_bad_value(option: &str, value: impl AsRef<OsStr>, wrong: &str) {
    let value = value.as_ref();
    let arguments = [option.as_ref(), value];
    let output = BOOT.command(&arguments).output().expect("the program runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    let value = value.to_string_lossy();
    let start = format!("error: invalid value '{value}' for '{option} <");
    assert!(said.starts_with(&start) && said.contains(wrong), "{said}");
}

#[test]
fn a_number_that_is_none_or_out_of_range_is_refused_with_the_range() {
    let range = "give a number above 0, up to 86400";
    for value in ["0", "-1", "NaN", "inf", "1e300", "86401", "", "x"] {
        assert_bad_value("--seconds", value, range);
    }
    for (option, range, values) in [
        ("--memory", "from 2 to 3584", ["0", "1", "3585", "-1"]),
        ("--vgamem", "from 1 to 256", ["0", "257", "-1", "-257"]),
    ] {
        for value in values
            .into_iter()
            .chain(["", "x", "1.5", "99999999999999999999"])
        {
            assert_bad_value(option, value, &format!("give a whole number {range}"));
        }
    }
}

#[test]
fn a_text_may_start_with_a_dash_but_must_be_utf_8() {
    let no_file = text(&temporary("no-kernel")).to_owned();
    let kernel = ["--kernel", &no_file];
    let no_kvm = ["--kvm", "/nonexistent/kvm"];
    for dashed in ["-x", "--x", "-"] {
        // They're taken, and what's wrong is something else.
        for option in ["--append", "--type", "--until-text"] {
            let arguments = [&kernel[..], &no_kvm, &[option, dashed]].concat();
            BOOT.assert_refuses(&arguments, &["/nonexistent/kvm can't be opened"]);
        }
    }
    for option in ["--append", "--type", "--until-text"] {
        assert_bad_value(option, OsStr::from_bytes(b"\xff"), "it isn't UTF-8");
    }
    assert_bad_value("--until-text", "", "give at least one character");
}

#[test]
fn the_name_of_a_file_may_be_anything_but_empty() {
    for option in [
        "--bios",
        "--vgabios",
        "--floppy",
        "--kernel",
        "--screenshot",
        "--kvm",
    ] {
        assert_bad_value(option, "", "give a file's name");
        let dashed = BOOT.assert_bad_usage(&[option, "-x"]);
        let advice = "tip: for a value that starts with a dash, write --OPTION=VALUE";
        assert!(dashed.contains(advice), "{option}: {dashed}");
        let missing = BOOT.assert_bad_usage(&[option, "--vnc", "0"]);
        let words = format!("a value is required for '{option} <");
        assert!(missing.contains(&words), "{option}: {missing}");
    }
    BOOT.assert_refuses(&["--kvm=-x"], &["-x can't be opened"]);
    let odd = OsStr::from_bytes(b"/nonexistent/\xff");
    let output = BOOT.command(&[OsStr::new("--kvm"), odd]).output();
    let output = output.expect("the program runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("/nonexistent/\u{fffd} can't be opened"),
        "{said}"
    );
}

#[test]
fn a_picture_that_cannot_be_written_is_refused_before_the_guest_runs() {
    for (path, wrong) in [
        ("/nonexistent/x.png", "there's no folder /nonexistent"),
        ("x.jpg", "ends in .png"),
    ] {
        let output = BOOT.run(&["--guest", "scripted", "--screenshot", path]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        let start = format!("{}: --screenshot {path}: ", BOOT.name());
        assert!(said.starts_with(&start) && said.contains(wrong), "{said}");
    }
}

#[test]
fn a_missing_kvm_is_named_where_it_is_needed() {
    let kvm = ["--kvm", "/nonexistent/kvm"];
    BOOT.assert_refuses(
        &[&kvm[..], &["--guest", "embedded"]].concat(),
        &["/nonexistent/kvm"],
    );
    // Named by hand, it's needed whatever the guest is.
    BOOT.assert_refuses(&kvm, &["/nonexistent/kvm"]);
    BOOT.assert_refuses(
        &["--kvm", "/dev/null", "--guest", "embedded"],
        &["/dev/null"],
    );
}

#[test]
fn bad_usage_has_an_exit_status_of_its_own() {
    let usages: [&[&str]; 16] = [
        &["--seconds", "1", "--until-stable"],
        &["--until-stable", "--until-text", "x"],
        &["--guest", "embedded", "--bios", "x"],
        &["--guest", "scripted", "--type", "x"],
        &["--guest", "scripted", "--seconds", "1"],
        &["--guest", "scripted", "--debug-console"],
        &["--guest", "scripted", "--coalescing", "off"],
        &["--guest", "scripted", "--damage", "log"],
        &["--guest", "scripted", "--vnc", "0"],
        &["--guest", "scripted", "--kvm", "/dev/kvm"],
        &["--kernel", "x", "--guest", "embedded"],
        &["--kernel", "x", "--bios", "x"],
        &["--kernel", "x", "--floppy", "x"],
        &["--initrd", "x"],
        &["--append", "x"],
        &["--until-text", ""],
    ];
    for arguments in usages {
        BOOT.assert_bad_usage(arguments);
    }
}

#[test]
fn files_that_cannot_be_right_are_refused() {
    if !have_kvm_and(&[SEABIOS, SEAVGABIOS]) {
        return;
    }
    let file = |name: &str, bytes: &[u8]| {
        let path = temporary(name);
        fs::write(&path, bytes).expect("the file can be written");
        text(&path).to_owned()
    };
    let empty = file("empty", &[]);
    let missing = text(&temporary("missing")).to_owned();
    let large = file("large", &vec![0; (16 << 20) + 1]);
    let odd = file("odd", &[0xf4; 1000]);
    for option in ["--bios", "--vgabios", "--floppy"] {
        BOOT.assert_refuses(&[option, &empty], &[&empty, "is empty"]);
        BOOT.assert_refuses(&[option, &missing], &[&missing, "can't be read"]);
        BOOT.assert_refuses(&[option, &large], &[&large, "at most"]);
        BOOT.assert_refuses(&[option, env!("CARGO_TARGET_TMPDIR")], &["isn't a file"]);
    }
    BOOT.assert_refuses(&["--bios", &odd], &[&odd, "64 KiB"]);
    BOOT.assert_refuses(&["--vgabios", &odd], &[&odd, "55 aa"]);
}

#[test]
fn a_guest_that_crashes_or_shows_nothing_ends_with_a_message() {
    if !have_kvm_and(&[SEAVGABIOS]) {
        return;
    }
    let screenshot = temporary("nothing.png");
    let options = ["--vgabios", SEAVGABIOS, "--screenshot", text(&screenshot)];
    let halts = bios("halts.bin", &[0xfa, 0xf4]); // cli; hlt
    BOOT.assert_refuses(
        &[&options[..], &["--bios", &halts]].concat(),
        &["the guest drew nothing"],
    );
    // No interrupt table, protected mode, and a segment that there is not.
    let crash = [
        0x2e, 0x0f, 0x01, 0x1e, 0x00, 0x80, // lidt cs:[0x8000]
        0x0f, 0x20, 0xc0, 0x0c, 0x01, 0x0f, 0x22, 0xc0, // cr0 |= 1
        0x8e, 0xd8, // mov ds, ax: no such segment
    ];
    let crashes = bios("crashes.bin", &crash);
    BOOT.assert_refuses(
        &[&options[..], &["--bios", &crashes]].concat(),
        &["triple fault"],
    );
    let resets = bios("resets.bin", &[0xb0, 0xfe, 0xe6, 0x64]); // out 0x64, 0xfe
    let reset = ["--bios", &resets, "--until-text", "x"];
    BOOT.assert_refuses(
        &[&options[..], &reset].concat(),
        &["stopped before", "\"x\""],
    );
}
