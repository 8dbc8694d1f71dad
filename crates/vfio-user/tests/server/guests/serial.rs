// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! A guest's serial port.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Instant;

use super::machine::LIMIT;

pub struct Serial {
    stream: UnixStream,
    incoming: Receiver<Vec<u8>>,
    /// What came and wasn't waited for yet.
    received: Vec<u8>,
}

impl Serial {
    /// Reads at once what comes: a guest waits for each byte to be taken, and drops it at last.
    pub fn new(stream: UnixStream) -> Self {
        let (outgoing, incoming) = mpsc::channel();
        let mut reader = stream.try_clone().expect("one more handle");
        thread::spawn(move || -> io::Result<()> {
            let mut bytes = [0; 4096];
            loop {
                let len = reader.read(&mut bytes)?;
                if len == 0 || outgoing.send(bytes[..len].to_vec()).is_err() {
                    return Ok(());
                }
            }
        });
        Self {
            stream,
            incoming,
            received: Vec::new(),
        }
    }

    pub fn send(&mut self, text: &str) {
        self.stream
            .write_all(text.as_bytes())
            .expect("the serial port takes bytes");
    }

    /// Waits for a text, and returns what came before it.
    pub fn wait_for(&mut self, text: &str) -> String {
        let deadline = Instant::now() + LIMIT;
        loop {
            let find = |window: &[u8]| window == text.as_bytes();
            if let Some(start) = self.received.windows(text.len()).position(find) {
                let before = self.received.drain(..start + text.len()).take(start);
                return String::from_utf8_lossy(&before.collect::<Vec<u8>>()).into_owned();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.incoming.recv_timeout(left) {
                Ok(bytes) => self.received.extend(bytes),
                Err(why) => panic!("{text:?} was waited for: {why}: {self}"),
            }
        }
    }
}

impl std::fmt::Display for Serial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.received))
    }
}
