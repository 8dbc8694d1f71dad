// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The 0xa0000 window: how addresses become places in VRAM, and when it's plain RAM.

use stdvga::{Effects, Variant, WindowRam};
use stdvga_testing::driver::*;

/// A VGA with planes at 0xa0000, all of them written, and addresses that reach memory unchanged.
fn planar_guest() -> Guest {
    let mut guest = Guest::new(Variant::Vga);
    set_planar(&mut guest);
    guest
}

fn set_planar(guest: &mut Guest) {
    guest.misc_output(COLOR_ADDRESSES);
    guest.sequencer(MAP_MASK, ALL_PLANES);
    guest.sequencer(MEMORY_MODE, ODD_EVEN_OFF);
    guest.graphics(MISCELLANEOUS, MAP_A0000_64K);
    guest.graphics(BIT_MASK, 0xff);
    guest.crtc(MODE_CONTROL, BYTE_MODE);
}

/// Sets what makes the window plain RAM in mode 13h: chain 4, all planes, 64 KiB at 0xa0000.
fn set_chained(guest: &mut Guest) {
    guest.graphics(MISCELLANEOUS, MAP_A0000_64K);
    guest.sequencer(MEMORY_MODE, EXTENDED_MEMORY | ODD_EVEN_OFF | CHAIN_4);
    guest.sequencer(MAP_MASK, ALL_PLANES);
}

/// The part of the window that's plain RAM: offset, length, and offset in VRAM.
fn window_ram(guest: &Guest) -> Option<(u32, u32, u32)> {
    let ram: WindowRam = guest.vga.mappings().window?;
    Some((ram.offset, ram.len, ram.vram_offset))
}

#[test]
fn the_memory_map_moves_the_window() {
    for (map, answers) in [
        (MAP_A0000_128K, 0x0_0000..0x2_0000),
        (MAP_A0000_64K, 0x0_0000..0x1_0000),
        (MAP_B0000_32K, 0x1_0000..0x1_8000),
        (MAP_B8000_32K, 0x1_8000..0x2_0000),
    ] {
        let mut guest = planar_guest();
        guest.graphics(MISCELLANEOUS, map);
        for offset in [0, 0xffff, 0x1_0000, 0x1_7fff, 0x1_8000, 0x1_ffff] {
            guest.window_write(offset, &[0x42]);
            let answer = if answers.contains(&offset) {
                0x42
            } else {
                0xff
            };
            guest.expect_window(offset, [answer]);
        }
    }
}

/// Stores a byte for each plane at address 0, and loads them into the latches.
fn load_latches(guest: &mut Guest, planes: [u8; 4]) {
    guest.vram_write(0, &planes);
    guest.window_read::<1>(0);
}

#[test]
fn the_map_mask_selects_the_planes_that_are_written() {
    let mut guest = planar_guest();
    guest.sequencer(MAP_MASK, 0x05);
    guest.window_write(3, &[0xab]);
    guest.expect_vram(3 * 4, [0xab, 0, 0xab, 0]);
}

#[test]
fn write_mode_0_rotates_sets_and_masks() {
    let mut guest = planar_guest();
    load_latches(&mut guest, [0x11, 0x22, 0x33, 0x44]);
    guest.graphics(DATA_ROTATE, 4);
    guest.graphics(SET_RESET, 0x02);
    guest.graphics(ENABLE_SET_RESET, 0x06);
    guest.graphics(BIT_MASK, 0x0f);
    guest.window_write(1, &[0x5a]);
    // Rotated: 0xa5. Plane 1 is set, plane 2 reset; the high nibbles come from the latches.
    guest.expect_vram(4, [0x15, 0x2f, 0x30, 0x45]);
}

#[test]
fn write_mode_0_combines_with_the_latches() {
    for (function, expected) in [(0x00, 0x0f), (0x08, 0x05), (0x10, 0x5f), (0x18, 0x5a)] {
        let mut guest = planar_guest();
        load_latches(&mut guest, [0x55; 4]);
        guest.graphics(DATA_ROTATE, function);
        guest.window_write(1, &[0x0f]);
        guest.expect_vram(4, [expected; 4]);
    }
}

#[test]
fn write_mode_1_copies_the_latches_whatever_the_value_and_the_bit_mask_are() {
    let mut guest = planar_guest();
    load_latches(&mut guest, [0x11, 0x22, 0x33, 0x44]);
    guest.graphics(GRAPHICS_MODE, 0x01);
    guest.graphics(BIT_MASK, 0x00);
    guest.window_write(7, &[0xff]);
    guest.expect_vram(7 * 4, [0x11, 0x22, 0x33, 0x44]);
}

