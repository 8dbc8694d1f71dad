// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Converts blocks of the chip to saved state and back: every field in both directions, and checked on the
//! way in.

use std::fmt::Display;
use std::ops::RangeInclusive;

use super::{
    AttributeState, CrtcState, DacState, DispiState, GraphicsState, Hardware, MiscState, PciState,
    RetraceTiming, SequencerState,
};
use crate::error::{Allowed, StateError};
use crate::mappings::WindowRam;
use crate::pci::PciConfig;
use crate::regs::Registers;
use crate::regs::attribute::{self, AttributeController};
use crate::regs::crtc::Crtc;
use crate::regs::dac::{self, Dac};
use crate::regs::dispi::{self, Dispi};
use crate::regs::graphics::{self, GraphicsController};
use crate::regs::misc::{self, Misc};
use crate::regs::retrace::{self, Timing};
use crate::regs::sequencer::{self, Sequencer};

impl Hardware {
    /// Refuses a configuration that builds different hardware than what was saved.
    pub(crate) fn check(&self, configured: &Self) -> Result<(), StateError> {
        let Self {
            variant,
            vram_bytes,
            rom_bytes,
            mmio,
            qemu_extended_regs,
            dispi_data_port_1cf,
            precise_retrace,
        } = configured;
        check_built("variant", &self.variant, variant)?;
        check_built("vram_bytes", &self.vram_bytes, vram_bytes)?;
        check_built("rom_bytes", &self.rom_bytes, rom_bytes)?;
        check_built("mmio", &self.mmio, mmio)?;
        check_built(
            "qemu_extended_regs",
            &self.qemu_extended_regs,
            qemu_extended_regs,
        )?;
        check_built(
            "dispi_data_port_1cf",
            &self.dispi_data_port_1cf,
            dispi_data_port_1cf,
        )?;
        check_built("precise_retrace", &self.precise_retrace, precise_retrace)
    }
}

impl PciState {
    pub(crate) fn save(pci: &PciConfig) -> Self {
        let PciConfig {
            bytes,
            // From the configuration.
            writable: _,
            vram_len: _,
            has_mmio: _,
            rom_len: _,
        } = pci;
        Self { bytes: *bytes }
    }

    pub(crate) fn restore(&self, pci: &mut PciConfig) -> Result<(), StateError> {
        let Self { bytes } = self;
        pci.write(0, bytes);
        check_same("pci.bytes", bytes, &pci.bytes)
    }
}

impl MiscState {
    pub(crate) fn save(misc: &Misc) -> Self {
        let Misc {
            output,
            feature_control,
            status,
            timing,
            // From the configuration.
            method: _,
        } = misc;
        Self {
            output: *output,
            feature_control: *feature_control,
            in_retrace: *status != 0,
            timing: timing.as_ref().map(RetraceTiming::save),
        }
    }

    pub(crate) fn restore(&self, misc: &mut Misc) -> Result<(), StateError> {
        let Self {
            output,
            feature_control,
            in_retrace,
            timing,
        } = self;
        check_bits("misc.output", *output, misc::OUTPUT_STORED)?;
        check_bits(
            "misc.feature_control",
            *feature_control,
            misc::FEATURE_CONTROL_STORED,
        )?;
        if timing.is_some() && !misc.is_precise() {
            return Err(StateError::Part {
                part: "misc.timing",
                given: true,
            });
        }
        *misc = Misc {
            output: *output,
            feature_control: *feature_control,
            status: if *in_retrace {
                retrace::VERTICAL_RETRACE
            } else {
                0
            },
            timing: timing.as_ref().map(RetraceTiming::restore).transpose()?,
            method: misc.method.clone(),
        };
        Ok(())
    }
}

impl RetraceTiming {
    fn save(timing: &Timing) -> Self {
        let Timing {
            nanoseconds_per_character,
            characters_per_line,
            lines,
            vertical_retrace,
            horizontal_retrace,
        } = timing.clone();
        Self {
            nanoseconds_per_character,
            characters_per_line,
            lines,
            vertical_retrace,
            horizontal_retrace,
        }
    }

    fn restore(&self) -> Result<Timing, StateError> {
        let Self {
            nanoseconds_per_character,
            characters_per_line,
            lines,
            vertical_retrace,
            horizontal_retrace,
        } = self.clone();
        for (field, value, allowed) in [
            (
                "nanoseconds_per_character",
                nanoseconds_per_character,
                282..=357,
            ),
            ("characters_per_line", characters_per_line, 5..=520),
            ("lines", lines, 2..=1025),
            (
                "vertical_retrace.start",
                *vertical_retrace.start(),
                0..=1023,
            ),
            ("vertical_retrace.end", *vertical_retrace.end(), 1..=1039),
            (
                "horizontal_retrace.start",
                *horizontal_retrace.start(),
                0..=258,
            ),
            ("horizontal_retrace.end", *horizontal_retrace.end(), 1..=290),
        ] {
            check_range(format_args!("misc.timing.{field}"), value, allowed)?;
        }
        Ok(Timing {
            nanoseconds_per_character,
            characters_per_line,
            lines,
            vertical_retrace,
            horizontal_retrace,
        })
    }
}

