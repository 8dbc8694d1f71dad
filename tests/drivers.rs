// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What drivers do, access by access, and what comes of it. Each test follows one driver, or one idiom
//! that many of them share; whole guests are in `crates/boot/tests/guests/`.

use stdvga::{ByteOrder, Config, Effects, Format, GraphicsMode, Variant, WindowRam};
use stdvga_testing::driver::*;

/// Sets a mode as bochs-drm does: everything through BAR2.
fn bochs_drm_mode(guest: &mut Guest, width: u16, height: u16) {
    guest.mmio_inb(INPUT_STATUS_1);
    guest.mmio_outb(MISC_OUTPUT, COLOR_ADDRESSES);
    guest.mmio_inb(INPUT_STATUS_1);
    guest.mmio_outb(ATTRIBUTE, PALETTE_ADDRESS_SOURCE);
    for (register, value) in [
        (ENABLE, 0),
        (BPP, 32),
        (XRES, width),
        (YRES, height),
        (BANK, 0),
        (VIRT_WIDTH, width),
        (VIRT_HEIGHT, height),
        (X_OFFSET, 0),
        (Y_OFFSET, 0),
        (ENABLE, ENABLED),
    ] {
        guest.mmio_dispi(register, value);
    }
}

#[test]
fn bochs_drm_finds_the_device() {
    for variant in [Variant::Vga, Variant::SecondaryVga] {
        let mut guest = Guest::new(variant);
        guest.expect_config(0x00, [0x34, 0x12, 0x11, 0x11]);
        guest.config_write(BAR0, &0xfd00_0000_u32.to_le_bytes());
        guest.config_write(BAR2, &0xfebf_0000_u32.to_le_bytes());
        guest.config_write(COMMAND, &COMMAND_MEMORY.to_le_bytes());
        guest.expect_effects(Effects::MAPPINGS);
        let bar0 = guest.vga.mappings().framebuffer.expect("BAR0 is mapped");
        assert_eq!(guest.vga.mappings().mmio.map(|bar2| bar2.len), Some(0x1000));

        guest.expect_mmio(EXTENDED_SIZE, 8_u32.to_le_bytes());
        guest.mmio_write(EXTENDED_BYTE_ORDER, &LITTLE_ENDIAN.to_le_bytes());
        assert_eq!(guest.read_mmio_dispi(ID) & 0xfff0, 0xb0c0);
        let vram = u64::from(guest.read_mmio_dispi(VIDEO_MEMORY_64K)) << 16;
        assert_eq!(vram, bar0.len);
    }
}

#[test]
fn bochs_drm_reads_the_edid_byte_by_byte() {
    let mut guest = Guest::new(Variant::SecondaryVga);
    let edid: Vec<u8> = (0..0x100).flat_map(|at| guest.mmio_read::<1>(at)).collect();
    assert_eq!(edid[..8], [0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00]);
    assert_eq!(edid[0x7e], 1, "extension blocks");
    for block in edid.chunks(0x80) {
        let sum = block.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
        assert_eq!(sum, 0, "the checksum of {block:02x?}");
    }
}

#[test]
fn bochs_drm_sets_modes_and_blanks() {
    for variant in [Variant::Vga, Variant::SecondaryVga] {
        let mut guest = Guest::new(variant);
        for (width, height, mode) in [
            (1024, 768, "graphics 1024x768, 32 bpp"),
            (1920, 1080, "graphics 1920x1080, 32 bpp"),
        ] {
            guest.forget_effects();
            bochs_drm_mode(&mut guest, width, height);
            assert!(guest.take_effects().contains(Effects::MODE), "{mode}");
            guest.expect_mode(mode);
            let GraphicsMode { layout, format, .. } = guest.graphics_mode();
            assert_eq!(format, Format::Xrgb8888(ByteOrder::Little));
            assert_eq!((layout.start, layout.pitch), (0, u32::from(width) * 4));
        }
        guest.mmio_inb(INPUT_STATUS_1);
        guest.forget_effects();
        guest.mmio_outb(ATTRIBUTE, 0);
        guest.expect_effects(Effects::SCANOUT | Effects::MODE);
        guest.expect_mode("blank");
    }
}

