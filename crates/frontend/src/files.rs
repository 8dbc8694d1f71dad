// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Files that users give to programs: refusing what can't be right.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, ensure};

/// Firmware runs option ROMs from 0xc0000 up to where the BIOS starts.
const MAX_VGA_BIOS: usize = 128 << 10;

/// Reads a file of 1 to `max` bytes. What isn't a file (a FIFO, a device, a folder) is refused unopened, and what's
/// too long unread.
pub fn read(what: &str, path: &Path, max: usize) -> Result<Vec<u8>> {
    let name = path.display();
    let unreadable = || format!("{what} {name} can't be read");
    let metadata = fs::metadata(path).with_context(unreadable)?;
    ensure!(metadata.is_file(), "{what} {name} isn't a file");
    let len = metadata.len();
    ensure!(len > 0, "{what} {name} is empty");
    ensure!(
        len <= max as u64,
        "{what} {name} has {len} bytes, but at most {max} fit"
    );
    let mut bytes = Vec::new();
    // It may have grown meanwhile.
    let file = File::open(path).with_context(unreadable)?;
    file.take(len)
        .read_to_end(&mut bytes)
        .with_context(unreadable)?;
    Ok(bytes)
}

/// Reads a VGA BIOS.
pub fn vga_bios(path: &Path) -> Result<Vec<u8>> {
    let bytes = read("VGA BIOS", path, MAX_VGA_BIOS)?;
    let name = path.display();
    let start: Vec<_> = bytes
        .iter()
        .take(2)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let start = start.join(" ");
    ensure!(
        start == "55 aa",
        "VGA BIOS {name} isn't an option ROM: it starts with {start}, not 55 aa"
    );
    let len = usize::from(bytes.get(2).copied().unwrap_or(0)) * 512;
    ensure!(
        len > 0 && len <= bytes.len(),
        "VGA BIOS {name} says that it has {len} bytes, but the file has {}",
        bytes.len()
    );
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vga_bios_that_cannot_be_one_is_refused_with_what_is_wrong() {
        for (bytes, wrong) in [
            (&[0xb0, 0x74, 1][..], "starts with b0 74, not 55 aa"),
            (&[0x55], "starts with 55, not 55 aa"),
            (&[0x55, 0xaa, 2], "1024"),
            (&[0x55, 0xaa, 0], "0 bytes"),
            (&[], "is empty"),
            (&vec![0; MAX_VGA_BIOS + 1], "131072"),
        ] {
            let file = tempfile::NamedTempFile::new().unwrap();
            fs::write(file.path(), bytes).unwrap();
            let message = vga_bios(file.path()).unwrap_err().to_string();
            assert!(message.contains(wrong), "{wrong:?} isn't in: {message}");
        }
    }

    #[test]
    fn a_sparse_file_is_refused_by_its_length() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(8 << 30).unwrap();
        let message = read("kernel", file.path(), 1 << 30)
            .unwrap_err()
            .to_string();
        assert!(message.contains("8589934592 bytes"), "{message}");
        let message = vga_bios(file.path()).unwrap_err().to_string();
        assert!(message.contains("8589934592 bytes"), "{message}");
    }

    /// Opening the FIFO would wait for a writer, for ever.
    #[cfg(unix)]
    #[test]
    fn fifos_devices_and_folders_are_refused_unopened() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        let made = std::process::Command::new("mkfifo").arg(&fifo).status();
        assert!(made.unwrap().success(), "mkfifo");
        for path in [&*fifo, folder.path(), Path::new("/dev/zero")] {
            let message = vga_bios(path).unwrap_err().to_string();
            let expected = format!("VGA BIOS {} isn't a file", path.display());
            assert_eq!(message, expected);
        }
    }
}
