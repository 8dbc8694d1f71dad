//! What the screen shows -> pixels: the host's side of the device.

mod graphics;
mod text;

use std::mem::{Discriminant, discriminant};
use std::time::Duration;

use vm_memory::bitmap::Bitmap;

use crate::error::SurfaceError;
use crate::scanout::{GraphicsMode, Mode, Scanout, Size};
use crate::vram::Vram;

/// The surface's size before any picture.
const INITIAL_SIZE: Size = Size {
    width: 640,
    height: 480,
};
/// How long a text cursor stays visible, and then hidden.
const CURSOR_HALF_PERIOD: Duration = Duration::from_millis(266);
/// How long blinking text stays visible, and then hidden.
const TEXT_HALF_PERIOD: Duration = Duration::from_millis(533);

/// Where a picture is drawn: the caller's memory, 0x00RRGGBB in a 32-bit pixel.
///
/// Its rows are `stride` pixels apart. The pixels between a row's end and the next row aren't
/// touched.
#[derive(Debug)]
pub struct Surface<'a> {
    /// The pixels, row by row from the top.
    pub pixels: &'a mut [u32],
    /// Distance between the starts of two rows, in pixels.
    pub stride: usize,
}

impl Surface<'_> {
    fn check(&self, size: Size) -> Result<(), SurfaceError> {
        let (width, height) = (size.width as usize, size.height as usize);
        if self.stride < width {
            return Err(SurfaceError::Stride {
                stride: self.stride,
                width: size.width,
            });
        }
        let needed = (height.saturating_sub(1))
            .saturating_mul(self.stride)
            .saturating_add(width);
        if self.pixels.len() < needed {
            return Err(SurfaceError::TooSmall {
                pixels: self.pixels.len(),
                needed,
            });
        }
        Ok(())
    }

    /// The picture's rows, for a size that was checked.
    fn rows(&mut self, size: Size) -> impl Iterator<Item = &mut [u32]> {
        let width = size.width as usize;
        self.pixels
            .chunks_mut(self.stride)
            .take(size.height as usize)
            .map(move |row| &mut row[..width])
    }

    fn clear(&mut self, size: Size) {
        self.rows(size).for_each(|row| row.fill(0));
    }
}

/// A rectangle of pixels on a surface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rect {
    /// Pixels from the left edge.
    pub x: u32,
    /// Rows from the top.
    pub y: u32,
    /// Width and height.
    pub size: Size,
}

/// The parts of the surface that a refresh drew.
///
/// At present a refresh draws the whole picture, or nothing where the old one stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Damage {
    whole: Option<Size>,
}

impl Damage {
    /// The rectangles that were drawn. They don't overlap.
    pub fn iter(&self) -> impl Iterator<Item = Rect> {
        self.whole.map(|size| Rect { x: 0, y: 0, size }).into_iter()
    }

    /// Whether nothing was drawn.
    pub fn is_empty(&self) -> bool {
        self.whole.is_none()
    }
}

/// A phase that changes by itself: visible or hidden.
#[derive(Clone, Copy, Debug, Default)]
struct Blinker {
    visible: bool,
    /// When it changes next.
    deadline: Duration,
}

impl Blinker {
    fn advance(&mut self, now: Duration, half_period: Duration) {
        if now >= self.deadline {
            self.deadline = now.saturating_add(half_period);
            self.visible = !self.visible;
        }
    }
}

/// Draws what a [`Scanout`] says into a surface.
///
/// One `Screen` belongs to one device and one surface: it remembers the surface's size and the
/// cursor's phase. It needs no lock on the device: a guest that writes VRAM while a picture is drawn
/// gets at worst a mixture of the old and the new.
#[derive(Debug, Default)]
pub struct Screen {
    /// What the last refresh found: resets until then, and the kind of screen.
    seen: Option<(u64, Discriminant<Mode>)>,
    /// Size of the surface, once there was something on it.
    drawn: Option<Size>,
    /// Whether what's on the surface was drawn since the device's last reset.
    current: bool,
    /// The mode of the picture on the surface, if VRAM holds it as it is shown. QEMU's surface is VRAM
    /// itself then: the picture follows VRAM even while no mode is drawn.
    live: Option<GraphicsMode>,
    cursor: Blinker,
    text: Blinker,
}