#[test]
fn write_mode_2_writes_a_color() {
    let mut guest = planar_guest();
    load_latches(&mut guest, [0; 4]);
    guest.graphics(GRAPHICS_MODE, 0x02);
    guest.graphics(BIT_MASK, 0x81);
    // Of its bits four count: planes 0 and 3.
    guest.window_write(0, &[0xf9]);
    guest.expect_vram(0, [0x81, 0, 0, 0x81]);
}

#[test]
fn write_mode_3_masks_the_set_reset_color_by_the_value() {
    let mut guest = planar_guest();
    load_latches(&mut guest, [0xff; 4]);
    guest.graphics(GRAPHICS_MODE, 0x03);
    guest.graphics(SET_RESET, 0x01);
    guest.graphics(BIT_MASK, 0x3c);
    guest.graphics(DATA_ROTATE, 4);
    // Rotated: 0x0f; masked: 0x0c.
    guest.window_write(0, &[0xf0]);
    guest.expect_vram(0, [0xff, 0xf3, 0xf3, 0xf3]);
}

#[test]
fn read_mode_0_reads_the_plane_that_the_read_map_selects() {
    let mut guest = planar_guest();
    guest.vram_write(5 * 4, &[0x11, 0x22, 0x33, 0x44]);
    for (plane, expected) in [(0, 0x11), (1, 0x22), (2, 0x33), (3, 0x44)] {
        guest.graphics(READ_MAP, plane);
        guest.expect_window(5, [expected]);
    }
}

#[test]
fn planes_behind_the_end_of_vram_read_ones_and_ignore_writes() {
    let mut guest = Guest::with_vram(1);
    set_planar(&mut guest);
    load_latches(&mut guest, [0x11, 0x22, 0x33, 0x44]);
    guest.dispi(BANK, 15);
    guest.window_write(0, &[0x55]);
    guest.expect_window(0, [0xff]);
    let mut vram = vec![0; 1 << 20];
    guest.vga.vram().read(4, &mut vram[4..]);
    assert_eq!(vram.iter().position(|byte| *byte != 0), None, "elsewhere");

    // The latches keep what they had.
    guest.dispi(BANK, 0);
    guest.graphics(GRAPHICS_MODE, 0x01);
    guest.window_write(7, &[0xff]);
    guest.expect_vram(7 * 4, [0x11, 0x22, 0x33, 0x44]);
}

#[test]
fn odd_and_even_addresses_reach_the_planes_of_text() {
    let mut guest = planar_guest();
    guest.sequencer(MAP_MASK, 0x03);
    guest.sequencer(MEMORY_MODE, 0x00);
    guest.graphics(GRAPHICS_MODE, HOST_ODD_EVEN);
    guest.graphics(MISCELLANEOUS, TEXT_B8000_32K);
    for (offset, byte) in [(0x1_8000, b'A'), (0x1_8001, 0x07), (0x1_8002, b'B')] {
        guest.window_write(offset, &[byte]);
    }
    guest.expect_vram(0, [b'A', 0x07, 0, 0]);
    guest.expect_window(0x1_8000, [b'A']);
    guest.expect_window(0x1_8001, [0x07]);
    // In byte mode the address isn't shifted: the next cell is at planar address 2.
    guest.expect_vram(2 * 4, [b'B', 0, 0, 0]);
    // In word mode it is.
    guest.crtc(MODE_CONTROL, 0x00);
    guest.expect_window(0x1_8004, [b'B']);
}

#[test]
fn double_word_mode_drops_two_bits_of_cpu_addresses() {
    let mut guest = planar_guest();
    guest.crtc(UNDERLINE_LOCATION, DOUBLE_WORD);
    guest.window_write(8, &[0x42]);
    guest.expect_vram(2 * 4, [0x42; 4]);
    guest.expect_window(11, [0x42]);
}

#[test]
fn word_mode_drops_a_bit_of_odd_and_even_cpu_addresses_alone() {
    let mut guest = planar_guest();
    guest.crtc(MODE_CONTROL, 0x00);
    guest.window_write(8, &[0x42]);
    guest.expect_vram(8 * 4, [0x42; 4]);

    guest.sequencer(MEMORY_MODE, 0x00);
    guest.window_write(16, &[0x55, 0xaa]);
    guest.expect_vram(8 * 4, [0x55, 0xaa, 0x55, 0xaa]);
}

