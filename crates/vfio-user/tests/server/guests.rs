// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Real guests on QEMU 11.1, with the device attached by vfio-user: what they show must be what they show
//! on QEMU's own device, in the same run.
//!
//! `.ci/guests` puts QEMU and the guests into `target/guests`. Where they're missing the tests are skipped,
//! and fail instead where `CI` is set. The pictures are left in `target/tmp/vfio_guests`: on a difference
//! both, and one of the differing pixels.
mod grub_screens;
mod linux;
mod machine;
mod ovmf;
mod pair;
mod process;
mod seabios;
mod serial;
