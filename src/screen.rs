// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What the screen shows -> pixels: the host's side of the device. If hardware and QEMU differ, this does
//! what QEMU does (`docs/conformance.md`).

mod graphics;
mod kernels;
mod surface;
mod text;

use std::fmt;
use std::mem::{Discriminant, discriminant};
use std::time::Duration;

use vm_memory::bitmap::Bitmap;

use self::kernels::Tier;
use crate::damage::{Damage, Size};
use crate::dirty::Dirty;
use crate::error::RefreshError;
use crate::scanout::{GraphicsMode, Mode, Scanout};
use crate::text::lies_in;
use crate::vram::Vram;

pub use self::kernels::Kernels;
pub use self::surface::Surface;

/// The surface's size before any picture.
const INITIAL_SIZE: Size = Size {
    width: 640,
    height: 480,
};
/// How long a text cursor stays visible, and then hidden: as in QEMU.
const CURSOR_HALF_PERIOD: Duration = Duration::from_millis(266);
/// How long blinking text stays visible, and then hidden: as in QEMU 11.1. QEMU 10.0.2 has no blinking text.
const TEXT_HALF_PERIOD: Duration = Duration::from_millis(533);

/// What a picture is drawn with, from and to.
struct Frame<'a, 's, B> {
    tier: Tier,
    vram: &'a Vram<B>,
    dirty: Dirty<'a>,
    surface: &'a mut Surface<'s>,
}

/// What a refresh saw of the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    /// How often it was restored in place.
    restores: u64,
    /// How often it was reset.
    resets: u64,
    /// The kind of screen.
    kind: Discriminant<Mode>,
}

impl Seen {
    fn of(scanout: &Scanout) -> Self {
        Self {
            restores: scanout.restores,
            resets: scanout.resets,
            kind: discriminant(&scanout.mode),
        }
    }
}

/// A phase that changes over time: visible or hidden.
#[derive(Clone, Copy, Debug, Default)]
struct Blinker {
    visible: bool,
    /// When it changes next.
    deadline: Duration,
}

/// The picture that stays while no mode is drawn: the last one, as in QEMU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Picture {
    /// Black: before any mode, and after a blank screen.
    Black,
    /// One that can't be drawn again, because only the surface has it.
    Drawn,
    /// A direct picture. QEMU's surface is then VRAM itself, so the picture continues to follow VRAM.
    Direct(GraphicsMode),
}

impl Picture {
    fn of(mode: &GraphicsMode) -> Self {
        match mode.format.fourcc() {
            Some(_) => Self::Direct(*mode),
            None => Self::Drawn,
        }
    }
}

impl Blinker {
    fn advance(&mut self, now: Duration, half_period: Duration) {
        // If the deadline is further away than that, it dates from before the clock went back.
        if now >= self.deadline || self.deadline.saturating_sub(now) > half_period {
            self.deadline = now.saturating_add(half_period);
            self.visible = !self.visible;
        }
    }
}

