// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Bytes on their way from one thread to another, of which only so many may wait: a pipe in memory.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// A backlog of at most `most` bytes, at least one. Writing waits while it's full, and reading while it's empty.
pub fn new(most: usize) -> (Writer, Reader) {
    let shared = Arc::new(Shared {
        most,
        waiting: Mutex::default(),
        changed: Condvar::new(),
    });
    (Writer(Arc::clone(&shared)), Reader(shared))
}

struct Shared {
    most: usize,
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    bytes: VecDeque<u8>,
    /// Whether one of the ends has gone.
    is_closed: bool,
}

impl Shared {
    /// Waits while `goes_on` says so, and nobody has gone.
    fn wait(&self, mut goes_on: impl FnMut(&VecDeque<u8>) -> bool) -> MutexGuard<'_, Waiting> {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let goes_on = |waiting: &mut Waiting| !waiting.is_closed && goes_on(&waiting.bytes);
        self.changed
            .wait_while(waiting, goes_on)
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        self.wait(|_| false).is_closed = true;
        self.changed.notify_one();
    }
}

/// The end where bytes come in.
pub struct Writer(Arc<Shared>);

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Shared { most, changed, .. } = &*self.0;
        let mut waiting = self.0.wait(|waiting| waiting.len() >= *most);
        if waiting.is_closed {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let room = bytes.len().min(most - waiting.bytes.len());
        waiting.bytes.extend(&bytes[..room]);
        changed.notify_one();
        Ok(room)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// The end where bytes are taken out.
pub struct Reader(Arc<Shared>);

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut waiting = self.0.wait(VecDeque::is_empty);
        let read = waiting.bytes.read(buffer);
        self.0.changed.notify_one();
        read
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.close();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn all_bytes_arrive_in_order_and_no_more_than_allowed_wait() {
        for most in [1, 7, 1000] {
            let (mut writer, mut reader) = new(most);
            let sent: Vec<u8> = (0..10_000_u32).map(|at| (at ^ at >> 7) as u8).collect();
            let expected = sent.clone();
            let writing = thread::spawn(move || writer.write_all(&sent));
            let mut received = Vec::new();
            // Longer than what may wait, and so read at once.
            let mut buffer = [0; 2000];
            loop {
                let len = reader.read(&mut buffer).expect("reading doesn't fail");
                assert!(len <= most, "{len} bytes waited, of {most}");
                received.extend_from_slice(&buffer[..len]);
                if len == 0 {
                    break;
                }
            }
            writing.join().expect("no panic").expect("all is read");
            assert!(received == expected, "{} bytes differ", received.len());
        }
    }

    #[test]
    fn a_writer_that_waits_learns_that_nobody_reads_any_more() {
        let (mut writer, mut reader) = new(10);
        let writing = thread::spawn(move || writer.write_all(&[0; 1000]));
        reader.read_exact(&mut [0; 100]).expect("there are bytes");
        drop(reader);
        let error = writing.join().expect("no panic").expect_err("too much");
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    }

    #[test]
    fn what_waits_when_the_writer_goes_is_still_read() {
        let (mut writer, mut reader) = new(10);
        writer.write_all(b"the last").expect("it fits");
        drop(writer);
        let mut received = String::new();
        reader.read_to_string(&mut received).expect("it's text");
        assert_eq!(received, "the last");
    }
}
