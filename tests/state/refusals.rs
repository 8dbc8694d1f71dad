// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! States that no device can have, and states of another device, are refused by name.

use std::sync::Arc;

use stdvga::state::RetraceTiming;
use stdvga::{Config, Monitor, State, StdVga, Variant, WindowRam};
use stdvga_testing::driver::{BAR0, COMMAND, COMMAND_MEMORY, Guest};
use stdvga_testing::machine::precise_retrace;
use vm_memory::MmapRegion;

const MIB: usize = 1 << 20;

/// Makes something of a state that is wrong.
type Change = fn(&mut State);

fn config() -> Config {
    Config::default().vram_mib(1).rom(vec![0x55; 3000])
}

/// The state of a device in a DISPI mode: 640x480 in 256 colours.
fn state() -> State {
    let mut guest = Guest::with(config());
    guest.vbe_mode(640, 480, 8);
    guest.vga.state()
}

/// Fails unless a device with this configuration refuses the state, and says why.
#[track_caller]
fn expect_refusal(config: Config, state: &State, message: &str) {
    match StdVga::from_state(config.clone(), state) {
        Ok(_) => panic!("expected a refusal: {message}"),
        Err(error) => assert_eq!(error.to_string(), message, "the refusal"),
    }
    if StdVga::new(config.clone()).is_ok() {
        expect_refusal_in_place(Guest::with(config), state, message);
    }
}

/// Fails unless a device refuses to be brought to the state, says why, and is as it was.
#[track_caller]
fn expect_refusal_in_place(mut guest: Guest, state: &State, message: &str) {
    guest.mode_03h();
    guest.reset();
    guest.config_write(BAR0, &0xe000_0000_u32.to_le_bytes());
    guest.config_write(COMMAND, &COMMAND_MEMORY.to_le_bytes());
    guest.planar_mode(320, 200);
    let seen = |guest: &Guest| {
        let vga = &guest.vga;
        (vga.state(), vga.mappings(), vga.counters(), vga.scanout())
    };
    let before = seen(&guest);
    match guest.vga.restore(state) {
        Ok(effects) => panic!("expected a refusal in place, not {effects:?}: {message}"),
        Err(error) => assert_eq!(error.to_string(), message, "the refusal in place"),
    }
    assert_eq!(seen(&guest), before, "the device that refused: {message}");
}

#[track_caller]
fn expect_refusals(refusals: &[(Change, &str)]) {
    for (change, message) in refusals {
        let mut state = state();
        change(&mut state);
        expect_refusal(config(), &state, message);
    }
}

#[test]
fn a_state_of_another_device_is_refused() {
    let with = |change: fn(&mut Config)| {
        let mut config = config();
        change(&mut config);
        config
    };
    for (config, message) in [
        (
            with(|config| {
                config.variant = Variant::IsaVga;
                config.rom = None;
            }),
            "the state was saved with `variant` = VGA, but the configuration has isa-vga",
        ),
        (
            with(|config| config.vram_mib = Some(2)),
            "the state was saved with `vram_bytes` = 1048576, but the configuration has 2097152",
        ),
        (
            with(|config| config.rom = None),
            "the state was saved with `rom_bytes` = 4096, but the configuration has 0",
        ),
        (
            with(|config| config.mmio = false),
            "the state was saved with `mmio` = true, but the configuration has false",
        ),
        (
            with(|config| config.qemu_extended_regs = false),
            "the state was saved with `qemu_extended_regs` = true, but the configuration has false",
        ),
        (
            with(|config| config.dispi_data_port_1cf = false),
            "the state was saved with `dispi_data_port_1cf` = true, but the configuration has false",
        ),
        (
            with(|config| config.retrace = precise_retrace().1),
            "the state was saved with `precise_retrace` = false, but the configuration has true",
        ),
        (
            with(|config| config.edid = false),
            "`monitor` is present in the state, but not in the configured device",
        ),
    ] {
        expect_refusal(config, &state(), message);
    }
}

#[test]
fn a_state_without_a_part_of_the_device_is_refused() {
    expect_refusals(&[
        (
            |state| state.pci = None,
            "`pci` is missing in the state, but not in the configured device",
        ),
        (
            |state| state.monitor = None,
            "`monitor` is missing in the state, but not in the configured device",
        ),
    ]);
}

#[test]
fn a_configuration_that_is_wrong_by_itself_is_refused_as_ever() {
    let config = config().rom(Vec::new());
    let message = "the option ROM has 0 bytes: 1 to 16777216 are allowed";
    expect_refusal(config, &state(), message);
}

