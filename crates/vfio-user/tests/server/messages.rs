// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Messages that the crate's own client doesn't send.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use vfio_user::Command;

use crate::machine::{BAR0, BAR2, CONFIG, ROM, VGA, read};
use crate::server::Server;

// Flags of a message's header.
const REPLY: u32 = 1 << 0;
const NO_REPLY: u32 = 1 << 4;

pub const HEADER_BYTES: usize = 16;
/// The device's own first bytes of configuration space.
const VENDOR_AND_DEVICE: [u8; 4] = [0x34, 0x12, 0x11, 0x11];

/// A message: its header, and what follows.
pub fn message(command: Command, flags: u32, body: &[u8]) -> Vec<u8> {
    let id = [7, 0];
    let no_error = [0; 4];
    let len = (HEADER_BYTES + body.len()) as u32;
    let command = (command as u16).to_le_bytes();
    let header = [
        &id[..],
        &command,
        &len.to_le_bytes(),
        &flags.to_le_bytes(),
        &no_error,
    ];
    [&header.concat(), body].concat()
}

/// What follows the header where `count` bytes of a region are read or written.
pub fn access((region, offset): (u32, u64), count: u32, data: &[u8]) -> Vec<u8> {
    [
        &offset.to_le_bytes()[..],
        &region.to_le_bytes(),
        &count.to_le_bytes(),
        data,
    ]
    .concat()
}

pub fn connect(server: &Server) -> UnixStream {
    UnixStream::connect(server.socket()).expect("the server listens")
}

/// Fails unless the next answer is that to a read from configuration space.
#[track_caller]
pub fn expect_an_answer(stream: &mut UnixStream, what: &str) {
    let question = message(Command::RegionRead, 0, &access((CONFIG, 0), 4, &[]));
    let expected = access((CONFIG, 0), 4, &VENDOR_AND_DEVICE);
    let expected = message(Command::RegionRead, REPLY, &expected);
    stream.write_all(&question).expect("the server reads");
    let mut answer = vec![0; expected.len()];
    stream.read_exact(&mut answer).expect("the server answers");
    assert_eq!(answer, expected, "a read after {what}");
}

/// An answer would be taken for that to the next question.
#[test]
fn no_posted_write_is_answered() {
    let server = Server::start(&[]);
    let mut stream = connect(&server);
    for place in [
        (BAR0, 0),
        (BAR0, 16 << 20),
        (1, 0),
        (BAR2, 0x500),
        (BAR2, u64::MAX),
        (ROM, 0),
        (CONFIG, 0x0e),
        (CONFIG, 0x100),
        (VGA, 0x3c0),
    ] {
        let body = access(place, 4, &[0; 4]);
        let posted = message(Command::RegionWrite, NO_REPLY, &body);
        stream.write_all(&posted).expect("the server reads");
        let (region, offset) = place;
        let what = format!("a posted write to region {region} at {offset:#x}");
        expect_an_answer(&mut stream, &what);
    }
}

#[test]
fn whoever_breaks_the_protocol_is_left_and_the_next_client_is_served() {
    let server = Server::start(&[]);
    let too_short = message(Command::Version, 0, &[0; 4]);
    let mut shorter_than_itself = too_short.clone();
    shorter_than_itself[4] = 0;
    for nonsense in [
        vec![0xff],
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        too_short,
        shorter_than_itself,
        message(Command::Version, 0, b"\0\0\0\0no end"),
        message(Command::Version, 0, b"\0\0\0\0no JSON\0"),
    ] {
        let mut stream = connect(&server);
        stream.write_all(&nonsense).expect("the server reads");
        stream.shutdown(Shutdown::Write).expect("it's connected");
        // It ends by an error where the server closes the connection with something unread.
        let _ = stream.read_to_end(&mut Vec::new());
        server.wait_for("the client has gone");
        let mut client = server.connect();
        let answer: [u8; 4] = read(&mut client, CONFIG, 0);
        assert_eq!(answer, VENDOR_AND_DEVICE, "after {nonsense:02x?}");
        drop(client);
        server.wait_for("the client has gone");
    }
}
