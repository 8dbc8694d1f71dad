// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What messages are answered, and what they may cost.

use stdvga::{Config, Variant};
use vfio_bindings::bindings::vfio::VFIO_PCI_CONFIG_REGION_INDEX;

use super::message::{ERROR, NO_REPLY, REPLY};
use super::*;

const GIB: usize = 1 << 30;
const CONFIG: u32 = VFIO_PCI_CONFIG_REGION_INDEX;
const NO_ERROR: i32 = 0;
const EINVAL: i32 = Errno::INVAL.raw_os_error();
const EOPNOTSUPP: i32 = Errno::OPNOTSUPP.raw_os_error();

/// The answers that a client got.
#[derive(Default)]
struct Received(Vec<Vec<u8>>);

impl Answers for &mut Received {
    fn send(&mut self, answer: &[u8], _: Option<BorrowedFd<'_>>) -> io::Result<()> {
        self.0.push(answer.to_vec());
        Ok(())
    }
}

impl Received {
    /// The errors of the answers.
    fn errors(&self) -> Vec<i32> {
        let error = |answer: &Vec<u8>| i32::from_ne_bytes(answer[12..16].try_into().unwrap());
        self.0.iter().map(error).collect()
    }
}

fn device() -> Device {
    Device::new(Config::new(Variant::SecondaryVga).vram_mib(1)).unwrap()
}

/// Serves a client that sends all of `input`, and goes.
fn serve_all(input: impl Read) -> (Received, Result<()>) {
    let mut received = Received::default();
    let outcome = serve(input, &mut received, &device());
    (received, outcome)
}

/// The answers to what breaks no rules of messages.
#[track_caller]
fn answers(input: impl Read) -> Received {
    let (received, outcome) = serve_all(input);
    outcome.unwrap();
    received
}

fn header(command: u16, len: usize, flags: u32) -> Vec<u8> {
    let id = 7_u16;
    let mut bytes = [id.to_ne_bytes(), command.to_ne_bytes()].concat();
    bytes.extend((len as u32).to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(NO_ERROR.to_ne_bytes());
    bytes
}

fn message_with(command: u16, flags: u32, body: &[u8]) -> Vec<u8> {
    [&header(command, HEADER_BYTES + body.len(), flags), body].concat()
}

fn message(command: u16, body: &[u8]) -> Vec<u8> {
    message_with(command, 0, body)
}

/// What follows the header of a message about bytes of a region.
fn access(region: u32, offset: u64, count: usize, data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::from(offset.to_ne_bytes());
    bytes.extend(region.to_ne_bytes());
    bytes.extend((count as u32).to_ne_bytes());
    bytes.extend(data);
    bytes
}

/// A question with a known answer, to be put after another one.
fn question() -> Vec<u8> {
    message(command::REGION_READ, &access(CONFIG, 0, 4, &[]))
}

#[track_caller]
fn expect_the_answer_to_the_question(answer: &[u8], after: &str) {
    let expected = access(CONFIG, 0, 4, &[0x34, 0x12, 0x11, 0x11]);
    let expected = message_with(command::REGION_READ, REPLY, &expected);
    assert_eq!(answer, expected, "the answer after {after}");
}

/// Input that arrives byte by byte.
struct Trickle(io::Cursor<Vec<u8>>);

impl Read for Trickle {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = buffer.len().min(1);
        self.0.read(&mut buffer[..len])
    }
}

#[test]
fn a_message_may_arrive_in_pieces() {
    let input = [message(command::VERSION, &[0; 4]), question(), question()].concat();
    let received = answers(Trickle(io::Cursor::new(input)));
    assert_eq!(received.0.len(), 3);
    expect_the_answer_to_the_question(&received.0[1], "a version byte by byte");
    expect_the_answer_to_the_question(&received.0[2], "a question byte by byte");
}