#[test]
fn bochs_drm_flips_pages() {
    let mut guest = Guest::new(Variant::Vga);
    bochs_drm_mode(&mut guest, 1920, 1080);
    for (y_offset, start) in [(1080, 1080 * 1920 * 4), (0, 0)] {
        guest.mmio_dispi(VIRT_WIDTH, 1920);
        guest.mmio_dispi(X_OFFSET, 0);
        guest.forget_effects();
        guest.mmio_dispi(Y_OFFSET, y_offset);
        guest.expect_effects(Effects::SCANOUT);
        assert_eq!(guest.graphics_mode().layout.start, start);
    }
}

#[test]
fn a_wider_framebuffer_is_panned_in_both_directions() {
    let mut guest = Guest::new(Variant::Vga);
    bochs_drm_mode(&mut guest, 1024, 768);
    guest.mmio_dispi(VIRT_WIDTH, 2048);
    guest.mmio_dispi(X_OFFSET, 100);
    guest.mmio_dispi(Y_OFFSET, 10);
    let layout = guest.graphics_mode().layout;
    assert_eq!((layout.start, layout.pitch), (10 * 8192 + 400, 8192));
    assert_eq!(guest.read_mmio_dispi(VIRT_HEIGHT), 2048);
}

#[test]
fn a_big_endian_guest_switches_the_byte_order_for_good() {
    let mut guest = Guest::new(Variant::SecondaryVga);
    bochs_drm_mode(&mut guest, 640, 480);
    guest.vram_write(0, &[0x00, 0x11, 0x22, 0x33]);
    let mut monitor = Monitor::default();
    monitor.refresh(&mut guest, 0);
    assert_eq!(monitor.pixel(0, 0), 0x22_11_00);

    guest.forget_effects();
    guest.mmio_write(EXTENDED_BYTE_ORDER, &BIG_ENDIAN.to_le_bytes());
    guest.expect_effects(Effects::SCANOUT | Effects::MODE);
    monitor.refresh(&mut guest, 0);
    assert_eq!(monitor.pixel(0, 0), 0x11_22_33);

    guest.reset();
    bochs_drm_mode(&mut guest, 640, 480);
    let format = guest.graphics_mode().format;
    assert_eq!(format, Format::Xrgb8888(ByteOrder::Big));
}

#[test]
fn a_windows_miniport_sets_modes_up_to_2560x1600_with_16_mib() {
    let mut guest = Guest::new(Variant::Vga);
    assert_eq!(guest.read_dispi(ID) & 0xfff0, 0xb0c0);
    guest.expect_dispi(VIDEO_MEMORY_64K, 256);
    for (width, height) in [
        (640, 480),
        (800, 600),
        (1024, 768),
        (1280, 1024),
        (1600, 1200),
        (1920, 1200),
        (2560, 1600),
    ] {
        guest.vbe_mode(width, height, 32);
        guest.expect_mode(&format!("graphics {width}x{height}, 32 bpp"));
        for (register, value) in [
            (XRES, width),
            (YRES, height),
            (BPP, 32),
            (VIRT_WIDTH, width),
            (X_OFFSET, 0),
            (Y_OFFSET, 0),
        ] {
            guest.expect_dispi(register, value);
        }
    }
}

#[test]
fn ovmf_sets_a_mode_by_bar2_or_by_ports() {
    let mut by_bar2 = Guest::new(Variant::SecondaryVga);
    bochs_drm_mode(&mut by_bar2, 800, 600);

    let mut by_ports = Guest::with(Config::default().mmio(false));
    // Without BAR2, the revision says so.
    by_ports.expect_config(REVISION_ID, [0x00]);
    by_ports.vbe_mode(800, 600, 32);
    assert_eq!(by_ports.graphics_mode(), by_bar2.graphics_mode());
}

