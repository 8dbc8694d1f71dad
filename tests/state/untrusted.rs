// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Whatever a saved state holds: restoring it doesn't panic, and what is restored is as bounded as any
//! device.
//!
//! Environment: `STDVGA_PROGRAMS`, how many states; 300 where it isn't set, and never fewer. They're the same
//! in every run, so a failure is found again by its number.

use rand::prelude::*;
use serde_json::Value;
use stdvga::{State, StdVga};
use stdvga_testing::actions::{Choices, SMALL_SETUPS, Source, environment, program};
use stdvga_testing::machine::{Display, Machine, precise_retrace};

/// Accesses of a program before a state is saved, and after a changed one is restored.
const ACCESSES: usize = 300;
const FEWEST_STATES: u64 = 300;

/// Changes something anywhere in a state: as often in a block of few fields as in one of many.
fn change(rng: &mut SmallRng, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let fields: Vec<&mut Value> = fields.values_mut().collect();
            let field = fields.into_iter().choose(rng).expect("a field");
            change(rng, field);
        }
        Value::Array(elements) if rng.random_bool(0.02) => {
            if rng.random() {
                elements.pop();
            } else {
                elements.push(0.into());
            }
        }
        Value::Array(elements) => {
            if let Some(element) = elements.choose_mut(rng) {
                change(rng, element);
            }
        }
        Value::Number(number) => {
            let before = number.as_u64().unwrap_or(0);
            *value = match rng.random_range(0..12) {
                0 => rng.random::<u64>().into(),
                1 => u32::MAX.into(),
                2 => rng.random::<u16>().into(),
                3 => before.wrapping_add(1).into(),
                4 => Value::Null,
                5..8 => (before ^ 1 << rng.random_range(0..16)).into(),
                _ => (before ^ 1 << rng.random_range(0..8)).into(),
            };
        }
        Value::Bool(flag) => *flag = !*flag,
        Value::Null => *value = rng.random::<u8>().into(),
        Value::String(text) => text.push('x'),
    }
}

fn expect_drawn(machine: &mut Machine) {
    let milliseconds = machine.milliseconds();
    Display::default()
        .refresh(&mut machine.guest, Source::Compare, milliseconds)
        .expect("a picture as if all had been drawn");
}

#[test]
fn no_state_panics_nor_leads_out_of_bounds() {
    let states = environment("STDVGA_PROGRAMS").unwrap_or(FEWEST_STATES);
    let (mut unread, mut refused, mut restored) = (0, 0, 0);
    for number in 0..states.max(FEWEST_STATES) {
        let mut rng = SmallRng::seed_from_u64(number);
        let setup = SMALL_SETUPS.choose(&mut rng).expect("a setup");
        let mut machine = Machine::new(setup, rng.random());
        for access in program::random(setup, Choices::seeded(number), ACCESSES)
            .iter()
            .take(ACCESSES)
        {
            machine.put(access);
        }
        let saved = machine.guest.vga.state();
        let mut json = serde_json::to_value(&saved).expect("a state that can be written");
        for _ in 0..rng.random_range(1..4) {
            change(&mut rng, &mut json);
        }
        let Ok(state) = serde_json::from_value::<State>(json) else {
            unread += 1;
            continue;
        };
        match StdVga::from_state(machine.config.clone(), &state) {
            Err(_) => refused += 1,
            Ok(vga) => {
                restored += 1;
                assert_eq!(vga.state(), state, "state {number}");
                let (now, _) = precise_retrace();
                let mut machine = Machine::with(vga, machine.config, now);
                expect_drawn(&mut machine);
                for access in program::random(setup, Choices::seeded(!number), ACCESSES)
                    .iter()
                    .take(ACCESSES)
                {
                    machine.put(access);
                }
                expect_drawn(&mut machine);
            }
        }
    }
    let enough = states / 10;
    assert!(
        unread > enough && refused > enough && restored > enough,
        "of {states} states {unread} weren't read, {refused} refused, {restored} restored: that's too few of a kind"
    );
}
