// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Any actions on any device: nothing panics or overflows, mappings are reported where they change, a
//! saved device goes on, and each refresh leaves the surface as if all of it had been drawn.

#![no_main]

use actions::{Choices, SMALL_SETUPS};
use libfuzzer_sys::fuzz_target;
use machine::{Display, Machine};
use stdvga_testing::{actions, machine};

const ACTIONS: usize = 2000;

fuzz_target!(|data: &[u8]| {
    let Some((first, data)) = data.split_first() else {
        return;
    };
    let setup = &SMALL_SETUPS[usize::from(first & 3)];
    let has_precise_retrace = first & 4 != 0;
    let is_recording = first & 8 != 0;
    let mut machine = Machine::new(setup, has_precise_retrace);
    let mut display = Display::default();
    let actions = if is_recording {
        actions::recorded(setup, &String::from_utf8_lossy(data), ACTIONS)
    } else {
        actions::random(setup, Choices::given(data), ACTIONS)
    };
    for action in actions {
        if let Err(error) = machine.act(&action, &mut display) {
            panic!("{error}, after {action:x?}");
        }
    }
});
