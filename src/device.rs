//! [`StdVga`]: owns the parts, routes accesses, resets.

mod state;

use std::sync::Arc;

use vm_memory::MmapRegion;
use vm_memory::bitmap::Bitmap;
#[cfg(target_os = "linux")]
use vmm_sys_util::eventfd::EventFd;

use crate::config::{Config, Variant};
use crate::dirty::DirtyBitmap;
use crate::edid::Edid;
use crate::effects::Effects;
use crate::error::ConfigError;
use crate::mappings::{ISA_FRAMEBUFFER, MappedRange, Mappings};
#[cfg(target_os = "linux")]
use crate::mode_event::ModeEvent;
use crate::pci::PciConfig;
use crate::regs::Registers;
use crate::scanout::{self, Scanout, Shape};
use crate::vram::Vram;
use crate::window::Routes;

/// QEMU's standard VGA device: the guest's side.
///
/// The embedder routes the guest's accesses here, as offsets and little-endian byte slices. No
/// access panics, sleeps, allocates, or reaches memory outside VRAM, whatever its offset and length. The
/// longest one enables a DISPI mode, which clears the picture: at most all of VRAM, once.
///
/// `B` is the type of the VRAM region's dirty bitmap.
#[derive(Debug)]
pub struct StdVga<B: Bitmap = DirtyBitmap> {
    variant: Variant,
    has_mmio: bool,
    has_extended_registers: bool,
    has_dispi_data_port_1cf: bool,
    text_blink: bool,
    /// `None` on `isa-vga`.
    pci: Option<PciConfig>,
    edid: Option<Box<Edid>>,
    /// Padded with zeros to the length of its BAR.
    rom: Option<Vec<u8>>,
    registers: Registers,
    /// Where the window leads; `None` after any write that may have changed it.
    routes: Option<Routes>,
    vram: Vram<B>,
    resets: u64,
    /// What the embedder knows of the mappings.
    mappings: Mappings,
    /// What the embedder knows of the mode.
    shape: Shape,
    #[cfg(target_os = "linux")]
    mode_event: ModeEvent,
}

impl StdVga {
    /// Builds a device with zeroed VRAM of its own.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] where an option doesn't fit the variant, or the memory can't be had.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        config.check()?;
        let vram = Vram::allocate(config.vram_bytes())?;
        Ok(Self::build(config, vram))
    }
}

impl<B: Bitmap> StdVga<B> {
    /// Builds a device on the caller's memory: a memfd shared with another process, say, or a region
    /// of a guest's memory.
    ///
    /// The region's contents stay. Its length must be a power of two from 1 to 512 MiB, and what
    /// [`Config::vram_mib`] comes to, unless that's `None`. What the device writes is marked in the
    /// region's bitmap. `GuestRegionMmap::get_mmap` gives the region of a guest's memory in this form.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] where an option doesn't fit the variant, or the region's length is none of those.
    pub fn with_vram(config: Config, region: Arc<MmapRegion<B>>) -> Result<Self, ConfigError> {
        config.check()?;
        let vram = Vram::new(region)?;
        if config.vram_mib.is_some() && config.vram_bytes() != vram.len() {
            let configured = config.vram_bytes();
            return Err(ConfigError::VramSizeMismatch {
                configured,
                bytes: vram.len(),
            });
        }
        Ok(Self::build(config, vram))
    }

    /// Puts a device together from a configuration that was checked.
    fn build(mut config: Config, vram: Vram<B>) -> Self {
        let variant = config.variant;
        let is_pci = variant.is_pci();
        let has_mmio = is_pci && config.mmio;
        let rom = config.rom.take().map(|mut rom| {
            rom.resize(rom.len().next_power_of_two(), 0);
            rom
        });
        let rom_len = rom.as_ref().map(|rom| rom.len() as u64);
        let pci = is_pci.then(|| PciConfig::new(&config, vram.len(), rom_len));
        let edid = (has_mmio && config.edid).then(|| Box::new(Edid::new(config.monitor)));
        let vram_len = vram.mask() + 1;
        let registers = Registers::new(
            vram_len,
            config.retrace,
            config.byte_order,
            variant.has_legacy(),
        );
        let mut device = Self {
            variant,
            has_mmio,
            has_extended_registers: has_mmio && config.qemu_extended_regs,
            has_dispi_data_port_1cf: config.dispi_data_port_1cf,
            text_blink: config.text_blink,
            pci,
            edid,
            rom,
            shape: scanout::shape(&registers),
            registers,
            routes: None,
            vram,
            resets: 0,
            mappings: Mappings::default(),
            #[cfg(target_os = "linux")]
            mode_event: ModeEvent::default(),
        };
        device.mappings = device.decode_mappings();
        device
    }

