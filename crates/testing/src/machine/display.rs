// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! A screen that draws what changed, beside one that draws all, and one that draws only what it must.

use stdvga::{Damage, DirectScanout, Dirty, Format, GraphicsMode, Kernels, Mode, Rect, Screen};

use crate::actions::Source;
use crate::driver::{Guest, Monitor, UNTOUCHED};

/// The most pixels of a picture that is drawn, for the time it takes.
const MAX_PIXELS: u64 = 1 << 19;

/// Screens of the same guest, which must always show the same.
pub struct Display {
    pub changed: Monitor,
    all: Monitor,
    /// Draws what changed, but not what lies in VRAM as it shows.
    indirect: Monitor,
    /// What was shown of VRAM itself at the last refresh.
    direct: Option<DirectScanout>,
    /// What changed in VRAM since the last refresh of these screens.
    words: Vec<u64>,
}

impl Default for Display {
    fn default() -> Self {
        Self {
            changed: Monitor::default(),
            all: Monitor {
                screen: Screen::with_kernels(Kernels::Portable),
                ..Monitor::default()
            },
            indirect: Monitor::default(),
            direct: None,
            words: Vec::new(),
        }
    }
}

impl Display {
    /// Refreshes all of them, and tells what is wrong with the result. Very large pictures aren't drawn.
    pub fn refresh(
        &mut self,
        guest: &mut Guest,
        source: Source,
        milliseconds: u64,
    ) -> Result<(), String> {
        let new = guest.take_dirty();
        self.words.resize(new.len(), 0);
        for (word, new) in self.words.iter_mut().zip(new) {
            *word |= new;
        }
        let scanout = guest.vga.scanout();
        if self.changed.screen.size(&scanout).pixels() > MAX_PIXELS {
            for monitor in [&mut self.changed, &mut self.all, &mut self.indirect] {
                monitor.skip(guest, milliseconds);
            }
            self.words.fill(0);
            self.direct = None;
            return Ok(());
        }
        let before = (self.changed.size, self.changed.pixels.clone());
        let dirty = match source {
            Source::All => Dirty::All,
            Source::Pages => Dirty::Pages(&self.words),
            Source::Compare => Dirty::Compare,
        };
        let damage = self.changed.refresh_where(guest, dirty, milliseconds);
        self.all.refresh_where(guest, Dirty::All, milliseconds);
        let direct = scanout.direct(guest.vga.vram());
        if direct.is_some() {
            self.indirect.skip(guest, milliseconds);
        } else {
            self.indirect.refresh_where(guest, dirty, milliseconds);
        }
        let words = std::mem::take(&mut self.words);
        if !lies_in_vram(guest) {
            // Where cells don't, what's left of the picture before depends on what that was.
            *self = Self::default();
            return Ok(());
        }

        if self.changed.size != self.all.size {
            return Err(format!(
                "the size is {:?}, and {:?} where all is drawn",
                self.changed.size, self.all.size
            ));
        }
        if let Some((x, y)) = self.first_difference(&self.all.pixels) {
            return Err(format!(
                "the pixel at {x},{y} is {:#x}, and {:#x} where all is drawn",
                self.changed.pixel(x, y),
                self.all.pixel(x, y),
            ));
        }
        if direct.is_none()
            && (self.indirect.size, &self.indirect.pixels) != (self.all.size, &self.all.pixels)
        {
            return Err("direct pictures that were skipped left something behind".into());
        }
        let before = if before.0 == self.changed.size {
            before.1
        } else {
            vec![UNTOUCHED; self.changed.pixels.len()]
        };
        self.check_damage(&before, &damage)?;

        if let Some(direct) = direct.filter(|_| direct == self.direct) {
            let damage = direct.damage(&words).expect("as many words as pages");
            self.check_damage(&before, &damage)?;
        }
        self.direct = direct;
        match (scanout.mode(), direct) {
            (_, Some(direct)) => self.check_direct(guest, &direct),
            (Mode::Graphics(mode), None) if mode.format.fourcc().is_some() => {
                Err(format!("{mode:?} must be drawn"))
            }
            _ => Ok(()),
        }
    }

    /// A picture that lies in VRAM must be what is drawn: looked at in some places.
    fn check_direct(&self, guest: &mut Guest, direct: &DirectScanout) -> Result<(), String> {
        let scanout = guest.vga.scanout();
        let Mode::Graphics(GraphicsMode { format, .. }) = scanout.mode() else {
            return Err(format!("there's no graphics mode, but {direct:?}"));
        };
        let bytes_per_pixel = format.bits_per_pixel().div_ceil(8);
        let (width, height) = self.changed.dimensions();
        let end = u64::from(direct.offset) + u64::from(direct.pitch) * u64::from(height);
        let row = u64::from(width) * u64::from(bytes_per_pixel);
        if end > guest.vga.vram().len() || u64::from(direct.pitch) < row {
            return Err(format!("{direct:?} isn't in VRAM with its last pitch"));
        }
        for (x, y) in [(0, 0), (width / 2, height / 3), (width - 1, height - 1)] {
            let address = u64::from(direct.offset)
                + u64::from(y) * u64::from(direct.pitch)
                + u64::from(x) * u64::from(bytes_per_pixel);
            let mut bytes = [0; 4];
            let inside = &mut bytes[..bytes_per_pixel as usize];
            guest.vga.vram().read(address, inside);
            let (stored, drawn) = (stored_color(*format, bytes), self.changed.pixel(x, y));
            if stored != drawn {
                return Err(format!(
                    "the pixel at {x},{y} of {direct:?} is {stored:#x}, but {drawn:#x} was drawn"
                ));
            }
        }
        Ok(())
    }

    /// Every pixel that changed must lie in the damage, and the damage in the picture.
    fn check_damage(&self, before: &[u32], damage: &Damage) -> Result<(), String> {
        let (width, height) = self.changed.dimensions();
        let mut outside = before.to_vec();
        for rect in damage.iter() {
            let Rect { x, y, size } = rect;
            if x + size.width > width || y + size.height > height {
                return Err(format!("{rect:?} isn't in a picture of {width}x{height}"));
            }
            for line in y..y + size.height {
                let start = (line * width + x) as usize;
                let changed = start..start + size.width as usize;
                outside[changed.clone()].copy_from_slice(&self.changed.pixels[changed]);
            }
        }
        self.first_difference(&outside).map_or(Ok(()), |(x, y)| {
            Err(format!(
                "the pixel at {x},{y} changed, but isn't in {:?}",
                damage.rects()
            ))
        })
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
}

/// Whether all that a text screen shows lies in VRAM. Graphics wrap at its end.
fn lies_in_vram(guest: &Guest) -> bool {
    match guest.vga.scanout().mode() {
        Mode::Text(text) => {
            let end = u64::from(text.layout.start)
                + u64::from(text.layout.pitch) * u64::from(text.rows)
                + u64::from(text.columns) * 4;
            end <= guest.vga.vram().len()
        }
        _ => true,
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
