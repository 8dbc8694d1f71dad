// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! A keyboard controller that answers firmware's self tests and delivers typed keys.

use std::collections::VecDeque;

/// Bytes that wait for the guest at most. A guest that never reads loses the rest.
const QUEUE: usize = 64;

const STATUS_OUTPUT_FULL: u8 = 1 << 0;
const STATUS_SYSTEM: u8 = 1 << 2;
const STATUS_UNLOCKED: u8 = 1 << 4;
const CONFIG_INTERRUPT: u8 = 1 << 0;
const CONFIG_RESET: u8 = 0x44; // translate, self test passed; firmware switches the interrupt on
const ACK: u8 = 0xfa;

/// Where the next byte written to port 0x60 goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    KeyboardCommand,
    KeyboardParameter,
    Config,
    /// A parameter of something that isn't there (the mouse, the output port).
    Nothing,
}

/// The controller and the keyboard behind it. Keys are scan codes of set 1, as translated.
pub struct I8042 {
    config: u8,
    expect: Expect,
    output: VecDeque<u8>,
    irq: bool,
    reset: bool,
}

impl I8042 {
    /// The state after power-on.
    pub fn new() -> Self {
        let (expect, output) = (Expect::KeyboardCommand, VecDeque::new());
        Self {
            config: CONFIG_RESET,
            expect,
            output,
            irq: false,
            reset: false,
        }
    }

    /// Reads port 0x60 (data) or 0x64 (status).
    pub fn read(&mut self, port: u16) -> u8 {
        if port == 0x64 {
            let full = if self.output.is_empty() {
                0
            } else {
                STATUS_OUTPUT_FULL
            };
            return STATUS_UNLOCKED | STATUS_SYSTEM | full;
        }
        let byte = self.output.pop_front().unwrap_or(0);
        self.irq |= !self.output.is_empty();
        byte
    }

    /// Writes port 0x60 (data) or 0x64 (command).
    pub fn write(&mut self, port: u16, value: u8) {
        if port == 0x64 {
            self.expect = Expect::KeyboardCommand;
            match value {
                0x20 => self.push(&[self.config]),
                0x60 => self.expect = Expect::Config,
                0xaa => self.push(&[0x55]), // controller self test: passed
                0xab => self.push(&[0x00]), // keyboard line test: passed
                0xd1..=0xd4 => self.expect = Expect::Nothing,
                0xfe => self.reset = true, // pulses the CPU's reset line
                _ => {}
            }
            return;
        }
        match std::mem::replace(&mut self.expect, Expect::KeyboardCommand) {
            Expect::Config => self.config = value,
            Expect::Nothing => {}
            Expect::KeyboardParameter => self.push(&[ACK]),
            Expect::KeyboardCommand => match value {
                0xff => self.push(&[ACK, 0xaa]),       // reset: self test passed
                0xf2 => self.push(&[ACK, 0xab, 0x41]), // identify: a translated MF2 keyboard
                0xed | 0xf0 | 0xf3 => {
                    self.expect = Expect::KeyboardParameter;
                    self.push(&[ACK]);
                }
                _ => self.push(&[ACK]),
            },
        }
    }

    /// Presses or releases keys: scan codes for the guest to read.
    pub fn push(&mut self, codes: &[u8]) {
        if self.output.len() + codes.len() <= QUEUE {
            self.output.extend(codes);
            self.irq = true;
        }
    }

    /// How many scan codes the guest would get now: none until it waits for them.
    pub fn room(&self) -> usize {
        if self.config & CONFIG_INTERRUPT == 0 {
            return 0;
        }
        QUEUE - self.output.len()
    }

    /// Whether interrupt line 1 must be pulsed now. Asking clears it.
    pub fn take_interrupt(&mut self) -> bool {
        std::mem::take(&mut self.irq) && self.config & CONFIG_INTERRUPT != 0
    }

    /// Whether the guest asked for a reset of the CPU.
    pub fn reset_requested(&self) -> bool {
        self.reset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn self_tests_pass_and_the_status_says_when_an_answer_waits() {
        let mut controller = I8042::new();
        assert_eq!(controller.read(0x64) & STATUS_OUTPUT_FULL, 0);
        controller.write(0x64, 0xaa);
        assert_eq!(
            controller.read(0x64) & STATUS_OUTPUT_FULL,
            STATUS_OUTPUT_FULL
        );
        assert_eq!(controller.read(0x60), 0x55);
        controller.write(0x64, 0xab);
        assert_eq!(controller.read(0x60), 0x00);
        controller.write(0x60, 0xff);
        assert_eq!([0; 2].map(|_: u8| controller.read(0x60)), [ACK, 0xaa]);
    }

    #[test]
    fn every_key_byte_raises_the_interrupt_when_it_is_switched_on() {
        let mut controller = I8042::new();
        controller.write(0x64, 0x60);
        controller.write(0x60, CONFIG_INTERRUPT);
        controller.push(&[0x1e, 0x9e]);
        assert!(controller.take_interrupt());
        assert!(!controller.take_interrupt());
        assert_eq!(controller.read(0x60), 0x1e);
        assert!(
            controller.take_interrupt(),
            "the second byte became readable"
        );
        controller.write(0x64, 0x60);
        controller.write(0x60, 0);
        controller.push(&[0x1e]);
        assert!(!controller.take_interrupt());
    }

    #[test]
    fn there_is_room_for_keys_once_the_guest_waits_for_them() {
        let mut controller = I8042::new();
        assert_eq!(controller.room(), 0);
        controller.write(0x64, 0x60);
        controller.write(0x60, CONFIG_INTERRUPT);
        assert_eq!(controller.room(), QUEUE);
        controller.push(&[0x1e, 0x9e]);
        assert_eq!(controller.room(), QUEUE - 2);
    }

    #[test]
    fn a_guest_that_never_reads_fills_no_memory() {
        let mut controller = I8042::new();
        (0..1000).for_each(|_| controller.write(0x64, 0xaa));
        assert_eq!(controller.output.len(), QUEUE);
    }
}
