// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! VRAM in a file that another process has: what it can do with it, and what can be given.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use rustix::fs::MemfdFlags;
use stdvga::{Config, ConfigError, DirtyBitmap, StdVga};
use vm_memory::bitmap::NewBitmap;
use vm_memory::mmap::MmapRegionBuilder;

pub const MIB: usize = 1 << 20;

pub fn config() -> Config {
    Config::default().vram_mib(1)
}

fn memfd(bytes: usize) -> File {
    let descriptor = rustix::fs::memfd_create("vram", MemfdFlags::CLOEXEC);
    let file = File::from(descriptor.expect("a memfd"));
    file.set_len(bytes as u64).expect("a length");
    file
}

/// VRAM's file, opened again for reading and writing: what another process has of it.
pub fn opened_again(vga: &StdVga) -> File {
    let mapped = vga.vram().region().file_offset().expect("a file");
    let path = format!("/proc/self/fd/{}", mapped.file().as_raw_fd());
    let file = File::options().read(true).write(true).open(path);
    file.expect("the file can be opened again")
}

#[test]
fn a_device_on_a_file_keeps_its_contents_and_writes_to_it() {
    use std::os::unix::fs::FileExt;

    let file = memfd(2 * MIB);
    file.write_all_at(b"a picture", 0x100).expect("written");
    let vga = StdVga::with_vram_file(config(), file).expect("a file that's long enough");
    assert_eq!(vga.vram().len(), MIB as u64);
    let mut data = [0; 9];
    vga.vram().read(0x100, &mut data);
    assert_eq!(&data, b"a picture");
    vga.vram().write(0x100, b"A");
    let file = opened_again(&vga);
    file.read_exact_at(&mut data, 0x100).expect("read");
    assert_eq!(&data, b"A picture");
}

#[test]
fn a_file_that_is_shorter_than_vram_is_refused() {
    for file_bytes in [0, MIB - 1] {
        let error = StdVga::with_vram_file(config(), memfd(file_bytes)).expect_err("too short");
        assert_eq!(
            error.to_string(),
            format!("the file given for VRAM has {file_bytes} bytes, but VRAM needs 1048576")
        );
    }
}

#[test]
fn a_file_that_cannot_be_written_is_refused() {
    let mut named = tempfile::NamedTempFile::new().expect("a file");
    named.write_all(&vec![0; MIB]).expect("written");
    let file = File::open(named.path()).expect("it can be read");
    let error = StdVga::with_vram_file(config(), file).expect_err("it can't be written");
    assert_eq!(
        error.to_string(),
        "can't map 1048576 bytes of the file given for VRAM"
    );
    assert!(matches!(
        error,
        ConfigError::VramMapping {
            bytes: 0x10_0000,
            ..
        }
    ));
}

#[test]
fn a_region_that_cannot_be_read_and_written_is_refused() {
    const READ: i32 = 1;
    const WRITE: i32 = 2;
    for (prot, missing) in [
        (READ, "PROT_WRITE"),
        (WRITE, "PROT_READ"),
        (0, "PROT_READ | PROT_WRITE"),
    ] {
        let region = MmapRegionBuilder::new_with_bitmap(MIB, DirtyBitmap::with_len(MIB))
            .with_mmap_prot(prot)
            .build()
            .expect("a mapping");
        let error = StdVga::with_vram(config(), Arc::new(region)).expect_err("a protection");
        assert_eq!(
            error.to_string(),
            format!(
                "the given VRAM region is mapped without {missing}, but the device needs to read and write it"
            )
        );
    }
}