impl SequencerState {
    pub(crate) fn save(sequencer: &Sequencer) -> Self {
        let Sequencer {
            index,
            data,
            vbe_chained,
        } = *sequencer;
        Self {
            index,
            registers: data,
            vbe_chained,
        }
    }

    pub(crate) fn restore(&self, sequencer: &mut Sequencer) -> Result<(), StateError> {
        let Self {
            index,
            registers,
            vbe_chained,
        } = *self;
        check_bits("sequencer.index", index, 0x07)?;
        check_stored("sequencer.registers", &registers, &sequencer::STORED)?;
        *sequencer = Sequencer {
            index,
            data: registers,
            vbe_chained,
        };
        Ok(())
    }
}

impl CrtcState {
    pub(crate) fn save(crtc: &Crtc) -> Self {
        let Crtc { index, data } = *crtc;
        Self {
            index,
            registers: data,
        }
    }

    /// Any value is valid.
    pub(crate) fn restore(&self, crtc: &mut Crtc) {
        let Self { index, registers } = *self;
        *crtc = Crtc {
            index,
            data: registers,
        };
    }
}

impl GraphicsState {
    pub(crate) fn save(graphics: &GraphicsController) -> Self {
        let GraphicsController {
            index,
            data,
            latches,
        } = *graphics;
        Self {
            index,
            registers: data,
            latches: latches.to_le_bytes(),
        }
    }

    pub(crate) fn restore(&self, graphics: &mut GraphicsController) -> Result<(), StateError> {
        let Self {
            index,
            registers,
            latches,
        } = *self;
        check_bits("graphics.index", index, 0x0f)?;
        check_stored("graphics.registers", &registers, &graphics::STORED)?;
        *graphics = GraphicsController {
            index,
            data: registers,
            latches: u32::from_le_bytes(latches),
        };
        Ok(())
    }
}

impl AttributeState {
    pub(crate) fn save(attribute: &AttributeController) -> Self {
        let AttributeController {
            index,
            data_next,
            data,
        } = *attribute;
        Self {
            index,
            data_next,
            registers: data,
        }
    }

    pub(crate) fn restore(&self, attribute: &mut AttributeController) -> Result<(), StateError> {
        let Self {
            index,
            data_next,
            registers,
        } = *self;
        check_bits("attribute.index", index, 0x3f)?;
        check_stored("attribute.registers", &registers, &attribute::STORED)?;
        *attribute = AttributeController {
            index,
            data_next,
            data: registers,
        };
        Ok(())
    }
}

impl DacState {
    pub(crate) fn save(dac: &Dac) -> Self {
        let Dac {
            state,
            read_index,
            write_index,
            component,
            staged,
            entries,
        } = *dac;
        let [first, second, third, _] = staged.to_le_bytes();
        Self {
            reading: state == dac::STATE_READ,
            read_index,
            write_index,
            component,
            staged: [first, second, third],
            entries,
        }
    }

    pub(crate) fn restore(&self, dac: &mut Dac) -> Result<(), StateError> {
        let Self {
            reading,
            read_index,
            write_index,
            component,
            staged: [first, second, third],
            entries,
        } = *self;
        check_range("dac.component", component, 0..=2)?;
        *dac = Dac {
            state: if reading {
                dac::STATE_READ
            } else {
                dac::STATE_WRITE
            },
            read_index,
            write_index,
            component,
            staged: u32::from_le_bytes([first, second, third, 0]),
            entries,
        };
        Ok(())
    }
}

impl DispiState {
    pub(crate) fn save(dispi: &Dispi) -> Self {
        let Dispi {
            index,
            data,
            bank_offset,
            // Computed from the registers, and used only while these are enabled.
            pitch: _,
            start: _,
            // From the configuration.
            vram_len: _,
        } = *dispi;
        Self {
            index,
            registers: data,
            bank_offset,
        }
    }

