// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Any bytes as a saved state, in the crate's own form or as JSON: it's refused, or the device that is made of
//! it, or brought to it, is as bounded as any.

#![no_main]

use actions::{Action, Choices, SMALL_SETUPS, Setup};
use libfuzzer_sys::fuzz_target;
use machine::{Display, Machine, precise_retrace};
use stdvga::{State, StdVga, Variant};
use stdvga_testing::{actions, machine};

const ACTIONS: usize = 100;

fn setup_of(state: &State) -> &'static Setup {
    &SMALL_SETUPS[match state.hardware.variant {
        Variant::Vga => 0,
        Variant::SecondaryVga => 2,
        _ => 3,
    }]
}

/// The state that bytes hold. JSON doesn't begin as the crate's own form does, so that none is both.
fn read(data: &[u8]) -> Option<State> {
    if let Ok(state) = State::from_bytes(data) {
        assert_eq!(state.to_bytes(), data, "the bytes of the state read");
        return Some(state);
    }
    let state = serde_json::from_slice(data).ok()?;
    let read = State::from_bytes(&State::to_bytes(&state)).expect("a state that was written");
    assert_eq!(read, state, "the state read of its bytes");
    Some(state)
}

/// The state that a device has once it was restored: zeros of the monitor stand for its defaults, which come
/// back in their place.
fn expected(state: &State, vga: &StdVga) -> State {
    let mut expected = state.clone();
    expected.monitor = vga.monitor();
    expected
}

/// Brings a device that was used to the state, where one was made of it, and to none otherwise.
fn restore_in_place(setup: &Setup, has_precise_retrace: bool, state: &State, is_valid: bool) {
    let mut machine = Machine::new(setup, has_precise_retrace);
    let mut display = Display::default();
    let mut act = |machine: &mut Machine, seed| {
        let actions = actions::random(setup, Choices::seeded(seed), ACTIONS);
        // A new device's scanout would differ: a screen must see that another one was restored in place.
        let is_allowed = |action: &Action| !matches!(action, Action::SaveAndRestore);
        for action in actions.into_iter().filter(is_allowed) {
            if let Err(error) = machine.act(&action, &mut display) {
                panic!("{error}, after {action:x?}");
            }
        }
    };
    act(&mut machine, 1);
    let before = machine.guest.vga.state();
    let restored = machine.guest.vga.restore(state);
    assert_eq!(restored.is_ok(), is_valid, "{restored:?}");
    let expected = if is_valid {
        expected(state, &machine.guest.vga)
    } else {
        before
    };
    assert_eq!(machine.guest.vga.state(), expected, "the state after it");
    act(&mut machine, 0);
}

fuzz_target!(|data: &[u8]| {
    let Some(state) = read(data) else {
        return;
    };
    let setup = setup_of(&state);
    for has_precise_retrace in [false, true] {
        let Machine { config, .. } = Machine::new(setup, has_precise_retrace);
        let made = StdVga::from_state(config.clone(), &state);
        restore_in_place(setup, has_precise_retrace, &state, made.is_ok());
        let Ok(vga) = made else {
            continue;
        };
        assert_eq!(
            vga.state(),
            expected(&state, &vga),
            "the state of the device restored"
        );
        let (now, _) = precise_retrace();
        let mut machine = Machine::with(vga, config, now);
        let mut display = Display::default();
        for action in actions::random(setup, Choices::seeded(0), ACTIONS) {
            if let Err(error) = machine.act(&action, &mut display) {
                panic!("{error}, after {action:x?}");
            }
        }
    }
});
