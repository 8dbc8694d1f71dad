// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The device behind a lock, and a screen on a thread of its own that takes the lock for snapshots only.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{env, thread};

use rand::prelude::*;
use stdvga::{Config, Dirty, DirtyBitmap, Screen, StdVga, Surface, Variant, Vram};
use stdvga_testing::driver::*;
use vm_memory::{
    Address, Bytes, GuestAddress, GuestMemoryBackend, GuestMemoryMmap, GuestRegionMmap,
    VolatileMemory,
};

/// The largest picture that a mode of the test has.
const MOST_PIXELS: u64 = 1024 * 768;

fn lock(guest: &Mutex<Guest>) -> MutexGuard<'_, Guest> {
    guest.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A display thread's part.
struct Display {
    screen: Screen,
    pixels: Vec<u32>,
}

impl Display {
    fn new() -> Self {
        Self {
            screen: Screen::new(),
            pixels: Vec::new(),
        }
    }

    fn refresh(&mut self, guest: &Mutex<Guest>, vram: &Vram, dirty: Dirty<'_>) {
        let scanout = lock(guest).vga.scanout();
        // From here on nothing is locked.
        let size = self.screen.size(&scanout);
        assert!(size.pixels() <= MOST_PIXELS, "{size}");
        self.pixels.resize(size.pixels() as usize, 0);
        let surface = Surface::new(&mut self.pixels, size.width as usize);
        self.screen
            .refresh(&scanout, vram, dirty, Duration::ZERO, surface)
            .expect("the surface has the size asked for");
    }
}

/// Sets one of the modes of the test.
fn set_mode(guest: &mut Guest, rng: &mut impl Rng) {
    match rng.random_range(0..6) {
        0 => guest.mode_03h(),
        1 => guest.planar_mode(640, 480),
        2 => guest.mode_13h(),
        3 => guest.vbe_mode(1024, 768, 32),
        4 => guest.vbe_mode(800, 600, 8),
        _ => guest.reset(),
    }
}

#[test]
fn a_screen_that_drew_while_guests_wrote_and_switched_modes_ends_with_the_right_picture() {
    const MODES: usize = 300;
    for seed in 0..3 {
        let guest = Guest::with_vram(4);
        let vram = guest.vga.vram().clone();
        let guest = Mutex::new(guest);
        let done = AtomicBool::new(false);
        let mut display = Display::new();
        thread::scope(|scope| {
            // A vCPU that draws into BAR0, which is mapped: it needs no lock. Its stores are atomic, as a
            // CPU's are.
            scope.spawn(|| {
                let mut rng = SmallRng::seed_from_u64(seed);
                let bar0 = vram.region().as_volatile_slice();
                while !done.load(Ordering::Relaxed) {
                    let line = rng.random_range(0..vram.len() / 64) * 64;
                    for dword in (line..line + 64).step_by(4) {
                        bar0.store(rng.random::<u32>(), dword as usize, Ordering::Relaxed)
                            .expect("a dword of VRAM");
                    }
                }
            });
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    display.refresh(&guest, &vram, Dirty::Compare);
                }
            });
            // A vCPU whose accesses trap.
            let mut rng = SmallRng::seed_from_u64(100 + seed);
            for _ in 0..MODES {
                set_mode(&mut lock(&guest), &mut rng);
                for _ in 0..50 {
                    let offset = rng.random_range(0..0x1_0000);
                    lock(&guest).window_write(offset, &rng.random::<[u8; 4]>());
                }
                let _ = lock(&guest).inb(INPUT_STATUS_1);
            }
            lock(&guest).vbe_mode(1024, 768, 32);
            done.store(true, Ordering::Relaxed);
        });

        assert!(display.screen.refreshes() > 0, "seed {seed}");
        display.refresh(&guest, &vram, Dirty::Compare);
        let mut fresh = Display::new();
        fresh.refresh(&guest, &vram, Dirty::All);
        let wrong = display
            .pixels
            .iter()
            .zip(&fresh.pixels)
            .position(|(a, b)| a != b);
        assert_eq!(wrong, None, "seed {seed}: the first pixel that differs");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn an_event_loop_that_waits_for_the_mode_event_sees_the_last_mode() {
    use vmm_sys_util::eventfd::EventFd;

    let guest = Mutex::new(Guest::new(Variant::Vga));
    let event = EventFd::new(0).expect("an eventfd");
    let signal = event.try_clone().expect("another handle of it");
    lock(&guest).vga.set_mode_event(Some(signal));
    thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            // Each read blocks until a mode changed that wasn't seen yet.
            loop {
                event.read().expect("an eventfd can be read");
                let mode = lock(&guest).vga.scanout().mode().to_string();
                if mode == "graphics 1024x768, 32 bpp" {
                    return mode;
                }
            }
        });
        for _ in 0..100 {
            lock(&guest).mode_03h();
            lock(&guest).mode_13h();
        }
        lock(&guest).vbe_mode(1024, 768, 32);
        assert_eq!(
            waiter.join().expect("no panic"),
            "graphics 1024x768, 32 bpp"
        );
    });
}

