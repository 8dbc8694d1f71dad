// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The example `vfio_user`, through a client of the protocol that knows nothing of it.
#![cfg(target_os = "linux")]

#[path = "../driver/mod.rs"]
mod driver;
#[path = "../example/mod.rs"]
mod example;
#[path = "../picture/mod.rs"]
mod picture;
#[path = "../server/mod.rs"]
mod server;

mod clients;
mod machine;
mod messages;
mod pictures;
mod refusals;
mod regions;