/// Draws a [`Scanout`] into a surface, as far as it changed.
///
/// A `Screen` belongs to one device and one surface. It remembers what's on the surface, and the cursor's
/// phase. It needs no lock on the device. If a guest writes VRAM while a picture is drawn, the result is at
/// worst a mixture of the old and the new.
///
/// ```
/// use std::time::Duration;
/// use stdvga::{Config, Dirty, Screen, StdVga, Surface};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut vga = StdVga::new(Config::default())?;
/// # for (register, value) in [(1_u16, 640_u16), (2, 480), (3, 32), (4, 1)] {
/// #     let _ = vga.port_write(0x1ce, &register.to_le_bytes());
/// #     let _ = vga.port_write(0x1d0, &value.to_le_bytes());
/// # }
/// # let _ = vga.port_write(0x3c0, &[0x20]);
/// let vram = vga.vram().clone();
/// let mut screen = Screen::new();
/// let mut pixels = Vec::new();
/// // The pages that were written since the last frame.
/// let mut words = vec![0; vram.dirty_words()];
///
/// for frame in 0..3 {
///     // In the first page, which holds line 0 and a part of line 1.
///     vram.write(0, &[frame]);
///     // With the device's lock: what it wrote. OR KVM's dirty log into the same words.
///     vga.drain_dirty(&mut words)?;
///     let scanout = vga.scanout();
///     // Without the lock:
///     let size = screen.size(&scanout);
///     pixels.resize(size.pixels() as usize, 0);
///     let surface = Surface::new(&mut pixels, size.width as usize);
///     let now = Duration::from_millis(33 * u64::from(frame));
///     let damage = screen.refresh(&scanout, &vram, Dirty::Pages(&words), now, surface)?;
///     words.fill(0);
///     // The first refresh draws everything, the others what the written page shows.
///     let lines = damage.rects()[0].size.height;
///     assert_eq!(lines, if frame == 0 { 480 } else { 2 });
/// }
/// # Ok(())
/// # }
/// ```
///
/// It keeps a buffer for one row, and a copy of the VRAM pages with a text screen's cells and fonts. With
/// [`Dirty::Compare`] it also keeps a copy of the visible VRAM. A refresh allocates only when these grow, or
/// when comparing starts again.
pub struct Screen {
    tier: Tier,
    /// What the last refresh saw.
    seen: Option<Seen>,
    /// The last picture, and its size.
    picture: Picture,
    size: Size,
    /// Whether a mode was shown since the device's last reset. If not, the picture stays while the screen is
    /// blank.
    current: bool,
    /// Whether the surface doesn't hold the picture: before the first refresh, and after a skipped picture.
    lost: bool,
    text: text::Renderer,
    graphics: graphics::Renderer,
    cursor_blinker: Blinker,
    text_blinker: Blinker,
    refreshes: u64,
}

impl Default for Screen {
    fn default() -> Self {
        Self::with_kernels(Kernels::default())
    }
}

impl Screen {
    /// A new screen, which uses the fastest loops for this CPU.
    pub fn new() -> Self {
        Self::default()
    }

    /// A new screen, which uses the given loops.
    pub fn with_kernels(kernels: Kernels) -> Self {
        Self {
            tier: Tier::new(kernels),
            seen: None,
            picture: Picture::Black,
            size: INITIAL_SIZE,
            current: false,
            lost: true,
            text: text::Renderer::default(),
            graphics: graphics::Renderer::new(),
            cursor_blinker: Blinker::default(),
            text_blinker: Blinker::default(),
            refreshes: 0,
        }
    }

    /// The number of refreshes, except those that failed.
    pub fn refreshes(&self) -> u64 {
        self.refreshes
    }

    /// The size of the picture that a refresh with `scanout` leaves on the surface.
    ///
    /// A blank screen, and a text screen of fewer than 2 or more than 16000 cells, keep the size of the
    /// previous picture, drawn or [skipped](Screen::skip), as in QEMU. Without a previous picture, and after
    /// [`StdVga::restore`](crate::StdVga::restore), the size is 640x480.
    ///
    /// The guest chooses it: up to 16000x12000 in DISPI modes, with at most two pixels for every byte of
    /// VRAM, and up to some 8 million pixels in others. An embedder that allocates a surface of this size may
    /// want to refuse the largest.
    pub fn size(&self, scanout: &Scanout) -> Size {
        match &scanout.mode {
            Mode::Text(mode) if mode.is_drawable() => mode.size(),
            Mode::Blank | Mode::Text(_) if self.is_of_before(scanout) => INITIAL_SIZE,
            Mode::Blank | Mode::Text(_) => self.size,
            Mode::Graphics(mode) => mode.size,
        }
    }