    /// Which device this is.
    pub fn variant(&self) -> Variant {
        self.variant
    }

    /// The framebuffer. Cloning it gives another reference to the same memory, for a display thread.
    pub fn vram(&self) -> &Vram<B> {
        &self.vram
    }

    /// The option ROM, padded with zeros to the length of its BAR, which is a power of two. `None`
    /// where the device has none.
    pub fn rom(&self) -> Option<&[u8]> {
        self.rom.as_deref()
    }

    /// What must be mapped where at the moment.
    pub fn mappings(&self) -> Mappings {
        self.mappings
    }

    /// What the screen shows at the moment.
    ///
    /// Taking it makes the mode event ready to be signalled again. This is all that a display thread
    /// needs the device for: drawing takes the value returned and [`StdVga::vram`].
    pub fn scanout(&mut self) -> Scanout {
        #[cfg(target_os = "linux")]
        {
            self.mode_event.rearm();
        }
        Scanout::new(&self.registers, self.text_blink, self.resets)
    }

    /// Sets the event that is signalled once when the picture's kind, size or pixel format changes,
    /// and again only after [`StdVga::scanout`] was called. `None` signals nothing.
    ///
    /// It's written inside an access, so it should be non-blocking (`EFD_NONBLOCK`).
    #[cfg(target_os = "linux")]
    pub fn set_mode_event(&mut self, event: Option<EventFd>) {
        self.mode_event = ModeEvent::new(event);
    }

    /// Reads one access of 1, 2 or 4 bytes to the PCI configuration space.
    ///
    /// All ones where the variant has none, from offset 256 on, and for a slice of any other length.
    pub fn config_read(&self, offset: u16, data: &mut [u8]) {
        match &self.pci {
            Some(pci) if is_config_access(offset, data) => pci.read(usize::from(offset), data),
            _ => data.fill(0xff),
        }
    }

    /// Writes one access of 1, 2 or 4 bytes to the PCI configuration space.
    ///
    /// Ignored where the variant has none, from offset 256 on, and for a slice of any other length.
    pub fn config_write(&mut self, offset: u16, data: &[u8]) -> Effects {
        match &mut self.pci {
            Some(pci) if is_config_access(offset, data) => pci.write(usize::from(offset), data),
            _ => return Effects::empty(),
        }
        self.settle(Effects::MAPPINGS)
    }

    /// Reads from the option ROM at `offset` bytes from its start. What lies behind its end reads as
    /// all ones.
    pub fn rom_read(&self, offset: u64, data: &mut [u8]) {
        let rom = self.rom().unwrap_or_default();
        let rest = usize::try_from(offset)
            .ok()
            .and_then(|offset| rom.get(offset..))
            .unwrap_or_default();
        let (inside, outside) = data.split_at_mut(rest.len().min(data.len()));
        inside.copy_from_slice(&rest[..inside.len()]);
        outside.fill(0xff);
    }

    /// Reads from the 0xa0000 window at `offset` bytes from its start.
    ///
    /// Any length goes: the bytes are read one after the other, ascending. All ones behind the
    /// window's end, where no memory map answers, and where the variant has no window.
    pub fn window_read(&mut self, offset: u64, data: &mut [u8]) {
        let latch = &mut self.registers.graphics.latch;
        match &self.routes {
            Some(routes) => routes.read(latch, &self.vram, offset, data),
            None => self.decode_routes_and_read(offset, data),
        }
    }

    /// Writes to the 0xa0000 window at `offset` bytes from its start.
    ///
    /// Any length goes: the bytes are written one after the other, ascending. This changes nothing but
    /// VRAM.
    pub fn window_write(&mut self, offset: u64, data: &[u8]) {
        let latch = self.registers.graphics.latch;
        match &self.routes {
            Some(routes) => routes.write(latch, &self.vram, offset, data),
            None => self.decode_routes_and_write(offset, data),
        }
    }

    /// Resets the device as a system reset does.
    ///
    /// VRAM, the latches, the framebuffer's byte order and configuration space from 0x40 on stay as
    /// they are, and so does the picture on the screen, until a mode is set.
    pub fn reset(&mut self) -> Effects {
        if let Some(pci) = &mut self.pci {
            pci.reset();
        }
        self.registers.reset();
        self.resets = self.resets.wrapping_add(1);
        self.settle(Effects::SHAPE | Effects::MAPPINGS)
    }

