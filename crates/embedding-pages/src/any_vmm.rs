// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The code of docs/embedding.md: what's the same in every VMM.

use std::error::Error;
use std::fs;
use std::path::Path;

use stdvga::embedding::{MapError, MappedRegions, RegionMapper, SharedVga};
use stdvga::state::VramPages;
use stdvga::{Config, State, StdVga};

/// A shared device with a VGA BIOS for the firmware. Mapping errors go to `failed`.
pub fn build(
    vga_bios: &Path,
    mapper: impl RegionMapper + 'static,
    mut failed: impl FnMut(MapError) + Send + 'static,
) -> Result<SharedVga, Box<dyn Error>> {
    let rom = fs::read(vga_bios)?;
    let vga = StdVga::new(Config::default().rom(rom))?;
    let regions = MappedRegions::new(mapper);
    Ok(SharedVga::new(vga, regions, move |change| {
        change.errors.into_iter().for_each(&mut failed);
    }))
}

/// What a snapshot needs of the device. No vCPU may run meanwhile.
pub fn save(vga: &SharedVga) -> (Vec<u8>, VramPages) {
    vga.with(|vga| (vga.state().to_bytes(), VramPages::save(vga.vram())))
}

/// Restores the device and VRAM from a snapshot, in place: both or none. No vCPU may run meanwhile.
pub fn restore(vga: &SharedVga, state: &[u8], vram: &VramPages) -> Result<(), Box<dyn Error>> {
    let state = State::from_bytes(state)?;
    vga.restore_with_pages(&state, vram)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::mpsc;

    use stdvga::embedding::Region;

    use super::*;

    /// Memory of which none can be mapped.
    struct Full;

    impl RegionMapper for Full {
        fn map(&mut self, _: &Region) -> io::Result<()> {
            Err(io::ErrorKind::OutOfMemory.into())
        }

        fn unmap(&mut self, _: &Region) -> io::Result<()> {
            Ok(())
        }
    }

    fn vga(failed: impl FnMut(MapError) + Send + 'static) -> SharedVga {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(&[0x55, 0xaa, 1]).expect("a written file");
        build(file.path(), Full, failed).expect("a device")
    }

    #[test]
    fn a_vga_bios_is_read_into_the_rom() {
        let rom = vga(drop).with(|vga| vga.rom().map(|rom| rom.to_vec()));
        assert_eq!(rom.as_deref(), Some(&[0x55, 0xaa, 1, 0][..]));
    }

    #[test]
    fn what_cant_be_mapped_is_handed_over() {
        let (sender, errors) = mpsc::channel();
        let vga = vga(move |error| sender.send(error.to_string()).expect("a receiver"));
        vga.write(|vga| vga.config_write(0x10, &0xe000_0000_u32.to_le_bytes()));
        vga.write(|vga| vga.config_write(0x04, &[2]));
        drop(vga);
        let errors: Vec<_> = errors.iter().collect();
        assert!(
            matches!(&errors[..], [error] if error.contains("framebuffer")),
            "{errors:?}"
        );
    }

    #[test]
    fn a_snapshot_has_registers_and_vram() {
        let vga = vga(drop);
        vga.write(|vga| vga.port_write(0x3c8, &[7]));
        vga.with(|vga| vga.vram().write(0x5000, b"a picture"));
        let (state, pages) = save(&vga);

        vga.write(|vga| vga.port_write(0x3c8, &[8]));
        vga.with(|vga| vga.vram().write(0x5000, b"something"));
        vga.with(|vga| vga.vram().write(0x9000, b"something"));
        restore(&vga, &state, &pages).expect("what was saved");
        assert_eq!(save(&vga), (state, pages));

        restore(&vga, &[0; 3], &VramPages::default()).expect_err("no state");
    }
}
