// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What random programs are written with: values at edges, accesses, and drivers' idioms.

use std::ops::Range;

use rand::prelude::*;

use super::access::Access;
use super::choices::Choices;
use super::setup::Setup;

/// Where isapc has the framebuffer.
const ISA_FRAMEBUFFER: u64 = 0xe000_0000;

/// Configuration mechanism #1: enable bit, bus 0, device 2, function 0.
const CONFIG_ADDRESS: u64 = 0x8000_1000;

/// Writes accesses for a setup.
pub struct Writer {
    pub rng: Choices,
    pub setup: Setup,
    pub accesses: Vec<Access>,
    /// Where the parts in memory are, while they answer.
    pub framebuffer: Option<u64>,
    pub mmio: Option<u64>,
    pub rom: Option<u64>,
}

impl Writer {
    pub fn new(setup: &Setup, rng: Choices) -> Self {
        Self {
            rng,
            setup: *setup,
            accesses: Vec::new(),
            framebuffer: (!setup.is_pci()).then_some(ISA_FRAMEBUFFER),
            mmio: None,
            rom: None,
        }
    }

    // Values.

    pub fn pick<T: Copy>(&mut self, values: &[T]) -> T {
        *values
            .choose(&mut self.rng)
            .expect("something to pick from")
    }

    pub fn chance(&mut self, percent: u32) -> bool {
        self.rng.random_ratio(percent, 100)
    }

    pub fn byte(&mut self) -> u8 {
        match self.rng.random_range(0..8) {
            0 => 0,
            1 => 0xff,
            2 => 1 << self.rng.random_range(0..8),
            3 => !(1 << self.rng.random_range(0..8)),
            _ => self.rng.random(),
        }
    }

    pub fn word(&mut self) -> u16 {
        match self.rng.random_range(0..8) {
            0 => 0,
            1 => 0xffff,
            2 => 1 << self.rng.random_range(0..16),
            3 => self.rng.random_range(0..32),
            4 => self.rng.random_range(0..2048),
            _ => self.rng.random(),
        }
    }

    pub fn value(&mut self, width: u64) -> u64 {
        let value = match self.rng.random_range(0..6) {
            0 => 0,
            1 => u64::MAX,
            2 => u64::from(self.byte()),
            _ => self.rng.random(),
        };
        value & (u64::MAX >> (64 - 8 * width))
    }

    pub fn times(&mut self, most: u32) -> Range<u32> {
        0..self.rng.random_range(1..=most)
    }

    // Accesses.

    pub fn access(&mut self, access: Access) {
        self.accesses.push(access);
    }

    pub fn out(&mut self, port: u16, width: u64, value: u64) {
        self.access(Access::Out { port, width, value });
    }

    pub fn input(&mut self, port: u16, width: u64) {
        self.access(Access::In { port, width });
    }

    pub fn write(&mut self, address: u64, width: u64, value: u64) {
        self.access(Access::Write {
            address,
            width,
            value,
        });
    }

    pub fn read(&mut self, address: u64, width: u64) {
        self.access(Access::Read { address, width });
    }

    pub fn read_bytes(&mut self, address: u64, len: u64) {
        self.access(Access::ReadBytes { address, len });
    }

    pub fn write_bytes(&mut self, address: u64, len: u64) {
        let bytes = (0..len).map(|_| self.byte()).collect();
        self.access(Access::WriteBytes { address, bytes });
    }

    // Drivers' idioms. A VGA port is reached by its number or through BAR2.

    pub fn mmio_port(&mut self, port: u16) -> Option<u64> {
        let base = self.mmio.filter(|_| (0x3c0..0x3e0).contains(&port))?;
        let through_mmio = !self.setup.has_legacy() || self.chance(20);
        through_mmio.then_some(base + 0x400 + u64::from(port - 0x3c0))
    }

    pub fn out_vga(&mut self, port: u16, value: u8) {
        match self.mmio_port(port) {
            Some(address) => self.write(address, 1, value.into()),
            None => self.out(port, 1, value.into()),
        }
    }

    pub fn in_vga(&mut self, port: u16) {
        match self.mmio_port(port) {
            Some(address) => self.read(address, 1),
            None => self.input(port, 1),
        }
    }

    /// Writes an indexed register: index and data in one word or two bytes.
    pub fn out_indexed(&mut self, port: u16, index: u8, value: u8) {
        if self.chance(40) {
            self.out_vga(port, index);
            return self.out_vga(port + 1, value);
        }
        let both = u64::from(u16::from_le_bytes([index, value]));
        match self.mmio_port(port) {
            Some(address) => self.write(address, 2, both),
            None => self.out(port, 2, both),
        }
    }

    pub fn in_indexed(&mut self, port: u16, index: u8) {
        self.out_vga(port, index);
        self.in_vga(port + 1);
    }

    pub fn out_attribute(&mut self, index: u8, value: u8) {
        self.in_vga(0x3da);
        self.out_vga(0x3c0, index);
        self.out_vga(0x3c0, value);
    }

    pub fn mmio_dispi(&mut self, register: u16) -> Option<u64> {
        let base = self.mmio.filter(|_| register <= 10)?;
        let through_mmio = !self.setup.has_legacy() || self.chance(30);
        through_mmio.then_some(base + 0x500 + 2 * u64::from(register))
    }

    pub fn out_dispi(&mut self, register: u16, value: u16) {
        match self.mmio_dispi(register) {
            Some(address) => self.write(address, 2, value.into()),
            None => {
                let data = self.pick(&[0x1cf, 0x1d0]);
                self.out(0x1ce, 2, register.into());
                self.out(data, 2, value.into());
            }
        }
    }

    pub fn in_dispi(&mut self, register: u16) {
        match self.mmio_dispi(register) {
            Some(address) => self.read(address, 2),
            None => {
                let data = self.pick(&[0x1cf, 0x1d0]);
                self.out(0x1ce, 2, register.into());
                self.input(data, 2);
            }
        }
    }

    pub fn out_config(&mut self, offset: u8, width: u64, value: u64) {
        let address = CONFIG_ADDRESS | u64::from(offset & !3);
        self.out(0xcf8, 4, address);
        self.out(0xcfc + u16::from(offset & 3), width, value);
    }

    pub fn in_config(&mut self, offset: u8, width: u64) {
        let address = CONFIG_ADDRESS | u64::from(offset & !3);
        self.out(0xcf8, 4, address);
        self.input(0xcfc + u16::from(offset & 3), width);
    }
}
