// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What a VMM relies on of `stdvga::embedding`: the device behind its lock, and the picture.

use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use stdvga::embedding::{
    DirtyPages, MappedRegions, Picture, Region, RegionKind, RegionKinds, RegionMapper, SharedVga,
};
use stdvga::vm_memory::{GuestAddress, MmapRegion};
use stdvga::{
    Config, Damage, Dirty, DirtyBitmap, Effects, RefreshError, Size, State, StdVga, Variant,
};
use stdvga_testing::driver::registers::*;

const BAR0_AT: u64 = 0xe000_0000;
const BAR2_AT: u64 = 0xf000_0000;

/// The guest's memory: RAM below 64 MiB, and what's mapped.
#[derive(Clone, Default)]
struct Memory {
    mapped: Arc<Mutex<Vec<Region>>>,
    /// The VRAM that must be there as long as it's mapped.
    vram: Weak<MmapRegion<DirtyBitmap>>,
}

impl Memory {
    fn mapped(&self) -> MutexGuard<'_, Vec<Region>> {
        self.mapped.lock().unwrap()
    }

    /// What is mapped where, in the order of the kinds.
    fn shown(&self) -> Vec<(RegionKind, u64)> {
        let mut shown: Vec<_> = self
            .mapped()
            .iter()
            .map(|region| (region.kind, region.guest.0))
            .collect();
        shown.sort_by_key(|(kind, _)| kind.index());
        shown
    }
}

impl RegionMapper for Memory {
    fn map(&mut self, region: &Region) -> io::Result<()> {
        if region.guest.0 < 64 << 20 && region.kind != RegionKind::Window {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.mapped().push(*region);
        Ok(())
    }

    fn unmap(&mut self, region: &Region) -> io::Result<()> {
        assert!(self.vram.upgrade().is_some(), "VRAM goes before {region}");
        self.mapped().retain(|mapped| mapped != region);
        Ok(())
    }
}

/// Effects and errors, of each report.
type Reports = Vec<(Effects, Vec<String>)>;

/// A VMM with a device.
struct Vmm {
    vga: SharedVga,
    memory: Memory,
    reports: Arc<Mutex<Reports>>,
}

impl Vmm {
    fn new(config: Config) -> Self {
        Self::with(StdVga::new(config).unwrap(), RegionKinds::all())
    }

    fn with(vga: StdVga, kinds: RegionKinds) -> Self {
        let memory = Memory {
            vram: Arc::downgrade(vga.vram().region()),
            ..Memory::default()
        };
        let reports = Arc::new(Mutex::new(Reports::new()));
        let reported = reports.clone();
        let at_report = memory.clone();
        let regions = MappedRegions::new(memory.clone()).only(kinds);
        let vga = SharedVga::new(vga, regions, move |change| {
            if change.effects == Effects::MAPPINGS && change.errors.is_empty() {
                let framebuffer = change.vga.mappings().framebuffer;
                let stale = at_report.shown().into_iter().find(|(kind, base)| {
                    *kind == RegionKind::Framebuffer
                        && framebuffer.is_none_or(|range| range.base.0 != *base)
                });
                assert_eq!(stale, None, "memory follows before the report");
            }
            let errors = change.errors.iter().map(ToString::to_string).collect();
            reported.lock().unwrap().push((change.effects, errors));
        });
        Self {
            vga,
            memory,
            reports,
        }
    }

    /// A device whose BARs are placed and answer.
    fn placed() -> Self {
        let vmm = Self::new(Config::default().rom(vec![0x55; 4096]));
        vmm.config_write(BAR0, BAR0_AT as u32);
        vmm.config_write(BAR2, BAR2_AT as u32);
        vmm.config_write(COMMAND, COMMAND_MEMORY.into());
        vmm.take_reports();
        vmm
    }

    fn config_write(&self, offset: u16, value: u32) {
        self.vga
            .write(|vga| vga.config_write(offset, &value.to_le_bytes()));
    }

