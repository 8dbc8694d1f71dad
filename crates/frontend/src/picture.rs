// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! A finished picture: as a PNG file, and as a few lines of text.

use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use stdvga::Size;
use tempfile::NamedTempFile;

/// Pixels as 0x00RRGGBB, row by row.
pub struct Picture {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// `width` of them for each of `height` rows.
    pub pixels: Vec<u32>,
}

impl Default for Picture {
    /// Before any picture it's 640x480 and black.
    fn default() -> Self {
        Self::black(Size {
            width: 640,
            height: 480,
        })
    }
}

impl Picture {
    /// One with nothing to see. Its size must be one that fits into memory.
    pub fn black(size: Size) -> Self {
        Self {
            width: size.width,
            height: size.height,
            pixels: vec![0; size.pixels() as usize],
        }
    }

    /// Width and height.
    pub fn size(&self) -> Size {
        Size {
            width: self.width,
            height: self.height,
        }
    }

    /// A row's pixels; none below the picture.
    pub fn row(&self, y: u32) -> &[u32] {
        let start = y as usize * self.width as usize;
        let row = self.pixels.get(start..start + self.width as usize);
        row.unwrap_or_default()
    }

    /// Whether there's nothing to see.
    pub fn is_black(&self) -> bool {
        self.pixels.iter().all(|pixel| *pixel == 0)
    }

    /// Writes a PNG. Whoever reads the file sees this picture or the last one, and never a part: it's made beside the
    /// last one, whose place it takes. A device, a FIFO or a link stays what it is, and the PNG is written to it.
    pub fn save(&self, path: &Path) -> Result<()> {
        let failed = || format!("the picture can't be written to {}", path.display());
        if !is_replaced(path).with_context(failed)? {
            let file = File::create(path).with_context(failed)?;
            return self.write(file).with_context(failed);
        }
        let part = part_of(path).with_context(failed)?;
        self.write(part.as_file()).with_context(failed)?;
        part.persist(path).with_context(failed)?;
        Ok(())
    }

    fn write(&self, file: impl Write) -> Result<()> {
        let mut encoder = png::Encoder::new(BufWriter::new(file), self.width, self.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        // A program that ends has two seconds, and its last picture may be large and noisy.
        encoder.set_compression(png::Compression::Fast);
        let bytes: Vec<u8> = self.pixels.iter().flat_map(|pixel| rgb(*pixel)).collect();
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&bytes)?;
        Ok(writer.finish()?)
    }

    /// The picture in `columns` character cells a line, two pixels a cell: in 24-bit colours if
    /// `colour` is set, and as shades otherwise. Nothing at all if it's black.
    pub fn preview(&self, columns: u32, colour: bool) -> String {
        if self.is_black() {
            return String::new();
        }
        let columns = columns.clamp(1, self.width.max(1));
        let rows = (self.height * columns / self.width.max(1))
            .div_ceil(2)
            .max(1);
        let mut text = String::new();
        for row in 0..rows {
            for column in 0..columns {
                let half = |half: u32| self.average((column, columns), (row * 2 + half, rows * 2));
                let (top, bottom) = (half(0), half(1));
                if colour {
                    let ([r, g, b], [r2, g2, b2]) = (top, bottom);
                    text += &format!("\x1b[38;2;{r};{g};{b}m\x1b[48;2;{r2};{g2};{b2}m▀");
                } else {
                    text.push(shade(top, bottom));
                }
            }
            text += if colour { "\x1b[0m\n" } else { "\n" };
        }
        text
    }

    /// The mean colour of one cell of a grid over the picture: `(index, count)` in each direction.
    fn average(&self, column: (u32, u32), row: (u32, u32)) -> [u8; 3] {
        let span = |(index, count): (u32, u32), size: u32| {
            let start = index * size / count;
            start..((index + 1) * size / count).clamp(start + 1, size.max(start + 1))
        };
        let (mut sum, mut count) = ([0u32; 3], 0);
        for y in span(row, self.height) {
            for x in span(column, self.width) {
                let index = y as usize * self.width as usize + x as usize;
                let pixel = rgb(self.pixels.get(index).copied().unwrap_or(0));
                sum = [0, 1, 2].map(|channel| sum[channel] + u32::from(pixel[channel]));
                count += 1;
            }
        }
        sum.map(|channel| (channel / count.max(1)) as u8)
    }
}

/// Checks that pictures can be saved at `path`, as far as that can be known before there's one.
pub fn check(path: &Path) -> Result<()> {
    let name = path.display();
    let ending = path.extension().unwrap_or_default();
    ensure!(
        ending.eq_ignore_ascii_case("png"),
        "--screenshot {name}: pictures are PNG files; give a name that ends in .png"
    );
    ensure!(
        !path.is_dir(),
        "--screenshot {name}: that's a folder; give a file's name"
    );
    if !is_replaced(path).with_context(|| format!("--screenshot {name}"))? {
        return check_in_place(path);
    }
    let folder = folder_of(path);
    let folder_name = folder.display();
    ensure!(
        folder.is_dir(),
        "--screenshot {name}: there's no folder {folder_name}"
    );
    tempfile::tempfile_in(folder).map(drop).with_context(|| {
        format!("--screenshot {name}: no file can be made in the folder {folder_name}")
    })
}

/// Checks that a file behind a link can be written to. Opening a device or a FIFO could do more than check.
fn check_in_place(path: &Path) -> Result<()> {
    if !path.is_file() {
        return Ok(());
    }
    let opened = File::options().write(true).open(path);
    opened
        .map(drop)
        .with_context(|| format!("--screenshot {}: it can't be written to", path.display()))
}

