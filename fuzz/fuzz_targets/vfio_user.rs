// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Any bytes from a vfio-user client: they end, each answer is one message, and none is longer than allowed.

#![no_main]

use std::io;
use std::os::fd::BorrowedFd;

use libfuzzer_sys::fuzz_target;
use stdvga::{Config, Variant};
use stdvga_vfio_user::device::Device;
use stdvga_vfio_user::protocol::{self, Answers, MAX_MESSAGE};

/// Checks answers, and throws them away.
struct Checked;

impl Answers for Checked {
    fn send(&mut self, answer: &[u8], file: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let [_, _, command, _, l0, l1, l2, l3, flags, ..] = *answer else {
            panic!("an answer without a header: {answer:02x?}");
        };
        let len = u32::from_ne_bytes([l0, l1, l2, l3]) as usize;
        assert_eq!(len, answer.len(), "the length that an answer gives");
        assert!(len <= MAX_MESSAGE, "{len} bytes");
        assert_eq!(flags & 1, 1, "an answer is marked as one");
        assert!(
            file.is_none() || command == 5,
            "a file for command {command}"
        );
        Ok(())
    }
}

fuzz_target!(|data: &[u8]| {
    let config = Config::new(Variant::Vga).vram_mib(1);
    let device = Device::new(config).expect("a device");
    // An error is the connection's end.
    let _ = protocol::serve(data, Checked, &device);
});
