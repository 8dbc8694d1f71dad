// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Clients that want to harm the server, its host, or other clients.

use std::fs;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::thread;

use rustix::fs::OFlags;
use rustix::process::Signal;
use vfio_user::Command;
use vm_memory::VolatileMemory;

use crate::machine::{BAR0, BAR2, CONFIG, map_vram, read, write};
use crate::messages::{HEADER_BYTES, access, connect, expect_an_answer, message};
use crate::server::Server;

const MIB: usize = 1 << 20;

/// The most address space that the server has ever had, in bytes.
fn peak(server: &Server) -> usize {
    let status = fs::read_to_string(server.proc("status")).expect("the server runs");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmPeak:"));
    let kibibytes = peak.and_then(|peak| peak.trim().strip_suffix(" kB"));
    let kibibytes: usize = kibibytes
        .and_then(|number| number.parse().ok())
        .expect("a size");
    kibibytes << 10
}

fn open_files(server: &Server) -> usize {
    let files = fs::read_dir(server.proc("fd"));
    files.expect("the server runs").count()
}

/// Reads the header of an answer.
fn errno(stream: &mut UnixStream) -> u32 {
    let mut header = [0; HEADER_BYTES];
    stream.read_exact(&mut header).expect("an answer");
    let [.., a, b, c, d] = header;
    u32::from_le_bytes([a, b, c, d])
}

#[test]
fn no_length_in_a_message_takes_memory() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    read::<4>(&mut client, CONFIG, 0);
    drop(client);
    server.wait_for("the client has gone");
    let before = peak(&server);
    let mut endless = message(Command::Version, 0, &[0; 4]);
    endless[4..8].fill(0xff);
    for (what, attack) in [
        ("a version of 4 GiB", endless),
        (
            "a read of 4 GiB",
            message(Command::RegionRead, 0, &access((BAR0, 0), u32::MAX, &[])),
        ),
        (
            "a write of 4 GiB",
            message(Command::RegionWrite, 0, &access((BAR0, 0), u32::MAX, &[])),
        ),
    ] {
        let mut stream = connect(&server);
        stream.write_all(&attack).expect("the server reads");
        if what != "a version of 4 GiB" {
            assert_eq!(errno(&mut stream), 22, "{what}: EINVAL");
            expect_an_answer(&mut stream, what);
        }
        // The server takes what there is of the message.
        let some = stream.write_all(&vec![0xff; 64 * MIB]);
        some.expect("the server reads");
        drop(stream);
        server.wait_for("the client has gone");
        // A thread has 64 MiB of addresses for what it allocates.
        let more = peak(&server) - before;
        assert!(more < 512 * MIB, "{what}: {more} bytes more");
    }
}

#[test]
fn a_write_of_more_than_a_mebibyte_is_refused_as_a_read_is() {
    let server = Server::start(&[]);
    let mut stream = connect(&server);
    let count = MIB + 1;
    for region in [BAR0, BAR2, CONFIG] {
        for (command, data) in [
            (Command::RegionRead, &[][..]),
            (Command::RegionWrite, &vec![0; count]),
        ] {
            let question = message(command, 0, &access((region, 0), count as u32, data));
            stream.write_all(&question).expect("the server reads");
            let what = format!("{command:?} of {count} bytes of region {region}");
            assert_eq!(errno(&mut stream), 22, "{what}: EINVAL");
            expect_an_answer(&mut stream, &what);
        }
    }
}

#[test]
fn a_client_that_has_gone_keeps_no_memory_of_the_servers() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    let bar0 = client.region(BAR0).expect("BAR0 is a region");
    let file = bar0.file_offset.clone().expect("BAR0 comes with a file");
    let vram = map_vram(&client);
    for piece in 0..16 {
        write(&mut client, BAR0, (piece * MIB) as u64, &[0x55; MIB]);
    }
    let bytes = || file.file().metadata().expect("a file").blocks() * 512;
    assert_eq!(bytes(), 16 * MIB as u64, "while the client is there");
    drop(client);
    // It waits for the next client when it has done with the last.
    server.wait_for("waits for a client");
    assert_eq!(bytes(), 0, "when it has gone");
    let mut last = [0x55_u8; 4];
    let slice = vram.get_slice(16 * MIB - 4, 4).expect("it's inside");
    slice.copy_to(&mut last);
    assert_eq!(last, [0; 4], "through the mapping that it kept");
}

#[test]
fn descriptors_that_come_with_messages_do_not_stay() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    read::<4>(&mut client, CONFIG, 0);
    let before = open_files(&server);
    let null = fs::File::open("/dev/null").expect("there's /dev/null");
    for count in [1, 16, 253] {
        let files = vec![null.as_raw_fd(); count];
        let set = client.set_irqs(0, 0, 0, 0, &files);
        set.unwrap_or_else(|error| panic!("{count} descriptors: {error}"));
        let mapped = client.dma_map(0, 0, 4096, null.as_raw_fd());
        mapped.unwrap_or_else(|error| panic!("after {count} descriptors: {error}"));
    }
    assert_eq!(open_files(&server), before, "descriptors");
}

/// A client that sends the longest writes that there are, and waits for no answer.
fn flood(mut stream: UnixStream) {
    let data = vec![0x55; MIB];
    let longest = access((CONFIG, 0), MIB as u32, &data);
    let no_reply = 1 << 4;
    let posted = message(Command::RegionWrite, no_reply, &longest);
    while stream.write_all(&posted).is_ok() {}
}

#[test]
fn a_signal_ends_the_server_however_busy_a_client_keeps_it() {
    let server = Server::start(&[]);
    let stream = connect(&server);
    let flood = thread::spawn(move || flood(stream));
    server.wait_for("the client uses the device");
    server.signal(Signal::TERM);
    server.written_picture();
    let (status, said) = server.end();
    assert!(status.success(), "{status}\n{said}");
    flood.join().expect("it ends with the server");
}

#[test]
fn a_signal_ends_the_server_when_its_client_takes_no_answers() {
    let server = Server::start(&[]);
    let mut stream = connect(&server);
    let question = message(
        Command::RegionRead,
        0,
        &access((CONFIG, 0), MIB as u32, &[]),
    );
    stream
        .write_all(&question.repeat(4))
        .expect("the server reads");
    server.wait_for("the client uses the device");
    server.signal(Signal::TERM);
    server.written_picture();
    let (status, said) = server.end();
    assert!(status.success(), "{status}\n{said}");
}

#[test]
fn a_full_stdout_stops_nobody() {
    let (unread, stdout) = std::io::pipe().expect("a pipe");
    let mut filling = stdout.try_clone().expect("a descriptor more");
    let flags = rustix::fs::fcntl_getfl(&filling).expect("it's open");
    rustix::fs::fcntl_setfl(&filling, flags | OFlags::NONBLOCK).expect("it can be set");
    while filling.write(&[b'x'; 4096]).is_ok() {}
    rustix::fs::fcntl_setfl(&filling, flags).expect("it can be set");
    let mut server = Server::start_with(&[], stdout.into());
    server.signal(Signal::USR1);
    let mut client = server.connect();
    read::<4>(&mut client, CONFIG, 0);
    drop(client);
    server.wait_for("the client has gone");
    server.signal(Signal::TERM);
    let status = server.wait();
    assert!(status.success(), "{status}");
    drop(unread);
}
