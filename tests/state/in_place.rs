// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! A device that is restored in place: it goes on like one that's built from the state, and whoever holds it
//! learns what changed.
//!
//! Environment: `STDVGA_PROGRAMS`, how many programs for each variant; 12 if it isn't set, and never
//! fewer. They're the same in every run, so a failure is found again by its number.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use stdvga::state::VramPages;
use stdvga::{
    Config, Counters, Dirty, Effects, Mode, Rect, Size, State, StateError, StdVga, Surface,
    Variant, VramPageError,
};
use stdvga_testing::actions::{Choices, Setup, environment, pc, program};
use stdvga_testing::driver::*;
use stdvga_testing::machine::{Machine, Seen};
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

/// Accesses of a program.
const ACCESSES: usize = 1000;
const FEWEST_PROGRAMS: u64 = 12;
/// The most pixels of a picture that is drawn, for the time it takes.
const MAX_PIXELS: u64 = 1 << 19;

fn config() -> Config {
    Config::default().vram_mib(1)
}

fn run(machine: &mut Machine, setup: &Setup, seed: u64) {
    for access in program::random(setup, Choices::seeded(seed), ACCESSES) {
        machine.put(&access);
    }
}

fn contents(machine: &Machine) -> Vec<u8> {
    let vram = machine.guest.vga.vram();
    let mut contents = vec![0; vram.len() as usize];
    vram.read(0, &mut contents);
    contents
}

/// Restores in place, and fails unless the effects are what changed.
fn restore(guest: &mut Guest, state: &State, place: &str) {
    let before = Seen::of(guest);
    let effects = guest
        .vga
        .restore(state)
        .unwrap_or_else(|error| panic!("{place}: {error}"));
    assert!(effects.contains(Effects::SCANOUT), "{place}: {effects:?}");
    before
        .expect_effects(&Seen::of(guest), effects)
        .unwrap_or_else(|error| panic!("{place}: {error}"));
    guest.effects |= effects;
}

fn whole(size: Size) -> [Rect; 1] {
    [Rect { x: 0, y: 0, size }]
}

/// Fails unless a screen that drew other pictures before draws all of the restored one, though no page is
/// marked.
fn expect_whole_picture(machine: &mut Machine, monitor: &mut Monitor, place: &str) {
    let scanout = machine.guest.vga.scanout();
    let mut new = Monitor::default();
    let size = new.screen.size(&scanout);
    assert_eq!(monitor.screen.size(&scanout), size, "the size, {place}");
    if size.pixels() > MAX_PIXELS {
        return;
    }
    let milliseconds = machine.milliseconds();
    let no_pages = vec![0; machine.guest.vga.vram().dirty_words()];
    let refreshes = monitor.screen.refreshes();
    let damage = monitor.refresh_where(&mut machine.guest, Dirty::Pages(&no_pages), milliseconds);
    assert_eq!(damage.rects(), whole(size), "the damage, {place}");
    assert_eq!(monitor.screen.refreshes(), refreshes + 1, "{place}");
    new.refresh(&mut machine.guest, milliseconds);
    assert!(
        monitor.pixels == new.pixels,
        "the pixels aren't those of a new screen, {place}, in {}",
        scanout.mode()
    );
}

/// Restores devices that ran one program to the state that another one led to, and lets them go on beside
/// devices that are built from it.
fn go_on_alike(setup: &Setup) {
    let programs = environment("STDVGA_PROGRAMS").unwrap_or(FEWEST_PROGRAMS);
    for number in 0..programs.max(FEWEST_PROGRAMS) {
        let place = format!("{}, program {number}", setup.device);
        let has_precise_retrace = number % 2 == 1;
        let mut saved = Machine::new(setup, has_precise_retrace);
        run(&mut saved, setup, number);
        let state = saved.guest.vga.state();

        let mut restored = Machine::new(setup, has_precise_retrace);
        run(&mut restored, setup, !number);
        let mut monitor = Monitor::default();
        let shown = monitor.screen.size(&restored.guest.vga.scanout());
        if shown.pixels() <= MAX_PIXELS {
            monitor.refresh(&mut restored.guest, 0);
        }
        restored.guest.vga.vram().write(0, &contents(&saved));
        restore(&mut restored.guest, &state, &place);
        restored.guest.forget_effects();

        let built = StdVga::from_state(restored.config.clone(), &state)
            .unwrap_or_else(|error| panic!("{place}: {error}"));
        built.vram().write(0, &contents(&saved));
        assert_eq!(restored.guest.vga.state(), built.state(), "{place}");
        assert_eq!(restored.guest.vga.mappings(), built.mappings(), "{place}");
        let [ours, theirs] = [&restored.guest.vga, &built].map(StdVga::scanout);
        assert_eq!(ours.mode(), theirs.mode(), "{place}");
        assert_eq!(ours.palette(), theirs.palette(), "{place}");
        expect_whole_picture(&mut restored, &mut monitor, &place);

        // Its retrace follows the clock of the other machine, whose access comes first.
        let config = restored.config.clone();
        let mut built = Machine::with(built, config, Arc::new(AtomicU64::new(0)));
        for access in program::random(setup, Choices::seeded(number), ACCESSES) {
            let (ours, theirs) = (restored.put(&access), built.put(&access));
            assert_eq!(ours, theirs, "{place}: the answers to `{access}`");
        }
        assert_eq!(restored.guest.vga.state(), built.guest.vga.state());
    }
}

