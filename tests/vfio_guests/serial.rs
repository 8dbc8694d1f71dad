//! A guest's serial port.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Instant;

use crate::machine::LIMIT;

pub struct Serial {
    stream: UnixStream,
    /// What came and wasn't waited for yet.
    received: Vec<u8>,
}

impl Serial {
    pub fn new(stream: UnixStream) -> Self {
        Self {
            stream,
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
            self.receive(deadline)
                .unwrap_or_else(|why| panic!("{text:?} was waited for, and {why}: {self}"));
        }
    }

    fn receive(&mut self, deadline: Instant) -> Result<(), String> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(format!("didn't come within {LIMIT:?}"));
        }
        self.stream
            .set_read_timeout(Some(left))
            .map_err(|error| error.to_string())?;
        let mut bytes = [0; 4096];
        match self.stream.read(&mut bytes) {
            Ok(0) => Err("the machine ended".into()),
            Ok(len) => {
                self.received.extend(&bytes[..len]);
                Ok(())
            }
            Err(error) => Err(error.to_string()),
        }
    }
}

impl std::fmt::Display for Serial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.received))
    }
}
