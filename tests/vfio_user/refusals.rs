//! What the server says to options that can't be right.

use std::fs;

use crate::run::{run, text};

/// Runs the server, which must fail without a panic and say all of `words` in its last line.
fn assert_refuses(arguments: &[&str], words: &[&str]) {
    let output = run(arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}:\n{stderr}");
    let line = stderr.lines().last().unwrap_or_default();
    for word in words {
        assert!(
            line.contains(word),
            "{arguments:?}: {word:?} isn't in:\n{stderr}"
        );
    }
}

#[test]
fn a_path_where_something_exists_is_refused_and_left_alone() {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(&file, "precious").expect("the file can be written");
    let path = text(file.path());
    assert_refuses(&["--socket", path], &[path, "exists"]);
    assert_eq!(
        fs::read_to_string(&file).expect("it's still there"),
        "precious"
    );
}

#[test]
fn a_path_that_cannot_be_made_is_named() {
    let path = "/nonexistent/socket";
    assert_refuses(&["--socket", path], &[path, "No such file or directory"]);
    let long = format!("/tmp/{}", "x".repeat(200));
    assert_refuses(&["--socket", &long], &[&long]);
}

#[test]
fn a_rom_that_cannot_be_one_is_named() {
    let socket = ["--socket", "/nonexistent/socket"];
    assert_refuses(
        &[&socket[..], &["--romfile", "/nonexistent/rom"]].concat(),
        &["/nonexistent/rom"],
    );
    assert_refuses(
        &[&socket[..], &["--romfile", "/dev/null"]].concat(),
        &["VGA", "ROM"],
    );
}

#[test]
fn bad_usage_has_an_exit_status_of_its_own() {
    let socket = ["--socket", "/nonexistent/socket"];
    assert_eq!(run(&[]).status.code(), Some(2), "without --socket");
    let usages: [[&str; 2]; 7] = [
        ["--device", "isa-vga"],
        ["--vgamem", "0"],
        ["--vgamem", "513"],
        ["--xres", "0"],
        ["--xres", "16001"],
        ["--yres", "12001"],
        ["--yres", "tall"],
    ];
    for usage in usages {
        let output = run(&[socket, usage].concat());
        assert_eq!(
            output.status.code(),
            Some(2),
            "{usage:?}: {}",
            output.status
        );
    }
}
