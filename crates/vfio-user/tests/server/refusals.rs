// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What the server says to options that can't be right.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use rustix::fs::{CWD, FileType, Mode};
use stdvga_testing::program::text;

use crate::VFIO_USER;
use crate::server::Server;

#[test]
fn a_path_where_something_exists_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = |name| folder.path().join(name);
    fs::write(at("file"), "precious").expect("the file can be written");
    symlink("nowhere", at("link")).expect("the link can be made");
    let (file, link) = (at("file"), at("link"));
    let other = "Choose another path";
    for (path, words) in [
        (text(&file), ["it's a file", other]),
        (text(&link), ["it's a symbolic link", other]),
        (
            text(folder.path()),
            ["it's a folder", "Choose a path in it"],
        ),
        ("/dev/null", ["it's a device", other]),
    ] {
        VFIO_USER.assert_refuses(&["--socket", path], &[&[path], &words[..]].concat());
    }
    let kept = fs::read_to_string(&file).expect("it's still there");
    assert_eq!(kept, "precious");
}

#[test]
fn a_socket_that_was_left_is_the_users_to_remove() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("socket");
    drop(UnixListener::bind(&path).expect("the socket can be made"));
    let path = text(&path);
    VFIO_USER.assert_refuses(
        &["--socket", path],
        &[
            path,
            "a socket is there. Remove it, unless a server uses it",
        ],
    );
}

#[test]
fn a_path_that_cannot_be_made_is_named() {
    let path = "/nonexistent/socket";
    VFIO_USER.assert_refuses(&["--socket", path], &[path, "No such file or directory"]);
    let long = format!("/tmp/{}", "x".repeat(200));
    VFIO_USER.assert_refuses(&["--socket", &long], &[&long]);
}

#[test]
fn a_rom_that_cannot_be_one_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = |name| folder.path().join(name);
    let (odd, huge, fifo) = (at("odd"), at("huge"), at("fifo"));
    fs::write(&odd, [0xf4; 1000]).expect("the file can be written");
    let sparse = File::create(&huge).and_then(|file| file.set_len(8 << 30));
    sparse.expect("the file can be made");
    let made = rustix::fs::mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR, 0);
    made.expect("the FIFO can be made");
    for (path, wrong) in [
        ("/nonexistent/rom", "can't be read"),
        ("/dev/zero", "isn't a file"),
        (text(&fifo), "isn't a file"),
        (text(&huge), "at most 131072 fit"),
        (text(&odd), "starts with f4 f4, not 55 aa"),
    ] {
        let arguments = ["--socket", "/nonexistent/socket", "--romfile", path];
        VFIO_USER.assert_refuses(&arguments, &["VGA BIOS", path, wrong]);
    }
}

#[test]
fn a_number_out_of_range_is_refused_with_the_range() {
    for (option, number, range) in [
        ("--vgamem", "0", "1..=512"),
        ("--vgamem", "513", "1..=512"),
        ("--vgamem", "-1", "1..=512"),
        ("--xres", "0", "1..=16000"),
        ("--xres", "16001", "1..=16000"),
        ("--xres", "-8", "1..=16000"),
        ("--yres", "12001", "1..=12000"),
        ("--yres", "-8", "1..=12000"),
    ] {
        let arguments = ["--socket", "/nonexistent/socket", option, number];
        VFIO_USER.assert_out_of_range(&arguments, range);
    }
}

#[test]
fn a_picture_that_cannot_be_written_is_refused_before_there_is_a_socket() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let socket = folder.path().join("socket");
    for (path, wrong) in [
        ("/nonexistent/x.png", "there's no folder /nonexistent"),
        ("x.jpg", "ends in .png"),
    ] {
        let arguments = ["--socket", text(&socket), "--screenshot", path];
        VFIO_USER.assert_refuses(&arguments, &[&format!("--screenshot {path}: "), wrong]);
    }
}

#[test]
fn a_vnc_address_that_is_none_is_refused_with_what_can_be_given() {
    let arguments = ["--socket", "/nonexistent/socket", "--vnc", "99999"];
    VFIO_USER.assert_refuses(&arguments, &["--vnc 99999: ", "HOST:PORT", "65535"]);
}

#[test]
fn a_width_that_dispi_rounds_down_is_warned_of_with_the_next_that_works() {
    let said = |xres| Server::start(&["--xres", xres]).said.clone();
    let warned = said("1366");
    assert!(
        warned.contains("--xres 1366") && warned.contains("take 1368"),
        "{warned}"
    );
    let unwarned = said("1368");
    assert!(!unwarned.contains("--xres"), "{unwarned}");
}

#[test]
fn the_version_starts_with_the_programs_name() {
    let output = VFIO_USER.run(&["--version"]);
    let said = String::from_utf8_lossy(&output.stdout);
    let expected = concat!("stdvga-vfio-user ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(said, expected);
}

#[test]
fn bad_usage_has_an_exit_status_of_its_own() {
    let socket = ["--socket", "/nonexistent/socket"];
    VFIO_USER.assert_bad_usage(&[]);
    for usage in [["--device", "isa-vga"], ["--yres", "tall"]] {
        VFIO_USER.assert_bad_usage(&[socket, usage].concat());
    }
}
