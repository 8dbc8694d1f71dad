// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The first serial port: 0x3f8-0x3ff. What the guest sends goes to stderr; nothing comes in.

use std::cell::Cell;
use std::convert::Infallible;

use vm_superio::Trigger;

use crate::console::GuestText;

/// The port's registers.
pub struct Serial(vm_superio::Serial<Interrupt, vm_superio::serial::NoEvents, GuestText>);

impl Serial {
    /// A port in its power-on state.
    pub fn new() -> Self {
        Self(vm_superio::Serial::new(Interrupt::default(), GuestText))
    }

    /// Reads the register at `offset`.
    pub fn read(&mut self, offset: u16) -> u8 {
        self.0.read(offset as u8)
    }

    /// Writes the register at `offset`.
    pub fn write(&mut self, offset: u16, value: u8) {
        // A closed stderr is no reason to stop the machine.
        let _ = self.0.write(offset as u8, value);
    }

    /// Whether the port has asked for an interrupt since this was last called.
    pub fn take_interrupt(&mut self) -> bool {
        self.0.interrupt_evt().0.take()
    }
}

/// Whether the port asks for an interrupt.
#[derive(Default)]
struct Interrupt(Cell<bool>);

impl Trigger for Interrupt {
    type E = Infallible;

    fn trigger(&self) -> Result<(), Infallible> {
        self.0.set(true);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_interrupts_once_where_it_may() {
        const INTERRUPT_ENABLE: u16 = 1;
        let mut serial = Serial::new();
        serial.write(0, b'\r');
        assert!(!serial.take_interrupt());
        serial.write(INTERRUPT_ENABLE, 0b10); // ready for the next byte
        assert!(serial.take_interrupt());
        assert!(!serial.take_interrupt());
    }
}
