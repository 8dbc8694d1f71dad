// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! A viewer: how it wants its pixels, and what it hasn't got yet.

use std::time::Instant;

use stdvga::{Rect, Size};

use super::stale::{self, Stale};
use super::updates::Update;
use crate::picture::Picture;
use crate::pixel_format::PixelFormat;
use crate::rfb::Encoding;

/// RFB has 16 bits for widths and heights.
pub(super) const LONGEST: u32 = 0xffff;

/// One who watches.
pub(super) struct Viewer {
    /// The size that it was told last.
    pub(super) size: Size,
    /// Whether it can be told another one.
    pub(super) resizable: bool,
    pub(super) encoding: Encoding,
    pub(super) format: PixelFormat,
    /// It must be told the palette before it gets pixels.
    pub(super) needs_palette: bool,
    pub(super) stale: Stale,
    /// What it wants even if that didn't change.
    pub(super) wanted: Option<Rect>,
    /// It's ready for an update.
    pub(super) ready: bool,
    /// When it last asked for one.
    pub(super) asked: Instant,
}

impl Viewer {
    pub(super) fn new(size: Size, now: Instant) -> Self {
        Self {
            size,
            resizable: false,
            encoding: Encoding::Raw,
            format: PixelFormat::default(),
            needs_palette: false,
            stale: Stale::all(size),
            wanted: None,
            ready: false,
            asked: now,
        }
    }

    /// Whether the viewer is ready for an update, and something changed.
    pub(super) fn has_update(&self, picture: &Picture) -> bool {
        let wants = self.wanted.is_some() || !self.stale.is_empty();
        self.ready && (wants || self.must_resize(picture))
    }

    pub(super) fn must_resize(&self, picture: &Picture) -> bool {
        self.resizable && self.size != shown_size(picture)
    }

    pub(super) fn set_format(&mut self, format: PixelFormat) {
        self.format = format;
        self.needs_palette = format.has_palette;
    }

    /// Asks for an update. How large `rect` is costs nothing until there's one.
    pub(super) fn ask(&mut self, rect: Option<&Rect>, now: Instant) {
        let wanted = rect.and_then(|rect| within(rect, self.size));
        self.wanted = match (self.wanted.take(), wanted) {
            (Some(one), Some(other)) => Some(around(&one, &other)),
            (one, other) => one.or(other),
        };
        (self.ready, self.asked) = (true, now);
    }

    /// An update, if there is one. A new size is told first.
    pub(super) fn update(&mut self, picture: &Picture) -> Option<Update> {
        if !self.has_update(picture) {
            return None;
        }
        self.ready = false;
        let wanted = self.wanted.take();
        if self.must_resize(picture) {
            self.size = shown_size(picture);
            self.stale = Stale::all(self.size);
            return Some(Update::Size(self.size));
        }
        if let Some(rect) = wanted {
            self.stale.add(&rect);
        }
        Some(Update::Pixels {
            pieces: stale::pieces(&self.stale.take()),
            encoding: self.encoding,
            format: self.format,
            with_palette: std::mem::take(&mut self.needs_palette),
        })
    }
}

/// The part of a rectangle that is in a picture of this size.
pub(super) fn within(rect: &Rect, size: Size) -> Option<Rect> {
    let width = rect.size.width.min(size.width.checked_sub(rect.x)?);
    let height = rect.size.height.min(size.height.checked_sub(rect.y)?);
    let size = Size { width, height };
    (size.pixels() > 0).then_some(Rect { size, ..*rect })
}

/// The smallest rectangle that has both.
pub(super) fn around(one: &Rect, other: &Rect) -> Rect {
    let (x, y) = (one.x.min(other.x), one.y.min(other.y));
    let right = |rect: &Rect| rect.x + rect.size.width;
    let bottom = |rect: &Rect| rect.y + rect.size.height;
    let size = Size {
        width: right(one).max(right(other)) - x,
        height: bottom(one).max(bottom(other)) - y,
    };
    Rect { x, y, size }
}

/// What a viewer can see of a picture.
pub(super) fn shown_size(picture: &Picture) -> Size {
    let Size { width, height } = picture.size();
    Size {
        width: width.min(LONGEST),
        height: height.min(LONGEST),
    }
}