    // Out of line, these keep accesses whose routes are known from saving registers for them.

    #[inline(never)]
    fn decode_routes_and_read(&mut self, offset: u64, data: &mut [u8]) {
        self.routes = Some(Routes::new(&self.registers));
        self.window_read(offset, data);
    }

    #[inline(never)]
    fn decode_routes_and_write(&mut self, offset: u64, data: &[u8]) {
        self.routes = Some(Routes::new(&self.registers));
        self.window_write(offset, data);
    }

    fn decode_mappings(&self) -> Mappings {
        let isa_framebuffer = MappedRange {
            base: ISA_FRAMEBUFFER,
            len: self.vram.len(),
        };
        let pci = self.pci.as_ref();
        Mappings {
            framebuffer: pci.map_or(Some(isa_framebuffer), PciConfig::framebuffer),
            mmio: pci.and_then(PciConfig::mmio),
            rom: pci.and_then(PciConfig::rom),
            window: self.registers.window_ram,
        }
    }

    // What the other doors need of the device.

    pub(crate) fn registers(&self) -> &Registers {
        &self.registers
    }

    pub(crate) fn registers_mut(&mut self) -> &mut Registers {
        &mut self.registers
    }

    pub(crate) fn edid(&self) -> Option<&Edid> {
        self.edid.as_deref()
    }

    pub(crate) fn edid_mut(&mut self) -> Option<&mut Edid> {
        self.edid.as_deref_mut()
    }

    pub(crate) fn has_ports(&self) -> bool {
        self.variant.has_legacy()
    }

    pub(crate) fn has_mmio(&self) -> bool {
        self.has_mmio
    }

    pub(crate) fn has_extended_registers(&self) -> bool {
        self.has_extended_registers
    }

    pub(crate) fn has_dispi_data_port_1cf(&self) -> bool {
        self.has_dispi_data_port_1cf
    }

    /// Writes the indexed DISPI register, and clears VRAM where that enables a mode.
    pub(crate) fn write_dispi(&mut self, value: u16) -> Effects {
        let (effects, cleared) = self.registers.write_dispi(value);
        if cleared != 0 {
            self.vram.clear(cleared);
        }
        effects
    }

    /// Ends a write to registers, or a reset, that may have had `effects`: leaves those that it had as a
    /// whole.
    #[inline]
    pub(crate) fn settle(&mut self, effects: Effects) -> Effects {
        self.routes = None;
        if effects.intersects(Effects::MAPPINGS | Effects::MODE) {
            self.settle_changes(effects)
        } else {
            effects
        }
    }

    #[cold]
    fn settle_changes(&mut self, mut effects: Effects) -> Effects {
        if effects.contains(Effects::MAPPINGS) {
            let mappings = self.decode_mappings();
            effects.set(Effects::MAPPINGS, mappings != self.mappings);
            self.mappings = mappings;
        }
        if effects.contains(Effects::MODE) {
            let shape = scanout::shape(&self.registers);
            effects.set(Effects::MODE, shape != self.shape);
            self.shape = shape;
        }
        #[cfg(target_os = "linux")]
        if effects.contains(Effects::MODE) {
            self.mode_event.signal();
        }
        effects
    }
}

fn is_config_access(offset: u16, data: &[u8]) -> bool {
    PciConfig::contains(usize::from(offset)) && matches!(data.len(), 1 | 2 | 4)
}

#[cfg(test)]
mod tests {
    use vm_memory::GuestAddress;

    use super::*;
    use crate::mappings::WindowRam;

    const MIB: usize = 1 << 20;

    fn device(variant: Variant) -> StdVga {
        StdVga::new(Config {
            variant,
            ..Config::default()
        })
        .unwrap()
    }

    /// Programs mode 13h's memory set-up: chain 4, all planes, 64 KiB at 0xa0000.
    fn map_window(vga: &mut StdVga) -> Effects {
        vga.port_write(0x3ce, &[0x06, 0x05])
            | vga.port_write(0x3c4, &[0x04, 0x0e])
            | vga.port_write(0x3c4, &[0x02, 0x0f])
    }

    fn write_dispi(vga: &mut StdVga, register: u16, value: u16) -> Effects {
        vga.port_write(0x1ce, &register.to_le_bytes()) | vga.port_write(0x1d0, &value.to_le_bytes())
    }

