//! A device that is saved and restored, and its twin that isn't: both answer the same, whatever a guest
//! does.
//!
//! Environment: `STDVGA_PROGRAMS`, how many programs for each variant; 12 where it isn't set, and never
//! fewer. They're the same in every run, so a failure is found again by its number.

use rand::prelude::*;
use stdvga::Monitor;

use crate::machine::{Answer, Machine};
use crate::qtest::{Setup, environment, pc, program};
use crate::save_and_restore;

/// Lines of a program.
const LINES: usize = 3000;
/// One save in so many lines: often enough to come between accesses that belong together.
const LINES_PER_SAVE: u32 = 20;
/// One look at the picture in so many lines.
const LINES_PER_PICTURE: u32 = 300;
const FEWEST_PROGRAMS: u64 = 12;

/// Lets twins run programs of one setup. Only the first is saved and restored.
fn go_on_alike(setup: &Setup) {
    let programs = environment("STDVGA_PROGRAMS").unwrap_or(FEWEST_PROGRAMS);
    for number in 0..programs.max(FEWEST_PROGRAMS) {
        let mut rng = SmallRng::seed_from_u64(number);
        let has_precise_retrace = number % 2 == 1;
        let mut twins = [(); 2].map(|()| Machine::new(setup, has_precise_retrace));
        let mut contents = vec![0; setup.vram_len() as usize];
        rng.fill(&mut contents[..]);
        for twin in &twins {
            twin.guest.vga.vram().write(0, &contents);
        }
        let mut saved_at = 0;
        for (at, line) in program::random(setup, number, LINES).iter().enumerate() {
            if rng.random_ratio(1, LINES_PER_SAVE) {
                let Machine { guest, config, .. } = &mut twins[0];
                save_and_restore(guest, config);
                saved_at = at;
            }
            if setup.has_mmio() && rng.random_ratio(1, 500) {
                let xres = rng.random_range(0..5000);
                for twin in &mut twins {
                    let monitor = Monitor {
                        xres,
                        ..Monitor::default()
                    };
                    twin.guest.vga.set_monitor(monitor).expect("there's EDID");
                }
            }
            let [ours, theirs] = twins.each_mut().map(|twin| twin.put(line));
            let place = format!(
                "{}, program {number}, line {at} (saved before line {saved_at}): `{line}`",
                setup.device
            );
            expect_same(&place, &ours, &theirs);
            if rng.random_ratio(1, LINES_PER_PICTURE) {
                expect_same_pictures(&place, &mut twins);
            }
        }
        expect_same_pictures("the end", &mut twins);
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

fn expect_same_pictures(place: &str, twins: &mut [Machine; 2]) {
    let [ours, theirs] = twins.each_mut().map(Machine::picture);
    assert_eq!(ours.scanout, theirs.scanout, "the scanouts after {place}");
    assert!(
        ours.pixels == theirs.pixels,
        "the pixels differ after {place}, in {}",
        ours.scanout.mode()
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
