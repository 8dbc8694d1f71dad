// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Makes a viewer's updates, and writes them while it makes them.

use std::io::{self, Write};
use std::sync::PoisonError;

use stdvga::{Rect, Size};

use super::Shared;
use crate::picture::Picture;
use crate::pixel_format::PixelFormat;
use crate::rfb::{self, Encoding};
use crate::zrle;

/// Bytes that are collected before they're written.
const BATCH: usize = 64 << 10;

/// What a viewer gets next.
pub enum Update {
    Size(Size),
    Pixels {
        pieces: Vec<Rect>,
        encoding: Encoding,
        format: PixelFormat,
        with_palette: bool,
    },
}

/// What it takes to send updates to one viewer.
#[derive(Default)]
pub struct Sender {
    message: Vec<u8>,
    pixels: Vec<u32>,
    zrle: Option<zrle::Encoder>,
}

impl Sender {
    /// Sends an update. No lock is held while something is written: viewers may be slow.
    pub fn send(
        &mut self,
        shared: &Shared,
        update: &Update,
        stream: &mut impl Write,
    ) -> io::Result<()> {
        self.message.clear();
        match update {
            Update::Size(size) => rfb::put_resize(&mut self.message, *size),
            Update::Pixels {
                pieces,
                encoding,
                format,
                with_palette,
            } => {
                if *with_palette {
                    rfb::put_palette(&mut self.message);
                }
                rfb::put_update(&mut self.message, pieces.len() as u16);
                for piece in pieces {
                    self.put(shared, piece, *encoding, format)?;
                    if self.message.len() >= BATCH {
                        stream.write_all(&self.message)?;
                        self.message.clear();
                    }
                }
            }
        }
        stream.write_all(&self.message)
    }

    /// Puts a piece of the picture as it is now. If that isn't the one that the update began with, what
    /// changed comes again.
    fn put(
        &mut self,
        shared: &Shared,
        piece: &Rect,
        encoding: Encoding,
        format: &PixelFormat,
    ) -> io::Result<()> {
        let _turn = shared
            .encoding
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        self.take(&shared.lock().picture, piece);
        rfb::put_rect(&mut self.message, piece, encoding);
        match encoding {
            Encoding::Raw => {
                let pixels = self.pixels.iter();
                pixels.for_each(|pixel| format.put(*pixel, &mut self.message));
                Ok(())
            }
            Encoding::Zrle => {
                let encoder = self.zrle.get_or_insert_default();
                let width = piece.size.width as usize;
                encoder.put(&self.pixels, width, format, &mut self.message)
            }
        }
    }

    /// Takes a piece's pixels; what lies outside of the picture is black.
    fn take(&mut self, picture: &Picture, piece: &Rect) {
        let Rect { x, y, size } = *piece;
        let columns = x as usize..(x + size.width) as usize;
        self.pixels.clear();
        for (row, end) in (y..y + size.height).zip((1..).map(|rows| rows * columns.len())) {
            let row = picture.row(row);
            let columns = columns.start.min(row.len())..columns.end.min(row.len());
            self.pixels.extend(&row[columns]);
            self.pixels.resize(end, 0);
        }
    }
}
