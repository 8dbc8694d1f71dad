// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Anything that a VNC viewer may say, while the picture changes: it's answered or refused, and no more is
//! sent than was asked for.

#![no_main]

use std::io::{self, Read, Write};

use libfuzzer_sys::fuzz_target;
use stdvga::{Rect, Size};
use stdvga_frontend::password::Password;
use stdvga_frontend::vnc::Viewers;

/// Sizes of the picture: of one piece and of several, and none.
const SIZES: [(u32, u32); 6] = [(40, 30), (1, 1), (1100, 3), (5, 200), (130, 66), (0, 0)];
/// The most pixels of those.
const MOST_PIXELS: usize = 130 * 66;
/// What is sent besides pixels: with the hello, and with an update, which may have a palette.
const HELLO: usize = 100;
const UPDATE: usize = 2500;
/// The shortest message that asks for an update.
const REQUEST: usize = 10;

/// A viewer whose words are all there. Between them the guest draws.
struct Viewer<'a> {
    said: &'a [u8],
    heard: usize,
    viewers: &'a Viewers,
    reads: usize,
    /// After how many reads the guest draws.
    pause: usize,
}

impl Read for Viewer<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.reads += 1;
        if self.reads.is_multiple_of(self.pause) {
            show(self.viewers, self.reads / self.pause);
        }
        self.said.read(bytes)
    }
}

impl Write for Viewer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.heard += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Shows a picture with noise in it. Now and then it has another size.
fn show(viewers: &Viewers, n: usize) {
    let (width, height) = SIZES[n / 3 % SIZES.len()];
    let size = Size { width, height };
    let pixels: Vec<u32> = (0..width * height)
        .map(|pixel| pixel.wrapping_mul(n as u32) & 0xff_ffff)
        .collect();
    let rect = Rect {
        x: width / 3,
        y: height / 3,
        size: Size {
            width: width / 2,
            height: height / 2,
        },
    };
    viewers.show(size, &pixels, &[rect]);
}

fuzz_target!(|data: &[u8]| {
    let Some((first, said)) = data.split_first() else {
        return;
    };
    let password = (first & 0x80 != 0).then(|| Password::new(b"secret"));
    let viewers = Viewers::new(password);
    show(&viewers, usize::from(first & 7));
    let mut viewer = Viewer {
        said,
        heard: 0,
        viewers: &viewers,
        reads: 0,
        pause: usize::from(first >> 3 & 15) + 1,
    };
    // It ends by an error, at the latest where there's no more to read.
    let end = viewers.answer(&mut viewer);
    assert!(end.is_err(), "nobody said goodbye");
    let requests = said.len() / REQUEST;
    // Pixels have 4 bytes at most, and compression makes them longer by little at worst.
    let most = HELLO + requests * (UPDATE + 5 * MOST_PIXELS);
    assert!(
        viewer.heard <= most,
        "{} bytes for {requests} requests",
        viewer.heard
    );
    while !viewers.take_keys(16).is_empty() {}
});
