//! Random accesses and refreshes: after each refresh the surface is as if all of it had been drawn.
//!
//! Environment: `STDVGA_PROGRAMS`, how many programs; 60 where it isn't set, and never fewer. They're the
//! same in every run, so a failure is found again by its number.

use std::fmt::Write;

use rand::prelude::*;
use stdvga::{Damage, DirectScanout, Dirty, Format, Kernels, Mode, Rect, Screen};

use super::UNTOUCHED;
use super::driver::{
    BPP, ENABLE, ENABLED, Guest, Monitor, NO_CLEAR, VIRT_WIDTH, X_OFFSET, XRES, Y_OFFSET, YRES,
};

/// Steps of a program.
const STEPS: usize = 150;
/// VGA modes show the first 256 KiB of VRAM.
const VGA_BYTES: u64 = 0x4_0000;

/// A guest that does anything, shown by a screen that draws what changed and by one that draws all.
struct Program {
    rng: SmallRng,
    guest: Guest,
    milliseconds: u64,
    changed: Monitor,
    all: Monitor,
    /// What was shown of VRAM itself at the last refresh.
    direct: Option<DirectScanout>,
    /// What was done, for the message of a failure.
    steps: String,
}

impl Program {
    fn new(number: u64) -> Self {
        Self {
            rng: SmallRng::seed_from_u64(number),
            // More than text reaches: where cells don't lie in VRAM, what's left of the picture before
            // depends on what that was.
            guest: Guest::with_vram(4),
            milliseconds: 0,
            changed: Monitor::default(),
            all: Monitor {
                screen: Screen::with_kernels(Kernels::Portable),
                ..Monitor::default()
            },
            direct: None,
            steps: String::new(),
        }
    }

    fn below(&mut self, end: u64) -> u64 {
        self.rng.random_range(0..end)
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        *from
            .choose(&mut self.rng)
            .expect("something to choose from")
    }

    fn note(&mut self, step: std::fmt::Arguments<'_>) {
        writeln!(self.steps, "{step}").expect("a string takes all");
    }

    /// Sets a mode of a moderate size.
    fn set_mode(&mut self) {
        // Often the same, so that a picture comes back.
        let (width, height) = if self.rng.random_bool(0.5) {
            (320, 200)
        } else {
            (8 * (1 + self.below(40) as u16), 1 + self.below(200) as u16)
        };
        let kind = self.below(8);
        self.note(format_args!("mode {kind}, {width}x{height}"));
        match kind {
            0 => self.guest.mode_03h(),
            1 => self.guest.mode_13h(),
            2 => {
                self.guest.planar_mode(width, height);
                let (shift, clocking) = (self.pick(&[0x00, 0x20]), self.pick(&[0x01, 0x09]));
                self.note(format_args!("shift {shift:#x}, clocking {clocking:#x}"));
                self.guest.graphics(0x05, shift);
                self.guest.sequencer(0x01, clocking);
            }
            3 => {
                self.guest.mode_03h();
                self.guest.attribute(0x10, 0x08);
                self.guest.crtc_mode(19, 199, 11, 0x07, 0xa3);
            }
            _ => {
                let bpp = self.pick(&[4, 8, 15, 16, 24, 32]);
                self.guest.vbe_mode(width, height, bpp);
            }
        }
        if kind < 4 {
            self.guest.dispi(ENABLE, 0);
        }
    }

    /// Writes a register that pictures depend on.
    fn poke(&mut self) {
        let value = self.rng.random::<u8>();
        match self.below(7) {
            0 | 1 => {
                let (index, value) = match self.below(8) {
                    // Moderate sizes.
                    0 => (0x01, value & 0x1f),
                    1 => (0x12, value),
                    2 => (0x06, self.pick(&[0, 100])),
                    3 => (0x07, value & 0x10),
                    _ => {
                        let index = self
                            .pick(&[0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x13, 0x17, 0x18]);
                        (index, value)
                    }
                };
                self.note(format_args!("CRTC {index:#x} = {value:#x}"));
                self.guest.crtc(index, value);
            }
            2 => {
                let index = self.below(0x15) as u8;
                self.note(format_args!("attribute {index:#x} = {value:#x}"));
                self.guest.attribute(index, value);
                if self.rng.random_bool(0.9) {
                    self.guest.unblank();
                }
            }
            3 => {
                let index = self.pick(&[1, 2, 3, 4]);
                self.note(format_args!("sequencer {index:#x} = {value:#x}"));
                self.guest.sequencer(index, value);
            }
            4 => {
                let index = self.pick(&[5, 6]);
                self.note(format_args!("graphics {index:#x} = {value:#x}"));
                self.guest.graphics(index, value);
            }
            5 => {
                self.note(format_args!("DAC {value:#x}"));
                self.guest.dac(value, [value, !value, value >> 2]);
            }
            _ => self.poke_dispi(),
        }
    }

