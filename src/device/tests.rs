// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

use super::*;

const MIB: usize = 1 << 20;

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
    let config = Config::default().vram_mib(3);
    let error = StdVga::with_vram(config, region).unwrap_err().to_string();
    assert_eq!(
        error,
        "the given VRAM region has 2097152 bytes, but vram_mib requires 4194304"
    );
}

#[test]
fn the_rom_is_padded_to_a_power_of_two() {
    let mut vga = StdVga::new(Config::default().rom(vec![0x55; 3000])).unwrap();
    assert_eq!(vga.rom().unwrap().len(), 4096);
    let mut data = [0xaa; 4];
    vga.rom_read(2998, &mut data);
    assert_eq!(data, [0x55, 0x55, 0, 0]);
    vga.rom_read(4095, &mut data);
    assert_eq!(data, [0, 0xff, 0xff, 0xff]);
    vga.rom_read(u64::MAX, &mut data);
    assert_eq!(data, [0xff; 4]);
}

#[cfg(target_os = "linux")]
#[test]
fn the_mode_event_is_signalled_at_each_change_in_whatever_order_it_is_read() {
    let event = EventFd::new(vmm_sys_util::eventfd::EFD_NONBLOCK).unwrap();
    let mut vga = StdVga::new(Config::default()).unwrap();
    vga.set_mode_event(Some(event.try_clone().unwrap()));

    let _ = vga.port_write(0x3c0, &[0x20]);
    let _ = vga.port_write(0x3ce, &[0x06, 0x01]);
    assert_eq!(event.read().unwrap(), 2, "two changes");
    let _ = vga.port_write(0x3ce, &[0x06, 0x01]);
    assert!(event.read().is_err(), "nothing changed");

    // A loop that takes the scanout first and then reads the event misses a change, but not the next one.
    let _ = vga.port_write(0x3ce, &[0x06, 0x00]);
    vga.scanout();
    let _ = vga.port_write(0x3ce, &[0x06, 0x01]);
    assert_eq!(event.read().unwrap(), 2);
    let _ = vga.port_write(0x3ce, &[0x06, 0x00]);
    assert_eq!(event.read().unwrap(), 1, "the next change wakes the loop");
}