#[test]
fn a_region_of_another_length_is_refused() {
    let region = Arc::new(MmapRegion::<()>::new(2 * MIB).expect("2 MiB"));
    let config = config().vram_mib(None);
    let error = StdVga::from_state_with_vram(config, &state(), region).map(|_| ());
    let message =
        "the state was saved with `vram_bytes` = 1048576, but the configuration has 2097152";
    assert_eq!(error.expect_err(message).to_string(), message);
}

#[test]
fn versions_that_are_not_known_are_refused() {
    let known = State::VERSION;
    for version in [0, known + 1] {
        let mut state = state();
        state.version = version;
        let message = format!(
            "the state has version {version}, but only versions 1 to {known} are supported"
        );
        expect_refusal(config(), &state, &message);
    }
}

#[test]
fn bits_that_a_register_does_not_keep_are_refused() {
    expect_refusals(&[
        (
            |state| state.misc.output |= 0x10,
            "`misc.output` is 0x11 in the state: only bits 0xef may be set",
        ),
        (
            |state| state.misc.feature_control = 0x08,
            "`misc.feature_control` is 0x8 in the state: only bits 0x10 may be set",
        ),
        (
            |state| state.sequencer.index = 8,
            "`sequencer.index` is 0x8 in the state: only bits 0x7 may be set",
        ),
        (
            |state| state.sequencer.registers[2] = 0x1f,
            "`sequencer.registers[0x2]` is 0x1f in the state: only bits 0xf may be set",
        ),
        (
            |state| state.graphics.index = 0x10,
            "`graphics.index` is 0x10 in the state: only bits 0xf may be set",
        ),
        (
            |state| state.graphics.registers[8 + 1] = 0x01,
            "`graphics.registers[0x9]` is 0x1 in the state: only bits 0x0 may be set",
        ),
        (
            |state| state.attribute.index = 0x40,
            "`attribute.index` is 0x40 in the state: only bits 0x3f may be set",
        ),
        (
            |state| state.attribute.registers[0x14] = 0x10,
            "`attribute.registers[0x14]` is 0x10 in the state: only bits 0xf may be set",
        ),
    ]);
}

#[test]
fn values_out_of_range_are_refused() {
    expect_refusals(&[
        (
            |state| state.dac.component = 3,
            "`dac.component` is 0x3 in the state: 0x0 to 0x2 are allowed",
        ),
        (
            |state| state.dispi.registers[0] = 0xb0c6,
            "`dispi.registers[0x0]` is 0xb0c6 in the state: 0xb0c0 to 0xb0c5 are allowed",
        ),
        (
            |state| state.dispi.registers[5] = 0x10,
            "`dispi.registers[0x5]` is 0x10 in the state: 0x0 to 0xf are allowed",
        ),
        (
            |state| state.dispi.bank_offset = 0x10_0000,
            "`dispi.bank_offset` is 0x100000 in the state: only bits 0xf0000 may be set",
        ),
    ]);
}

#[test]
fn a_retrace_that_no_registers_make_is_refused() {
    type ChangeTiming = fn(&mut RetraceTiming);
    let refusals: [(ChangeTiming, &str); 7] = [
        (
            |timing| timing.nanoseconds_per_character = 0,
            "nanoseconds_per_character` is 0x0 in the state: 0x11a to 0x165 are allowed",
        ),
        (
            |timing| timing.characters_per_line = 521,
            "characters_per_line` is 0x209 in the state: 0x5 to 0x208 are allowed",
        ),
        (
            |timing| timing.lines = 0,
            "lines` is 0x0 in the state: 0x2 to 0x401 are allowed",
        ),
        (
            |timing| timing.vertical_retrace = 1024..=1039,
            "vertical_retrace.start` is 0x400 in the state: 0x0 to 0x3ff are allowed",
        ),
        (
            |timing| timing.vertical_retrace = 0..=1040,
            "vertical_retrace.end` is 0x410 in the state: 0x1 to 0x40f are allowed",
        ),
        (
            |timing| timing.horizontal_retrace = 259..=290,
            "horizontal_retrace.start` is 0x103 in the state: 0x0 to 0x102 are allowed",
        ),
        (
            |timing| timing.horizontal_retrace = 0..=u64::MAX,
            "horizontal_retrace.end` is 0xffffffffffffffff in the state: 0x1 to 0x122 are allowed",
        ),
    ];
    let config = config().retrace(precise_retrace().1);
    let mut guest = Guest::with(config.clone());
    guest.mode_03h();
    for (change, message) in refusals {
        let mut state = guest.vga.state();
        change(state.misc.timing.as_mut().expect("timing was programmed"));
        expect_refusal(config.clone(), &state, &format!("`misc.timing.{message}"));
    }
}