#[test]
fn odd_and_even_follow_the_graphics_controller_in_reads_and_the_sequencer_in_writes() {
    let mut guest = planar_guest();
    guest.crtc(MODE_CONTROL, 0x00);
    guest.vram_write(4, &[0x10, 0x11, 0x12, 0x13, 0x20, 0x21, 0x22, 0x23]);

    guest.graphics(GRAPHICS_MODE, HOST_ODD_EVEN);
    // Reads: address 3 is plane 1 of planar address 1, or plane 3 with that of the Read Map.
    guest.expect_window(3, [0x11]);
    guest.graphics(READ_MAP, 2);
    guest.expect_window(3, [0x13]);
    // Writes: address 3 is all planes of planar address 3.
    guest.window_write(3, &[0x42]);
    guest.expect_vram(3 * 4, [0x42; 4]);

    guest.graphics(GRAPHICS_MODE, 0x00);
    guest.sequencer(MEMORY_MODE, 0x00);
    // The other way round.
    guest.expect_window(2, [0x22]);
    guest.window_write(3, &[0x42]);
    guest.expect_vram(4, [0x10, 0x42, 0x12, 0x42]);
}

#[test]
fn chaining_odd_and_even_drops_bit_0_of_cpu_addresses() {
    let mut guest = planar_guest();
    guest.graphics(MISCELLANEOUS, MAP_A0000_64K | CHAIN_ODD_EVEN);
    guest.window_write(9, &[0x42]);
    guest.expect_vram(8 * 4, [0x42; 4]);
    guest.expect_window(9, [0x42]);
}

#[test]
fn odd_even_reads_load_the_latches() {
    let mut guest = planar_guest();
    guest.vram_write(0, &[1, 2, 3, 4]);
    guest.graphics(GRAPHICS_MODE, HOST_ODD_EVEN);
    guest.expect_window(0, [1]);
    guest.graphics(GRAPHICS_MODE, 0x01);
    guest.window_write(9, &[0xff]);
    guest.expect_vram(9 * 4, [1, 2, 3, 4]);
}

#[test]
fn comparing_no_plane_finds_every_pixel() {
    let mut guest = planar_guest();
    guest.vram_write(0, &[0xf0, 0xff, 0x00, 0x00]);
    guest.graphics(GRAPHICS_MODE, READ_MODE_1);
    guest.graphics(COLOR_COMPARE, 0x03);
    guest.graphics(COLOR_DONT_CARE, ALL_PLANES);
    guest.expect_window(0, [0xf0]);
    guest.graphics(COLOR_DONT_CARE, 0x00);
    guest.expect_window(0, [0xff]);
}

#[test]
fn the_bank_counts_without_vbe_where_64_kib_are_mapped() {
    let mut guest = planar_guest();
    guest.dispi(BANK, 1);
    guest.window_write(2, &[0x42]);
    guest.expect_vram(0x1_0002 * 4, [0x42; 4]);
    guest.graphics(MISCELLANEOUS, MAP_A0000_128K);
    guest.window_write(2, &[0x55]);
    guest.expect_vram(2 * 4, [0x55; 4]);
}

#[test]
fn chain_4_with_all_planes_makes_the_mapped_part_plain_ram() {
    for (map, ram) in [
        (MAP_A0000_128K, (0, 0x2_0000, 0)),
        (MAP_A0000_64K, (0, 0x1_0000, 0x3_0000)),
        (MAP_B0000_32K, (0x1_0000, 0x8000, 0)),
        (MAP_B8000_32K, (0x1_8000, 0x8000, 0)),
    ] {
        let mut guest = planar_guest();
        guest.dispi(BANK, 3);
        guest.graphics(MISCELLANEOUS, map);
        assert_eq!(window_ram(&guest), None, "planes, memory map {map:#x}");
        guest.forget_effects();
        guest.sequencer(MEMORY_MODE, CHAIN_4);
        guest.expect_effects(Effects::MAPPINGS);
        assert_eq!(window_ram(&guest), Some(ram), "memory map {map:#x}");
        guest.sequencer(MAP_MASK, 0x07);
        assert_eq!(window_ram(&guest), None, "plane 3 is masked");
    }
}

