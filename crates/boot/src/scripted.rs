// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The scripted guest: carries out the demo program on the board itself, with no vCPU at all.

use stdvga::Effects;

use crate::board::Board;
use crate::demo::{Area, Step};

/// Carries out `program`. After each step that changed the picture's kind or size, `mode_changed`
/// is called.
pub fn run(board: &mut Board, program: &[Step], mut mode_changed: impl FnMut(&mut Board)) {
    for step in program {
        let effects = match step {
            Step::Out8(port, value) => board.port_write(*port, &[*value]),
            Step::Out16(port, value) => board.port_write(*port, &value.to_le_bytes()),
            Step::Out32(port, value) => board.port_write(*port, &value.to_le_bytes()),
            Step::In8(port) => {
                board.port_read(*port, &mut [0]);
                Effects::empty()
            }
            Step::Fill { area, value } => write(board, area, |_| *value),
            Step::Copy { area, row } => write(board, area, |column| row[column]),
        };
        if effects.contains(Effects::MODE) {
            mode_changed(board);
        }
    }
}

/// Writes an area dword by dword, as a CPU does.
fn write(board: &mut Board, area: &Area, value: impl Fn(usize) -> u32) -> Effects {
    let mut effects = Effects::empty();
    for row in 0..area.rows {
        for column in 0..area.width {
            let address = area.address + row * area.pitch + 4 * column;
            let data = value(column as usize).to_le_bytes();
            effects |= board.mmio_write(address.into(), &data);
        }
    }
    effects
}

#[cfg(test)]
mod tests {
    use stdvga::{Config, StdVga};
    use vm_memory::{GuestAddress, GuestMemoryMmap};

    use super::*;
    use crate::cmos::Cmos;
    use crate::demo;
    use crate::fw_cfg::FwCfg;

    #[test]
    fn the_demo_shows_a_text_screen_before_its_picture() {
        let vga = StdVga::new(Config::default()).unwrap();
        let ram = GuestMemoryMmap::from_ranges(&[(GuestAddress(0), 0x1000)]).unwrap();
        let fw_cfg = FwCfg::new(Vec::new());
        let mut board = Board::new(vga, ram, fw_cfg, Cmos::new(0x1000), false);
        let vram = board.vga.vram().clone();
        let mut screens = Vec::new();
        let program = demo::program();
        let dispi = Step::Out16(0x1ce, 4);
        let (text, picture) =
            program.split_at(program.iter().position(|step| *step == dispi).unwrap());
        run(&mut board, text, |_| {});
        screens.extend(board.vga.scanout().text(&vram));
        run(&mut board, picture, |_| {});
        screens.extend(board.vga.scanout().text(&vram));
        assert_eq!(screens.len(), 1, "a text screen, and then a picture");
        let text = screens[0].to_string();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[2], "    STDVGA");
        assert_eq!(lines[5], "    NO FIRMWARE TOOK PART.");
    }
}
