// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The server: through a client of the protocol that knows nothing of it, and with real guests on QEMU.
#![cfg(target_os = "linux")]

mod attacks;
mod clients;
mod guests;
mod machine;
mod messages;
mod pictures;
mod refusals;
mod regions;
mod server;

use stdvga_testing::program::Program;

const VFIO_USER: Program = Program::new(env!("CARGO_BIN_EXE_stdvga-vfio-user"));