    fn poke_dispi(&mut self) {
        let (register, value) = match self.below(7) {
            0 => (XRES, self.below(400)),
            1 => (YRES, self.below(200)),
            2 => (BPP, self.pick(&[0, 4, 8, 15, 16, 24, 32])),
            3 => (VIRT_WIDTH, self.below(1000)),
            4 => (X_OFFSET, self.below(64)),
            5 => (Y_OFFSET, self.below(2000)),
            _ => (
                ENABLE,
                self.pick(&[0, ENABLED, ENABLED | NO_CLEAR, ENABLED | 0x20])
                    .into(),
            ),
        };
        self.note(format_args!("DISPI {register:#x} = {value:#x}"));
        self.guest.dispi(register, value as u16);
    }

    /// Writes some bytes of VRAM, mostly where something shows.
    fn write(&mut self) {
        let len = self.pick(&[1, 2, 4, 300, 5000]);
        let mut data = vec![self.pick(&[0x00, 0xff]); len];
        if self.rng.random_bool(0.5) {
            self.rng.fill(&mut data[..]);
        }
        let end = match self.below(4) {
            0 => 0x4000,
            1 | 2 => VGA_BYTES,
            _ => self.guest.vga.vram().len(),
        };
        let offset = match self.below(5) {
            0 => end - self.below(8000),
            _ => self.below(end),
        };
        if self.rng.random_bool(0.2) {
            self.note(format_args!("{len} bytes at {offset:#x} of the window"));
            self.guest.window_write(offset & 0x1_ffff, &data);
        } else {
            self.note(format_args!("{len} bytes at {offset:#x} of VRAM"));
            self.guest.vga.vram().write(offset, &data);
        }
    }

    fn step(&mut self) {
        match self.below(100) {
            0..6 => self.set_mode(),
            6..25 => self.poke(),
            25..65 => self.write(),
            65..70 => {
                self.milliseconds += self.below(600);
                let now = self.milliseconds;
                self.note(format_args!("{now} ms"));
            }
            70 => {
                self.note(format_args!("reset"));
                self.guest.reset();
            }
            71..73 => {
                let order = self.pick(&[0x1e1e_1e1e_u32, 0xbebe_bebe]);
                self.note(format_args!("byte order {order:#x}"));
                self.guest.mmio_write(0x604, &order.to_le_bytes());
            }
            73..77 => {
                let is_blank = self.rng.random();
                self.note(format_args!("blank: {is_blank}"));
                if is_blank {
                    self.guest.blank();
                } else {
                    self.guest.unblank();
                }
            }
            _ => self.refresh(),
        }
    }

    fn refresh(&mut self) {
        let words = self.guest.take_dirty();
        let source = match self.below(8) {
            0..4 => Dirty::Pages(&words),
            4..7 => Dirty::Compare,
            _ => Dirty::All,
        };
        self.note(format_args!("refresh: {}", name(source)));
        let before = (self.changed.size, self.changed.pixels.clone());
        let damage = self
            .changed
            .refresh_where(&mut self.guest, source, self.milliseconds);
        self.all
            .refresh_where(&mut self.guest, Dirty::All, self.milliseconds);

        let size = self.changed.size;
        assert_eq!(size, self.all.size, "{}", self.steps);
        if let Some((x, y)) = self.first_difference(&self.all.pixels) {
            panic!(
                "the pixel at {x},{y} is {:#x}, and {:#x} where all is drawn, after\n{}",
                self.changed.pixel(x, y),
                self.all.pixel(x, y),
                self.steps
            );
        }
        let before = if before.0 == size {
            before.1
        } else {
            vec![UNTOUCHED; self.changed.pixels.len()]
        };
        self.check_damage(&before, &damage);

        let direct = self.guest.vga.scanout().direct(self.guest.vga.vram());
        if let Some(direct) = direct.filter(|_| direct == self.direct) {
            let damage = direct.damage(&words).expect("as many words as pages");
            self.check_damage(&before, &damage);
        }
        self.direct = direct;
    }

    /// Every pixel that changed must lie in the damage, and the damage in the picture.
    fn check_damage(&self, before: &[u32], damage: &Damage) {
        let (width, height) = self.changed.dimensions();
        for rect in damage.iter() {
            let Rect { x, y, size } = rect;
            assert!(
                x + size.width <= width && y + size.height <= height,
                "{rect:?} isn't in a picture of {width}x{height}, after\n{}",
                self.steps
            );
        }
        let mut outside = before.to_vec();
        for Rect { x, y, size } in damage.iter() {
            for line in y..y + size.height {
                let start = (line * width + x) as usize;
                let changed = start..start + size.width as usize;
                outside[changed.clone()].copy_from_slice(&self.changed.pixels[changed]);
            }
        }
        if let Some((x, y)) = self.first_difference(&outside) {
            panic!(
                "the pixel at {x},{y} changed, but isn't in {:?}, after\n{}",
                damage.rects(),
                self.steps
            );
        }
    }

