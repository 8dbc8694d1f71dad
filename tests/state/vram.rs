// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! VRAM's pages: saved, checked and restored, and memory that nobody used stays unused.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use rustix::fs::MemfdFlags;
use stdvga::state::VramPages;
use stdvga::{Config, DirtyBitmap, StdVga, Vram, VramPageError};
use vm_memory::FileOffset;
use vm_memory::bitmap::NewBitmap;
use vm_memory::mmap::MmapRegionBuilder;

const MIB: usize = 1 << 20;
const PAGE: usize = DirtyBitmap::PAGE_SIZE;
/// Pages of 512 MiB, the most that VRAM has.
const MOST_PAGES: u64 = 512 * MIB as u64 / PAGE as u64;
/// The flags of `mmap`.
const READ_AND_WRITE: i32 = 3;
const SHARED: i32 = 1;
const PRIVATE: i32 = 2;
const PRIVATE_ANONYMOUS: i32 = PRIVATE | 0x20;

fn config(mib: u32) -> Config {
    Config::default().vram_mib(mib)
}

fn device(mib: u32) -> StdVga {
    StdVga::new(config(mib)).expect("a valid configuration")
}

fn memfd() -> File {
    let descriptor = rustix::fs::memfd_create("vram", MemfdFlags::CLOEXEC);
    File::from(descriptor.expect("a memfd"))
}

/// A device on 1 MiB of a file, mapped as the flags say.
fn device_on(file: File, start: u64, flags: i32) -> StdVga {
    let region = MmapRegionBuilder::new_with_bitmap(MIB, DirtyBitmap::with_len(MIB))
        .with_file_offset(FileOffset::new(file, start))
        .with_mmap_prot(READ_AND_WRITE)
        .with_mmap_flags(flags)
        .build()
        .expect("a mapping");
    StdVga::with_vram(config(1), Arc::new(region)).expect("a valid configuration")
}

/// The pages that hold something: their numbers, and the first byte of each that isn't zero.
fn found(vram: &Vram) -> Vec<(u64, u8)> {
    vram.nonzero_pages()
        .map(|(number, bytes)| {
            let first = bytes.iter().find(|byte| **byte != 0);
            (number, *first.expect("a byte that isn't zero"))
        })
        .collect()
}

fn page(byte: u8) -> Vec<u8> {
    vec![byte; PAGE]
}

/// The pages that are marked.
fn drained(vga: &mut StdVga) -> Vec<usize> {
    let mut words = vec![0; vga.vram().dirty_words()];
    vga.drain_dirty(&mut words).expect("as many words");
    (0..words.len() * 64)
        .filter(|page| words[page / 64] >> (page % 64) & 1 != 0)
        .collect()
}

#[test]
fn pages_that_hold_anything_but_zeros_are_found_in_order() {
    let vga = device(1);
    assert_eq!(found(vga.vram()), [], "at power-on");
    vga.vram().write(MIB as u64 - 1, &[9]);
    vga.vram().write(0, &[1]);
    vga.vram().write(0x2_0fff, &[2, 3]);
    vga.vram().write(0x5000, &[0; 0x1000]);
    assert_eq!(found(vga.vram()), [(0, 1), (0x20, 2), (0x21, 3), (0xff, 9)]);
}

#[test]
fn restored_pages_are_all_that_vram_holds() {
    let (saved, restored) = (device(1), device(1));
    saved.vram().write(0x7ffe, b"a picture");
    restored.vram().write(0, &vec![0xaa; MIB]);
    let pages: BTreeMap<_, _> = saved.vram().nonzero_pages().collect();
    // From the last to the first: any order will do.
    let backwards = pages.iter().rev().map(|(number, bytes)| (*number, bytes));
    restored.vram().restore_pages(backwards).expect("two pages");
    let mut memory = [vec![0; MIB], vec![0; MIB]];
    saved.vram().read(0, &mut memory[0]);
    restored.vram().read(0, &mut memory[1]);
    assert!(memory[0] == memory[1], "VRAM differs from what was saved");
}

