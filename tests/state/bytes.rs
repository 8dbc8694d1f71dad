// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! States as bytes: what is written is read again, and other bytes are refused by offset.

use stdvga::{Config, State, StateError, StdVga};
use stdvga_testing::actions::{Choices, SMALL_SETUPS, program};
use stdvga_testing::driver::Guest;
use stdvga_testing::machine::{Machine, precise_retrace};

/// Lengths of the state of an `isa-vga`, which has no option, and of one that has them all.
const SHORTEST: usize = 1161;
const LONGEST: usize = 1505;
/// Offsets of what the layout has before any option.
const VERSION: usize = 8;
const VARIANT: usize = 12;
const MMIO: usize = 29;
const PCI: usize = 33;

fn config() -> Config {
    Config::default().vram_mib(1).retrace(precise_retrace().1)
}

/// The state of a device that has every option.
fn state() -> State {
    let mut guest = Guest::with(config());
    guest.mode_03h();
    guest.mode_13h();
    let state = guest.vga.state();
    assert!(state.window_ram.is_some() && state.misc.timing.is_some());
    state
}

#[track_caller]
fn refusal(bytes: &[u8]) -> StateError {
    State::from_bytes(bytes).expect_err("bytes that aren't a state's")
}

/// Fails unless the state survives being written and read, and has one form only.
fn expect_read_again(state: &State, place: &str) {
    let bytes = state.to_bytes();
    let read =
        State::from_bytes(&bytes).unwrap_or_else(|error| panic!("{place}: {error}, {bytes:02x?}"));
    assert_eq!(read, *state, "{place}");
    assert_eq!(read.to_bytes(), bytes, "{place}");
}

#[test]
fn the_state_of_any_device_is_read_as_it_was_written() {
    for setup in &SMALL_SETUPS {
        for (number, has_precise_retrace) in (0..8).zip([false, true].into_iter().cycle()) {
            let mut machine = Machine::new(setup, has_precise_retrace);
            expect_read_again(&machine.guest.vga.state(), setup.device);
            let program = program::random(setup, Choices::seeded(number), 1000);
            for (at, access) in program.iter().enumerate() {
                machine.put(access);
                if at % 16 == 0 {
                    let place = format!("{}, program {number}, access {at}", setup.device);
                    expect_read_again(&machine.guest.vga.state(), &place);
                }
            }
        }
    }
    let without_edid = config().edid(false);
    expect_read_again(&Guest::with(without_edid).vga.state(), "without EDID");
}

#[test]
fn the_layout_has_the_length_documented() {
    assert_eq!(state().to_bytes().len(), LONGEST);
    let isa = Machine::new(&SMALL_SETUPS[3], false).guest.vga.state();
    assert_eq!(isa.to_bytes().len(), SHORTEST);
}

#[test]
fn a_state_that_is_cut_off_anywhere_is_refused() {
    let bytes = state().to_bytes();
    for len in 0..bytes.len() {
        match refusal(&bytes[..len]) {
            StateError::Truncated {
                offset,
                needed,
                left,
            } => assert!(
                offset + left == len && left < needed,
                "{len} bytes: {needed} at {offset}, {left} left"
            ),
            other => panic!("{len} bytes: {other}"),
        }
    }
    assert_eq!(
        refusal(&bytes[..LONGEST - 3]).to_string(),
        "8 more bytes are needed at offset 0x5d9, but only 5 are left"
    );
}

#[test]
fn bytes_after_a_state_are_refused() {
    let mut bytes = state().to_bytes();
    bytes.extend([0; 2]);
    assert_eq!(
        refusal(&bytes).to_string(),
        "the state ends at offset 0x5e1, but 0x5e3 bytes were given"
    );
}

#[test]
fn bytes_that_begin_otherwise_are_refused() {
    let mut bytes = state().to_bytes();
    bytes[7] = 0;
    assert_eq!(
        refusal(&bytes).to_string(),
        "the bytes start with [53, 54, 44, 56, 47, 41, 0d, 00], but a saved state starts with [53, 54, 44, 56, 47, 41, 0d, 0a]"
    );
}

#[test]
fn another_version_is_refused_before_the_rest_is_looked_at() {
    for version in [0, State::VERSION + 1] {
        let mut bytes = state().to_bytes();
        bytes[VERSION..VARIANT].copy_from_slice(&version.to_le_bytes());
        bytes.truncate(VARIANT);
        let known = State::VERSION;
        assert_eq!(
            refusal(&bytes).to_string(),
            format!(
                "the state has version {version}, but only versions 1 to {known} are supported"
            )
        );
    }
}

#[test]
fn a_tag_that_the_layout_does_not_have_is_refused() {
    for (offset, value, message) in [
        (
            VARIANT,
            3,
            "the tag at offset 0xc is 0x3: 0x0 to 0x2 are allowed",
        ),
        (
            MMIO,
            0xff,
            "the tag at offset 0x1d is 0xff: 0x0 to 0x1 are allowed",
        ),
        (
            PCI,
            2,
            "the tag at offset 0x21 is 0x2: 0x0 to 0x1 are allowed",
        ),
    ] {
        let mut bytes = state().to_bytes();
        bytes[offset] = value;
        assert_eq!(refusal(&bytes).to_string(), message);
    }
}

#[test]
fn reading_allocates_nothing() {
    let bytes = state().to_bytes();
    let allocated = allocation_counter::measure(|| {
        State::from_bytes(&bytes).expect("a state");
    });
    assert_eq!(allocated.count_total, 0, "allocations: {allocated:?}");
}

#[test]
fn a_byte_that_is_wrong_anywhere_is_refused_or_leaves_a_state_that_is_checked() {
    let bytes = state().to_bytes();
    let mut vga = StdVga::new(config()).expect("a device");
    let (mut unread, mut refused, mut restored) = (0, 0, 0);
    for at in 0..bytes.len() {
        let values = (0..8).map(|bit| bytes[at] ^ 1 << bit);
        for value in values.chain([0x00, 0xff, !bytes[at]]) {
            let mut bytes = bytes.clone();
            bytes[at] = value;
            let Ok(state) = State::from_bytes(&bytes) else {
                unread += 1;
                continue;
            };
            assert_eq!(state.to_bytes(), bytes, "byte {at} is {value:#x}");
            match vga.restore(&state) {
                Err(_) => refused += 1,
                Ok(_) => {
                    restored += 1;
                    let mut expected = state;
                    expected.monitor = vga.monitor();
                    assert_eq!(vga.state(), expected, "byte {at} is {value:#x}");
                }
            }
        }
    }
    assert!(
        unread > 100 && refused > 1000 && restored > 1000,
        "{unread} weren't read, {refused} refused, {restored} restored: that's too few of a kind"
    );
}
