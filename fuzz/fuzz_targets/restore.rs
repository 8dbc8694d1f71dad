// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Any bytes as a saved state: it's refused, or the device that is made of it is as bounded as any.

#![no_main]

#[path = "../../tests/actions/mod.rs"]
mod actions;
#[path = "../../tests/driver/mod.rs"]
mod driver;
#[path = "../../tests/machine/mod.rs"]
mod machine;

use actions::{Choices, SMALL_SETUPS, Setup};
use libfuzzer_sys::fuzz_target;
use machine::{Display, Machine, precise_retrace};
use stdvga::{State, StdVga, Variant};

const ACTIONS: usize = 100;

fn setup_of(state: &State) -> &'static Setup {
    &SMALL_SETUPS[match state.hardware.variant {
        Variant::Vga => 0,
        Variant::SecondaryVga => 2,
        Variant::IsaVga => 3,
    }]
}

fuzz_target!(|data: &[u8]| {
    let Ok(state) = serde_json::from_slice::<State>(data) else {
        return;
    };
    let setup = setup_of(&state);
    for has_precise_retrace in [false, true] {
        let Machine { config, .. } = Machine::new(setup, has_precise_retrace);
        let Ok(vga) = StdVga::from_state(config.clone(), &state) else {
            continue;
        };
        assert_eq!(vga.state(), state, "the state of the device restored");
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
