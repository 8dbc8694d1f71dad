// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The device behind rust-vmm's `IoManager`.
#![cfg(feature = "vm-device")]

use std::io;
use std::mem;
use std::sync::{Arc, Mutex};

use rand::prelude::*;
use stdvga::embedding::{MappedRegions, Region, RegionMapper, SharedVga};
use stdvga::{Config, Effects, MappedRange, StdVga, Variant, WINDOW};
use stdvga_testing::driver::registers::*;
use vm_device::bus::{MmioAddress, MmioRange, PioAddress, PioRange};
use vm_device::device_manager::{IoManager, MmioManager, PioManager};

/// Memory that takes whatever is mapped.
struct Memory;

impl RegionMapper for Memory {
    fn map(&mut self, _: &Region) -> io::Result<()> {
        Ok(())
    }

    fn unmap(&mut self, _: &Region) -> io::Result<()> {
        Ok(())
    }
}

/// A machine with a device on its buses.
struct Machine {
    manager: IoManager,
    vga: SharedVga,
    /// What was reported.
    effects: Arc<Mutex<Effects>>,
}

impl Machine {
    fn new() -> Self {
        let vga = StdVga::new(Config::default()).expect("a valid configuration");
        let effects = Arc::new(Mutex::new(Effects::empty()));
        let reported = effects.clone();
        let vga = SharedVga::new(vga, MappedRegions::new(Memory), move |change| {
            *reported.lock().unwrap() |= change.effects;
        });
        let mut manager = IoManager::new();
        for ports in Variant::Vga.port_ranges() {
            let range = PioRange::new(PioAddress(*ports.start()), ports.len() as u16);
            manager
                .register_pio(range.expect("a range"), Arc::new(vga.clone()))
                .expect("the ports are free");
        }
        let mut machine = Self {
            manager,
            vga,
            effects,
        };
        machine.register(WINDOW.start, WINDOW.end - WINDOW.start);
        machine
    }

    /// Places BAR0 and BAR2, and registers them.
    fn with_bars(bar0: u32, bar2: u32) -> Self {
        let mut machine = Self::new();
        for (offset, value) in [(BAR0, bar0), (BAR2, bar2), (COMMAND, 2)] {
            machine.config_write(offset, value);
        }
        let _ = machine.take_effects();
        let mappings = machine.vga.with(|vga| vga.mappings());
        for MappedRange { base, len } in [mappings.framebuffer, mappings.mmio].map(Option::unwrap) {
            machine.register(base.0, len);
        }
        machine
    }

    fn register(&mut self, base: u64, len: u64) {
        let range = MmioRange::new(MmioAddress(base), len).expect("a range");
        self.manager
            .register_mmio(range, Arc::new(self.vga.clone()))
            .expect("the addresses are free");
    }

    fn config_write(&self, offset: u16, value: u32) {
        self.vga
            .write(|vga| vga.config_write(offset, &value.to_le_bytes()));
    }

    fn take_effects(&self) -> Effects {
        mem::replace(&mut self.effects.lock().unwrap(), Effects::empty())
    }

    /// Two bytes from an address.
    fn read(&self, address: u64) -> Result<[u8; 2], vm_device::bus::Error> {
        let mut data = [0xaa; 2];
        self.manager.mmio_read(MmioAddress(address), &mut data)?;
        Ok(data)
    }
}

#[test]
fn accesses_on_the_buses_do_what_direct_calls_do() {
    let mut rng = SmallRng::seed_from_u64(1);
    let machine = Machine::with_bars(0xe000_0000, 0xf000_0000);
    let mut direct = StdVga::new(Config::default()).expect("a valid configuration");
    let mut seen = Effects::empty();

    for step in 0..50_000 {
        let len = [1, 2, 4][rng.random_range(0..3)];
        let (mut read, mut expected) = (vec![0; len], vec![0; len]);
        let written = &rng.random::<[u8; 4]>()[..len];
        let ports = &Variant::Vga.port_ranges()[rng.random_range(0..6)];
        let port = rng.random_range(ports.clone());
        let fits = usize::from(ports.end() - port) + 1 >= len;
        let (in_window, in_bar2) = (
            rng.random_range(0..0x1_fffc),
            rng.random_range(0x400..0x608),
        );
        let port_address = PioAddress(port);
        let window_address = MmioAddress(WINDOW.start + in_window);
        let bar2_address = MmioAddress(0xf000_0000 + in_bar2);

        let bus = &machine.manager;
        let mut effects = Effects::empty();
        let answer = match rng.random_range(0..6) {
            0 if fits => {
                direct.port_read(port, &mut expected);
                bus.pio_read(port_address, &mut read)
            }
            1 if fits => {
                effects = direct.port_write(port, written);
                bus.pio_write(port_address, written)
            }
            2 => {
                direct.mmio_read(in_bar2, &mut expected);
                bus.mmio_read(bar2_address, &mut read)
            }
            3 => {
                effects = direct.mmio_write(in_bar2, written);
                bus.mmio_write(bar2_address, written)
            }
            4 => {
                direct.window_read(in_window, &mut expected);
                bus.mmio_read(window_address, &mut read)
            }
            _ => {
                direct.window_write(in_window, written);
                bus.mmio_write(window_address, written)
            }
        };
        assert_eq!(answer, Ok(()), "step {step}");
        assert_eq!(read, expected, "step {step}");
        assert_eq!(machine.take_effects(), effects, "step {step}");
        seen |= effects;
    }
    assert_eq!(seen, Effects::all(), "the accesses changed everything");
}

#[test]
fn a_bar2_that_moves_answers_where_it_is_registered_anew() {
    let mut machine = Machine::with_bars(0xe000_0000, 0xf000_0000);
    assert_eq!(machine.read(0xf000_0500), Ok([0xc5, 0xb0]), "the DISPI ID");

    machine.config_write(BAR2, 0xf100_0000);
    assert_eq!(machine.take_effects(), Effects::MAPPINGS);
    assert_eq!(machine.read(0xf000_0500), Ok([0xff; 2]), "the old place");
    machine
        .manager
        .deregister_mmio(MmioAddress(0xf000_0000))
        .expect("BAR2 was registered");
    let moved = machine.vga.with(|vga| vga.mappings().bar(2).unwrap());
    machine.register(moved.base.0, moved.len);
    assert_eq!(machine.read(0xf100_0500), Ok([0xc5, 0xb0]), "the new place");
}

#[test]
fn an_access_that_straddles_a_range_of_ports_is_refused_by_the_bus() {
    let machine = Machine::new();
    let mut data = [0; 2];
    for port in [0x3cf, 0x3b3, 0x1d1] {
        let answer = machine.manager.pio_read(PioAddress(port), &mut data);
        assert!(answer.is_err(), "a word at port {port:#x}: {answer:?}");
    }
}

#[test]
fn the_parallel_port_is_left_alone() {
    let mut machine = Machine::new();
    let parallel_port = PioRange::new(PioAddress(0x3bc), 4).unwrap();
    let result = machine
        .manager
        .register_pio(parallel_port, Arc::new(machine.vga.clone()));
    assert_eq!(result, Ok(()));
}