    #[test]
    fn a_callers_region_is_used_as_it_is() {
        let region = Arc::new(MmapRegion::<()>::new(2 * MIB).unwrap());
        let vga = StdVga::with_vram(Config::default(), Arc::clone(&region)).unwrap();
        assert!(Arc::ptr_eq(vga.vram().region(), &region));
        assert_eq!(vga.vram().len(), 2 * MIB as u64);
    }

    #[test]
    fn a_callers_region_must_have_the_size_configured() {
        let region = Arc::new(MmapRegion::<()>::new(2 * MIB).unwrap());
        let config = Config {
            vram_mib: Some(3),
            ..Config::default()
        };
        let error = StdVga::with_vram(config, region).unwrap_err().to_string();
        assert_eq!(
            error,
            "vram_mib asks for 4194304 bytes of VRAM, but the region given has 2097152"
        );
    }

    #[test]
    fn the_rom_is_padded_to_a_power_of_two() {
        let vga = StdVga::new(Config {
            rom: Some(vec![0x55; 3000]),
            ..Config::default()
        })
        .unwrap();
        assert_eq!(vga.rom().unwrap().len(), 4096);
        let mut data = [0xaa; 4];
        vga.rom_read(2998, &mut data);
        assert_eq!(data, [0x55, 0x55, 0, 0]);
        vga.rom_read(4095, &mut data);
        assert_eq!(data, [0, 0xff, 0xff, 0xff]);
        vga.rom_read(u64::MAX, &mut data);
        assert_eq!(data, [0xff; 4]);
    }

    #[test]
    fn each_variant_has_its_doors() {
        let mut data = [0; 4];
        device(Variant::IsaVga).config_read(0, &mut data);
        assert_eq!(data, [0xff; 4], "isa-vga has no configuration space");
        device(Variant::SecondaryVga).config_read(8, &mut data);
        assert_eq!(
            data,
            [0x02, 0x00, 0x80, 0x03],
            "revision 2, display controller of another kind"
        );
        device(Variant::Vga).config_read(8, &mut data);
        assert_eq!(data, [0x02, 0x00, 0x00, 0x03], "revision 2, VGA compatible");
        device(Variant::IsaVga).mmio_read(0x500, &mut data);
        assert_eq!(data, [0xff; 4], "isa-vga has no BAR2");
        device(Variant::SecondaryVga).window_read(0, &mut data);
        assert_eq!(data, [0xff; 4], "secondary-vga has no window");
    }

    #[test]
    fn the_isa_framebuffer_is_always_mapped() {
        let framebuffer = MappedRange {
            base: GuestAddress(0xe000_0000),
            len: 8 << 20,
        };
        let expected = Mappings {
            framebuffer: Some(framebuffer),
            ..Mappings::default()
        };
        assert_eq!(device(Variant::IsaVga).mappings(), expected);
        assert_eq!(device(Variant::Vga).mappings(), Mappings::default());
    }

    #[test]
    fn configuration_accesses_behind_the_end_or_of_odd_lengths_are_void() {
        let mut vga = device(Variant::Vga);
        let mut data = [0; 4];
        vga.config_read(0x100, &mut data);
        assert_eq!(data, [0xff; 4]);
        assert_eq!(vga.config_write(0x04, &[2, 0, 0]), Effects::empty());
        let mut command = [0; 3];
        vga.config_read(0x04, &mut command);
        assert_eq!(command, [0xff; 3]);
        vga.config_read(0x04, &mut data);
        assert_eq!(data, [0; 4]);
    }

    #[test]
    fn moving_a_bar_reports_changed_mappings_once() {
        let mut vga = device(Variant::Vga);
        assert_eq!(
            vga.config_write(0x10, &0xfd00_0000_u32.to_le_bytes()),
            Effects::empty(),
            "not decoded"
        );
        assert_eq!(vga.config_write(0x04, &[2]), Effects::MAPPINGS);
        assert_eq!(vga.config_write(0x04, &[2]), Effects::empty());
        assert_eq!(
            vga.config_write(0x10, &0xfd00_0000_u32.to_le_bytes()),
            Effects::empty()
        );
        assert_eq!(
            vga.config_write(0x13, &[0xfc]),
            Effects::MAPPINGS,
            "one byte of the address"
        );
        assert_eq!(vga.config_write(0x04, &[0]), Effects::MAPPINGS);
    }