    /// Brings the surface up to date with the picture that `scanout` and `vram` make at time `now`. Returns
    /// the parts of it that may have changed.
    ///
    /// `vram` is the device's. `dirty` says what may have changed in it since the last refresh of this
    /// screen. The screen itself detects changes of `scanout` and of time.
    ///
    /// `now` is the time of any clock, for example since the guest's start. The cursor and blinking text use
    /// it. If it goes back, they change their phase at once, and continue from there.
    ///
    /// The surface must hold [`Screen::size`] pixels, and what was drawn before. If it doesn't hold that,
    /// draw with [`Dirty::All`]. Call [`Screen::skip`] for a picture that isn't drawn. Otherwise an older
    /// picture may come back after it.
    ///
    /// The old picture stays while the screen is blank after a reset of the device, and in a text mode of an
    /// impossible size. If it was black, `Dirty::All` draws it too. If it was in direct colours, it continues
    /// to follow VRAM, as QEMU's does. Any other picture is only on the surface, and can't be drawn again:
    /// keep the surface while the size stays the same.
    ///
    /// Text cells past the end of VRAM aren't drawn. They keep the previous pixels, as in QEMU. They are
    /// black if `Dirty::All` draws everything, if the size changed, or after direct colours.
    ///
    /// # Errors
    ///
    /// [`RefreshError`] if the surface can't hold the picture, or if the dirty words aren't those of `vram`.
    /// Nothing is drawn in that case, and the screen is unchanged: pass `dirty` to the next refresh again.
    pub fn refresh<B: Bitmap>(
        &mut self,
        scanout: &Scanout,
        vram: &Vram<B>,
        dirty: Dirty<'_>,
        now: Duration,
        mut surface: Surface<'_>,
    ) -> Result<Damage, RefreshError> {
        let size = self.size(scanout);
        surface.check(size)?;
        dirty.check(vram.dirty_words())?;

        self.notice(scanout, now);
        let draws_all = self.lost || matches!(dirty, Dirty::All);
        self.lost = false;
        let mut frame = Frame {
            tier: self.tier,
            vram,
            dirty,
            surface: &mut surface,
        };
        let damage = match &scanout.mode {
            Mode::Text(mode) if mode.is_drawable() => {
                // After a surface that was VRAM, QEMU's surface is a new one too.
                let is_new =
                    draws_all || self.size != size || matches!(self.picture, Picture::Direct(_));
                if is_new && !lies_in(vram, mode) {
                    // Cells past the end of VRAM aren't drawn.
                    frame.surface.clear(size);
                }
                self.cursor_blinker.advance(now, CURSOR_HALF_PERIOD);
                self.text_blinker.advance(now, TEXT_HALF_PERIOD);
                let phases = text::Phases {
                    cursor: self.cursor_blinker.visible,
                    text: self.text_blinker.visible,
                };
                self.show(Picture::Drawn);
                self.graphics.forget();
                self.text
                    .refresh(&mut frame, mode, &scanout.palette, phases)
            }
            Mode::Graphics(mode) => {
                self.show(Picture::of(mode));
                self.text.forget();
                self.graphics.refresh(&mut frame, mode, &scanout.palette)
            }
            Mode::Blank | Mode::Text(_) => {
                let was_black = self.picture == Picture::Black;
                self.show_none(&scanout.mode);
                self.text.forget();
                match &self.picture {
                    Picture::Direct(mode) => {
                        self.graphics.refresh(&mut frame, mode, &scanout.palette)
                    }
                    Picture::Black if draws_all || !was_black => {
                        frame.surface.clear(size);
                        self.graphics.forget();
                        Damage::whole(size)
                    }
                    Picture::Black | Picture::Drawn => {
                        self.graphics.forget();
                        Damage::NONE
                    }
                }
            }
        };
        self.size = size;
        self.refreshes = self.refreshes.wrapping_add(1);
        Ok(damage)
    }

