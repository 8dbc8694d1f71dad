// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Clients that come, go and misbehave, and the server's own end.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::mpsc;
use std::{fs, thread};

use rustix::process::Signal;
use stdvga_testing::driver::{XRES, bar2_dispi};
use vfio_user::Client;

use crate::machine::{BAR0, BAR2, CONFIG, Machine, read, write};
use crate::server::{LIMIT, Server};

/// Serves a client that draws and goes: it leaves its picture. Gives what it had.
fn serve_a_client(server: &Server) -> Machine {
    let mut machine = Machine::new(server);
    machine.set_mode(640, 400, 32);
    machine.draw(0, &[0x55; 10_000]);
    machine.client.shutdown().expect("the server is there");
    machine.expect_picture(&server.written_picture());
    server.wait_for("the client has gone");
    machine
}

#[test]
fn a_client_that_goes_leaves_a_picture_and_the_next_one_gets_a_new_device() {
    let server = Server::start(&[]);
    let mut machine = serve_a_client(&server);

    let mut client = server.connect();
    assert_eq!(read(&mut client, BAR0, 0), [0; 4], "VRAM");
    assert_eq!(read(&mut client, BAR2, bar2_dispi(XRES)), [0; 2], "XRES");
    machine.draw(0, &[0xaa; 10_000]);
    assert_eq!(
        read(&mut client, BAR0, 0),
        [0; 4],
        "VRAM, after the former client drew"
    );
}

#[test]
fn a_second_client_waits_until_the_first_has_gone() {
    let server = Server::start(&[]);
    let mut first = server.connect();
    write(&mut first, BAR0, 0, &[0x55; 4]);
    read::<4>(&mut first, CONFIG, 0);
    let path = server.socket();
    let second = thread::spawn(move || Client::new(&path).expect("the server talks to a client"));
    server.wait_for("another client waits");
    assert_eq!(
        read(&mut first, BAR0, 0),
        [0x55; 4],
        "the first is still served"
    );
    assert!(!second.is_finished(), "two are served at once");
    first.shutdown().expect("the server is there");
    let mut second = second.join().expect("it's served");
    assert_eq!(read(&mut second, BAR0, 0), [0; 4], "the second's VRAM");
}

#[test]
fn a_client_that_asks_for_nothing_leaves_the_last_picture() {
    let server = Server::start(&[]);
    let mut machine = serve_a_client(&server);
    drop(server.connect());
    server.wait_for("the client has gone");
    machine.expect_picture(&server.picture());
}

#[test]
fn a_client_is_said_to_use_the_device_once_it_does() {
    let server = Server::start(&[]);
    drop(server.connect());
    let said = server.wait_for("the client has gone");
    assert!(said.contains("a client has connected"), "{said}");
    assert!(!said.contains("uses the device"), "{said}");
    let mut client = server.connect();
    let _: [u8; 4] = read(&mut client, CONFIG, 0);
    server.wait_for("the client uses the device");
}

#[test]
fn clients_that_said_nothing_and_went_are_passed_over_without_a_word() {
    let server = Server::start(&[]);
    // As many as may wait at once, but for the last one.
    for _ in 0..100 {
        drop(UnixStream::connect(server.socket()).expect("the server listens"));
    }
    let mut client = server.connect();
    let _: [u8; 4] = read(&mut client, CONFIG, 0);
    let said = server.wait_for("the client uses the device");
    let lines = said.lines().count();
    assert_eq!(lines, 2, "it connected and uses the device:\n{said}");
}

#[test]
fn a_client_that_says_nothing_keeps_no_other_waiting_for_ever() {
    let server = Server::start(&[]);
    let silent = UnixStream::connect(server.socket()).expect("the server listens");
    let mut client = within_the_limit(server.socket());
    let _: [u8; 4] = read(&mut client, CONFIG, 0);
    drop(silent);
}

/// A client that is served before the test's limit.
fn within_the_limit(socket: PathBuf) -> Client {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(Client::new(&socket)));
    let client = receiver.recv_timeout(LIMIT).expect("it's served in time");
    client.expect("the server talks to a client")
}

#[test]
fn a_reset_is_that_of_the_device() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    write(&mut client, BAR0, 0, &[0x55; 4]);
    write(&mut client, BAR2, bar2_dispi(XRES), &640_u16.to_le_bytes());
    write(&mut client, CONFIG, 0x10, &0xfd00_0000_u32.to_le_bytes());
    client.reset().expect("the server is there");
    assert_eq!(read(&mut client, BAR2, bar2_dispi(XRES)), [0; 2], "XRES");
    assert_eq!(read(&mut client, CONFIG, 0x10), [8, 0, 0, 0], "BAR0");
    assert_eq!(read(&mut client, BAR0, 0), [0x55; 4], "VRAM stays");
}

#[test]
fn only_this_user_can_connect() {
    let server = Server::start(&[]);
    let socket = fs::symlink_metadata(server.socket()).expect("the socket is there");
    let mode = socket.permissions().mode() & 0o777;
    assert_eq!(mode, 0o600, "{mode:o}");
}

#[test]
fn a_socket_that_took_the_servers_place_is_left_alone() {
    let mut server = Server::start(&[]);
    fs::remove_file(server.socket()).expect("the socket is there");
    let other = UnixListener::bind(server.socket()).expect("the place is free");
    server.signal(Signal::TERM);
    server.written_picture();
    let status = server.wait();
    assert!(status.success(), "{status}");
    fs::symlink_metadata(server.socket()).expect("the other socket is still there");
    drop(other);
}

#[test]
fn a_signal_ends_the_server_with_a_last_picture() {
    for signal in [Signal::INT, Signal::TERM] {
        let server = Server::start(&[]);
        server.signal(signal);
        assert_eq!(server.written_picture().size, (640, 480));
        let (status, said) = server.end();
        assert!(status.success(), "{signal:?}: {status}\n{said}");

        let server = Server::start(&[]);
        let mut machine = Machine::new(&server);
        machine.set_mode(1024, 768, 32);
        machine.draw(0, &[0x55; 10_000]);
        server.signal(signal);
        machine.expect_picture(&server.written_picture());
        let (status, said) = server.end();
        assert!(status.success(), "{signal:?}: {status}\n{said}");
    }
}