#[test]
fn pages_that_restoring_writes_or_clears_are_marked() {
    let mut vga = device(1);
    for number in [3, 4, 200] {
        vga.vram().write(number * PAGE as u64, &[1]);
    }
    drained(&mut vga);
    let pages = [(3, page(0)), (4, page(2)), (5, page(0)), (255, page(3))];
    vga.vram().restore_pages(pages).expect("four pages");
    assert_eq!(found(vga.vram()), [(4, 2), (255, 3)]);
    assert_eq!(
        drained(&mut vga),
        [3, 4, 200, 255],
        "page 5 holds the zeros that it held"
    );
}

#[test]
fn pages_that_cannot_be_restored_are_refused_and_change_nothing() {
    let out_of_range = |number| VramPageError::Number { number, last: 255 };
    let wrong_length = |bytes| VramPageError::Length {
        number: 7,
        bytes,
        needed: PAGE,
    };
    for (wrong, error, message) in [
        (
            (256, page(2)),
            out_of_range(256),
            "page 256 doesn't exist: this VRAM has pages 0 to 255",
        ),
        (
            (u64::MAX, page(2)),
            out_of_range(u64::MAX),
            "page 18446744073709551615 doesn't exist: this VRAM has pages 0 to 255",
        ),
        (
            (0, page(2)),
            VramPageError::Twice { number: 0 },
            "page 0 was given more than once",
        ),
        (
            (7, vec![2; PAGE - 1]),
            wrong_length(PAGE - 1),
            "page 7 has 4095 bytes, but 4096 are required",
        ),
        (
            (7, vec![2; PAGE + 1]),
            wrong_length(PAGE + 1),
            "page 7 has 4097 bytes, but 4096 are required",
        ),
        (
            (7, vec![]),
            wrong_length(0),
            "page 7 has 0 bytes, but 4096 are required",
        ),
    ] {
        let mut vga = device(1);
        vga.vram().write(0x9000, &[1]);
        drained(&mut vga);
        let answer = vga.vram().restore_pages([(0, page(2)), wrong]);
        assert_eq!(answer, Err(error));
        assert_eq!(error.to_string(), message);
        assert_eq!(found(vga.vram()), [(9, 1)], "VRAM after: {message}");
        assert_eq!(drained(&mut vga), [0; 0], "marks after: {message}");
    }
}

#[test]
fn endless_pages_are_refused() {
    let endless = (0..).map(|number| (number % 256, [0; PAGE]));
    let answer = device(1).vram().restore_pages(endless);
    assert_eq!(answer, Err(VramPageError::Twice { number: 0 }));
}

/// Saves 512 MiB of which few pages are used, and restores them to others.
fn save_and_restore_few_of_many(vga: &StdVga) {
    let last = MOST_PAGES - 1;
    vga.vram().write(0, &[1]);
    vga.vram().write(0x1234_5678, &[2]);
    vga.vram().write(last * PAGE as u64, &[3]);
    assert_eq!(found(vga.vram()), [(0, 1), (0x1_2345, 2), (last, 3)]);
    let pages = [(1, page(4)), (last, page(5))];
    vga.vram().restore_pages(pages).expect("two pages");
    assert_eq!(found(vga.vram()), [(1, 4), (last, 5)]);
}

#[test]
fn holes_of_a_shared_file_stay_holes() {
    let file = memfd();
    file.set_len(512 * MIB as u64).expect("a length");
    let blocks = |file: &File| file.metadata().expect("its metadata").blocks();
    let same = file.try_clone().expect("a descriptor");
    let vga = StdVga::with_vram_file(config(512), file).expect("a valid configuration");
    save_and_restore_few_of_many(&vga);
    let allocated = 512 * blocks(&same);
    // Pages may be huge ones of 2 MiB here, too.
    assert!(
        allocated <= 16 * MIB as u64,
        "{allocated} bytes of the file are allocated, and five pages were written"
    );
}

#[test]
fn a_shared_file_is_read_from_where_it_is_mapped() {
    let file = memfd();
    file.set_len(3 * MIB as u64).expect("a length");
    let vga = device_on(file, MIB as u64, SHARED);
    vga.vram().write(0x3000, &[1]);
    assert_eq!(found(vga.vram()), [(3, 1)]);
}

#[test]
fn a_private_mapping_of_a_file_has_pages_of_its_own() {
    let file = memfd();
    file.set_len(MIB as u64).expect("a length");
    let vga = device_on(file, 0, PRIVATE);
    vga.vram().write(0x3000, &[1]);
    assert_eq!(found(vga.vram()), [(3, 1)], "the file has zeros there");
}