#[test]
fn timing_is_refused_where_no_retrace_follows_it() {
    let mut guest = Guest::with(config().retrace(precise_retrace().1));
    guest.mode_03h();
    let mut saved = state();
    saved.misc.timing = guest.vga.state().misc.timing;
    let message = "`misc.timing` is present in the state, but not in the configured device";
    expect_refusal(config(), &saved, message);
}

#[test]
fn bits_of_configuration_space_that_are_fixed_must_be_as_configured() {
    expect_refusals(&[
        (
            |state| pci(state)[0x00] = 0x86,
            "`pci.bytes[0x0]` is 0x86 in the state: only 0x34 is allowed",
        ),
        (
            |state| pci(state)[0x04] = 0xff,
            "`pci.bytes[0x4]` is 0xff in the state: only 0x7 is allowed",
        ),
        (
            |state| pci(state)[0x10] = 0x00,
            "`pci.bytes[0x10]` is 0x0 in the state: only 0x8 is allowed",
        ),
        (
            |state| pci(state)[0x12] = 0xf8,
            "`pci.bytes[0x12]` is 0xf8 in the state: only 0xf0 is allowed",
        ),
    ]);
}

fn pci(state: &mut State) -> &mut [u8; 256] {
    &mut state.pci.as_mut().expect("a PCI device").bytes
}

#[test]
fn a_dispi_mode_that_vram_cannot_hold_is_refused() {
    expect_refusals(&[
        (
            |state| state.dispi.registers[1] = 641,
            "`dispi.registers[0x1]` is 0x281 in the state: only 0x280 is allowed",
        ),
        (
            |state| state.dispi.registers[2] = 12000,
            "`dispi.registers[0x2]` is 0x2ee0 in the state: only 0x666 is allowed",
        ),
        (
            |state| state.dispi.registers[3] = 0,
            "`dispi.registers[0x3]` is 0x0 in the state: only 0x8 is allowed",
        ),
        (
            |state| state.dispi.registers[6] = 0,
            "`dispi.registers[0x6]` is 0x0 in the state: only 0x280 is allowed",
        ),
        (
            |state| state.dispi.registers[7] = 480,
            "`dispi.registers[0x7]` is 0x1e0 in the state: only 0x666 is allowed",
        ),
        (
            |state| state.dispi.registers[9] = 2000,
            "`dispi.registers[0x9]` is 0x7d0 in the state: only 0x0 is allowed",
        ),
    ]);
}

#[test]
fn registers_that_the_dispi_mode_dictates_must_be_as_it_does() {
    expect_refusals(&[
        (
            |state| state.crtc.registers[0x01] = 0,
            "`crtc.registers[0x1]` is 0x0 in the state: only 0x4f is allowed",
        ),
        (
            |state| state.graphics.registers[6] = 0,
            "`graphics.registers[0x6]` is 0x0 in the state: only 0x5 is allowed",
        ),
        (
            |state| state.sequencer.vbe_chained = false,
            "`sequencer.vbe_chained` is 0x0 in the state: only 0x1 is allowed",
        ),
    ]);
    let mut state = state();
    state.dispi.registers[4] = 0;
    state.crtc.registers[0x01] = 0;
    let vga = StdVga::from_state(config(), &state);
    assert!(
        vga.is_ok(),
        "a guest may write it once DISPI is off: {vga:?}"
    );
}

#[test]
fn a_part_of_the_window_that_no_memory_map_has_is_refused() {
    const BANK_1: WindowRam = WindowRam {
        offset: 0,
        len: 0x1_0000,
        vram_offset: 0x1_0000,
    };
    expect_refusals(&[
        (
            |state| {
                state.window_ram = Some(WindowRam {
                    vram_offset: 0x10_0000,
                    ..BANK_1
                });
            },
            "`window_ram.vram_offset` is 0x100000 in the state: only bits 0xf0000 may be set",
        ),
        (
            |state| {
                state.window_ram = Some(WindowRam {
                    len: 0x2_0000,
                    ..BANK_1
                });
            },
            "`window_ram` is 0x20000 bytes at 0x0 in the state, showing VRAM from 0x10000: no memory map of the device matches",
        ),
    ]);
    let config = Config::new(Variant::SecondaryVga);
    let mut state = Guest::with(config.clone()).vga.state();
    state.window_ram = Some(BANK_1);
    expect_refusal(
        config,
        &state,
        "`window_ram` is 0x10000 bytes at 0x0 in the state, showing VRAM from 0x10000: no memory map of the device matches",
    );
}

#[test]
fn the_state_decides_on_the_monitor_and_the_byte_order() {
    let mut state = state();
    state.monitor = Some(Monitor::new(1920, 1080));
    let vga = StdVga::from_state(config(), &state).expect("a state that a device can have");
    assert_eq!(vga.state(), state);
}