    pub(crate) fn restore(&self, dispi: &mut Dispi) -> Result<(), StateError> {
        let Self {
            index,
            registers,
            bank_offset,
        } = *self;
        let vram_len = dispi.vram_len;
        check_range("dispi.registers[0x0]", registers[dispi::ID], dispi::IDS)?;
        #[expect(
            clippy::arithmetic_side_effects,
            clippy::cast_possible_truncation,
            reason = "VRAM has 16 banks or more, and at most 8192"
        )]
        let last_bank = (vram_len / dispi::BANK_BYTES - 1) as u16;
        check_range(
            "dispi.registers[0x5]",
            registers[dispi::BANK],
            0..=last_bank,
        )?;
        #[expect(clippy::arithmetic_side_effects, reason = "VRAM has 16 banks or more")]
        let banks = vram_len - dispi::BANK_BYTES;
        check_bits("dispi.bank_offset", bank_offset, banks)?;

        *dispi = Dispi {
            index,
            data: registers,
            bank_offset,
            pitch: 0,
            start: 0,
            vram_len,
        };
        if dispi.enabled() {
            dispi.correct_mode();
        }
        check_same("dispi.registers", &registers, &dispi.data)
    }
}

/// Refuses registers that VBE would have forced to other values. They might select a mode that doesn't fit
/// into VRAM.
pub(crate) fn check_forced(registers: &mut Registers) -> Result<(), StateError> {
    let crtc = registers.crtc.data;
    let graphics = registers.graphics.data;
    let vbe_chained = registers.sequencer.vbe_chained;
    registers.follow_vbe();
    check_same("crtc.registers", &crtc, &registers.crtc.data)?;
    check_same("graphics.registers", &graphics, &registers.graphics.data)?;
    if vbe_chained != registers.sequencer.vbe_chained {
        let allowed = Allowed::Value(1);
        return Err(refused("sequencer.vbe_chained", 0, allowed));
    }
    Ok(())
}

/// Refuses a part of the window that isn't one of the device's memory maps.
pub(crate) fn check_window_ram(
    window_ram: Option<WindowRam>,
    registers: &Registers,
) -> Result<(), StateError> {
    let Some(given) = window_ram else {
        return Ok(());
    };
    #[expect(clippy::arithmetic_side_effects, reason = "VRAM has 16 banks or more")]
    let banks = registers.dispi.vram_len - dispi::BANK_BYTES;
    check_bits("window_ram.vram_offset", given.vram_offset, banks)?;
    let maps = 0..4;
    let mut parts = maps.map(|map| WindowRam::of_memory_map(map, given.vram_offset));
    if registers.has_window && parts.any(|part| part == given) {
        Ok(())
    } else {
        Err(StateError::WindowRam { given })
    }
}

fn check_built<T: PartialEq + ToString>(
    option: &'static str,
    saved: &T,
    configured: &T,
) -> Result<(), StateError> {
    if saved == configured {
        return Ok(());
    }
    Err(StateError::Hardware {
        option,
        saved: saved.to_string(),
        configured: configured.to_string(),
    })
}

fn check_range<T: Copy + PartialOrd + Into<u64>>(
    field: impl Display,
    value: T,
    range: RangeInclusive<T>,
) -> Result<(), StateError> {
    if range.contains(&value) {
        return Ok(());
    }
    let (first, last) = range.into_inner();
    let allowed = Allowed::Range(first.into()..=last.into());
    Err(refused(field, value.into(), allowed))
}

/// Refuses a value that has bits set outside `stored`.
fn check_bits<T: Into<u64>>(field: impl Display, value: T, stored: T) -> Result<(), StateError> {
    let (value, stored) = (value.into(), stored.into());
    if value & !stored == 0 {
        return Ok(());
    }
    Err(refused(field, value, Allowed::Bits(stored)))
}

/// Refuses registers that have bits set which they don't store.
fn check_stored<const N: usize>(
    field: &str,
    registers: &[u8; N],
    stored: &[u8; N],
) -> Result<(), StateError> {
    for (index, (value, stored)) in registers.iter().zip(stored).enumerate() {
        check_bits(format_args!("{field}[{index:#x}]"), *value, *stored)?;
    }
    Ok(())
}

/// Refuses registers that aren't as expected.
fn check_same<T: Copy + PartialEq + Into<u64>>(
    field: &str,
    registers: &[T],
    expected: &[T],
) -> Result<(), StateError> {
    for (index, (value, expected)) in registers.iter().zip(expected).enumerate() {
        if value != expected {
            let field = format!("{field}[{index:#x}]");
            let allowed = Allowed::Value((*expected).into());
            return Err(refused(field, (*value).into(), allowed));
        }
    }
    Ok(())
}

fn refused(field: impl Display, value: u64, allowed: Allowed) -> StateError {
    StateError::Field {
        field: field.to_string(),
        value,
        allowed,
    }
}
