// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Any registers, drawn to any surface: a surface that can't hold the picture is refused, and on others
//! it's the same whatever draws it.

#![no_main]

use std::time::Duration;

use actions::{Choices, Setup, Source, pc};
use libfuzzer_sys::fuzz_target;
use machine::{Display, Machine};
use rand::prelude::*;
use stdvga::{Dirty, Screen, State, StdVga, Surface};
use stdvga_testing::{actions, machine};

const SETUP: Setup = pc("VGA,vgamem_mb=1");
/// The most pixels of a surface, for the time they take.
const MAX_PIXELS: usize = 1 << 19;

/// Fills all registers that a picture depends on, but for those of DISPI, where few values are legal.
fn any_registers(choices: &mut Choices, state: &mut State) {
    let State {
        crtc,
        sequencer,
        graphics,
        attribute,
        ..
    } = state;
    let files: [&mut [u8]; 4] = [
        &mut crtc.registers,
        &mut sequencer.registers,
        &mut graphics.registers,
        &mut attribute.registers,
    ];
    for register in files.into_iter().flat_map(|file| file.iter_mut().take(32)) {
        *register = choices.random();
    }
    attribute.index = choices.random::<u8>() & 0x3f;
}

fuzz_target!(|data: &[u8]| {
    let mut choices = Choices::given(data);
    let mut machine = Machine::new(&SETUP, false);
    let mut contents = vec![0; SETUP.vram_len() as usize];
    choices.fill(&mut contents[..]);
    machine.guest.vga.vram().write(0, &contents);

    let depth = [0, 4, 8, 15, 16, 24, 32, 32][usize::from(choices.random::<u8>() & 7)];
    if depth == 0 {
        let mut state = machine.guest.vga.state();
        any_registers(&mut choices, &mut state);
        match StdVga::from_state(machine.config.clone(), &state) {
            Ok(vga) => machine.guest.vga = vga,
            Err(_) => return,
        }
        machine.guest.vga.vram().write(0, &contents);
    } else {
        let (width, height) = (choices.random::<u16>(), choices.random::<u16>());
        machine.guest.vbe_mode(width, height, depth);
        for register in 6..10 {
            machine.guest.dispi(register, choices.random());
        }
        for _ in 0..8 {
            let (port, index, value) = (choices.random::<u8>(), choices.random(), choices.random());
            match port & 3 {
                0 => machine.guest.crtc(index, value),
                1 => machine.guest.graphics(index, value),
                2 => machine.guest.sequencer(index, value),
                _ => machine.guest.attribute(index & 0x1f, value),
            }
        }
        machine.guest.unblank();
    }

    let mut display = Display::default();
    for source in [Source::All, Source::Compare, Source::Pages] {
        if let Err(error) = display.refresh(&mut machine.guest, source, 0) {
            panic!("{error}, refreshed by {source:?}");
        }
        let offset = u64::from(choices.random::<u32>()) & (SETUP.vram_len() - 1);
        machine
            .guest
            .vga
            .vram()
            .write(offset, &[choices.random(); 64]);
    }

    let mut pixels = vec![0; choices.random_range(0..=MAX_PIXELS)];
    let stride = match choices.random::<u8>() {
        0 => usize::MAX,
        _ => choices.random::<u16>().into(),
    };
    let surface = Surface::new(&mut pixels, stride);
    let vga = &machine.guest.vga;
    // Refused or drawn: either is right.
    let _ = Screen::new().refresh(
        &vga.scanout(),
        vga.vram(),
        Dirty::All,
        Duration::from_millis(choices.random::<u16>().into()),
        surface,
    );
});