    /// The first place where the surface that changed isn't like others.
    fn first_difference(&self, others: &[u32]) -> Option<(u32, u32)> {
        let pixels = &self.changed.pixels;
        if pixels == others {
            return None;
        }
        let at = pixels
            .iter()
            .zip(others)
            .position(|(one, other)| one != other)? as u32;
        let (width, _) = self.changed.dimensions();
        Some((at % width, at / width))
    }

    /// A picture that lies in VRAM must be what is drawn.
    fn check_direct(&mut self) {
        let scanout = self.guest.vga.scanout();
        let vram = self.guest.vga.vram();
        let (Some(direct), Mode::Graphics(mode)) = (scanout.direct(vram), scanout.mode()) else {
            return;
        };
        let mut monitor = Monitor::default();
        monitor.refresh(&mut self.guest, self.milliseconds);
        let bytes_per_pixel = u64::from(mode.format.bits_per_pixel().div_ceil(8));
        let x = self.below(direct.size.width.into());
        let y = self.below(direct.size.height.into());
        let address = u64::from(direct.offset) + y * u64::from(direct.pitch) + x * bytes_per_pixel;
        let mut bytes = [0; 4];
        self.guest
            .vga
            .vram()
            .read(address, &mut bytes[..bytes_per_pixel as usize]);
        assert_eq!(
            monitor.pixel(x as u32, y as u32),
            stored_color(mode.format, bytes),
            "at {x},{y} of {direct:?} after\n{}",
            self.steps
        );
    }
}

fn name(source: Dirty<'_>) -> &'static str {
    match source {
        Dirty::All => "all",
        Dirty::Pages(_) => "pages",
        Dirty::Compare => "compare",
    }
}

/// The colour of a pixel that lies in VRAM as it shows.
fn stored_color(format: Format, bytes: [u8; 4]) -> u32 {
    let word = u16::from_le_bytes([bytes[0], bytes[1]]);
    let field = |shift: u32, bits: u32| {
        let value = u32::from(word) >> shift & ((1 << bits) - 1);
        value << (8 - bits) | value >> (2 * bits - 8)
    };
    let [red, green, blue] = match &format.fourcc().expect("a format of DRM's").to_le_bytes() {
        b"XR15" => [field(10, 5), field(5, 5), field(0, 5)],
        b"RG16" => [field(11, 5), field(5, 6), field(0, 5)],
        b"RG24" | b"XR24" => [2, 1, 0].map(|at: usize| bytes[at].into()),
        b"BG24" => [0, 1, 2].map(|at: usize| bytes[at].into()),
        b"BX24" => [1, 2, 3].map(|at: usize| bytes[at].into()),
        other => panic!("{other:?} is no format of this device"),
    };
    red << 16 | green << 8 | blue
}

fn programs() -> u64 {
    /// Enough to show every kind of picture.
    const FEWEST: u64 = 60;
    std::env::var("STDVGA_PROGRAMS").map_or(FEWEST, |number| {
        let number: u64 = number.parse().expect("STDVGA_PROGRAMS is a number");
        number.max(FEWEST)
    })
}

#[test]
fn a_surface_ends_up_as_if_all_had_been_drawn() {
    for number in 0..programs() {
        let mut program = Program::new(number);
        writeln!(program.steps, "program {number}:").expect("a string takes all");
        program.set_mode();
        for _ in 0..STEPS {
            program.step();
        }
        program.refresh();
    }
}

#[test]
fn a_picture_that_lies_in_vram_is_what_is_drawn() {
    for number in 0..programs() {
        let mut program = Program::new(number);
        program.set_mode();
        for _ in 0..STEPS {
            program.step();
            if program.rng.random_bool(0.1) {
                program.check_direct();
            }
        }
    }
}

#[test]
fn programs_show_every_kind_of_picture() {
    let mut seen = std::collections::BTreeSet::new();
    for number in 0..programs() {
        let mut program = Program::new(number);
        program.set_mode();
        for _ in 0..STEPS {
            program.step();
            seen.insert(match program.guest.vga.scanout().mode() {
                Mode::Blank => "blank".into(),
                Mode::Text(text) if text.is_drawable() => "text".into(),
                Mode::Text(_) => "undrawable text".into(),
                Mode::Graphics(mode) => format!("{:?}", mode.format),
            });
        }
    }
    assert!(seen.len() >= 3 + 4 + 2 + 8, "{seen:?}");
}
