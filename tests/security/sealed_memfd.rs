// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! VRAM in a sealed memfd: what another process can do with it.

use std::io::ErrorKind;

use rustix::fs::{FallocateFlags, SealFlags};
use stdvga::StdVga;
use vm_memory::{FileOffset, MmapRegion, VolatileMemory};

use crate::shared_memory::{MIB, config, opened_again};

#[test]
fn nobody_can_cut_a_sealed_memfd_short_or_make_it_longer() {
    let vga = StdVga::with_sealed_memfd(config()).expect("a valid configuration");
    let file = opened_again(&vga);
    for bytes in [0, MIB - 4096, MIB + 4096] {
        let error = file.set_len(bytes as u64).expect_err("a sealed length");
        assert_eq!(
            error.kind(),
            ErrorKind::PermissionDenied,
            "ftruncate to {bytes} bytes: {error}"
        );
    }
    let longer = rustix::fs::fallocate(&file, FallocateFlags::empty(), MIB as u64, 4096);
    assert_eq!(
        longer,
        Err(rustix::io::Errno::PERM),
        "fallocate behind 1 MiB"
    );
    assert_eq!(file.metadata().expect("its metadata").len(), MIB as u64);
}

#[test]
fn nobody_can_seal_a_sealed_memfd_against_being_written() {
    let vga = StdVga::with_sealed_memfd(config()).expect("a valid configuration");
    let file = opened_again(&vga);
    for seal in [SealFlags::WRITE, SealFlags::FUTURE_WRITE] {
        let answer = rustix::fs::fcntl_add_seals(&file, seal);
        assert_eq!(answer, Err(rustix::io::Errno::PERM), "{seal:?}");
    }
}

#[test]
fn another_process_can_read_and_write_a_sealed_memfd() {
    let vga = StdVga::with_sealed_memfd(config()).expect("a valid configuration");
    let file = FileOffset::new(opened_again(&vga), 0);
    let other: MmapRegion = MmapRegion::from_file(file, MIB).expect("it can be mapped");
    let mut data = [0; 2];
    vga.vram().write(0xffff, &[1]);
    other
        .get_slice(0xffff, 1)
        .expect("a byte")
        .copy_to(&mut data);
    assert_eq!(data, [1, 0], "what the device wrote");
    other
        .get_slice(0xf_fffe, 2)
        .expect("two bytes")
        .copy_from(&[2_u8, 3]);
    vga.vram().read(0xf_fffe, &mut data);
    assert_eq!(data, [2, 3], "what the other one wrote");
}