#[test]
fn a_mapped_device_is_not_read_as_a_file() {
    let zeros = File::options().read(true).write(true).open("/dev/zero");
    let vga = device_on(zeros.expect("a device of zeros"), 0, SHARED);
    vga.vram().write(0x3000, &[1]);
    assert_eq!(
        found(vga.vram()),
        [(3, 1)],
        "reading the device gives zeros"
    );
}

#[test]
fn saved_pages_restore_themselves() {
    let (saved, restored) = (device(1), device(1));
    saved.vram().write(0xff8, b"a picture");
    let pages = VramPages::save(saved.vram());
    restored.vram().write(0x8_0000, &[1]);
    pages.restore(restored.vram()).expect("two pages");
    assert_eq!(VramPages::save(restored.vram()), pages);
    assert_eq!(
        format!("{:?}", pages.pages),
        "[VramPage { number: 0, .. }, VramPage { number: 1, .. }]"
    );
}

#[cfg(feature = "serde")]
mod serialized {
    use serde_json::{Value, json};

    use super::*;

    /// Two pages: 0 and 255.
    fn pages() -> VramPages {
        let vga = device(1);
        vga.vram().write(0, &[0xff; 3 * PAGE / 2]);
        VramPages::save(vga.vram())
    }

    fn parse(value: Value) -> Result<VramPages, String> {
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    #[test]
    fn pages_come_back_from_json() {
        let json = serde_json::to_value(pages()).expect("they can be serialized");
        assert_eq!(json["pages"][1]["number"], 1);
        assert_eq!(json["pages"][1]["bytes"][0], 0xff);
        assert_eq!(parse(json), Ok(pages()));
    }

    #[test]
    fn in_cbor_a_page_takes_little_more_than_its_bytes() {
        let mut cbor = Vec::new();
        ciborium::into_writer(&pages(), &mut cbor).expect("they can be serialized");
        let most = 2 * PAGE + 100;
        assert!(cbor.len() < most, "{} bytes, of {most} allowed", cbor.len());
        let parsed: VramPages = ciborium::from_reader(&cbor[..]).expect("what was written");
        assert_eq!(parsed, pages());
    }

    #[test]
    fn pages_of_another_length_are_not_deserialized() {
        for (bytes, message) in [
            (0, "invalid length 0, expected 4096 bytes"),
            (4095, "invalid length 4095, expected 4096 bytes"),
            (4097, "more than 4096 bytes"),
            (MIB, "more than 4096 bytes"),
        ] {
            let page = json!({"number": 0, "bytes": vec![1; bytes]});
            let answer = parse(json!({"pages": [page]}));
            assert_eq!(answer, Err(message.into()), "{bytes} bytes");
        }
    }

    #[test]
    fn pages_that_vram_does_not_have_are_refused_when_they_are_restored() {
        let page = |number| json!({"number": number, "bytes": page(1)});
        for (numbers, error) in [
            (
                [4, 256],
                VramPageError::Number {
                    number: 256,
                    last: 255,
                },
            ),
            ([4, 4], VramPageError::Twice { number: 4 }),
        ] {
            let pages = parse(json!({"pages": numbers.map(page)})).expect("two pages");
            let vga = device(1);
            assert_eq!(pages.restore(vga.vram()), Err(error), "pages {numbers:?}");
            assert_eq!(found(vga.vram()), [], "VRAM after pages {numbers:?}");
        }
    }
}

#[test]
fn a_bitmap_that_isnt_as_long_as_its_region_is_refused() {
    let region = MmapRegionBuilder::new_with_bitmap(MIB, DirtyBitmap::with_len(2 * MIB))
        .with_mmap_prot(READ_AND_WRITE)
        .with_mmap_flags(PRIVATE_ANONYMOUS)
        .build()
        .expect("a mapping");
    let error = StdVga::with_vram(config(1), Arc::new(region)).expect_err("no bitmap for 1 MiB");
    assert_eq!(
        error.to_string(),
        "a dirty bitmap of 8 words was given, but this VRAM needs 4 (`Vram::dirty_words`)"
    );
}
