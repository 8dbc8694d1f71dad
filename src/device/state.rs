// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Saving a device's state, and making a device of it.

use std::sync::Arc;

use vm_memory::MmapRegion;
use vm_memory::bitmap::Bitmap;

use super::StdVga;
use crate::config::Config;
use crate::edid::Edid;
use crate::error::StateError;
use crate::regs::Registers;
use crate::scanout;
use crate::state::{
    AttributeState, CrtcState, DacState, DispiState, GraphicsState, Hardware, MiscState, PciState,
    SequencerState, State, check_forced, check_window_ram,
};

impl StdVga {
    /// Builds a device from a saved state, with zeroed VRAM of its own: write what VRAM held through
    /// [`StdVga::vram`] before the guest runs.
    ///
    /// `config` must build what was saved: [`Hardware`] says what. Its `monitor` and `byte_order` don't
    /// count, for the state has its own; `text_blink`, which no guest can read, does. The ROM must be the
    /// same, though only its BAR's length is checked.
    ///
    /// There's no mode event until [`StdVga::set_mode_event`]. [`state`](crate::state) tells what else
    /// there is to do.
    ///
    /// # Errors
    ///
    /// [`StateError`] where the configuration isn't valid or builds something else, and where a field
    /// of the state has a value that no device can have.
    pub fn from_state(config: Config, state: &State) -> Result<Self, StateError> {
        Self::new(config)?.restored(state)
    }
}

impl<B: Bitmap + 'static> StdVga<B> {
    /// Builds a device from a saved state on the caller's memory, whose contents stay: the region that
    /// the guest's memory was restored to, say.
    ///
    /// All else is as in [`StdVga::from_state`] and [`StdVga::with_vram`].
    ///
    /// # Errors
    ///
    /// As for these.
    pub fn from_state_with_vram(
        config: Config,
        state: &State,
        region: Arc<MmapRegion<B>>,
    ) -> Result<Self, StateError> {
        Self::with_vram(config, region)?.restored(state)
    }

    /// The device's state: all that a guest can see of it, now or later, but VRAM.
    ///
    /// [`state`](crate::state) tells how to save and restore a device.
    pub fn state(&self) -> State {
        let Self {
            variant: _,
            has_mmio: _,
            has_extended_registers: _,
            has_dispi_data_port_1cf: _,
            rom: _,
            vram: _,
            pci,
            edid,
            registers,
            resets,
            // The host's.
            text_blink: _,
            counters: _,
            #[cfg(target_os = "linux")]
                mode_event: _,
            // Functions of the others.
            routes: _,
            mappings: _,
            shape: _,
        } = self;
        let Registers {
            attribute,
            crtc,
            dac,
            dispi,
            graphics,
            misc,
            sequencer,
            byte_order,
            window_ram,
            has_window: _,
        } = registers;
        State {
            version: State::VERSION,
            hardware: self.hardware(),
            pci: pci.as_ref().map(PciState::save),
            monitor: edid.as_ref().map(|edid| edid.monitor),
            misc: MiscState::save(misc),
            sequencer: SequencerState::save(sequencer),
            crtc: CrtcState::save(crtc),
            graphics: GraphicsState::save(graphics),
            attribute: AttributeState::save(attribute),
            dac: DacState::save(dac),
            dispi: DispiState::save(dispi),
            byte_order: *byte_order,
            window_ram: *window_ram,
            resets: *resets,
        }
    }

    fn hardware(&self) -> Hardware {
        Hardware {
            variant: self.variant,
            vram_bytes: self.vram.len(),
            rom_bytes: self.rom().map_or(0, |rom| rom.len() as u64),
            mmio: self.has_mmio,
            qemu_extended_regs: self.has_extended_registers,
            dispi_data_port_1cf: self.has_dispi_data_port_1cf,
            precise_retrace: self.registers.misc.is_precise(),
        }
    }

    /// Brings a device at power-on to a saved state.
    fn restored(mut self, state: &State) -> Result<Self, StateError> {
        let State {
            version,
            hardware,
            pci,
            monitor,
            misc,
            sequencer,
            crtc,
            graphics,
            attribute,
            dac,
            dispi,
            byte_order,
            window_ram,
            resets,
        } = state;
        State::check_version(*version)?;
        hardware.check(&self.hardware())?;
        if let Some((saved, pci)) = both("pci", pci, &mut self.pci)? {
            saved.restore(pci)?;
        }
        if let Some((saved, edid)) = both("monitor", monitor, &mut self.edid)? {
            **edid = Edid::new(*saved);
        }

        let registers = &mut self.registers;
        misc.restore(&mut registers.misc)?;
        sequencer.restore(&mut registers.sequencer)?;
        crtc.restore(&mut registers.crtc);
        graphics.restore(&mut registers.graphics)?;
        attribute.restore(&mut registers.attribute)?;
        dac.restore(&mut registers.dac)?;
        dispi.restore(&mut registers.dispi)?;
        check_forced(registers)?;
        check_window_ram(*window_ram, registers)?;
        registers.byte_order = *byte_order;
        registers.window_ram = *window_ram;
        self.resets = *resets;

        self.mappings = self.decode_mappings();
        self.shape = scanout::shape(&self.registers);
        Ok(self)
    }
}

/// A part as it was saved, and as the device has it: that must be both or none.
fn both<'a, S, T>(
    part: &'static str,
    saved: &'a Option<S>,
    own: &'a mut Option<T>,
) -> Result<Option<(&'a S, &'a mut T)>, StateError> {
    let given = saved.is_some();
    if given != own.is_some() {
        return Err(StateError::Part { part, given });
    }
    Ok(saved.as_ref().zip(own.as_mut()))
}
