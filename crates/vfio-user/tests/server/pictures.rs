// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What the server shows of the guest's screen.

use std::fs;
use std::io::Read;
use std::net::TcpStream;

use rustix::process::Signal;

use crate::machine::Machine;
use crate::server::Server;

/// Pixels that differ from their neighbours.
fn pattern(bytes: u32) -> Vec<u8> {
    (0..bytes).map(|at| (at ^ at >> 7) as u8).collect()
}

#[test]
fn the_picture_is_the_devices() {
    let server = Server::start(&[]);
    let mut machine = Machine::new(&server);
    for (width, height, bpp) in [
        (640, 480, 8),
        (800, 600, 16),
        (1024, 768, 24),
        (1280, 720, 32),
    ] {
        machine.set_mode(width, height, bpp);
        let picture = server.picture();
        assert_eq!(
            picture.size,
            (width.into(), height.into()),
            "the mode is set"
        );
        machine.expect_picture(&picture);
        machine.draw(5, &pattern(400_000));
        machine.expect_picture(&server.picture());
        machine.draw_by_messages(123_456, &pattern(10_000));
        machine.expect_picture(&server.picture());
    }
}

#[test]
fn a_reset_leaves_the_picture_until_a_driver_sets_a_mode() {
    let server = Server::start(&[]);
    let mut machine = Machine::new(&server);
    machine.set_mode(640, 480, 32);
    machine.draw(0, &pattern(500_000));
    machine.expect_picture(&server.picture());
    machine.reset();
    server.wait_for("reset");
    machine.expect_picture(&server.picture());
    machine.set_mode(320, 200, 32);
    machine.expect_picture(&server.picture());
}

#[test]
fn there_is_a_picture_before_any_client() {
    let server = Server::start(&[]);
    let picture = server.picture();
    assert_eq!(picture.size, (640, 480));
    assert!(
        picture.pixels.iter().all(|pixel| *pixel == [0; 3]),
        "it's black"
    );
}

#[test]
fn viewers_can_watch() {
    let server = Server::start(&["--vnc", "0"]);
    let address = server.said.split_once("viewers can connect to ");
    let address = address.and_then(|(_, rest)| rest.split_once(": "));
    let (address, _) = address.expect("the server says where");
    let mut viewer = TcpStream::connect(address).expect("the server listens");
    let mut version = [0; 12];
    viewer.read_exact(&mut version).expect("the server begins");
    assert_eq!(version, *b"RFB 003.008\n");
}

#[test]
fn a_picture_that_cannot_be_written_is_told_and_stops_nobody() {
    let server = Server::start(&[]);
    let mut machine = Machine::new(&server);
    fs::create_dir(server.picture_path()).expect("nothing is there yet");
    server.signal(Signal::USR1);
    server.wait_for("picture can't be written");
    machine.set_mode(640, 480, 32);
    machine.draw_by_messages(0, &pattern(100));
    fs::remove_dir(server.picture_path()).expect("it's still a directory");
    machine.expect_picture(&server.picture());
}