    /// Informs the screen of a picture that it doesn't draw, because the front end shows it with
    /// [`Scanout::direct`] or leaves it out as too large. Call it instead of [`Screen::refresh`].
    ///
    /// From then on, the contents of the surface don't count. The next refresh draws the whole picture,
    /// whatever its `dirty` says, so marks of dirty pages needn't be kept for it.
    ///
    /// As after a refresh, this picture is the one that stays while no mode is drawn, for example after a
    /// reset of the device. If it's in direct colours, it's then drawn from VRAM, and follows VRAM as in
    /// QEMU. Any other picture is lost, and the screen is black in its size.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stdvga::{Config, Dirty, Screen, StdVga, Surface};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mut vga = StdVga::new(Config::default())?;
    /// # for (register, value) in [(1_u16, 640_u16), (2, 480), (3, 32), (4, 1)] {
    /// #     let _ = vga.port_write(0x1ce, &register.to_le_bytes());
    /// #     let _ = vga.port_write(0x1d0, &value.to_le_bytes());
    /// # }
    /// # let _ = vga.port_write(0x3c0, &[0x20]);
    /// let vram = vga.vram().clone();
    /// let mut screen = Screen::new();
    /// let mut pixels = Vec::new();
    /// let mut shown_directly = 0;
    ///
    /// for frame in 0..3 {
    ///     // The guest has set a mode of 640x480 with 32 bits per pixel. Then it's reset.
    ///     if frame == 2 {
    ///         let _ = vga.reset();
    ///     }
    ///     let scanout = vga.scanout();
    ///     let now = Duration::from_millis(33 * frame);
    ///     if let Some(_direct) = scanout.direct(&vram) {
    ///         shown_directly += 1;
    ///         screen.skip(&scanout, now);
    ///     } else {
    ///         let size = screen.size(&scanout);
    ///         pixels.resize(size.pixels() as usize, 0);
    ///         let surface = Surface::new(&mut pixels, size.width as usize);
    ///         screen.refresh(&scanout, &vram, Dirty::Compare, now, surface)?;
    ///     }
    /// }
    /// assert_eq!(shown_directly, 2);
    /// assert_eq!(pixels.len(), 640 * 480, "the picture of before the reset");
    /// # Ok(())
    /// # }
    /// ```
    pub fn skip(&mut self, scanout: &Scanout, now: Duration) {
        self.notice(scanout, now);
        self.size = self.size(scanout);
        match &scanout.mode {
            Mode::Text(mode) if mode.is_drawable() => self.show(Picture::Drawn),
            Mode::Graphics(mode) => self.show(Picture::of(mode)),
            Mode::Blank | Mode::Text(_) => self.show_none(&scanout.mode),
        }
        self.lose();
    }

    /// Notes the kind of screen, and whether there was a restore or a reset.
    fn notice(&mut self, scanout: &Scanout, now: Duration) {
        let seen = Seen::of(scanout);
        if self.seen != Some(seen) {
            self.notice_another(seen, now);
        }
    }

    #[cold]
    fn notice_another(&mut self, seen: Seen, now: Duration) {
        if let Some(before) = self.seen {
            if before.restores != seen.restores {
                // The surface holds an old picture: start again like a new screen.
                *self = Self {
                    tier: self.tier,
                    refreshes: self.refreshes,
                    ..Self::default()
                };
            } else if before.resets != seen.resets {
                self.current = false;
            }
        }
        self.seen = Some(seen);
        self.cursor_blinker.deadline = now;
    }

    /// Whether the device was restored in place since the last refresh.
    fn is_of_before(&self, scanout: &Scanout) -> bool {
        self.seen
            .is_some_and(|seen| seen.restores != scanout.restores)
    }

    /// Notes a mode's picture.
    fn show(&mut self, picture: Picture) {
        self.picture = picture;
        self.current = true;
    }

    /// Notes a screen without a mode's picture. As in QEMU, the last picture stays, but a blank screen covers
    /// one that was shown since the last reset.
    fn show_none(&mut self, mode: &Mode) {
        if matches!(mode, Mode::Blank) && self.current {
            self.picture = Picture::Black;
        }
    }

    /// Notes that the surface doesn't hold the picture.
    fn lose(&mut self) {
        self.lost = true;
        if self.picture == Picture::Drawn {
            self.picture = Picture::Black;
        }
        self.text.forget();
        self.graphics.forget();
    }
}

impl fmt::Debug for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Screen")
            .field("tier", &self.tier)
            .field("picture", &self.picture)
            .field("size", &self.size)
            .field("lost", &self.lost)
            .field("refreshes", &self.refreshes)
            .finish_non_exhaustive()
    }
}