#[test]
fn the_version_is_the_protocols_first_whatever_clients_say_of_themselves() {
    let expected = message_with(
        command::VERSION,
        REPLY,
        &[&[0; 4][..], CAPABILITIES].concat(),
    );
    for data in [
        &b"\0\0\x01\0{\"capabilities\":{}}\0"[..],
        b"\0\0\0\0",
        b"\0\0\0\0\0",
        b"\0\0\0\0{}\0\0",
        b"\0\0\0\0no end",
        b"\0\0\0\0\xff\xff\0",
    ] {
        let received = answers(&*message(command::VERSION, data));
        assert_eq!(received.0, [&*expected], "{data:02x?}");
    }
}

#[test]
fn the_capabilities_are_those_that_there_are() {
    let (text, end) = CAPABILITIES.split_at(CAPABILITIES.len() - 1);
    assert_eq!(end, [0]);
    let capabilities: serde_json::Value = serde_json::from_slice(text).unwrap();
    let most = &capabilities["capabilities"]["max_data_xfer_size"];
    assert_eq!(most, MAX_DATA, "{capabilities}");
}

#[test]
fn what_cannot_be_carried_out_is_an_error_and_the_next_message_is_answered() {
    let write = |body| message(command::REGION_WRITE, body);
    let read = |body| message(command::REGION_READ, body);
    let one_more = MAX_DATA + 1;
    for (what, refused, error) in [
        (
            "another version",
            message(command::VERSION, &[1, 0, 0, 0]),
            EOPNOTSUPP,
        ),
        ("half a version", message(command::VERSION, &[0; 3]), EINVAL),
        ("a command that is none", message(0, &[]), EOPNOTSUPP),
        ("descriptors for regions", message(6, &[0; 16]), EOPNOTSUPP),
        (
            "the last command",
            message(u16::MAX, &[0xff; 99]),
            EOPNOTSUPP,
        ),
        (
            "half a DMA map",
            message(command::DMA_MAP, &[0; 31]),
            EINVAL,
        ),
        (
            "half a DMA unmap",
            message(command::DMA_UNMAP, &[0; 23]),
            EINVAL,
        ),
        (
            "no room for the device",
            message(command::DEVICE_INFO, &[]),
            EINVAL,
        ),
        ("region 9", message(command::REGION_INFO, &[9; 32]), EINVAL),
        ("interrupt 9", message(command::IRQ_INFO, &[9; 16]), EINVAL),
        (
            "setting interrupt 9",
            message(command::SET_IRQS, &[9; 20]),
            EINVAL,
        ),
        ("a read from region 9", read(&access(9, 0, 4, &[])), EINVAL),
        (
            "a read of too much",
            read(&access(0, 0, one_more, &[])),
            EINVAL,
        ),
        (
            "a read of 4 GiB",
            read(&access(0, 0, 4 * GIB - 1, &[])),
            EINVAL,
        ),
        ("half a read", read(&[0; 15]), EINVAL),
        (
            "a write to region 99",
            write(&access(99, 0, 64, &[0; 64])),
            EINVAL,
        ),
        (
            "a write of too much",
            write(&access(0, 0, one_more, &vec![0; one_more])),
            EINVAL,
        ),
        (
            "a write of less than it says",
            write(&access(0, 0, 5, &[0; 4])),
            EINVAL,
        ),
        (
            "a write of more than it says",
            write(&access(0, 0, 3, &[0; 4])),
            EINVAL,
        ),
    ] {
        let received = answers(&*[refused, question()].concat());
        assert_eq!(received.errors(), [error, NO_ERROR], "{what}");
        assert_eq!(received.0[0].len(), HEADER_BYTES, "{what}");
        expect_the_answer_to_the_question(&received.0[1], what);
    }
}

#[test]
fn what_is_refused_changes_nothing() {
    let vram = |data: &[u8]| access(0, 0, 4, data);
    let longer = message(command::REGION_WRITE, &access(0, 0, 3, &[0x55; 4]));
    let reply = message_with(command::REGION_WRITE, REPLY, &vram(&[0x55; 4]));
    for refused in [longer, reply] {
        let read = message(command::REGION_READ, &vram(&[]));
        let received = answers(&*[refused.clone(), read].concat());
        let last = received.0.last().unwrap();
        assert!(
            last.ends_with(&vram(&[0; 4])),
            "{refused:02x?}: {last:02x?}"
        );
    }
}

