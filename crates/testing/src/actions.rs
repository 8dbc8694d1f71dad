// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What a guest may do, and what happens around it: one description for comparisons with QEMU, property
//! tests and fuzzing.

mod access;
mod choices;
mod environment;
pub mod program;
pub mod screens;
mod setup;
mod writer;

use rand::prelude::*;

pub use access::{Access, SCREENDUMP, lines};
pub use choices::Choices;
pub use environment::{environment, seed};
use screens::Family;
pub use setup::{SETUPS, SMALL_SETUPS, Setup, pc};
use writer::Writer;

/// Something that happens to a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// The guest does it.
    Access(Access),
    /// The embedder hands the device an access of any kind.
    Call {
        door: Door,
        offset: u64,
        len: usize,
        write: Option<u8>,
    },
    /// The screen is brought up to date.
    Refresh(Source),
    SaveAndRestore,
    /// The window that shows the guest's screen gets another size.
    SetMonitor {
        xres: u32,
        yres: u32,
    },
    /// Nanoseconds pass.
    Wait(u64),
}

/// Where an embedder hands over accesses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    Config,
    Port,
    Window,
    Mmio,
    Rom,
    Vram,
    Memory,
}

/// Where it's known from what changed in VRAM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    All,
    Pages,
    Compare,
}

/// Every kind of screen.
pub const FAMILIES: [Family; 10] = [
    Family::Text,
    Family::Planar,
    Family::Cga,
    Family::Doubled,
    Family::Vbe(4),
    Family::Vbe(8),
    Family::Vbe(15),
    Family::Vbe(16),
    Family::Vbe(24),
    Family::Vbe(32),
];

/// About `len` actions, or as many as the choices are for.
pub fn random(setup: &Setup, choices: Choices, len: usize) -> Vec<Action> {
    let mut writer = Writer::new(setup, choices);
    writer.place_bars();
    let mut actions = Vec::new();
    while actions.len() < len && writer.rng.are_left() {
        match writer.rng.random_range(0..16) {
            0..3 => writer.group_of_everything(),
            3..5 => {
                let family = writer.pick(&FAMILIES);
                writer.screen_state(family, false);
                writer.palette_source(0x20);
            }
            5 => {
                let source = writer.pick(&[0x20, 0]);
                writer.palette_source(source);
            }
            _ => writer.write_visible(),
        }
        actions.extend(writer.accesses.drain(..).map(Action::Access));
        actions.push(writer.event());
    }
    actions
}

/// The accesses of a recording, and between them what isn't the guest's. Lines that are no accesses, or
/// that are longer than VRAM, are skipped.
pub fn recorded(setup: &Setup, lines: &str, len: usize) -> Vec<Action> {
    const ACCESSES_PER_EVENT: usize = 8;
    let mut writer = Writer::new(setup, Choices::seeded(0));
    let mut actions = Vec::new();
    for line in lines.lines().take(len) {
        let Ok(access) = line.parse::<Access>() else {
            continue;
        };
        if access.byte_count() > setup.vram_len() {
            continue;
        }
        actions.push(Action::Access(access));
        if actions.len() % (ACCESSES_PER_EVENT + 1) == ACCESSES_PER_EVENT {
            actions.push(writer.event());
        }
    }
    actions
}

/// The actions, one a line.
pub fn describe(actions: &[Action]) -> String {
    let line = |action: &Action| match action {
        Action::Access(access) => format!("{access}\n"),
        other => format!("{other:x?}\n"),
    };
    actions.iter().map(line).collect()
}

impl Writer {
    /// Something that isn't the guest's.
    fn event(&mut self) -> Action {
        const DOORS: [Door; 7] = [
            Door::Config,
            Door::Port,
            Door::Window,
            Door::Mmio,
            Door::Rom,
            Door::Vram,
            Door::Memory,
        ];
        match self.rng.random_range(0..20) {
            0 => Action::SaveAndRestore,
            1 => Action::SetMonitor {
                xres: self.word().into(),
                yres: self.word().into(),
            },
            2 | 3 => Action::Wait(self.rng.random::<u64>() >> self.rng.random_range(24..64)),
            4..8 => {
                let (door, len) = (self.pick(&DOORS), self.pick(&[0, 1, 2, 3, 4, 5, 8, 300]));
                let offset = self.anywhere(door);
                let write = self.chance(60).then(|| self.byte());
                Action::Call {
                    door,
                    offset,
                    len,
                    write,
                }
            }
            8..12 => Action::Refresh(Source::Compare),
            12..19 => Action::Refresh(Source::Pages),
            _ => Action::Refresh(Source::All),
        }
    }

    /// An offset for accesses through a door, mostly near where its part of the device begins or ends.
    fn anywhere(&mut self, door: Door) -> u64 {
        let edges: &[u64] = match door {
            Door::Config => &[0, 0x10, 0x40, 0x100, 0x1000],
            Door::Port => &[0, 0x1ce, 0x3b0, 0x3c0, 0x3d4, 0x3e0, 0xffff],
            Door::Window => &[0, 0x8000, 0x1_0000, 0x1_8000, 0x2_0000],
            Door::Mmio => &[0, 0x100, 0x180, 0x400, 0x420, 0x500, 0x516, 0x600, 0x1000],
            Door::Rom => &[0, 0x8000, 0x1_0000],
            Door::Vram => &[0, 0x4_0000, self.setup.vram_len()],
            Door::Memory => &[0, 0xa_0000, 0xc_0000, 0xe000_0000, 1 << 32],
        };
        match self.rng.random_range(0..8) {
            0 => self.rng.random(),
            1 => u64::MAX - u64::from(self.byte()),
            _ => self
                .pick(edges)
                .wrapping_add(self.rng.random_range(0..24))
                .wrapping_sub(8),
        }
    }
}
