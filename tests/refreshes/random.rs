// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Random actions: after each refresh the surface is as if all of it had been drawn, what changed is in
//! the damage, and mappings changed just where that was reported.
//!
//! Environment: `STDVGA_PROGRAMS`, how many programs; 60 where it isn't set, and never fewer. They're the
//! same in every run, so a failure is found again by its number.

use std::collections::BTreeSet;

use rand::prelude::*;
use stdvga::Mode;
use stdvga_testing::actions::{self, Choices, Setup, environment, pc};
use stdvga_testing::machine::{Display, Machine};

const ACTIONS: usize = 700;
/// Enough to show every kind of picture.
const FEWEST_PROGRAMS: u64 = 60;

const SETUPS: [Setup; 5] = [
    pc("VGA,vgamem_mb=4"),
    pc("VGA,vgamem_mb=1"),
    pc("VGA,vgamem_mb=4,mmio=off"),
    pc("secondary-vga,vgamem_mb=4"),
    Setup {
        machine: "isapc",
        device: "isa-vga,vgamem_mb=4",
    },
];

/// Runs all programs, and shows each machine to `look` after each action.
fn run(mut look: impl FnMut(&Machine)) {
    let programs = environment("STDVGA_PROGRAMS").unwrap_or(FEWEST_PROGRAMS);
    for (number, setup) in (0..programs.max(FEWEST_PROGRAMS)).zip(SETUPS.iter().cycle()) {
        let mut machine = Machine::new(setup, number % 2 == 1);
        let mut contents = vec![0; setup.vram_len() as usize];
        SmallRng::seed_from_u64(number).fill(&mut contents[..]);
        machine.guest.vga.vram().write(0, &contents);
        let mut display = Display::default();
        let actions = actions::random(setup, Choices::seeded(number), ACTIONS);
        for (at, action) in actions.iter().enumerate() {
            if let Err(error) = machine.act(action, &mut display) {
                let actions = actions::describe(&actions[..=at]);
                panic!(
                    "{}, program {number}: {error}, after\n{actions}",
                    setup.device
                );
            }
            look(&machine);
        }
    }
}

#[test]
fn a_surface_ends_up_as_if_all_had_been_drawn() {
    run(|_| {});
}

#[test]
fn programs_show_every_kind_of_picture() {
    let mut seen = BTreeSet::new();
    run(|machine| {
        seen.insert(match machine.guest.vga.scanout().mode() {
            Mode::Text(text) if text.is_drawable() => "text".into(),
            Mode::Text(_) => "undrawable text".into(),
            Mode::Graphics(mode) => format!("{:?}", mode.format),
            _ => "blank".into(),
        });
    });
    assert!(seen.len() >= 3 + 4 + 2 + 8, "{seen:?}");
}