#[test]
fn ovmf_loads_a_palette_through_bar2() {
    let mut guest = Guest::new(Variant::SecondaryVga);
    bochs_drm_mode(&mut guest, 640, 480);
    guest.mmio_dispi(BPP, 8);
    // Three bits of red, three of green, two of blue, each widened to six.
    let color = |index: u8| [(index >> 5) * 9, (index >> 2 & 7) * 9, (index & 3) * 21];
    guest.mmio_outb(DAC_WRITE_INDEX, 0);
    for component in (0..=255).flat_map(color) {
        guest.mmio_outb(DAC_DATA, component);
    }
    guest.mmio_outb(DAC_READ_INDEX, 0);
    for index in 0..=255 {
        let answer = [0; 3].map(|_| guest.mmio_inb(DAC_DATA));
        assert_eq!(answer, color(index), "DAC entry {index}");
    }
    let palette = *guest.vga.scanout().palette();
    assert_eq!(
        [palette[0], palette[0xe1], palette[255]],
        [0x00_00_00, 0xff_00_57, 0xff_ff_ff]
    );
}

#[test]
fn seavgabios_detects_dispi_and_its_limits() {
    let mut guest = Guest::new(Variant::Vga);
    guest.misc_output(0xc3);
    guest.expect_inb(MISC_OUTPUT_READ, 0xc3);
    for id in 0xb0c0..=0xb0c5 {
        guest.dispi(ID, id);
        guest.expect_dispi(ID, id);
    }
    let before = guest.read_dispi(ENABLE);
    guest.dispi(ENABLE, before | GETCAPS);
    for (register, most) in [(XRES, 16000), (YRES, 12000), (BPP, 32)] {
        guest.expect_dispi(register, most);
    }
    guest.dispi(ENABLE, before);
    guest.expect_dispi(VIDEO_MEMORY_64K, 256);
    let edid: [u8; 0x100] = guest.mmio_read(0);
    assert_eq!(edid[..8], [0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00]);
    guest.expect_effects(Effects::empty());
}

#[test]
fn vbe_banks_are_reported_once_each() {
    let mut guest = Guest::new(Variant::Vga);
    guest.vbe_mode(800, 600, 8);
    let window = |vram_offset| {
        Some(WindowRam {
            offset: 0,
            len: 0x1_0000,
            vram_offset,
        })
    };
    for bank in [1, 7, 255] {
        guest.forget_effects();
        guest.dispi(BANK, bank);
        guest.expect_effects(Effects::MAPPINGS);
        let vram_offset = u32::from(bank) << 16;
        assert_eq!(guest.vga.mappings().window, window(vram_offset));
        guest.dispi(BANK, bank);
        guest.expect_effects(Effects::empty());

        guest.window_write(0x1234, &[0xaa, 0x55]);
        guest.expect_vram(u64::from(vram_offset) + 0x1234, [0xaa, 0x55]);
        guest.expect_window(0x1234, [0xaa, 0x55]);
    }
}

#[test]
fn waiting_for_the_start_and_end_of_the_retrace_ends() {
    let mut guest = Guest::new(Variant::Vga);
    guest.misc_output(COLOR_ADDRESSES);
    for retrace in [true, false, true] {
        let reads = (1..100).find(|_| (guest.inb(INPUT_STATUS_1) & 0x08 != 0) == retrace);
        assert!(reads.is_some(), "waiting for the retrace to be {retrace}");
    }
}

