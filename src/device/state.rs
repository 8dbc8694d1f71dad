// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Saving a device's state, building a device from it, and restoring it in place.

use std::sync::Arc;

use vm_memory::MmapRegion;
use vm_memory::bitmap::Bitmap;

use super::StdVga;
use crate::config::Config;
use crate::counters::Counters;
use crate::edid::Edid;
use crate::effects::Effects;
use crate::error::StateError;
use crate::pci::PciConfig;
use crate::regs::{Registers, Touched};
use crate::state::{
    AttributeState, CrtcState, DacState, DispiState, GraphicsState, Hardware, MiscState, PciState,
    SequencerState, State, VramPages, check_forced, check_window_ram,
};

impl StdVga {
    /// Builds a device from a saved state, with newly allocated, zeroed VRAM. Restore VRAM's contents through
    /// [`StdVga::vram`] before the guest runs.
    ///
    /// `config` must build the same hardware as was saved ([`Hardware`]). Its `monitor` and `byte_order` are
    /// ignored, because the state contains them. Its `text_blink` is used, because no guest can read it. The
    /// ROM must be the same, but only the length of its BAR is checked.
    ///
    /// There's no mode event until [`StdVga::set_mode_event`]. The module [`state`](crate::state) lists what
    /// else to do.
    ///
    /// # Errors
    ///
    /// [`StateError`] if the configuration isn't valid or builds other hardware, or if a field of the state
    /// has a value that no device can have.
    pub fn from_state(config: Config, state: &State) -> Result<Self, StateError> {
        Self::new(config)?.restored(state)
    }
}

impl<B: Bitmap + 'static> StdVga<B> {
    /// Builds a device from a saved state on the caller's memory, such as a region of guest memory that was
    /// restored before. Its contents are kept.
    ///
    /// Everything else is as in [`StdVga::from_state`] and [`StdVga::with_vram`].
    ///
    /// # Errors
    ///
    /// Those of these two.
    pub fn from_state_with_vram(
        config: Config,
        state: &State,
        region: Arc<MmapRegion<B>>,
    ) -> Result<Self, StateError> {
        Self::with_vram(config, region)?.restored(state)
    }

    /// The device's state: everything that a guest can see of it, now or later, except VRAM.
    ///
    /// The module [`state`](crate::state) explains how to save and restore a device.
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
            restores: _,
            counters: _,
            #[cfg(target_os = "linux")]
                mode_event: _,
            // Computed from the others.
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

    /// Restores a saved state in place. The buses and threads that hold the device continue to use it.
    ///
    /// Everything that a guest can see becomes what `state` says, except VRAM, whose contents are kept. What
    /// the embedder supplied is kept too: the configuration with the ROM and the clock of
    /// [`Retrace::Precise`](crate::Retrace::Precise), and the mode event. The counters continue.
    ///
    /// The effects say what changed: [`Effects::MAPPINGS`] and [`Effects::MODE`] as for a write, and
    /// [`Effects::SCANOUT`] always. A changed mode signals the mode event. A [`Screen`](crate::Screen) sees
    /// in the next scanout that the device was restored. It then draws the whole picture as a new screen
    /// would, whatever pages are marked. If you show VRAM itself
    /// ([`Scanout::direct`](crate::Scanout::direct)), show all of it again. The module
    /// [`state`](crate::state) lists what else to do.
    ///
    /// ```
    /// use stdvga::{Config, Effects, StdVga};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut vga = StdVga::new(Config::default())?;
    /// let blank = vga.state();
    /// // The guest switches the palette on, and so gets a text mode:
    /// let _ = vga.port_write(0x3c0, &[0x20]);
    ///
    /// let effects = vga.restore(&blank)?;
    /// assert_eq!(effects, Effects::SCANOUT | Effects::MODE);
    /// assert_eq!(vga.state(), blank);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`StateError`] if the saved device was built differently, or if a field of the state has a value that
    /// no device can have. The device is unchanged in that case.
    pub fn restore(&mut self, state: &State) -> Result<Effects, StateError> {
        let parts = self.parts_of(state)?;
        Ok(self.take(parts))
    }

    /// Does the same as [`StdVga::restore`], and restores VRAM to what was saved with the state. Either both
    /// succeed or nothing changes.
    ///
    /// This is for VMMs whose snapshots don't include VRAM with the guest's memory.
    ///
    /// # Errors
    ///
    /// Those of [`StdVga::restore`], and [`StateError::Vram`] if VRAM doesn't have one of the pages, or if a
    /// page is given twice. The device and VRAM are unchanged in that case.
    pub fn restore_with_pages(
        &mut self,
        state: &State,
        pages: &VramPages,
    ) -> Result<Effects, StateError> {
        let parts = self.parts_of(state)?;
        pages.restore(&self.vram)?;
        Ok(self.take(parts))
    }

    fn take(&mut self, parts: Parts) -> Effects {
        let Parts {
            pci,
            edid,
            registers,
            resets,
        } = parts;
        self.pci = pci;
        self.edid = edid;
        self.registers = registers;
        self.resets = resets;
        self.restores = self.restores.wrapping_add(1);
        self.settle(Touched::SHAPE | Touched::MAPPINGS)
    }

    /// Restores a saved state into a device that was just built.
    fn restored(mut self, state: &State) -> Result<Self, StateError> {
        // Nobody knew the device before, so nothing changed for anyone.
        let _ = self.restore(state)?;
        self.counters = Counters::default();
        self.restores = 0;
        Ok(self)
    }

    /// What the device will have after the restore: checked, but not yet taken.
    fn parts_of(&self, state: &State) -> Result<Parts, StateError> {
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
        let pci = both("pci", pci, &self.pci)?
            .map(|(saved, own)| {
                let mut pci = own.clone();
                saved.restore(&mut pci).map(|()| pci)
            })
            .transpose()?;
        let edid =
            both("monitor", monitor, &self.edid)?.map(|(saved, _)| Box::new(Edid::new(*saved)));

        let mut registers = self.registers.clone();
        misc.restore(&mut registers.misc)?;
        sequencer.restore(&mut registers.sequencer)?;
        crtc.restore(&mut registers.crtc);
        graphics.restore(&mut registers.graphics)?;
        attribute.restore(&mut registers.attribute)?;
        dac.restore(&mut registers.dac)?;
        dispi.restore(&mut registers.dispi)?;
        check_forced(&mut registers)?;
        check_window_ram(*window_ram, &registers)?;
        registers.byte_order = *byte_order;
        registers.window_ram = *window_ram;
        Ok(Parts {
            pci,
            edid,
            registers,
            resets: *resets,
        })
    }
}

/// The parts of a device that a saved state replaces.
struct Parts {
    pci: Option<PciConfig>,
    edid: Option<Box<Edid>>,
    registers: Registers,
    resets: u64,
}

/// A part as it was saved and as the device has it. Either both exist or neither does.
fn both<'a, S, T>(
    part: &'static str,
    saved: &'a Option<S>,
    own: &'a Option<T>,
) -> Result<Option<(&'a S, &'a T)>, StateError> {
    let given = saved.is_some();
    if given != own.is_some() {
        return Err(StateError::Part { part, given });
    }
    Ok(saved.as_ref().zip(own.as_ref()))
}
