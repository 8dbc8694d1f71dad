// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! QEMU's machine protocol.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Child;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

/// How long QEMU may take to open its monitor's socket, in steps of 10 ms: generous, for slow machines.
const TRIES: u32 = 6000;
/// How long it may take to execute a command.
const LIMIT: Duration = Duration::from_secs(60);

/// QEMU's monitor.
pub struct Monitor {
    stream: BufReader<UnixStream>,
    /// The events told of since the last command: they may come before its answer.
    events: Vec<String>,
}

impl Monitor {
    /// Connects to the monitor of the QEMU that was just started with `-qmp unix:SOCKET,server=on,wait=off`.
    pub fn connect(socket: &Path, qemu: &mut Child) -> io::Result<Self> {
        let stream = (0..TRIES).find_map(|_| {
            let ended = qemu.try_wait().expect("a child");
            assert_eq!(ended, None, "QEMU ended before it opened its monitor");
            UnixStream::connect(socket)
                .map_err(|_| thread::sleep(Duration::from_millis(10)))
                .ok()
        });
        let stream = stream.expect("QEMU's monitor opens within a minute");
        stream.set_read_timeout(Some(LIMIT)).expect("a limit");
        let mut monitor = Self {
            stream: BufReader::new(stream),
            events: Vec::new(),
        };
        monitor.read_up_to(|message| message.get("QMP").is_some())?;
        monitor.call("qmp_capabilities", json!({}))?;
        Ok(monitor)
    }

    /// Has a command executed, and gives what it returns.
    pub fn call(&mut self, command: &str, arguments: Value) -> io::Result<Value> {
        self.events.clear();
        let message = json!({"execute": command, "arguments": arguments});
        writeln!(self.stream.get_mut(), "{message}")?;
        let mut answer = self.read_up_to(|message| message.get("return").is_some())?;
        Ok(answer["return"].take())
    }

    /// Waits for an event that the last command brings about.
    pub fn wait_for_event(&mut self, name: &str) -> io::Result<()> {
        if self.events.iter().any(|event| event == name) {
            return Ok(());
        }
        self.read_up_to(|message| message["event"] == name)?;
        Ok(())
    }

    /// Reads messages up to a certain one, and gives that.
    fn read_up_to(&mut self, is_last: impl Fn(&Value) -> bool) -> io::Result<Value> {
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line)? == 0 {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "QEMU's monitor closed",
                ));
            }
            let message: Value = serde_json::from_str(&line).expect("a message in JSON");
            let error = message.get("error");
            assert!(error.is_none(), "QEMU's monitor refused: {message}");
            self.events
                .extend(message["event"].as_str().map(str::to_owned));
            if is_last(&message) {
                return Ok(message);
            }
        }
    }
}
