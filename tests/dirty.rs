// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Marks of written pages, and batches of writes: nothing is lost on the way from the guest to those who
//! follow VRAM.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rand::prelude::*;
use stdvga::{Dirty, DirtyBitmap, Screen, Size, Surface, Variant, Vram};
use stdvga_testing::driver::{Guest, MAP_MASK, Monitor};

/// Those who follow what is written: each has words of its own.
const SCREEN: usize = 0;
const MIGRATION: usize = 1;

/// What is behind a VMM's lock: the device, and what the readers haven't asked for yet.
struct Vmm {
    guest: Guest,
    dirty: [Vec<u64>; 2],
}

impl Vmm {
    fn new(guest: Guest) -> Self {
        let words = vec![0; guest.vga.vram().dirty_words()];
        let dirty = [words.clone(), words];
        Self { guest, dirty }
    }

    /// The pages that were written since a reader asked last.
    fn take(&mut self, reader: usize) -> Vec<u64> {
        let drained = self.guest.take_dirty();
        for words in &mut self.dirty {
            words
                .iter_mut()
                .zip(&drained)
                .for_each(|(to, from)| *to |= from);
        }
        std::mem::replace(&mut self.dirty[reader], vec![0; drained.len()])
    }
}

/// Locks, also where another thread failed: its message is the one to read.
fn lock(vmm: &Mutex<Vmm>) -> MutexGuard<'_, Vmm> {
    vmm.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Copies the pages that are marked, as a migration sends them.
fn copy_pages(vram: &Vram, words: &[u64], copy: &mut [u8]) {
    for (page, bytes) in copy.chunks_mut(DirtyBitmap::PAGE_SIZE).enumerate() {
        if words[page / 64] >> (page % 64) & 1 != 0 {
            vram.read((page * DirtyBitmap::PAGE_SIZE) as u64, bytes);
        }
    }
}

fn content(vram: &Vram) -> Vec<u8> {
    let mut bytes = vec![0; vram.len() as usize];
    vram.read(0, &mut bytes);
    bytes
}

#[test]
fn a_page_that_was_written_reaches_every_reader_once() {
    let mut vmm = Vmm::new(Guest::with_vram(1));
    vmm.guest.vram_write(0x5000, &[1]);
    assert_eq!(vmm.take(SCREEN), [1 << 5, 0, 0, 0]);
    vmm.guest.vram_write(0x4_0000, &[1]);
    assert_eq!(vmm.take(MIGRATION), [1 << 5, 1, 0, 0]);
    assert_eq!(vmm.take(MIGRATION), [0; 4]);
    assert_eq!(vmm.take(SCREEN), [0, 1, 0, 0]);
}

#[test]
fn screen_and_migration_end_with_what_the_guest_wrote_meanwhile() {
    const WRITES: u32 = 100_000;
    let mut guest = Guest::with_vram(1);
    guest.planar_mode(640, 480);
    let size = Size {
        width: 640,
        height: 480,
    };
    let vram = &guest.vga.vram().clone();
    let vmm = &Mutex::new(Vmm::new(guest));
    let (mut pixels, mut copy) = (vec![0; 640 * 480], content(vram));

    let mut screen = Screen::new();
    let mut show = || {
        let (scanout, words) = {
            let mut vmm = lock(vmm);
            (vmm.guest.vga.scanout(), vmm.take(SCREEN))
        };
        assert_eq!(screen.size(&scanout), size);
        let (pixels, stride) = (&mut pixels[..], 640);
        let (dirty, surface) = (Dirty::Pages(&words), Surface::new(pixels, stride));
        let damage = screen.refresh(&scanout, vram, dirty, Duration::ZERO, surface);
        damage.expect("the surface and the words have the lengths asked for");
    };
    let mut migrate = || {
        let words = lock(vmm).take(MIGRATION);
        copy_pages(vram, &words, &mut copy);
    };
    let done = &AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                show();
            }
        });
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                migrate();
            }
        });
        let mut rng = SmallRng::seed_from_u64(1);
        for _ in 0..WRITES {
            let guest = &mut lock(vmm).guest;
            guest.sequencer(MAP_MASK, rng.random_range(1..16));
            guest.window_write(rng.random_range(0..0x1_0000), &[rng.random()]);
        }
        done.store(true, Ordering::Relaxed);
    });
    show();
    migrate();

    let mut whole = Monitor::default();
    whole.refresh(&mut lock(vmm).guest, 0);
    assert!(pixels == whole.pixels, "the screen shows something else");
    assert!(copy == content(vram), "the copy differs");
}

#[test]
fn a_batch_of_window_writes_does_what_one_after_the_other_does() {
    type SetMode = fn(&mut Guest);
    let modes: [(&str, SetMode); 3] = [
        ("text", Guest::mode_03h),
        ("planar", |guest| guest.planar_mode(640, 480)),
        ("mode 13h", Guest::mode_13h),
    ];
    for (mode, set_mode) in modes {
        let [mut batch, mut single] = [(); 2].map(|()| {
            let mut guest = Guest::new(Variant::Vga);
            set_mode(&mut guest);
            guest.take_dirty();
            guest
        });
        // Many places are written more than once: the order shows.
        let mut rng = SmallRng::seed_from_u64(2);
        let writes: Vec<(u64, [u8; 8], usize)> = (0..1000)
            .map(|_| {
                let offset = [0, 0x1_8000, 0x1_fff0][rng.random_range(0..3)];
                (
                    offset + rng.random_range(0..40),
                    rng.random(),
                    rng.random_range(0..=8),
                )
            })
            .collect();
        let given = writes
            .iter()
            .map(|(offset, data, len)| (*offset, &data[..*len]));
        batch.vga.window_writes(given.clone());
        given.for_each(|(offset, data)| single.vga.window_write(offset, data));
        assert!(
            content(batch.vga.vram()) == content(single.vga.vram()),
            "{mode}"
        );
        assert_eq!(batch.take_dirty(), single.take_dirty(), "{mode}");
    }
}
