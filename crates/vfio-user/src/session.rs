// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! A client's time with a device of its own.

use std::thread::{self, JoinHandle};

use anyhow::{Context, Result};
use stdvga::Config;
use vfio_user::Server;

use crate::device::Device;
use crate::socket::Socket;

/// A client that is served, on a thread of its own, and its device.
///
/// Each client gets a new device. A former one may still have the memory of its own mapped.
pub struct Session {
    pub device: Device,
    thread: JoinHandle<Result<(), vfio_user::Error>>,
}

impl Session {
    /// Serves the next client.
    pub fn start(socket: &Socket, config: Config) -> Result<Self> {
        let device = Device::new(config)?;
        let listener = socket.listener().context("the socket")?;
        let server = Server::from_owned_fd(
            listener.into(),
            true,
            Device::interrupts(),
            device.regions(),
        );
        let mut backend = device.clone();
        let thread = thread::Builder::new()
            .name("client".into())
            .spawn(move || server.run(&mut backend))
            .context("no thread for the client")?;
        Ok(Self { device, thread })
    }

    /// Whether the client has gone.
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits until the client has gone, and says so; and why, where it didn't just close the connection.
    pub fn farewell(self) -> String {
        match self.thread.join() {
            Ok(Ok(())) => "the client has gone".into(),
            Ok(Err(error)) => format!("the client has gone: {error}"),
            // The crate panics at some messages that no client sends.
            Err(_) => "the client has gone: it broke the protocol".into(),
        }
    }
}