impl Screen {
    /// A screen on which nothing was drawn.
    pub fn new() -> Self {
        Self::default()
    }

    /// The size of the picture that a refresh with `scanout` leaves on the surface.
    ///
    /// A blank screen, and a text screen of fewer than 2 or more than 16000 cells, keep the size of the
    /// picture before; 640x480 before any.
    ///
    /// A guest chooses it: up to 16000x12000 in DISPI modes, with at most two pixels for every byte of
    /// VRAM, and up to some 8 million pixels otherwise. An embedder that allocates a surface of this size
    /// may want to refuse the largest.
    pub fn size(&self, scanout: &Scanout) -> Size {
        let kept = self.drawn.unwrap_or(INITIAL_SIZE);
        match &scanout.mode {
            Mode::Text(mode) if mode.is_drawable() => mode.size(),
            Mode::Blank | Mode::Text(_) => kept,
            Mode::Graphics(mode) => mode.size,
        }
    }

    /// Draws the picture that `scanout` and `vram` make at time `now`, and tells what it drew.
    ///
    /// `now` is any clock that doesn't go back; it moves the blinking of cursor and text. The surface
    /// must hold [`Screen::size`] pixels, and what was drawn before: after a reset of the device, and
    /// for a text mode of an impossible size, the old picture stays. (Where it was one of direct colours,
    /// it goes on to follow VRAM, as QEMU's does.)
    ///
    /// # Errors
    ///
    /// [`SurfaceError`] where the surface can't hold the picture. Nothing is drawn then, and the
    /// screen is as it was.
    pub fn refresh<B: Bitmap>(
        &mut self,
        scanout: &Scanout,
        vram: &Vram<B>,
        now: Duration,
        mut surface: Surface<'_>,
    ) -> Result<Damage, SurfaceError> {
        let size = self.size(scanout);
        surface.check(size)?;

        let entered = self.notice(scanout, now);
        let first = self.drawn.is_none();
        if first {
            surface.clear(size);
        }
        let drew = match &scanout.mode {
            Mode::Text(mode) if mode.is_drawable() => {
                if self.drawn != Some(size) || self.live.is_some() {
                    // Cells that don't lie in VRAM aren't drawn.
                    surface.clear(size);
                }
                self.cursor.advance(now, CURSOR_HALF_PERIOD);
                self.text.advance(now, TEXT_HALF_PERIOD);
                let phases = text::Phases {
                    cursor: self.cursor.visible,
                    text: self.text.visible,
                };
                text::draw(mode, phases, &scanout.palette, vram, &mut surface);
                self.current = true;
                self.live = None;
                true
            }
            Mode::Graphics(mode) => {
                graphics::draw(mode, &scanout.palette, vram, &mut surface);
                self.current = true;
                self.live = mode.format.is_stored_as_shown().then_some(*mode);
                true
            }
            Mode::Blank if entered && self.current => {
                surface.clear(size);
                self.live = None;
                true
            }
            Mode::Blank | Mode::Text(_) => {
                if let Some(mode) = &self.live {
                    graphics::draw(mode, &scanout.palette, vram, &mut surface);
                }
                self.live.is_some()
            }
        };
        self.drawn = Some(size);
        Ok(Damage {
            whole: (drew || first).then_some(size),
        })
    }

    /// Takes note of what kind of screen it is, and whether there was a reset. Tells whether the kind is
    /// another than at the last refresh.
    fn notice(&mut self, scanout: &Scanout, now: Duration) -> bool {
        let seen = (scanout.resets, discriminant(&scanout.mode));
        if self.seen == Some(seen) {
            return false;
        }
        if self
            .seen
            .is_some_and(|(resets, _)| resets != scanout.resets)
        {
            self.current = false;
        }
        self.seen = Some(seen);
        self.cursor.deadline = now;
        true
    }
}