#[test]
fn a_vga_restored_in_place_goes_on_like_one_built_from_the_state() {
    go_on_alike(&pc("VGA,vgamem_mb=1"));
}

#[test]
fn a_vga_without_mmio_restored_in_place_goes_on_like_one_built_from_the_state() {
    go_on_alike(&pc("VGA,vgamem_mb=2,mmio=off"));
}

#[test]
fn a_secondary_vga_restored_in_place_goes_on_like_one_built_from_the_state() {
    go_on_alike(&pc("secondary-vga,vgamem_mb=1"));
}

#[test]
fn an_isa_vga_restored_in_place_goes_on_like_one_built_from_the_state() {
    go_on_alike(&Setup {
        machine: "isapc",
        device: "isa-vga,vgamem_mb=1",
    });
}

#[test]
fn the_effects_are_just_what_changed() {
    let mut guest = Guest::with_vram(1);
    guest.vbe_mode(640, 480, 8);
    let saved = guest.vga.state();
    let mut expect = |change: fn(&mut Guest), expected: Effects| {
        change(&mut guest);
        guest.forget_effects();
        restore(&mut guest, &saved, "a mode of 640x480");
        guest.expect_effects(Effects::SCANOUT | expected);
    };
    expect(|_| {}, Effects::empty());
    expect(|guest| guest.dac(1, [1, 2, 3]), Effects::empty());
    expect(|guest| guest.vbe_mode(320, 200, 8), Effects::MODE);
    expect(
        |guest| {
            guest.config_write(BAR0, &0xe000_0000_u32.to_le_bytes());
            guest.config_write(COMMAND, &COMMAND_MEMORY.to_le_bytes());
        },
        Effects::MAPPINGS,
    );
    expect(Guest::reset, Effects::MAPPINGS | Effects::MODE);
}

#[test]
fn the_mode_event_stays_and_is_signalled_when_the_mode_changes() {
    let event = EventFd::new(EFD_NONBLOCK).expect("an event");
    let mut guest = Guest::with_vram(1);
    let blank = guest.vga.state();
    guest.vbe_mode(640, 480, 8);
    let shown = guest.vga.state();
    guest
        .vga
        .set_mode_event(Some(event.try_clone().expect("a clone")));

    restore(&mut guest, &shown, "the same mode");
    assert!(event.read().is_err(), "the mode is the same");
    restore(&mut guest, &blank, "another mode");
    assert_eq!(event.read().expect("a signal"), 1);
    for state in [&shown, &blank] {
        let effects = guest.vga.restore(state).expect("a state of its own");
        assert!(effects.contains(Effects::MODE), "{effects:?}");
    }
    assert_eq!(event.read().expect("a signal"), 2, "each change signals");
}

#[test]
fn the_counters_go_on() {
    let mut guest = Guest::with(config());
    let blank = guest.vga.state();
    guest.reset();
    guest.vbe_mode(640, 480, 8);
    guest.config_read::<4>(0);
    guest.window_read::<1>(0);
    let mut expected = guest.vga.counters();
    expected.mode_changes += 1;
    expected.mapping_changes += 1;
    restore(&mut guest, &blank, "a blank screen");
    assert_eq!(guest.vga.counters(), expected, "the counters");
    let built = StdVga::from_state(config(), &blank).expect("a state of such a device");
    assert_eq!(built.counters(), Counters::default(), "of a new device");
}

