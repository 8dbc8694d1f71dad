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
    let mut vga = StdVga::new(Config {
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