    #[test]
    fn chain_4_maps_vram_into_the_window() {
        let mut vga = device(Variant::Vga);
        assert!(map_window(&mut vga).contains(Effects::MAPPINGS));
        let window = Some(WindowRam {
            offset: 0,
            len: 0x1_0000,
            vram_offset: 0,
        });
        assert_eq!(vga.mappings().window, window);
        assert_eq!(map_window(&mut vga), Effects::empty(), "nothing changed");

        assert_eq!(
            write_dispi(&mut vga, 5, 3),
            Effects::MAPPINGS,
            "another bank"
        );
        assert_eq!(vga.mappings().window.unwrap().vram_offset, 0x3_0000);
        assert_eq!(write_dispi(&mut vga, 5, 3), Effects::empty());
        let _ = vga.port_write(0x3c4, &[0x02, 0x07]);
        assert_eq!(vga.mappings().window, None, "a plane is masked");
    }

    #[test]
    fn mappings_that_change_there_and_back_within_one_access_are_not_reported() {
        let mut vga = device(Variant::Vga);
        let _ = map_window(&mut vga);
        assert_eq!(vga.mmio_write(0x50a, &[1, 0]), Effects::MAPPINGS, "bank 1");
        // Two pieces: a byte for ENABLE, which forgets the bank, and a word for BANK.
        assert_eq!(vga.mmio_write(0x509, &[0, 1, 0]), Effects::empty());
    }

    #[test]
    fn a_mapped_window_and_the_trap_reach_the_same_bytes() {
        let mut vga = device(Variant::Vga);
        let _ = map_window(&mut vga);
        vga.window_write(0x1234, &[1, 2, 3, 4, 5, 6, 7, 8, 9]);
        let mut data = [0; 9];
        vga.vram().read(0x1234, &mut data);
        assert_eq!(data, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn window_accesses_end_with_the_window() {
        let mut vga = device(Variant::Vga);
        let _ = vga.port_write(0x3c4, &[0x04, 0x08]) | vga.port_write(0x3c4, &[0x02, 0x0f]);
        vga.window_write(0x1_fffe, &[1, 2, 3, 4]);
        let mut data = [0; 4];
        vga.window_read(0x1_fffe, &mut data);
        assert_eq!(data, [1, 2, 0xff, 0xff]);
        vga.window_read(u64::MAX, &mut data);
        assert_eq!(data, [0xff; 4]);
    }

    #[test]
    fn secondary_vga_reports_no_window() {
        let mut vga = device(Variant::SecondaryVga);
        let effects = vga.mmio_write(0x404, &[0x04, 0x08]) | vga.mmio_write(0x404, &[0x02, 0x0f]);
        assert_eq!(effects, Effects::empty());
        assert_eq!(vga.mappings().window, None);
    }

    #[test]
    fn enabling_clears_just_the_picture() {
        let mut vga = device(Variant::Vga);
        vga.vram().write(0, &[0xaa; 8192]);
        for (register, value) in [(1, 64), (2, 16), (3, 32), (4, 1)] {
            let _ = write_dispi(&mut vga, register, value);
        }
        let mut data = [0; 2];
        vga.vram().read(4095, &mut data);
        assert_eq!(data, [0, 0xaa]);
    }

    #[test]
    fn a_reset_keeps_vram_and_reports_what_it_changed() {
        let mut vga = device(Variant::Vga);
        let _ = map_window(&mut vga);
        let _ = vga.port_write(0x3c0, &[0x20]);
        vga.vram().write(7, &[0x77]);
        assert_eq!(
            vga.reset(),
            Effects::MAPPINGS | Effects::SCANOUT | Effects::MODE
        );
        assert_eq!(vga.mappings(), Mappings::default());
        assert_eq!(vga.vram().byte(7), 0x77);
        assert_eq!(vga.reset(), Effects::SCANOUT);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_mode_event_is_signalled_once_until_the_scanout_is_taken() {
        let event = EventFd::new(vmm_sys_util::eventfd::EFD_NONBLOCK).unwrap();
        let mut vga = device(Variant::Vga);
        vga.set_mode_event(Some(event.try_clone().unwrap()));

        let _ = vga.port_write(0x3c0, &[0x20]);
        let _ = vga.port_write(0x3ce, &[0x06, 0x01]);
        assert_eq!(event.read().unwrap(), 1, "two changes, one signal");
        let _ = vga.port_write(0x3ce, &[0x06, 0x00]);
        assert!(event.read().is_err(), "the scanout wasn't taken");
        vga.scanout();
        let _ = vga.port_write(0x3ce, &[0x06, 0x00]);
        assert!(event.read().is_err(), "nothing changed");
        let _ = vga.port_write(0x3ce, &[0x06, 0x01]);
        assert_eq!(event.read().unwrap(), 1);
    }
}
