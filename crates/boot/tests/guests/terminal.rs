// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The picture in a terminal: as wide as that is, and in colours where they're wanted.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::Stdio;

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use stdvga_testing::program::text;

use crate::run::{command, temporary};

/// Both sides of a terminal of so many columns.
fn terminal(columns: u16) -> (OwnedFd, OwnedFd) {
    let host = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("there are terminals");
    grantpt(&host).expect("it's ours");
    unlockpt(&host).expect("it's ours");
    let name = ptsname(&host, Vec::new()).expect("it has a name");
    let program = open(&*name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty());
    let program = program.expect("it can be opened");
    let size = Winsize {
        ws_row: 50,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&program, size).expect("it has a size");
    (host, program)
}

/// What the scripted guest's picture is on a terminal of so many columns.
fn shown(columns: u16, variables: &[(&str, &str)]) -> String {
    let (host, program) = terminal(columns);
    let screenshot = temporary("terminal.png");
    let mut command = command(&["--guest", "scripted", "--screenshot", text(&screenshot)]);
    command.env_remove("NO_COLOR").env("TERM", "xterm");
    command.envs(variables.iter().copied()).stdout(program);
    command.stderr(Stdio::piped());
    let process = command.spawn().expect("the program runs");
    drop(command); // its side of the terminal, too
    let mut bytes = Vec::new();
    // Once the program has gone, Linux makes that an error.
    let _ = File::from(host).read_to_end(&mut bytes);
    let output = process.wait_with_output().expect("the program ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8(bytes).expect("it's text")
}

#[test]
fn the_picture_is_as_wide_as_the_terminal_and_80_columns_if_that_is_unknown() {
    for (columns, expected) in [(120, 120), (40, 40), (0, 80)] {
        let shown = shown(columns, &[("NO_COLOR", "1")]);
        for line in shown.lines() {
            assert_eq!(line.chars().count(), expected, "{columns}: {line:?}");
        }
        assert!(!shown.is_empty(), "{columns}");
    }
}

#[test]
fn colours_are_left_out_if_the_user_or_the_terminal_wants_none() {
    for (variables, expected) in [
        (&[][..], true),
        (&[("NO_COLOR", "")], true),
        (&[("NO_COLOR", "1")], false),
        (&[("NO_COLOR", "0")], false),
        (&[("TERM", "dumb")], false),
    ] {
        let shown = shown(80, variables);
        assert_eq!(shown.contains('\x1b'), expected, "{variables:?}");
    }
}

#[test]
fn a_picture_that_goes_to_no_terminal_has_80_columns_and_no_colours() {
    let screenshot = temporary("no-terminal.png");
    let output = crate::run::boot(&["--guest", "scripted", "--screenshot", text(&screenshot)]);
    let shown = String::from_utf8(output.stdout).expect("it's text");
    for line in shown.lines() {
        assert_eq!(line.chars().count(), 80, "{line:?}");
    }
    assert!(!shown.is_empty() && !shown.contains('\x1b'), "{shown:?}");
}
