// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Pictures that lie in VRAM as they show.

use stdvga::{BitmapLengthError, DirectScanout, Variant};
use stdvga_testing::driver::{
    BIG_ENDIAN, ENABLE, ENABLED, EXTENDED_BYTE_ORDER, Guest, LITTLE_ENDIAN, NO_CLEAR, VIRT_WIDTH,
    Y_OFFSET,
};

use super::rect;

fn direct(guest: &mut Guest) -> Option<DirectScanout> {
    guest.vga.scanout().direct(guest.vga.vram())
}

/// The four letters of a DRM format code.
fn letters(fourcc: u32) -> String {
    String::from_utf8_lossy(&fourcc.to_le_bytes()).into_owned()
}

#[test]
fn direct_colours_lie_in_vram_as_they_show() {
    for (bpp, little, big) in [
        (15, Some("XR15"), None),
        (16, Some("RG16"), None),
        (24, Some("RG24"), Some("BG24")),
        (32, Some("XR24"), Some("BX24")),
        (8, None, None),
        (4, None, None),
    ] {
        let mut guest = Guest::new(Variant::Vga);
        guest.vbe_mode(640, 480, bpp);
        for (byte_order, expected) in [(LITTLE_ENDIAN, little), (BIG_ENDIAN, big)] {
            guest.mmio_write(EXTENDED_BYTE_ORDER, &byte_order.to_le_bytes());
            let format = direct(&mut guest).map(|direct| letters(direct.fourcc));
            assert_eq!(format.as_deref(), expected, "{bpp} bpp, {byte_order:#x}");
        }
    }
}

#[test]
fn other_modes_must_be_drawn() {
    let modes: [fn(&mut Guest); 3] = [Guest::mode_03h, Guest::mode_13h, |guest| {
        guest.vbe_mode(64, 64, 32);
        guest.blank();
    }];
    for set_mode in modes {
        let mut guest = Guest::new(Variant::Vga);
        set_mode(&mut guest);
        let mode = guest.vga.scanout().mode().to_string();
        assert_eq!(direct(&mut guest), None, "{mode}");
    }
}

#[test]
fn a_page_flip_changes_the_offset_alone() {
    let mut guest = Guest::new(Variant::Vga);
    guest.vbe_mode(800, 600, 32);
    guest.dispi(VIRT_WIDTH, 1024);
    let before = direct(&mut guest).expect("it lies in VRAM");
    assert_eq!((before.offset, before.pitch), (0, 4096));
    assert_eq!((before.size.width, before.size.height), (800, 600));
    guest.dispi(Y_OFFSET, 600);
    let mut flipped = before;
    flipped.offset = 600 * 4096;
    assert_eq!(direct(&mut guest), Some(flipped));
}

#[test]
fn what_changed_is_told_from_the_dirty_pages() {
    let mut guest = Guest::new(Variant::Vga);
    guest.vbe_mode(800, 600, 32);
    guest.dispi(VIRT_WIDTH, 1024);
    guest.dispi(ENABLE, ENABLED | NO_CLEAR);
    guest.dispi(Y_OFFSET, 100);
    guest.take_dirty();
    let direct = direct(&mut guest).expect("it lies in VRAM");
    let damage = |words: &[u64]| direct.damage(words).map(|damage| damage.rects().to_vec());
    assert_eq!(damage(&guest.take_dirty()), Ok(vec![]));
    guest.vram_write(99 * 4096, &[1]);
    assert_eq!(damage(&guest.take_dirty()), Ok(vec![]), "above");
    guest.vram_write(107 * 4096, &[1]);
    guest.vram_write(108 * 4096, &[1]);
    assert_eq!(damage(&guest.take_dirty()), Ok(vec![rect(0, 7, 800, 2)]));
    assert_eq!(
        damage(&[0; 3]),
        Err(BitmapLengthError {
            given: 3,
            needed: 64
        })
    );
}

/// The fields are the embedder's to write.
#[test]
fn fields_that_say_of_no_picture_in_vram_have_all_of_it_as_damage() {
    let mut guest = Guest::new(Variant::Vga);
    guest.vbe_mode(800, 600, 32);
    let original = direct(&mut guest).expect("it lies in VRAM");
    let values = [0, 1, 3200, 12000, 12001, u32::MAX - 1, u32::MAX];
    for offset in values {
        for pitch in values {
            for height in values {
                let mut direct = original;
                (direct.offset, direct.pitch) = (offset, pitch);
                (direct.size.width, direct.size.height) = (u32::MAX, height);
                let [offset, pitch, lines] = [offset, pitch, height].map(u64::from);
                let end = offset + pitch * lines.saturating_sub(1) + 800 * 4;
                let is_picture = lines <= 12000 && end <= guest.vga.vram().len();
                let whole = rect(0, 0, u32::MAX, height);
                for (word, is_dirty) in [(u64::MAX, true), (0, false)] {
                    let damage = direct.damage(&[word; 64]).expect("as many words as pages");
                    let expected = if is_picture && (!is_dirty || height == 0) {
                        vec![]
                    } else {
                        vec![whole]
                    };
                    assert_eq!(damage.rects(), expected, "{direct:?}, words {word:#x}");
                }
            }
        }
    }
}
