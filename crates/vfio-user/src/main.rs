// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The VGA in a process of its own: a vfio-user server, for QEMU, Cloud Hypervisor and other VMMs that
//! speak the protocol.
//!
//! - `server.rs` waits for clients and signals, and shows the screen.
//! - `session.rs` is a client's time with a device.
//! - `socket.rs` is where clients come in.
//! - This package's library has the device and the protocol. The crate `stdvga-frontend` is the host's side of the
//!   screen, and refuses files that can't be right.

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
