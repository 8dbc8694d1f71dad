// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

use std::fs;

use super::*;

const ENTRY: u64 = 0x10_0040;
const MEMORY: u64 = 0x2000;

/// An ELF file of one segment: the file itself, loaded to 1 MiB, where it takes [`MEMORY`].
fn kernel() -> Vec<u8> {
    kernel_at(MIB)
}

fn kernel_at(address: u64) -> Vec<u8> {
    let len = 64 + 56;
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec(); // 64 bits, little-endian, version 1
    bytes.resize(16, 0);
    bytes.extend([2_u16, 62].map(u16::to_le_bytes).as_flattened()); // for x86-64, to be executed
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend([ENTRY, 64, 0].map(u64::to_le_bytes).as_flattened()); // program headers at 64
    bytes.extend(0_u32.to_le_bytes());
    bytes.extend(
        [64_u16, 56, 1, 0, 0, 0]
            .map(u16::to_le_bytes)
            .as_flattened(),
    );
    bytes.extend([1_u32, 5].map(u32::to_le_bytes).as_flattened()); // loaded, read and executed
    bytes.extend(
        [0, address, address, len, MEMORY, PAGE]
            .map(u64::to_le_bytes)
            .as_flattened(),
    );
    bytes
}

fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), bytes).unwrap();
    file
}

fn ram() -> GuestMemoryMmap {
    GuestMemoryMmap::from_ranges(&[(GuestAddress(0), 2 << 20)]).unwrap()
}

#[test]
fn a_kernel_finds_its_parameters_command_line_and_initial_disk() {
    let (ram, initrd) = (ram(), vec![0xab; 5000]);
    let (kernel, disk) = (file(&kernel()), file(&initrd));
    let start = load(&ram, kernel.path(), Some(disk.path()), "quiet root=/dev/x").unwrap();
    assert_eq!(ram.read_obj::<u32>(GuestAddress(MIB)).unwrap(), 0x464c_457f);
    assert_eq!(start.rip, ENTRY);

    let params: boot_params = ram.read_obj(GuestAddress(start.rsi)).unwrap();
    let screen = params.screen_info;
    let text = [
        screen.orig_video_mode,
        screen.orig_video_cols,
        screen.orig_video_lines,
    ];
    assert_eq!(text, [3, 80, 25]);
    let map = &params.e820_table[..usize::from(params.e820_entries)];
    let map: Vec<_> = map
        .iter()
        .map(|entry| (entry.addr, entry.size, entry.r#type))
        .collect();
    assert_eq!(map[0], (0, 0x9_fc00, 1));
    assert_eq!(map[2], (MIB, MIB, 1));

    let mut line = [0; 18];
    let at = GuestAddress(params.hdr.cmd_line_ptr.into());
    ram.read_slice(&mut line, at).unwrap();
    assert_eq!(line, *b"quiet root=/dev/x\0");
    let (at, len) = (params.hdr.ramdisk_image, params.hdr.ramdisk_size);
    assert_eq!((at, len), ((2 << 20) - 2 * PAGE as u32, 5000));
    let mut found = vec![0; initrd.len()];
    ram.read_slice(&mut found, GuestAddress(at.into())).unwrap();
    assert_eq!(found, initrd);
}

#[test]
fn an_initial_disk_may_have_all_that_the_kernel_leaves() {
    let ram = ram();
    let image = file(&kernel());
    let most = (MIB - MEMORY) as usize;
    let load = |len| load(&ram, image.path(), Some(file(&vec![1; len]).path()), "");
    load(most).expect("as much as there's room for");
    let message = load(most + 1).err().unwrap().to_string();
    assert!(
        message.contains(&format!("at most {most} fit")),
        "{message}"
    );
}

#[test]
fn an_initial_disk_that_would_reach_into_the_hole_is_refused_with_its_addresses() {
    const HOLE: u64 = 0xa_0000;
    let regions = [
        (GuestAddress(0), HOLE as usize),
        (GuestAddress(MIB), 1 << 20),
    ];
    let ram = GuestMemoryMmap::from_ranges(&regions).unwrap();
    let kernel = file(&kernel_at(0x3_0000));
    let disk = file(&vec![1; (MIB + PAGE) as usize]);
    let message = load(&ram, kernel.path(), Some(disk.path()), "")
        .err()
        .unwrap()
        .to_string();
    let disk = disk.path().display();
    let start = format!("--initrd {disk}: its 1052672 bytes would lie at 0xff000 to 0x1fffff");
    assert!(message.starts_with(&start), "{message}");
}

#[test]
fn page_tables_map_each_address_to_itself() {
    let ram = ram();
    write_page_tables(&ram, PAGE_TABLES, PRESENT | WRITABLE).unwrap();
    for address in [0, 0xb_8000, MIB, 0x4567_89ab, 0xfec0_0000, 0xffff_ffff] {
        let mut table = PAGE_TABLES.raw_value();
        for shift in [39, 30, 21] {
            let index = address >> shift & 0x1ff;
            let entry: u64 = ram.read_obj(GuestAddress(table + 8 * index)).unwrap();
            assert_eq!(entry & (PRESENT | WRITABLE), PRESENT | WRITABLE);
            table = entry & !0xfff;
        }
        assert_eq!(table, address & !0x1f_ffff, "{address:#x}");
    }
}
