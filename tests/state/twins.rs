// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! A device that is saved and restored, and its twin that isn't: both answer the same, whatever a guest
//! does.
//!
//! Environment: `STDVGA_PROGRAMS`, how many programs for each variant; 12 where it isn't set, and never
//! fewer. They're the same in every run, so a failure is found again by its number.

use rand::prelude::*;
use stdvga::Monitor;
use stdvga_testing::actions::{Choices, Setup, Source, environment, pc, program};
use stdvga_testing::machine::{Answer, Display, Machine};

/// Accesses of a program.
const ACCESSES: usize = 3000;
/// One save in so many accesses: often enough to come between accesses that belong together.
const ACCESSES_PER_SAVE: u32 = 20;
/// One look at the picture in so many accesses.
const ACCESSES_PER_PICTURE: u32 = 300;
const FEWEST_PROGRAMS: u64 = 12;

/// Lets twins run programs of one setup. Only the first is saved and restored.
fn go_on_alike(setup: &Setup) {
    let programs = environment("STDVGA_PROGRAMS").unwrap_or(FEWEST_PROGRAMS);
    for number in 0..programs.max(FEWEST_PROGRAMS) {
        let mut rng = SmallRng::seed_from_u64(number);
        let has_precise_retrace = number % 2 == 1;
        let mut twins = [(); 2].map(|()| Machine::new(setup, has_precise_retrace));
        let mut displays = [(); 2].map(|()| Display::default());
        let mut contents = vec![0; setup.vram_len() as usize];
        rng.fill(&mut contents[..]);
        for twin in &twins {
            twin.guest.vga.vram().write(0, &contents);
        }
        let mut saved_at = 0;
        let program = program::random(setup, Choices::seeded(number), ACCESSES);
        for (at, access) in program.iter().enumerate() {
            if rng.random_ratio(1, ACCESSES_PER_SAVE) {
                twins[0].save_and_restore();
                saved_at = at;
            }
            if setup.has_mmio() && rng.random_ratio(1, 500) {
                let xres = rng.random_range(0..5000);
                for twin in &mut twins {
                    let monitor = Monitor::new(xres, 0);
                    twin.guest.vga.set_monitor(monitor).expect("there's EDID");
                }
            }
            let [ours, theirs] = twins.each_mut().map(|twin| twin.put(access));
            let place = format!(
                "{}, program {number}, access {at} (saved before {saved_at}): `{access}`",
                setup.device
            );
            expect_same(&place, &ours, &theirs);
            if rng.random_ratio(1, ACCESSES_PER_PICTURE) {
                expect_same_pictures(&place, &mut twins, &mut displays);
            }
        }
        expect_same_pictures("the end", &mut twins, &mut displays);
    }
}

fn expect_same(place: &str, ours: &Answer, theirs: &Answer) {
    let difference = ours.data.iter().zip(&theirs.data).position(|(a, b)| a != b);
    assert!(
        ours == theirs,
        "{place}\nwas answered {:02x?} with {:?} and {:?} by the device restored,\nand {:02x?} with {:?} and {:?} by its twin; the first byte that differs is {difference:?}",
        &ours.data[..ours.data.len().min(16)],
        ours.effects,
        ours.mappings,
        &theirs.data[..theirs.data.len().min(16)],
        theirs.effects,
        theirs.mappings,
    );
}

fn expect_same_pictures(place: &str, twins: &mut [Machine; 2], displays: &mut [Display; 2]) {
    let [ours, theirs] = twins.each_ref().map(|twin| twin.guest.vga.scanout());
    assert_eq!(ours, theirs, "the scanouts after {place}");
    for (twin, display) in twins.iter_mut().zip(&mut *displays) {
        let milliseconds = twin.milliseconds();
        display
            .refresh(&mut twin.guest, Source::Compare, milliseconds)
            .unwrap_or_else(|error| panic!("{error}, after {place}"));
    }
    let [ours, theirs] = displays;
    assert!(
        ours.changed.pixels == theirs.changed.pixels,
        "the pixels differ after {place}, in {}",
        twins[0].guest.vga.scanout().mode()
    );
}

#[test]
fn a_vga_goes_on_where_it_was_saved() {
    go_on_alike(&pc("VGA,vgamem_mb=1"));
}

#[test]
fn a_vga_without_mmio_goes_on_where_it_was_saved() {
    go_on_alike(&pc("VGA,vgamem_mb=2,mmio=off"));
}

#[test]
fn a_secondary_vga_goes_on_where_it_was_saved() {
    go_on_alike(&pc("secondary-vga,vgamem_mb=1"));
}

#[test]
fn an_isa_vga_goes_on_where_it_was_saved() {
    go_on_alike(&Setup {
        machine: "isapc",
        device: "isa-vga,vgamem_mb=1",
    });
}