#[test]
fn plain_ram_follows_the_bank_and_is_told_of_once() {
    let mut guest = Guest::new(Variant::Vga);
    set_chained(&mut guest);
    let told = guest.take_effects();
    assert!(told.contains(Effects::MAPPINGS), "{told:?}");
    assert_eq!(window_ram(&guest), Some((0, 0x1_0000, 0)));
    set_chained(&mut guest);
    guest.expect_effects(Effects::empty());

    guest.dispi(BANK, 3);
    guest.expect_effects(Effects::MAPPINGS);
    assert_eq!(window_ram(&guest), Some((0, 0x1_0000, 0x3_0000)));
    guest.dispi(BANK, 3);
    guest.expect_effects(Effects::empty());
    guest.sequencer(MAP_MASK, 0x07);
    assert_eq!(window_ram(&guest), None, "plane 3 is masked");
}

#[test]
fn plain_ram_that_changes_there_and_back_within_one_access_is_not_told_of() {
    let mut guest = Guest::new(Variant::Vga);
    set_chained(&mut guest);
    guest.forget_effects();
    guest.mmio_dispi(BANK, 1);
    guest.expect_effects(Effects::MAPPINGS);
    // Two pieces: a byte for ENABLE, which forgets the bank, and a word for BANK.
    guest.mmio_write(bar2_dispi(ENABLE) + 1, &[0, 1, 0]);
    guest.expect_effects(Effects::empty());
}

#[test]
fn secondary_vga_has_no_window() {
    let mut guest = Guest::new(Variant::SecondaryVga);
    guest.expect_window(0, [0xff; 4]);
    for (index, value) in [(MEMORY_MODE, CHAIN_4), (MAP_MASK, ALL_PLANES)] {
        guest.mmio_write(bar2_port(SEQUENCER), &[index, value]);
    }
    guest.expect_effects(Effects::empty());
    assert_eq!(window_ram(&guest), None);
}

#[test]
fn an_access_ends_with_the_window() {
    let mut guest = Guest::new(Variant::Vga);
    guest.sequencer(MEMORY_MODE, CHAIN_4);
    guest.sequencer(MAP_MASK, ALL_PLANES);
    guest.window_write(0x1_fffe, &[1, 2, 3, 4]);
    guest.expect_window(0x1_fffe, [1, 2, 0xff, 0xff]);
    guest.expect_window(u64::MAX, [0xff; 4]);
}

