// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The monitor, changed while the guest runs.

use stdvga::{Config, Monitor, StdVga, Variant};
use stdvga_testing::driver::Guest;

const MONITOR_1080P: Monitor = Monitor::new(1920, 1080).refresh_rate(60_000);

fn blob(vga: &mut StdVga) -> [u8; 384] {
    let mut data = [0; 384];
    vga.mmio_read(0, &mut data);
    data
}

/// The blob of a device that had the monitor from the start.
fn blob_of(monitor: Monitor) -> [u8; 384] {
    let config = Config::default().monitor(monitor);
    blob(&mut Guest::with(config).vga)
}

#[test]
fn the_blob_describes_a_new_monitor_at_once() {
    let mut guest = Guest::new(Variant::SecondaryVga);
    assert_eq!(guest.vga.monitor(), Some(Monitor::default()));
    assert_eq!(guest.vga.set_monitor(MONITOR_1080P), Ok(()));
    assert_eq!(guest.vga.monitor(), Some(MONITOR_1080P));
    assert_eq!(blob(&mut guest.vga), blob_of(MONITOR_1080P));
    assert_ne!(blob(&mut guest.vga), blob_of(Monitor::default()));
}

#[test]
fn a_reset_keeps_the_monitor() {
    let mut guest = Guest::new(Variant::Vga);
    assert_eq!(guest.vga.set_monitor(MONITOR_1080P), Ok(()));
    guest.reset();
    assert_eq!(guest.vga.monitor(), Some(MONITOR_1080P));
    assert_eq!(blob(&mut guest.vga), blob_of(MONITOR_1080P));
}

#[test]
fn a_new_monitor_leaves_the_mode_as_it_is() {
    let mut guest = Guest::new(Variant::Vga);
    guest.vbe_mode(640, 480, 32);
    let scanout = guest.vga.scanout();
    assert_eq!(guest.vga.set_monitor(MONITOR_1080P), Ok(()));
    assert_eq!(guest.vga.scanout(), scanout);
}

#[test]
fn a_device_without_edid_has_no_monitor() {
    let isa = Config::new(Variant::IsaVga);
    let without_edid = Config::default().edid(false);
    let without_mmio = Config::default().mmio(false);
    for (config, message) in [
        (isa, "this isa-vga was built without EDID"),
        (without_edid, "this VGA was built without EDID"),
        (without_mmio, "this VGA was built without EDID"),
    ] {
        let mut vga = Guest::with(config).vga;
        assert_eq!(vga.monitor(), None);
        let error = vga.set_monitor(MONITOR_1080P).expect_err(message);
        assert_eq!(error.to_string(), message);
    }
}