/// Pages that are written before what was marked is compared with what was written.
const PAGES: u64 = 4096;
/// Writes to a page in a row. The second one finds the first one's mark, unless that is drained meanwhile.
const BURST: u64 = 4;

/// The page's first bytes, as a number.
fn value(vram: &Vram, page: u64) -> u64 {
    let mut bytes = [0; 8];
    vram.read(page * DirtyBitmap::PAGE_SIZE as u64, &mut bytes);
    u64::from_le_bytes(bytes)
}

/// In how many pages the last write was never marked. A thread writes by `write(page, value)`; meanwhile
/// the marks are drained, and the pages that they name are looked at.
///
/// `STDVGA_WRITES` in the environment is the number of writes.
fn lost_marks(mut vga: StdVga, write: impl Fn(u64, u64) + Sync) -> usize {
    let writes = match env::var("STDVGA_WRITES") {
        Ok(writes) => writes.parse().expect("STDVGA_WRITES is a number"),
        Err(_) => 200_000,
    };
    let vram = vga.vram().clone();
    let mut words = vec![0; vram.dirty_words()];
    let mut copy = vec![0; PAGES as usize];
    let mut lost = 0;
    for round in 1..=(writes / (PAGES * BURST)).max(1) {
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                for page in 0..PAGES {
                    (1..=BURST).for_each(|write_no| write(page, round * BURST + write_no));
                }
                done.store(true, Ordering::Release);
            });
            let mut was_done = false;
            while !was_done {
                was_done = done.load(Ordering::Acquire);
                vga.drain_dirty(&mut words).expect("as many words");
                for (word, marks) in words
                    .iter_mut()
                    .enumerate()
                    .filter(|(_, marks)| **marks != 0)
                {
                    let pages = (0..64).filter(|page| *marks >> page & 1 != 0);
                    for page in pages.map(|page| word as u64 * 64 + page) {
                        copy[page as usize] = value(&vram, page);
                    }
                    *marks = 0;
                }
            }
        });
        let pages = (0..PAGES).zip(&copy);
        lost += pages
            .filter(|(page, copied)| value(&vram, *page) != **copied)
            .count();
    }
    lost
}

#[test]
fn no_mark_of_a_write_through_a_clone_of_the_vram_is_lost() {
    let vga = StdVga::new(Config::default()).expect("a valid configuration");
    let vram = vga.vram().clone();
    let write = |page, value: u64| {
        vram.write(page * DirtyBitmap::PAGE_SIZE as u64, &value.to_le_bytes());
    };
    assert_eq!(lost_marks(vga, write), 0, "pages whose last mark was lost");
}

#[test]
fn no_mark_of_another_devices_dma_into_the_vram_is_lost() {
    const BASE: GuestAddress = GuestAddress(0xe000_0000);
    let ranges = [(BASE, PAGES as usize * DirtyBitmap::PAGE_SIZE)];
    let memory: GuestMemoryMmap<DirtyBitmap> =
        GuestMemoryMmap::from_ranges(&ranges).expect("guest memory");
    let region = memory.find_region(BASE).map(GuestRegionMmap::get_mmap);
    let region = region.expect("the region of the framebuffer");
    let vga = StdVga::with_vram(Config::default(), region).expect("a valid configuration");
    let write = |page, value: u64| {
        let address = BASE.unchecked_add(page * DirtyBitmap::PAGE_SIZE as u64);
        memory
            .write_slice(&value.to_le_bytes(), address)
            .expect("the framebuffer can be written");
    };
    assert_eq!(lost_marks(vga, write), 0, "pages whose last mark was lost");
}