#[test]
fn vgacon_finds_memory_at_0xb8000_and_scrolls_by_the_start_address() {
    let mut guest = Guest::new(Variant::Vga);
    guest.mode_03h();
    guest.expect_mode("text 80x25 (720x400)");
    guest.window_write(0x1_8000, &[0x55, 0xaa, 0xaa, 0x55]);
    guest.expect_window(0x1_8000, [0x55, 0xaa, 0xaa, 0x55]);

    guest.forget_effects();
    guest.crtc(START_ADDRESS_HIGH, 0);
    guest.crtc(START_ADDRESS_LOW, 80);
    guest.crtc(CURSOR_LOCATION_HIGH, 0);
    guest.crtc(CURSOR_LOCATION_LOW, 80 + 3);
    guest.crtc(CURSOR_START, 13);
    guest.crtc(CURSOR_END, 14);
    guest.expect_effects(Effects::SCANOUT);
    guest.window_write(0x1_8000 + 160, b"$\x07");
    let text = guest.vga.scanout().text(guest.vga.vram());
    let text = text.expect("a text screen");
    assert_eq!(text.row(0)[0].character, b'$');
    assert_eq!(text.cursor, Some((3, 0)));
}

#[test]
fn a_font_is_loaded_into_plane_2() {
    let mut guest = Guest::new(Variant::Vga);
    guest.mode_03h();
    for (index, value) in [
        (MAP_MASK, 0x04),
        (MEMORY_MODE, EXTENDED_MEMORY | ODD_EVEN_OFF),
    ] {
        guest.sequencer(index, value);
    }
    for (index, value) in [
        (READ_MAP, 0x02),
        (GRAPHICS_MODE, 0x00),
        (MISCELLANEOUS, 0x04),
    ] {
        guest.graphics(index, value);
    }
    guest.window_write(32 * u64::from(b'S'), &[0x3c, 0x66]);
    guest.expect_window(32 * u64::from(b'S'), [0x3c, 0x66]);
    let glyph = 128 * u64::from(b'S');
    guest.expect_vram(glyph, [0, 0, 0x3c, 0, 0, 0, 0x66, 0]);
}

/// A 16-colour mode of 640x480, as GRUB and vga16fb set it.
fn mode_12h() -> Guest {
    let mut guest = Guest::new(Variant::Vga);
    guest.planar_mode(640, 480);
    guest.expect_mode("graphics 640x480, 4 bpp");
    guest
}

#[test]
fn a_pixel_is_plotted_by_write_mode_2_the_bit_mask_and_the_latches() {
    let mut guest = mode_12h();
    guest.window_write(80, &[0xff]);
    guest.graphics(GRAPHICS_MODE, 0x02);
    // Two pixels of a byte, in colours 9 and 0: the six around them stay white.
    for (mask, color) in [(0x80, 9), (0x01, 0)] {
        guest.graphics(BIT_MASK, mask);
        guest.window_read::<1>(80);
        guest.window_write(80, &[color]);
    }
    guest.expect_vram(80 * 4, [0xfe, 0x7e, 0x7e, 0xfe]);
}

#[test]
fn a_span_is_filled_by_set_reset_and_the_bit_mask() {
    let mut guest = mode_12h();
    guest.graphics(ENABLE_SET_RESET, ALL_PLANES);
    guest.graphics(SET_RESET, 0x06);
    for (offset, mask) in [(0, 0x0f), (1, 0xff), (2, 0xc0)] {
        guest.graphics(BIT_MASK, mask);
        guest.window_read::<1>(offset);
        // Any value: Set/Reset replaces it.
        guest.window_write(offset, &[0x00]);
    }
    guest.expect_vram(0, [0, 0x0f, 0x0f, 0, 0, 0xff, 0xff, 0, 0, 0xc0, 0xc0, 0]);
}

#[test]
fn a_character_is_drawn_by_write_mode_3() {
    let mut guest = mode_12h();
    guest.window_write(0, &[0xff]);
    guest.graphics(GRAPHICS_MODE, 0x03);
    guest.graphics(SET_RESET, 0x0c);
    guest.window_read::<1>(0);
    guest.window_write(0, &[0b0011_1100]);
    guest.expect_vram(0, [0b1100_0011, 0b1100_0011, 0xff, 0xff]);
}

