// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! A client's time with a device of its own.

use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use stdvga::Config;
use stdvga_frontend::say;
use stdvga_vfio_user::device::Device;
use stdvga_vfio_user::protocol;

/// A client that is served, on a thread of its own, and its device.
///
/// Each client gets a new device. A former one may still have the memory of its own mapped.
pub struct Session {
    pub device: Device,
    end: Receiver<Result<()>>,
    outcome: Option<Result<()>>,
}

impl Session {
    /// Serves a client.
    pub fn start(client: UnixStream, config: Config) -> Result<Self> {
        let device = Device::new(config)?;
        let (sender, end) = mpsc::channel();
        let its_device = device.clone();
        thread::Builder::new()
            .name("client".into())
            .spawn(move || {
                let outcome = protocol::serve(&client, &client, &its_device);
                // Nobody waits for it any more if the server ends.
                let _ = sender.send(outcome);
            })
            .context("no thread for the client")?;
        Ok(Self {
            device,
            end,
            outcome: None,
        })
    }

    /// Waits up to `time` for the client to go.
    pub fn wait(&mut self, time: Duration) {
        match self.end.recv_timeout(time) {
            Ok(outcome) => self.outcome = Some(outcome),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                let panicked = || Err(anyhow!("its thread panicked"));
                self.outcome.get_or_insert_with(panicked);
            }
        }
    }

    /// Whether the client has gone.
    pub fn is_finished(&self) -> bool {
        self.outcome.is_some()
    }

    /// Says that the client has gone; and why, if it didn't just close the connection.
    pub fn farewell(&self) -> String {
        match &self.outcome {
            Some(Err(error)) => format!("the client has gone: {error:#}"),
            _ => "the client has gone".into(),
        }
    }
}

impl Drop for Session {
    /// A client that keeps VRAM's descriptor mustn't keep memory that this server has paid for.
    fn drop(&mut self) {
        if let Err(error) = self.device.discard_vram() {
            say(format_args!("a former client may keep VRAM: {error}"));
        }
    }
}