    fn port_write(&self, port: u16, data: &[u8]) {
        self.vga.write(|vga| vga.port_write(port, data));
    }

    /// A DISPI mode, and the palette switched on.
    fn set_mode(&self, width: u16, height: u16, bpp: u16) {
        for (register, value) in [
            (ENABLE, 0),
            (XRES, width),
            (YRES, height),
            (BPP, bpp),
            (ENABLE, 1),
        ] {
            self.port_write(DISPI_INDEX, &register.to_le_bytes());
            self.port_write(DISPI_DATA, &value.to_le_bytes());
        }
        self.port_write(ATTRIBUTE, &[PALETTE_ADDRESS_SOURCE]);
    }

    fn take_reports(&self) -> Reports {
        self.reports.lock().unwrap().drain(..).collect()
    }

    /// A frame of the display thread.
    fn refresh(&self, picture: &mut Picture, dirty: Dirty<'_>) -> Option<Damage> {
        let (scanout, vram) = self.vga.with(|vga| (vga.scanout(), vga.vram().clone()));
        picture
            .refresh(&scanout, &vram, dirty, Duration::ZERO)
            .expect("a picture that fits")
    }
}

#[test]
fn memory_follows_before_a_write_returns() {
    let vmm = Vmm::placed();
    let framebuffer = (RegionKind::Framebuffer, BAR0_AT);
    assert_eq!(vmm.memory.shown(), [framebuffer]);
    vmm.set_mode(64, 48, 8);
    let window = (RegionKind::Window, 0xa_0000);
    assert_eq!(vmm.memory.shown(), [window, framebuffer]);

    for bank in [3_u16, 5] {
        vmm.port_write(DISPI_INDEX, &BANK.to_le_bytes());
        vmm.port_write(DISPI_DATA, &bank.to_le_bytes());
        let offsets: Vec<_> = vmm.memory.mapped().iter().map(|at| at.offset).collect();
        assert!(
            offsets.contains(&(u64::from(bank) << 16)),
            "bank {bank}: {offsets:x?}"
        );
    }

    vmm.vga.write(StdVga::reset);
    assert_eq!(vmm.memory.shown(), []);
}

#[test]
fn a_change_is_reported_once_and_nothing_else_is() {
    let vmm = Vmm::placed();
    vmm.port_write(ATTRIBUTE, &[PALETTE_ADDRESS_SOURCE]);
    let switched_on = vmm.take_reports();
    assert_eq!(switched_on, [(Effects::SCANOUT | Effects::MODE, vec![])]);
    // Reading this makes the next write to the Attribute Controller an index again.
    vmm.vga
        .with(|vga| vga.port_read(MONO_INPUT_STATUS_1, &mut [0]));
    vmm.port_write(ATTRIBUTE, &[PALETTE_ADDRESS_SOURCE]);
    vmm.vga.with(|vga| vga.window_write(0, &[1]));
    assert_eq!(vmm.take_reports(), [], "nothing changed");
    vmm.config_write(BAR2, 0xf100_0000);
    assert_eq!(vmm.take_reports(), [(Effects::MAPPINGS, vec![])]);
}

#[test]
fn what_cant_be_mapped_is_reported_with_the_change_and_tried_again_with_the_next() {
    let vmm = Vmm::placed();
    vmm.config_write(BAR0, 32 << 20);
    let reports = vmm.take_reports();
    let [(effects, errors)] = &reports[..] else {
        panic!("{reports:?}");
    };
    assert_eq!(*effects, Effects::MAPPINGS);
    assert!(
        matches!(&errors[..], [error] if error.contains("can't map")),
        "{errors:?}"
    );
    assert_eq!(vmm.memory.shown(), [], "RAM stays");

    vmm.port_write(ATTRIBUTE, &[PALETTE_ADDRESS_SOURCE]);
    assert_eq!(vmm.take_reports()[0].1, [""; 0], "no mapping changed");
    vmm.config_write(BAR0, BAR0_AT as u32);
    assert_eq!(vmm.take_reports(), [(Effects::MAPPINGS, vec![])]);
    assert_eq!(vmm.memory.shown(), [(RegionKind::Framebuffer, BAR0_AT)]);
}

#[test]
fn a_device_with_bars_has_nothing_mapped_before_they_answer() {
    let vmm = Vmm::new(Config::default());
    assert_eq!(vmm.memory.shown(), []);
    assert_eq!(vmm.take_reports(), []);
}

#[test]
fn isa_vga_is_mapped_from_the_start() {
    let vmm = Vmm::new(Config::new(Variant::IsaVga));
    let framebuffer = (RegionKind::Framebuffer, stdvga::ISA_FRAMEBUFFER.0);
    assert_eq!(vmm.memory.shown(), [framebuffer]);
    assert_eq!(vmm.take_reports(), [(Effects::MAPPINGS, vec![])]);
}

#[test]
fn a_device_that_was_built_from_a_state_is_mapped_from_the_start() {
    let saved = Vmm::placed();
    let state = saved.vga.with(|vga| vga.state());
    let config = Config::default().rom(vec![0x55; 4096]);
    let restored = StdVga::from_state(config, &state).unwrap();
    let vmm = Vmm::with(restored, RegionKinds::all());
    assert_eq!(vmm.memory.shown(), saved.memory.shown());
}

#[test]
fn kinds_that_arent_mapped_at_first_can_be_mapped_later() {
    let vga = StdVga::new(Config::new(Variant::IsaVga)).unwrap();
    let vmm = Vmm::with(vga, RegionKinds::empty());
    vmm.set_mode(64, 48, 8);
    vmm.take_reports();
    let window = (RegionKind::Window, 0xa_0000);
    let framebuffer = (RegionKind::Framebuffer, stdvga::ISA_FRAMEBUFFER.0);
    for (kinds, shown) in [
        (RegionKinds::empty(), vec![]),
        (RegionKinds::all(), vec![window, framebuffer]),
        (RegionKinds::all() - RegionKinds::WINDOW, vec![framebuffer]),
        (RegionKinds::empty(), vec![]),
    ] {
        vmm.vga.set_mapped(kinds);
        assert_eq!(vmm.memory.shown(), shown, "{kinds:?}");
        assert_eq!(
            vmm.take_reports(),
            [(Effects::MAPPINGS, vec![])],
            "{kinds:?}"
        );
    }
}

#[test]
fn a_placed_bar_is_followed_and_an_impossible_place_changes_nothing() {
    let vmm = Vmm::placed();
    let bar0 = vmm.vga.with(|vga| vga.bar(0)).expect("BAR0");
    let place = |address| vmm.vga.place_bar(&bar0, GuestAddress(address));
    place(0xd000_0000).expect("a free place");
    let placed = [(RegionKind::Framebuffer, 0xd000_0000)];
    assert_eq!(vmm.memory.shown(), placed);
    assert_eq!(vmm.take_reports(), [(Effects::MAPPINGS, vec![])]);

    place(0xd000_1000).expect_err("no multiple of the length");
    assert_eq!(vmm.memory.shown(), placed);
    assert_eq!(vmm.take_reports(), []);
}

#[test]
fn a_restore_in_place_is_followed_and_a_refused_one_changes_nothing() {
    let vmm = Vmm::placed();
    vmm.set_mode(64, 48, 8);
    let (state, shown) = (vmm.vga.with(|vga| vga.state()), vmm.memory.shown());
    vmm.vga.write(StdVga::reset);
    vmm.take_reports();

    vmm.vga.restore(&state).expect("its own state");
    assert_eq!(vmm.memory.shown(), shown);
    assert_eq!(vmm.take_reports(), [(Effects::all(), vec![])]);
    assert_eq!(vmm.vga.with(|vga| vga.state()), state);

    let other: State = StdVga::new(Config::new(Variant::IsaVga)).unwrap().state();
    vmm.vga.restore(&other).expect_err("another variant");
    assert_eq!(vmm.vga.with(|vga| vga.state()), state);
    assert_eq!(vmm.memory.shown(), shown);
    assert_eq!(vmm.take_reports(), []);
}

#[test]
fn nothing_stays_mapped_when_the_last_clone_goes() {
    let Vmm { vga, memory, .. } = Vmm::placed();
    let (weak, clone) = (vga.downgrade(), vga.clone());
    drop(vga);
    assert_eq!(memory.shown(), [(RegionKind::Framebuffer, BAR0_AT)]);
    let upgraded = weak.upgrade().expect("a clone is left");
    upgraded.write(|vga| vga.port_write(DAC_WRITE_INDEX, &[7]));
    let index = clone.with(|vga| vga.state().dac.write_index);
    assert_eq!(index, 7, "it's the same device");
    drop(upgraded);

    drop(clone);
    assert_eq!(memory.shown(), []);
    assert!(weak.clone().upgrade().is_none());
}

#[test]
fn a_panic_of_the_vmms_under_the_lock_leaves_the_device() {
    let vmm = Vmm::placed();
    // `resume_unwind` prints nothing.
    let panics = AssertUnwindSafe(|| vmm.vga.with(|_| panic::resume_unwind(Box::new(()))));
    panic::catch_unwind(panics).expect_err("the panic");
    vmm.config_write(COMMAND, 0);
    assert_eq!(vmm.memory.shown(), []);
}

#[test]
fn a_picture_has_the_size_and_the_pixels_that_the_guest_chose() {
    let vmm = Vmm::placed();
    let mut picture = Picture::new(64 * 48);
    assert_eq!((picture.size(), picture.pixels()), (size(0, 0), &[][..]));
    for (width, height) in [(64, 48), (32, 16)] {
        vmm.set_mode(width, height, 32);
        let last = u64::from(width) * u64::from(height) - 1;
        vmm.vga.with(|vga| {
            vga.vram().write(0, &0x0012_3456_u32.to_le_bytes());
            vga.vram().write(last * 4, &0x0065_4321_u32.to_le_bytes());
        });
        let damage = vmm.refresh(&mut picture, Dirty::Compare);
        assert!(damage.is_some_and(|damage| !damage.is_empty()));
        assert_eq!(picture.size(), size(width, height));
        assert_eq!(picture.pixels().len() as u64, last + 1);
        assert_eq!(picture.pixels()[0], 0x0012_3456);
        assert_eq!(picture.pixels()[last as usize], 0x0065_4321);
    }
    assert_eq!(picture.screen().refreshes(), 2);
}

#[test]
fn a_picture_that_is_too_large_leaves_the_last_one_and_the_next_is_drawn_whole() {
    let vmm = Vmm::placed();
    let none = vec![0; vmm.vga.with(|vga| vga.vram().dirty_words())];
    let mut picture = Picture::new(64 * 48);
    vmm.set_mode(64, 48, 32);
    vmm.vga.with(|vga| vga.vram().write(4, &[0x11]));
    vmm.refresh(&mut picture, Dirty::Pages(&none));
    let before = picture.pixels().to_vec();
    assert_eq!(before[1], 0x11);

    vmm.set_mode(72, 48, 32);
    assert_eq!(vmm.refresh(&mut picture, Dirty::Pages(&none)), None);
    assert_eq!(
        (picture.size(), picture.pixels()),
        (size(64, 48), &before[..])
    );

    vmm.set_mode(64, 48, 32);
    vmm.vga.with(|vga| vga.vram().write(8, &[0x22]));
    let damage = vmm.refresh(&mut picture, Dirty::Pages(&none));
    let damage = damage.expect("a picture that's shown");
    assert_eq!(
        damage.rects().first().map(|rect| rect.size),
        Some(size(64, 48))
    );
    assert_eq!(picture.pixels()[..3], [0, 0, 0x22], "whatever is marked");
}

#[test]
fn a_refresh_that_fails_leaves_the_last_picture() {
    let vmm = Vmm::placed();
    let vram = vmm.vga.with(|vga| vga.vram().clone());
    let none = vec![0; vram.dirty_words()];
    let mut picture = Picture::new(64 * 48);
    vmm.set_mode(64, 48, 32);
    vram.write(4, &[0x11]);
    vmm.refresh(&mut picture, Dirty::Pages(&none));
    let before = picture.pixels().to_vec();
    assert_eq!(before[1], 0x11);

    vmm.set_mode(32, 16, 32);
    let scanout = vmm.vga.with(|vga| vga.scanout());
    let result = picture.refresh(&scanout, &vram, Dirty::Pages(&[]), Duration::ZERO);
    assert!(
        matches!(result, Err(RefreshError::Dirty(_))),
        "no words are none of VRAM's: {result:?}"
    );
    assert!(
        picture.size() == size(64, 48) && picture.pixels() == before,
        "the last picture stays: {}",
        picture.size()
    );

    vmm.set_mode(64, 48, 32);
    vmm.refresh(&mut picture, Dirty::Pages(&none));
    assert!(picture.pixels() == before, "nothing was written");
}

#[test]
fn the_picture_outlives_a_reset() {
    let vmm = Vmm::placed();
    let mut picture = Picture::new(64 * 48);
    vmm.set_mode(64, 48, 8);
    vmm.port_write(DAC_WRITE_INDEX, &[1]);
    for _ in 0..3 {
        vmm.port_write(DAC_DATA, &[0x3f]);
    }
    vmm.vga.with(|vga| vga.vram().write(5, &[1]));
    vmm.refresh(&mut picture, Dirty::Compare);
    let before = picture.pixels().to_vec();
    assert_eq!(before[5], 0x00ff_ffff);
    vmm.vga.write(StdVga::reset);
    let damage = vmm.refresh(&mut picture, Dirty::Compare);
    assert!(damage.is_some_and(|damage| damage.is_empty()));
    assert_eq!(
        (picture.size(), picture.pixels()),
        (size(64, 48), &before[..])
    );
}

#[test]
fn a_frame_shows_what_the_device_marked_and_what_the_hypervisors_log_has() {
    let vmm = Vmm::placed();
    let vram = vmm.vga.with(|vga| vga.vram().clone());
    let mut picture = Picture::new(64 * 64);
    let mut pages = DirtyPages::new(&vram);
    let mut frame = |log: &[u64]| {
        pages.add_log(log, 4096, 0).expect("pages of VRAM");
        let scanout = vmm.vga.with(|vga| {
            pages.add_marks(vga).expect("this VRAM");
            vga.scanout()
        });
        pages
            .consume(|dirty| picture.refresh(&scanout, &vram, dirty, Duration::ZERO))
            .expect("a picture that fits");
        assert!(pages.is_empty(), "the marks were used");
        [picture.pixels()[1], picture.pixels()[64 * 40]]
    };
    vmm.set_mode(64, 64, 32);
    assert_eq!(frame(&[]), [0, 0]);

    // The guest writes to page 2 through BAR0, which marks nothing: so the mark is taken away here.
    vram.write(4 * 64 * 40, &[0x11]);
    let mut words = vec![0; vram.dirty_words()];
    vmm.vga.with(|vga| vga.drain_dirty(&mut words)).unwrap();
    vmm.vga.with(|vga| vga.window_write(4, &[0x22]));
    assert_eq!(frame(&[]), [0x22, 0], "the log wasn't read yet");
    assert_eq!(frame(&[1 << 2]), [0x22, 0x11]);
}

fn size(width: u16, height: u16) -> Size {
    Size {
        width: width.into(),
        height: height.into(),
    }
}
