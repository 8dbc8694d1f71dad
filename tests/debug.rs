// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What `{:?}` prints of the largest values: a few lines for a log, with no memory of the guest's, no pixels
//! and no addresses of the host's.

use std::fmt::Debug;
use std::time::Duration;

use stdvga::embedding::{DirtyPages, MappedRegions, Picture, Region, RegionMapper, SharedVga};
use stdvga::{Config, Dirty, DirtyBitmap, Screen, StdVga, Surface, Vram};
use stdvga_testing::driver::Guest;
use vm_memory::bitmap::{Bitmap, NewBitmap};

/// Prints a value, which must take less than 1000 characters, and hold these.
fn expect_short(value: &dyn Debug, held: &[&str]) {
    let printed = format!("{value:?}");
    assert!(printed.len() < 1000, "{} characters", printed.len());
    for part in held {
        assert!(printed.contains(part), "no `{part}` in {printed}");
    }
}

/// A guest with as much VRAM and as large a ROM as there can be, in a mode of 4000x3000.
fn largest() -> (Config, Guest) {
    let config = Config::default().vram_mib(512).rom(vec![0x5a; 16 << 20]);
    let mut guest = Guest::with(config.clone());
    guest.config_write(0x10, &0xc000_0000_u32.to_le_bytes());
    guest.config_write(0x04, &2_u16.to_le_bytes());
    guest.vbe_mode(4000, 3000, 32);
    (config, guest)
}

#[test]
fn a_device_and_its_configuration_print_no_memory() {
    let (config, guest) = largest();
    expect_short(
        &config,
        &[
            "variant: Vga",
            "vram_mib: Some(512)",
            "rom_bytes: Some(16777216)",
        ],
    );
    let device: &StdVga = &guest.vga;
    expect_short(
        device,
        &[
            "variant: Vga",
            "len: 536870912",
            "rom_bytes: Some(16777216)",
            "framebuffer: Some(MappedRange { base: GuestAddress(3221225472)",
            "Size { width: 4000, height: 3000 }",
            "Xrgb8888",
        ],
    );
    let vram: &Vram = guest.vga.vram();
    expect_short(vram, &["Vram { len: 536870912, .. }"]);
    let host = vram.region().as_ptr() as usize;
    for address in [format!("{host:x}"), host.to_string()] {
        assert!(
            !format!("{device:?}").contains(&address),
            "{address} is the host's"
        );
    }
}

#[test]
fn a_screen_what_it_draws_and_where_to_print_no_pixels() {
    let (_, guest) = largest();
    let scanout = guest.vga.scanout();
    expect_short(
        &scanout,
        &[
            "Graphics(GraphicsMode",
            "width: 4000",
            "pitch: 16000",
            "resets: 0",
        ],
    );

    let mut screen = Screen::new();
    let mut pixels = vec![0; 4000 * 3000];
    let surface = Surface::new(&mut pixels, 4000);
    expect_short(&surface, &["Surface { len: 12000000, stride: 4000, .. }"]);
    let (vram, now) = (guest.vga.vram(), Duration::ZERO);
    screen
        .refresh(&scanout, vram, Dirty::Compare, now, surface)
        .expect("the surface has room for the picture");
    expect_short(
        &screen,
        &[
            "picture: Direct(",
            "Size { width: 4000, height: 3000 }",
            "refreshes: 1",
        ],
    );
}

#[test]
fn dirty_marks_print_as_their_number() {
    let bitmap = DirtyBitmap::with_len(512 << 20);
    bitmap.mark_dirty(0, 300 << 20);
    expect_short(
        &bitmap,
        &["DirtyBitmap { words: 2048, marked_pages: 76800, .. }"],
    );
}

/// A VMM that maps whatever it's told to.
struct Slots;

impl RegionMapper for Slots {
    fn map(&mut self, _: &Region) -> std::io::Result<()> {
        Ok(())
    }

    fn unmap(&mut self, _: &Region) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_embedding_layer_prints_what_it_has_and_no_memory() {
    let (_, guest) = largest();
    let vram = guest.vga.vram().clone();
    expect_short(
        &guest.vga.rom().cloned(),
        &["Some(Rom { len: 16777216, .. })"],
    );

    let mut picture = Picture::new(4000 * 3000);
    let scanout = guest.vga.scanout();
    picture
        .refresh(&scanout, &vram, Dirty::All, Duration::ZERO)
        .expect("memory for the picture");
    expect_short(&picture, &["Size { width: 4000, height: 3000 }"]);
    assert_eq!(picture.screen().refreshes(), 1);

    let mut pages = DirtyPages::new(&vram);
    assert_eq!(pages.words().len(), vram.dirty_words());
    pages.mark_all();
    expect_short(&pages, &["DirtyPages { marked: 131072, .. }"]);

    let mut regions = MappedRegions::new(Slots);
    let errors = regions.follow(&guest.vga.mappings());
    assert!(errors.is_empty(), "{errors:?}");
    expect_short(&regions, &["kind: Framebuffer", "len: 536870912"]);
    let vga = SharedVga::new(guest.vga, regions, |_| {});
    expect_short(&vga, &["SharedVga"]);
    expect_short(&vga.downgrade(), &["WeakVga"]);
    assert!(vga.downgrade().clone().upgrade().is_some());
}
