// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What a client finds: the device's regions, and what is in them.

use std::fs;

use stdvga::{BAR2_BYTES, Config, Monitor, Variant};
use stdvga_testing::driver::Guest;
use stdvga_testing::program::text;
use vfio_bindings::bindings::vfio::{
    VFIO_REGION_INFO_FLAG_CAPS, VFIO_REGION_INFO_FLAG_MMAP, VFIO_REGION_INFO_FLAG_READ,
    VFIO_REGION_INFO_FLAG_WRITE,
};
use vm_memory::VolatileMemory;

use crate::machine::{BAR0, BAR2, CONFIG, ROM, VGA, map_vram, read, write};
use crate::server::Server;

const MIB: u64 = 1 << 20;
const READ: u32 = VFIO_REGION_INFO_FLAG_READ;
const READ_WRITE: u32 = READ | VFIO_REGION_INFO_FLAG_WRITE;

/// The server, with a ROM of 700 bytes.
fn with_rom(arguments: &[&str]) -> (Server, Vec<u8>) {
    let mut rom: Vec<u8> = (0..700_u32).map(|at| (at ^ at >> 7) as u8).collect();
    rom[..3].copy_from_slice(&[0x55, 0xaa, 1]); // an option ROM of 512 bytes
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(&file, &rom).expect("the file can be written");
    let server = Server::start(&[&["--romfile", text(file.path())], arguments].concat());
    (server, rom)
}

#[test]
fn the_regions_are_those_of_the_pci_device() {
    let (server, _) = with_rom(&["--vgamem", "30"]);
    let client = server.connect();
    let mapped = READ_WRITE | VFIO_REGION_INFO_FLAG_MMAP | VFIO_REGION_INFO_FLAG_CAPS;
    for (index, size, flags) in [
        (BAR0, 32 * MIB, mapped),
        (1, 0, 0),
        (BAR2, BAR2_BYTES, READ_WRITE),
        (3, 0, 0),
        (4, 0, 0),
        (5, 0, 0),
        (ROM, 1024, READ),
        (CONFIG, 256, READ_WRITE),
        (VGA, 0, 0),
    ] {
        let region = client.region(index).expect("a PCI device has nine regions");
        assert_eq!((region.size, region.flags), (size, flags), "region {index}");
        let areas: Vec<_> = region
            .sparse_areas
            .iter()
            .map(|area| (area.offset, area.size))
            .collect();
        let whole = (index == BAR0).then_some((0, size));
        assert_eq!(
            areas,
            Vec::from_iter(whole),
            "what can be mapped of region {index}"
        );
        assert_eq!(
            region.file_offset.is_some(),
            index == BAR0,
            "a file for region {index}"
        );
    }
}

#[test]
fn there_are_no_interrupts() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    for index in 0..5 {
        let interrupt = client
            .get_irq_info(index)
            .expect("a PCI device has five kinds");
        assert_eq!((interrupt.index, interrupt.count), (index, 0));
    }
}

#[test]
fn configuration_space_says_what_the_device_is() {
    for (device, class) in [("secondary-vga", 0x80), ("VGA", 0x00)] {
        let server = Server::start(&["--device", device]);
        let mut client = server.connect();
        let whole: [u8; 256] = read(&mut client, CONFIG, 0);
        assert_eq!(
            whole[..4],
            [0x34, 0x12, 0x11, 0x11],
            "{device}: vendor and device"
        );
        assert_eq!(whole[0x0a..0x0c], [class, 0x03], "{device}: the class");
        let pieces: [[u8; 2]; 128] =
            std::array::from_fn(|at| read(&mut client, CONFIG, 2 * at as u64));
        assert_eq!(
            whole,
            pieces.as_flattened(),
            "{device}: as a whole, and word by word"
        );
    }
}

#[test]
fn bars_are_sized_as_on_a_bus() {
    let (server, _) = with_rom(&[]);
    let mut client = server.connect();
    for (bar, before, sized) in [
        (0x10, 8, 0xff00_0008),
        (0x14, 0, 0),
        (0x18, 0, 0xffff_f000),
        (0x30, 0, 0xffff_fc01),
    ] {
        let value = u32::from_le_bytes(read(&mut client, CONFIG, bar));
        assert_eq!(value, before, "the BAR at {bar:#x} at first");
        write(&mut client, CONFIG, bar, &[0xff; 4]);
        let value = u32::from_le_bytes(read(&mut client, CONFIG, bar));
        assert_eq!(
            value, sized,
            "the BAR at {bar:#x} after a write of all ones: {value:#x}"
        );
    }
}

#[test]
fn the_rom_is_the_file_and_zeros_up_to_its_size() {
    let (server, mut rom) = with_rom(&[]);
    let mut client = server.connect();
    rom.resize(1024, 0);
    assert_eq!(read::<1024>(&mut client, ROM, 0), *rom);
    assert_eq!(read::<4>(&mut client, ROM, 0x20), rom[0x20..0x24]);
}

#[test]
fn bar2_has_the_edid_of_the_monitor_that_was_asked_for() {
    let server = Server::start(&["--xres", "1600", "--yres", "900"]);
    let mut guest =
        Guest::with(Config::new(Variant::SecondaryVga).monitor(Monitor::new(1600, 900)));
    let edid: [u8; 256] = read(&mut server.connect(), BAR2, 0);
    guest.expect_mmio(0, edid);
}

#[test]
fn vram_is_the_same_by_messages_and_mapped() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    let vram = map_vram(&client);
    let last = vram.size() - 4;
    let slice = vram.get_slice(last, 4).expect("it's inside");
    write(&mut client, BAR0, last as u64, &[1, 2, 3, 4]);
    let mut mapped = [0_u8; 4];
    slice.copy_to(&mut mapped);
    assert_eq!(mapped, [1, 2, 3, 4], "through the mapping");
    slice.copy_from(&[5_u8, 6, 7, 8]);
    assert_eq!(
        read(&mut client, BAR0, last as u64),
        [5, 6, 7, 8],
        "by a message"
    );
}

#[test]
fn a_client_cannot_cut_vram_short() {
    let server = Server::start(&[]);
    let client = server.connect();
    let file = client
        .region(BAR0)
        .and_then(|bar0| bar0.file_offset.clone());
    let file = file.expect("BAR0 comes with a file");
    for bytes in [0, 4096, 32 << 20] {
        assert!(
            file.file().set_len(bytes).is_err(),
            "VRAM has {bytes} bytes now"
        );
    }
}

#[test]
fn what_does_not_exist_reads_as_all_ones_and_ignores_writes() {
    let (server, _) = with_rom(&[]);
    let mut client = server.connect();
    for (region, offset) in [
        (BAR0, 16 * MIB),
        (BAR0, u64::MAX),
        (1, 0),
        (BAR2, BAR2_BYTES),
        (BAR2, u64::MAX),
        (ROM, 1024),
        (CONFIG, 256),
        (CONFIG, u64::MAX),
        (VGA, 0x3c0),
    ] {
        write(&mut client, region, offset, &[0; 4]);
        let answer: [u8; 4] = read(&mut client, region, offset);
        assert_eq!(answer, [0xff; 4], "region {region} at {offset:#x}");
    }
    let rom: [u8; 4] = read(&mut client, ROM, 0);
    write(&mut client, ROM, 0, &[0x55; 4]);
    assert_eq!(read(&mut client, ROM, 0), rom, "the ROM after a write");
}