#[test]
fn a_pointer_is_drawn_and_removed_by_exclusive_or() {
    let mut guest = mode_12h();
    guest.window_write(0, &[0x0f]);
    guest.graphics(DATA_ROTATE, 0x18);
    for expected in [[0xa5; 4], [0x0f; 4]] {
        guest.window_read::<1>(0);
        guest.window_write(0, &[0xaa]);
        guest.expect_vram(0, expected);
    }
}

#[test]
fn rows_are_scrolled_by_write_mode_1() {
    let mut guest = mode_12h();
    guest.vram_write(80 * 4, &[1, 2, 3, 4, 5, 6, 7, 8]);
    guest.graphics(GRAPHICS_MODE, 0x01);
    for column in 0..80 {
        guest.window_read::<1>(80 + column);
        guest.window_write(column, &[0]);
    }
    guest.expect_vram(0, [1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn pixels_of_a_colour_are_found_by_read_mode_1() {
    let mut guest = mode_12h();
    guest.vram_write(0, &[0b0001_1000, 0b0000_1000, 0b0001_1000, 0]);
    guest.graphics(GRAPHICS_MODE, READ_MODE_1);
    guest.graphics(COLOR_COMPARE, 0x05);
    guest.graphics(COLOR_DONT_CARE, ALL_PLANES);
    guest.expect_window(0, [0b0001_0000]);
}

#[test]
fn mode_13h_is_one_byte_a_pixel() {
    let mut guest = Guest::new(Variant::Vga);
    guest.mode_13h();
    let effects = guest.take_effects();
    assert!(
        effects.contains(Effects::MAPPINGS | Effects::MODE),
        "{effects:?}"
    );
    guest.expect_mode("graphics 640x400, 8 bpp");
    let ram = guest.vga.mappings().window;
    assert_eq!(ram.map(|ram| (ram.offset, ram.len)), Some((0, 0x1_0000)));
    guest.window_write(320 * 199 + 319, &[0x2a]);
    guest.expect_vram(320 * 199 + 319, [0x2a]);
}

#[test]
fn mode_x_is_four_planes_of_256_colours_and_two_pages() {
    let mut guest = Guest::new(Variant::Vga);
    guest.mode_13h();
    guest.forget_effects();
    guest.sequencer(MEMORY_MODE, EXTENDED_MEMORY | ODD_EVEN_OFF);
    guest.expect_effects(Effects::MAPPINGS);
    assert_eq!(guest.vga.mappings().window, None);
    guest.misc_output(0xe3);
    for (index, value) in [
        (VERTICAL_RETRACE_END, 0x2c),
        (VERTICAL_TOTAL, 0x0d),
        (OVERFLOW, 0x3e),
        (MAXIMUM_SCAN_LINE, 0x41),
        (VERTICAL_RETRACE_START, 0xea),
        (VERTICAL_RETRACE_END, 0xac),
        (VERTICAL_DISPLAY_END, 0xdf),
        (UNDERLINE_LOCATION, 0x00),
        (VERTICAL_BLANK_START, 0xe7),
        (VERTICAL_BLANK_END, 0x06),
        (MODE_CONTROL, 0xe3),
    ] {
        guest.crtc(index, value);
    }
    guest.expect_mode("graphics 640x480, 8 bpp");

    // One write fills four pixels, or those of the planes chosen.
    guest.window_write(80, &[0x2a]);
    guest.sequencer(MAP_MASK, 0x05);
    guest.window_write(80, &[0x55]);
    guest.expect_vram(320, [0x55, 0x2a, 0x55, 0x2a]);

    // The second page follows the first.
    guest.forget_effects();
    guest.crtc(START_ADDRESS_HIGH, (19200_u16 >> 8) as u8);
    guest.crtc(START_ADDRESS_LOW, 19200_u16 as u8);
    guest.expect_effects(Effects::SCANOUT);
    assert_eq!(guest.graphics_mode().layout.start, 320 * 240);
}

/// All registers that X servers and vbetool save.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Saved {
    misc_output: u8,
    sequencer: [u8; 5],
    crtc: [u8; 0x19],
    graphics: [u8; 9],
    attribute: [u8; 0x15],
    dac: [[u8; 3]; 256],
}

impl Saved {
    fn of(guest: &mut Guest) -> Self {
        let misc_output = guest.inb(MISC_OUTPUT_READ);
        guest.misc_output(misc_output | COLOR_ADDRESSES);
        let saved = Self {
            misc_output,
            sequencer: std::array::from_fn(|index| guest.read_sequencer(index as u8)),
            crtc: std::array::from_fn(|index| guest.read_crtc(index as u8)),
            graphics: std::array::from_fn(|index| guest.read_graphics(index as u8)),
            attribute: std::array::from_fn(|index| guest.read_attribute(index as u8)),
            dac: std::array::from_fn(|index| guest.read_dac(index as u8)),
        };
        guest.unblank();
        guest.misc_output(misc_output);
        saved
    }

    fn restore(&self, guest: &mut Guest) {
        guest.misc_output(self.misc_output | COLOR_ADDRESSES);
        // The write protection comes back after the registers that it protects.
        guest.crtc(VERTICAL_RETRACE_END, 0x00);
        for (index, value) in (0..).zip(self.sequencer) {
            guest.sequencer(index, value);
        }
        for (index, value) in (0..).zip(self.crtc) {
            guest.crtc(index, value);
        }
        for (index, value) in (0..).zip(self.graphics) {
            guest.graphics(index, value);
        }
        for (index, value) in (0..).zip(self.attribute) {
            guest.attribute(index, value);
        }
        for (index, value) in (0..=0xff).zip(self.dac) {
            guest.dac(index, value);
        }
        guest.unblank();
        guest.misc_output(self.misc_output);
    }
}

#[test]
fn a_saved_mode_is_restored_after_another() {
    let mode_12h = |guest: &mut Guest| guest.planar_mode(640, 480);
    for set_up in [Guest::mode_03h, Guest::mode_13h, mode_12h] {
        let mut guest = Guest::new(Variant::Vga);
        set_up(&mut guest);
        let saved = Saved::of(&mut guest);
        let before = (guest.vga.scanout(), guest.vga.mappings());

        guest.dac(7, [0xff; 3]);
        guest.vbe_mode(1024, 768, 32);
        guest.dispi(ENABLE, 0);
        saved.restore(&mut guest);
        assert_eq!(Saved::of(&mut guest), saved);
        assert_eq!((guest.vga.scanout(), guest.vga.mappings()), before);
    }
}

#[test]
fn every_register_reads_back_what_was_restored() {
    for pattern in [0x55, 0xaa] {
        let mut guest = Guest::new(Variant::Vga);
        let restored = Saved {
            misc_output: pattern,
            sequencer: [pattern; 5],
            crtc: [pattern; 0x19],
            graphics: [pattern; 9],
            attribute: [pattern; 0x15],
            dac: [[pattern; 3]; 256],
        };
        restored.restore(&mut guest);
        let mut attribute = [0x3f; 0x15];
        attribute[0x10..].copy_from_slice(&[0xef, 0xff, 0x3f, 0x0f, 0x0f]);
        let kept = Saved {
            misc_output: pattern & 0xef,
            sequencer: [0x03, 0x3d, 0x0f, 0x3f, 0x0e].map(|bits| pattern & bits),
            graphics: [0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff]
                .map(|bits| pattern & bits),
            attribute: attribute.map(|bits| pattern & bits),
            ..restored
        };
        assert_eq!(Saved::of(&mut guest), kept);
    }
}