#[test]
fn vram_stays_and_so_does_what_the_embedder_configured() {
    let idle = StdVga::new(config()).expect("a device").state();
    let mut guest = Guest::with(config().text_blink(true));
    guest.vram_write(0x1234, b"pixels");
    restore(&mut guest, &idle, "an idle device");
    guest.expect_vram(0x1234, *b"pixels");
    guest.mode_03h();
    guest.attribute(ATTRIBUTE_MODE_CONTROL, 0x08);
    guest.unblank();
    match guest.vga.scanout().mode() {
        Mode::Text(mode) => assert!(mode.blink, "text_blink is on: {mode:?}"),
        other => panic!("the mode: {other}, expected text"),
    }
}

#[test]
fn the_monitor_is_that_of_the_state() {
    let mut guest = Guest::new(Variant::SecondaryVga);
    let state = guest.vga.state();
    let blob = guest.mmio_read::<384>(0);
    let other = stdvga::Monitor::new(1920, 1080);
    assert_eq!(guest.vga.set_monitor(other), Ok(()));
    assert_ne!(guest.mmio_read::<384>(0), blob);
    restore(&mut guest, &state, "another monitor");
    assert_eq!(guest.mmio_read::<384>(0), blob);
}

#[test]
fn a_blank_screen_restored_is_that_of_a_new_screen() {
    let mut machine = Machine::new(&pc("VGA,vgamem_mb=1"), false);
    let blank = machine.guest.vga.state();
    machine.guest.vram_write(0, &[0xff; 0x1_0000]);
    machine.guest.vbe_mode(800, 600, 8);
    let mut monitor = Monitor::default();
    monitor.refresh(&mut machine.guest, 0);
    assert_eq!(monitor.dimensions(), (800, 600));
    restore(&mut machine.guest, &blank, "a blank screen");
    expect_whole_picture(&mut machine, &mut monitor, "a blank screen");
    assert_eq!(monitor.dimensions(), (640, 480));
    assert!(monitor.pixels.iter().all(|pixel| *pixel == 0), "black");
    assert!(monitor.refresh(&mut machine.guest, 16).is_empty());
}

#[test]
fn a_refresh_that_fails_leaves_the_restored_picture_to_the_next() {
    let mut machine = Machine::new(&pc("VGA,vgamem_mb=1"), false);
    machine.guest.vbe_mode(640, 480, 8);
    machine.guest.dac(0, [1, 2, 3]);
    let shown = machine.guest.vga.state();
    let mut monitor = Monitor::default();
    monitor.refresh(&mut machine.guest, 0);
    restore(&mut machine.guest, &shown, "the same picture");

    let (scanout, vram) = (machine.guest.vga.scanout(), machine.guest.vga.vram());
    let surface = Surface::new(&mut [], 640);
    let refused = monitor
        .screen
        .refresh(&scanout, vram, Dirty::Compare, Duration::ZERO, surface);
    assert!(refused.is_err(), "a surface of no pixels: {refused:?}");
    monitor.pixels.fill(UNTOUCHED);
    expect_whole_picture(&mut machine, &mut monitor, "after a refusal");
}

#[test]
fn state_and_vram_come_back_together_or_not_at_all() {
    let mut guest = Guest::with_vram(1);
    guest.vbe_mode(640, 480, 8);
    guest.vram_write(0x5000, &[1, 2, 3]);
    let (shown, pages) = (guest.vga.state(), VramPages::save(guest.vga.vram()));
    guest.reset();
    guest.vram_write(0x9000, &[4]);
    let before = (guest.vga.state(), VramPages::save(guest.vga.vram()));

    let mut of_another = shown.clone();
    of_another.hardware.vram_bytes = 2 << 20;
    let error = guest.vga.restore_with_pages(&of_another, &pages);
    assert!(
        matches!(error, Err(StateError::Hardware { .. })),
        "{error:?}"
    );
    let mut past_the_end = pages.clone();
    past_the_end.pages[0].number = 256;
    let error = guest.vga.restore_with_pages(&shown, &past_the_end);
    let expected = VramPageError::Number {
        number: 256,
        last: 255,
    };
    assert!(
        matches!(&error, Err(StateError::Vram(error)) if *error == expected),
        "{error:?}"
    );
    let after = (guest.vga.state(), VramPages::save(guest.vga.vram()));
    assert_eq!(after, before);

    let effects = guest.vga.restore_with_pages(&shown, &pages);
    let effects = effects.expect("a state and pages of its own");
    assert_eq!(effects, Effects::all());
    assert_eq!(guest.vga.state(), shown);
    assert_eq!(VramPages::save(guest.vga.vram()), pages);
}
