// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The VGA in a process of its own: a vfio-user server, for QEMU, Cloud Hypervisor and other VMMs that
//! speak the protocol.
//!
//! - `server.rs` waits for clients and signals, and shows the screen.
//! - `session.rs` is a client's time with a device.
//! - `socket.rs` is where clients come in.
//! - This package's library has the device and the protocol. The crate `stdvga-frontend` is the host's side of the
//!   screen, and refuses files that can't be right.
//!
//! # Bounds
//!
//! Whatever a client does, these hold:
//!
//! - **Memory**: `2 * VRAM + 12 bytes * pixels of the picture + 16 MiB`, and what viewers take. VRAM is there once
//!   more as it was drawn; a picture is there as pixels, and as a file in the making. A client that has gone keeps
//!   none of it.
//! - **Time**: a message holds the device for no longer than 1 MiB of accesses take, and whoever waits for it has it
//!   next. SIGTERM is obeyed after one message and one picture.
//! - **Places**: one client. A connection that says nothing is closed after 2 s.

#[cfg(target_os = "linux")]
mod server;
#[cfg(target_os = "linux")]
mod session;
#[cfg(target_os = "linux")]
mod socket;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    server::main()
}

#[cfg(not(target_os = "linux"))]
fn main() -> std::process::ExitCode {
    stdvga_frontend::say("this needs Linux, for memory that another process can map");
    std::process::ExitCode::FAILURE
}
