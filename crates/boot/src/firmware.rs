// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The firmware that the machine starts from: finding it, and refusing what can't be right.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use stdvga_frontend::files;

/// Where Debian, Fedora and Arch (and QEMU built from source) put SeaBIOS and its VGA BIOSes.
const DIRECTORIES: [&str; 6] = [
    "/usr/share/seabios",
    "/usr/share/seavgabios",
    "/usr/share/qemu",
    "/usr/share/qemu-kvm",
    "/usr/local/share/qemu",
    "/usr/share/kvm",
];
const BIOS: &str = "bios-256k.bin";
const VGA_BIOS: &str = "vgabios-stdvga.bin";

const KIB: usize = 1 << 10;
/// A BIOS is mapped in pages, and what is seen below 1 MiB is its last 64 KiB at least.
const BIOS_UNIT: usize = 64 * KIB;
const MAX_BIOS: usize = 16 << 20;
/// How far before the end of a BIOS the CPU starts.
const RESET_VECTOR: usize = 16;
const FLOPPY_1440: usize = 1440 * KIB;
const FLOPPY_2880: usize = 2880 * KIB;

/// A VGA BIOS, and how it must be handed to the firmware.
pub enum VgaBios {
    /// It has a PCI header: the VGA's ROM BAR shows it.
    RomBar(Vec<u8>),
    /// It has none: firmware takes it from fw_cfg, under this name.
    FwCfg(String, Vec<u8>),
}

/// SeaBIOS's own files, where a distribution installed them.
pub fn find() -> Option<(PathBuf, PathBuf)> {
    Some((find_file(BIOS)?, find_file(VGA_BIOS)?))
}

/// The BIOS to use if none is named.
pub fn find_bios() -> Result<PathBuf> {
    find_file(BIOS).with_context(|| missing("BIOS", BIOS, "--bios"))
}

/// The VGA BIOS to use if none is named.
pub fn find_vga_bios() -> Result<PathBuf> {
    find_file(VGA_BIOS).with_context(|| missing("VGA BIOS", VGA_BIOS, "--vgabios"))
}

/// What is missing, for messages.
pub fn missing(what: &str, file: &str, option: &str) -> String {
    let directories = DIRECTORIES.join(", ");
    format!(
        "no {what}: {file} isn't in any of {directories}; install the package seabios (Fedora: also \
         seavgabios-bin), or name a file with {option}"
    )
}

fn find_file(name: &str) -> Option<PathBuf> {
    DIRECTORIES
        .iter()
        .map(|directory| Path::new(directory).join(name))
        .find(|path| path.is_file())
}

/// Reads a BIOS image.
pub fn bios(path: &Path) -> Result<Vec<u8>> {
    let bytes = files::read("BIOS", path, MAX_BIOS)?;
    ensure!(
        bytes.len() % BIOS_UNIT == 0,
        "BIOS {} has {} bytes: a BIOS image has a multiple of 64 KiB",
        path.display(),
        bytes.len()
    );
    Ok(bytes)
}

/// What to suspect of a BIOS that has used no device: an image that's none, if its first instruction says so.
pub fn suspicion(bios: &[u8]) -> String {
    /// JMP: far, near and short.
    const JUMPS: [u8; 3] = [0xea, 0xe9, 0xeb];
    let reset_vector = bios.len().saturating_sub(RESET_VECTOR);
    let code = &bios[reset_vector..];
    let code = &code[..code.len().min(5)];
    if code.iter().take(3).any(|byte| JUMPS.contains(byte)) {
        return format!("the BIOS has used no device, after its first instruction ({code:02x?})");
    }
    format!(
        "this may not be a BIOS image: one has a jump (ea, e9 or eb) 16 bytes before its end, where the CPU \
         starts, but this one has {code:02x?}"
    )
}

/// Reads a VGA BIOS, and finds out how to hand it over.
pub fn vga_bios(path: &Path) -> Result<VgaBios> {
    let bytes = files::vga_bios(path)?;
    if has_pci_header(&bytes) {
        return Ok(VgaBios::RomBar(bytes));
    }
    let file = path
        .file_name()
        .map_or("vgabios.bin".into(), |name| name.to_string_lossy());
    Ok(VgaBios::FwCfg(format!("vgaroms/{file}"), bytes))
}

/// Whether an option ROM has a PCI data structure, to which its word at 0x18 points.
fn has_pci_header(rom: &[u8]) -> bool {
    let Some(&[low, high]) = rom.get(0x18..0x1a) else {
        return false;
    };
    let start = usize::from(u16::from_le_bytes([low, high]));
    rom.get(start..start + 4) == Some(b"PCIR")
}

/// Reads a floppy image, filled up to the size of a disk.
pub fn floppy(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = files::read("floppy image", path, FLOPPY_2880)?;
    let disk = if bytes.len() <= FLOPPY_1440 {
        FLOPPY_1440
    } else {
        FLOPPY_2880
    };
    bytes.resize(disk, 0);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), bytes).unwrap();
        file
    }

    #[test]
    fn a_floppy_image_is_filled_up_to_the_next_disk_size() {
        assert_eq!(
            floppy(file(&[0x90; 512]).path()).unwrap().len(),
            FLOPPY_1440
        );
        assert_eq!(
            floppy(file(&vec![0x90; FLOPPY_1440 + 1]).path())
                .unwrap()
                .len(),
            FLOPPY_2880
        );
        for bytes in [FLOPPY_2880 + 1, 0] {
            let floppy = floppy(file(&vec![0x90; bytes]).path());
            assert!(floppy.is_err(), "{bytes} bytes are taken");
        }
    }

    #[test]
    fn a_rom_with_a_pci_header_goes_to_the_bar_and_any_other_to_fw_cfg() {
        let mut rom = vec![0; 512];
        rom[..3].copy_from_slice(&[0x55, 0xaa, 1]);
        assert!(
            matches!(vga_bios(file(&rom).path()), Ok(VgaBios::FwCfg(name, _)) if name.starts_with("vgaroms/"))
        );
        rom[0x18] = 0x40;
        rom[0x40..0x44].copy_from_slice(b"PCIR");
        assert!(matches!(
            vga_bios(file(&rom).path()),
            Ok(VgaBios::RomBar(_))
        ));
        rom[0x18..0x1a].copy_from_slice(&[0xff, 0xff]);
        assert!(matches!(
            vga_bios(file(&rom).path()),
            Ok(VgaBios::FwCfg(..))
        ));
    }

    #[test]
    fn a_bios_without_a_jump_where_the_cpu_starts_is_suspected_with_what_is_there() {
        let bios = |code: &[u8]| {
            let mut bios = vec![0; BIOS_UNIT];
            bios[BIOS_UNIT - RESET_VECTOR..][..code.len()].copy_from_slice(code);
            bios
        };
        for (code, words) in [
            (&[0x9b, 0x87, 0x0c][..], "may not be a BIOS image"),
            (&[0x9b, 0x87, 0x0c], "has [9b, 87, 0c, 00, 00]"),
            (&[0xea, 0x5b, 0xe0, 0x00, 0xf0], "used no device"),
            (&[0x90, 0x90, 0xe9], "used no device"), // edk2
        ] {
            let suspicion = suspicion(&bios(code));
            assert!(suspicion.contains(words), "{code:02x?}: {suspicion}");
        }
    }

    #[test]
    fn a_bios_that_cannot_be_one_is_refused_with_what_is_wrong() {
        let odd = bios(file(&[0; 1000]).path()).unwrap_err().to_string();
        assert!(odd.contains("64 KiB"), "{odd}");
    }
}