#[test]
fn plain_ram_is_linear_and_masked_chain_4_is_not() {
    let mut guest = planar_guest();
    guest.sequencer(MEMORY_MODE, CHAIN_4 | ODD_EVEN_OFF);
    guest.window_write(0x1234, &[1, 2, 3, 4, 5, 6, 7, 8, 9]);
    guest.expect_vram(0x1234, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    guest.window_write(5, &[0x11]);
    guest.expect_vram(5, [0x11]);

    // The same byte through the planes: it's spread by four.
    guest.sequencer(MAP_MASK, 0x07);
    guest.window_write(5, &[0x22]);
    guest.expect_vram(4 * 4 + 1, [0x22]);
    guest.expect_window(5, [0x22]);
    guest.window_write(7, &[0x77]);
    guest.expect_window(7, [0x00]);

    // By two, where bit 0 is dropped for odd and even addresses.
    guest.sequencer(MEMORY_MODE, CHAIN_4);
    guest.crtc(MODE_CONTROL, 0x00);
    guest.window_write(5, &[0x33]);
    guest.expect_vram(2 * 4 + 1, [0x33]);

    // Not at all in double-word mode.
    guest.crtc(UNDERLINE_LOCATION, DOUBLE_WORD);
    guest.window_write(5, &[0x44]);
    guest.expect_vram(5, [0x44]);
}

#[test]
fn chain_4_ignores_write_modes_and_leaves_the_latches_alone() {
    for map_mask in [ALL_PLANES, 0x07] {
        let mut guest = planar_guest();
        guest.vram_write(0, &[1, 2, 3, 4]);
        guest.expect_window(0, [1]);
        guest.sequencer(MEMORY_MODE, CHAIN_4);
        guest.sequencer(MAP_MASK, map_mask);
        guest.crtc(UNDERLINE_LOCATION, DOUBLE_WORD);
        guest.graphics(GRAPHICS_MODE, 0x01);
        guest.window_write(9, &[0x42]);
        guest.expect_window(9, [0x42]);

        guest.sequencer(MEMORY_MODE, ODD_EVEN_OFF);
        guest.sequencer(MAP_MASK, ALL_PLANES);
        guest.window_write(16, &[0xff]);
        guest.expect_vram(16, [1, 2, 3, 4]);
    }
}

#[test]
fn vbe_with_4_bpp_reads_by_the_chain_4_bit_that_was_written() {
    let mut guest = planar_guest();
    guest.vbe_mode(640, 480, 4);
    guest.vram_write(0, &[0x11, 0x22, 0x33, 0x44]);
    guest.graphics(READ_MAP, 2);
    guest.graphics(GRAPHICS_MODE, READ_MODE_1);
    guest.graphics(COLOR_DONT_CARE, ALL_PLANES);

    guest.sequencer(MEMORY_MODE, ODD_EVEN_OFF);
    // Colour 0 is where no plane has a bit.
    guest.expect_window(0, [!(0x11 | 0x22 | 0x33 | 0x44)]);
    guest.sequencer(MEMORY_MODE, CHAIN_4);
    // The byte of the plane that the Read Map selects, in either read mode.
    guest.expect_window(0, [0x33]);
}

#[test]
fn vbe_with_4_bpp_drops_planar_writes_after_a_reset() {
    let mut guest = planar_guest();
    guest.vbe_mode(640, 480, 4);
    guest.sequencer(MAP_MASK, ALL_PLANES);
    guest.window_write(0, &[0xff; 16]);
    guest.expect_vram(0, [0; 64]);
    assert_eq!(window_ram(&guest), None);
}

#[test]
fn vbe_with_4_bpp_has_a_linear_window_after_a_mode_of_8_bpp() {
    let mut guest = planar_guest();
    guest.vbe_mode(640, 480, 8);
    guest.vbe_mode(640, 480, 4);
    assert_eq!(window_ram(&guest), Some((0, 0x1_0000, 0)));
    guest.window_write(5, &[0x42]);
    guest.expect_vram(5, [0x42]);
}

#[test]
fn a_vbe_window_is_linear_whatever_the_sequencer_says() {
    let mut guest = planar_guest();
    guest.vbe_mode(640, 480, 8);
    guest.sequencer(MAP_MASK, 0x00);
    guest.sequencer(MEMORY_MODE, 0x00);
    guest.expect_sequencer(MAP_MASK, 0x00);
    assert_eq!(window_ram(&guest), Some((0, 0x1_0000, 0)));
    guest.window_write(5, &[0x42]);
    guest.expect_vram(5, [0x42]);
}

#[test]
fn a_new_depth_reaches_the_window_with_the_next_bank() {
    let mut guest = Guest::new(Variant::Vga);
    guest.vbe_mode(640, 480, 4);
    guest.forget_effects();
    guest.dispi(BPP, 8);
    guest.expect_effects(Effects::SCANOUT | Effects::MODE);
    assert_eq!(window_ram(&guest), None);
    // Until then chain 4 spreads addresses.
    let bytes: [u8; 64] = std::array::from_fn(|index| index as u8);
    guest.vram_write(0, &bytes);
    guest.expect_window(0, [0, 1, 2, 3, 16, 17, 18, 19, 32]);

    guest.dispi(BANK, 0);
    guest.expect_effects(Effects::MAPPINGS);
    assert_eq!(window_ram(&guest), Some((0, 0x1_0000, 0)));
    guest.expect_window(0, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn the_last_bank_of_plain_ram_ends_with_vram() {
    let mut guest = Guest::with_vram(1);
    guest.vbe_mode(640, 480, 8);
    guest.dispi(BANK, 0xffff);
    guest.expect_dispi(BANK, 15);
    assert_eq!(window_ram(&guest), Some((0, 0x1_0000, 0xf_0000)));
    guest.window_write(0xffff, &[0x42]);
    guest.expect_vram(0xf_ffff, [0x42]);
}

/// What an embedder asks for isn't checked before it gets here.
#[test]
fn behind_the_window_nothing_answers_however_far() {
    let mut guest = Guest::with_vram(1);
    guest.vbe_mode(640, 480, 8);
    guest.dispi(BANK, 15);
    for offset in [0x2_0000, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
        guest.expect_window(offset, [0xff]);
        guest.window_write(offset, &[0x42, 0x42]);
    }
    let mut vram = vec![0; 1 << 20];
    guest.vga.vram().read(0, &mut vram);
    assert_eq!(vram.iter().position(|byte| *byte != 0), None);
}