#[test]
fn what_wants_no_answer_gets_none_not_even_an_error() {
    for command in 0..20 {
        let posted = message_with(command, NO_REPLY, &[0; 32]);
        let received = answers(&*[posted, question()].concat());
        assert_eq!(received.0.len(), 1, "command {command}");
        expect_the_answer_to_the_question(&received.0[0], &format!("command {command}"));
    }
}

#[test]
fn an_answer_to_nothing_is_not_answered() {
    for flags in [REPLY, REPLY | ERROR] {
        let reply = message_with(command::REGION_READ, flags, &access(0, 0, 4, &[0; 4]));
        let received = answers(&*[reply, question()].concat());
        assert_eq!(received.0.len(), 1, "flags {flags:#x}");
        expect_the_answer_to_the_question(&received.0[0], "a reply");
    }
}

#[test]
fn where_the_next_message_begins_is_known_or_the_connection_ends() {
    let too_long = header(command::REGION_WRITE, 4 * GIB - 1, 0);
    for (input, reason) in [
        (header(command::VERSION, 0, 0), "a message of 0 bytes"),
        (header(command::VERSION, 15, 0), "a message of 15 bytes"),
        (question()[..1].to_vec(), "reading a message"),
        (question()[..15].to_vec(), "reading a message"),
        (question()[..31].to_vec(), "reading a message"),
        (too_long, "the end is in the middle of a message"),
    ] {
        let (received, outcome) = serve_all(&*[question(), input.clone()].concat());
        assert_eq!(
            received.0.len(),
            1,
            "{input:02x?}: what came before is answered"
        );
        let error = format!("{:#}", outcome.unwrap_err());
        assert!(
            error.contains(reason),
            "{input:02x?}: {error}, not {reason}"
        );
    }
}

#[test]
fn a_client_that_takes_no_answers_is_left() {
    struct Closed;
    impl Answers for Closed {
        fn send(&mut self, _: &[u8], _: Option<BorrowedFd<'_>>) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }
    let endless = question().repeat(1000);
    let outcome = serve(&*endless, Closed, &device());
    let error = format!("{:#}", outcome.unwrap_err());
    assert!(error.contains("answering a message"), "{error}");
}

/// An answer is counted, and thrown away.
struct Counted(usize);

impl Answers for &mut Counted {
    fn send(&mut self, answer: &[u8], _: Option<BorrowedFd<'_>>) -> io::Result<()> {
        assert!(answer.len() <= MAX_MESSAGE, "{} bytes", answer.len());
        self.0 += 1;
        Ok(())
    }
}

#[test]
fn no_message_costs_more_memory_than_the_longest_and_its_answer() {
    /// Buffers may have twice the room of what they hold.
    const MOST: u64 = 2 * 2 * MAX_MESSAGE as u64;
    let device = device();
    let long = 64 << 20;
    let access_of = |count| access(0, 0, count, &[]);
    for (what, command, len, start) in [
        ("a version", command::VERSION, long, vec![0; 4]),
        ("a write", command::REGION_WRITE, long, access_of(long)),
        (
            "a write that says little",
            command::REGION_WRITE,
            long,
            access_of(4),
        ),
        (
            "a read",
            command::REGION_READ,
            HEADER_BYTES + 16,
            access_of(4 * GIB - 1),
        ),
        (
            "the longest read",
            command::REGION_READ,
            HEADER_BYTES + 16,
            access_of(MAX_DATA),
        ),
        (
            "the longest write",
            command::REGION_WRITE,
            MAX_MESSAGE,
            access_of(MAX_DATA),
        ),
        ("an unknown command", 99, long, Vec::new()),
    ] {
        let rest = (len - HEADER_BYTES - start.len()) as u64;
        let start = [header(command, len, 0), start].concat();
        let next = question();
        let mut count = Counted(0);
        let cost = allocation_counter::measure(|| {
            let input = start.chain(io::repeat(0xff).take(rest)).chain(&*next);
            serve(input, &mut count, &device).unwrap();
        });
        assert_eq!(count.0, 2, "{what}: answers");
        assert!(cost.bytes_max <= MOST, "{what}: {} bytes", cost.bytes_max);
    }
}