/// Whether a new file takes the place of what's at `path`: only of a file, or of nothing.
fn is_replaced(path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(metadata.is_file()),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(true)
        }
        Err(error) => Err(error),
    }
}

/// The folder that a file is in.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// A new file beside `path`, of a name that nobody can foresee, and with the permissions that a new file has.
fn part_of(path: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".").suffix(".png.part");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666)); // less the umask
    builder.tempfile_in(folder_of(path))
}

fn rgb(pixel: u32) -> [u8; 3] {
    let [_, r, g, b] = pixel.to_be_bytes();
    [r, g, b]
}

/// A character as bright as the mean of two colours.
fn shade(top: [u8; 3], bottom: [u8; 3]) -> char {
    const SHADES: [char; 5] = [' ', '░', '▒', '▓', '█'];
    let sum: usize = top
        .iter()
        .chain(&bottom)
        .map(|channel| usize::from(*channel))
        .sum();
    SHADES[sum * SHADES.len() / (6 * 256)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preview_has_half_as_many_lines_as_the_picture_would_need() {
        let picture = Picture {
            width: 4,
            height: 4,
            pixels: vec![0xffffff; 16],
        };
        assert_eq!(picture.preview(4, false), "████\n████\n");
        assert!(picture.preview(2, true).contains("\x1b[38;2;255;255;255m"));
    }

    #[test]
    fn a_black_picture_has_no_preview() {
        let picture = Picture {
            width: 4,
            height: 4,
            pixels: vec![0; 16],
        };
        assert_eq!(picture.preview(4, false), "");
    }

    #[test]
    fn a_preview_never_asks_for_pixels_that_are_not_there() {
        for (width, height) in [(1, 1), (8, 12000), (16000, 1), (3, 7)] {
            let pixels = vec![0x808080; width as usize * height as usize];
            let picture = Picture {
                width,
                height,
                pixels,
            };
            assert!(picture.preview(80, false).contains('▒'));
        }
    }

    #[test]
    fn a_path_that_no_picture_can_have_is_refused_with_what_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("folder.png")).unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        for (name, wrong) in [
            ("x.jpg", "ends in .png"),
            ("png", "ends in .png"),
            (".png", "ends in .png"),
            ("folder.png", "a folder"),
            ("missing/x.png", "there's no folder"),
            ("file/x.png", "there's no folder"),
            #[cfg(target_os = "linux")]
            ("/proc/x.png", "no file can be made in the folder /proc"),
        ] {
            let path = folder.path().join(name);
            let message = format!("{:#}", check(&path).unwrap_err());
            let given = format!("--screenshot {}: ", path.display());
            assert!(
                message.starts_with(&given) && message.contains(wrong),
                "{message}"
            );
        }
    }

    #[test]
    fn a_path_that_a_picture_can_have_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let (new, old) = (folder.path().join("X.PNG"), folder.path().join("old.png"));
        fs::write(&old, "precious").unwrap();
        for path in [&new, &old] {
            check(path).unwrap();
        }
        let names = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().path());
        assert_eq!(names.collect::<Vec<_>>(), std::slice::from_ref(&old));
        assert_eq!(fs::read(&old).unwrap(), b"precious");
    }

    #[test]
    fn a_picture_replaces_the_last_one_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.png");
        for _ in 0..2 {
            Picture::default().save(&path).unwrap();
            let names = fs::read_dir(folder.path())
                .unwrap()
                .map(|entry| entry.unwrap().path());
            assert_eq!(names.collect::<Vec<_>>(), std::slice::from_ref(&path));
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_new_picture_has_the_permissions_of_any_new_file() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let [picture, other] = ["x.png", "other"].map(|name| folder.path().join(name));
        Picture::default().save(&picture).unwrap();
        File::create(&other).unwrap();
        let mode = |path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&picture), mode(&other));
    }

    /// What stands beside a picture isn't touched, whatever its name is.
    #[cfg(unix)]
    #[test]
    fn a_planted_part_file_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let [picture, victim] = ["x.png", "victim"].map(|name| folder.path().join(name));
        fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, folder.path().join("x.png.part")).unwrap();
        Picture::default().save(&picture).unwrap();
        assert_eq!(fs::read(&victim).unwrap(), b"precious");
        assert!(fs::symlink_metadata(&picture).unwrap().is_file());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_one_and_the_picture_goes_to_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let [link, target] = ["x.png", "target"].map(|name| folder.path().join(name));
        std::os::unix::fs::symlink(&target, &link).unwrap();
        for _ in 0..2 {
            check(&link).unwrap();
            Picture::default().save(&link).unwrap();
            assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
            assert!(fs::read(&target).unwrap().starts_with(b"\x89PNG"));
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_fifo_stays_one_and_the_picture_goes_through_it() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("x.png");
        let made = std::process::Command::new("mkfifo").arg(&fifo).status();
        assert!(made.unwrap().success(), "mkfifo");
        check(&fifo).unwrap();
        let read = std::thread::scope(|scope| {
            let reader = scope.spawn(|| fs::read(&fifo).unwrap());
            Picture::default().save(&fifo).unwrap();
            reader.join().unwrap()
        });
        assert!(read.starts_with(b"\x89PNG"));
        let names = fs::read_dir(folder.path()).unwrap();
        assert_eq!(names.count(), 1, "something was left beside the FIFO");
    }

    /// As far as a device can be had without being root: a link to one.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_device_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.png");
        std::os::unix::fs::symlink("/dev/full", &path).unwrap();
        let message = format!("{:#}", Picture::default().save(&path).unwrap_err());
        assert!(message.contains("No space left"), "{message}");
    }
}
