// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Direct boot of a Linux kernel, by the 64-bit boot protocol: what a boot loader leaves in memory.

use std::io::Cursor;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail, ensure};
use linux_loader::bootparam::{
    XLF_KERNEL_64, boot_e820_entry, boot_params, screen_info, setup_header,
};
use linux_loader::configurator::linux::LinuxBootConfigurator;
use linux_loader::configurator::{BootConfigurator, BootParams};
use linux_loader::loader::{BzImage, Cmdline, Elf, KernelLoader, load_cmdline};
use stdvga_frontend::files;
use vm_memory::{Address, Bytes, GuestAddress, GuestMemoryBackend, GuestMemoryMmap};

use crate::outcome::LongMode;

const MIB: u64 = 1 << 20;
const PAGE: u64 = 4 << 10;
/// One with all that debuggers want fits.
const MAX_KERNEL: usize = 1 << 30;
const GDT: GuestAddress = GuestAddress(0x500);
const PAGE_TABLES: GuestAddress = GuestAddress(0x1000);
const BOOT_PARAMS: GuestAddress = GuestAddress(0x7000);
const COMMAND_LINE: GuestAddress = GuestAddress(0x2_0000);
const MOST_COMMAND_LINE: u32 = 0xffff;
/// Where a kernel's 64-bit code starts, from its first byte on.
const ENTRY_64: u64 = 0x200;
/// Below the place where a BIOS keeps data of its own.
const LOW_RAM: u64 = 0x9_fc00;
/// From here up to 4 GiB, addresses are the chipset's: Linux must give none of them to the VGA.
const CHIPSET: u64 = 0xfec0_0000;

// The selectors that the boot protocol wants, and their flat segments.
const CODE: u16 = 0x10;
const DATA: u16 = 0x18;
const SEGMENTS: [u64; 4] = [0, 0, 0x00af_9b00_0000_ffff, 0x00cf_9300_0000_ffff];

// Bits of an entry in a page table.
pub const PRESENT: u64 = 1 << 0;
pub const WRITABLE: u64 = 1 << 1;
const LARGE_PAGE: u64 = 1 << 7;

/// Loads a kernel, and what it's to be told, into `ram`. Returns how to start it.
pub fn load(
    ram: &GuestMemoryMmap,
    kernel: &Path,
    initrd: Option<&Path>,
    command_line: &str,
) -> Result<LongMode> {
    let name = kernel.display();
    let kernel = Kernel::load(ram, &files::read("kernel", kernel, MAX_KERNEL)?)
        .with_context(|| format!("kernel {name}"))?;
    let end = ram.last_addr().raw_value() + 1;
    ensure!(
        kernel.end <= end,
        "--memory {}: kernel {name} needs at least {} MiB",
        end / MIB,
        kernel.end.div_ceil(MIB)
    );

    let mut params = boot_params {
        screen_info: text_screen(),
        hdr: kernel.header,
        ..boot_params::default()
    };
    params.hdr.type_of_loader = 0xff; // none that has a number
    params.hdr.cmd_line_ptr = COMMAND_LINE.raw_value() as u32;
    write_command_line(ram, command_line, kernel.header.cmdline_size)?;
    if let Some(initrd) = initrd {
        write_initrd(ram, initrd, kernel.end, &mut params.hdr)?;
    }
    let map = memory_map(end);
    params.e820_entries = map.len() as u8;
    params.e820_table[..map.len()].copy_from_slice(&map);
    LinuxBootConfigurator::write_bootparams(&BootParams::new(&params, BOOT_PARAMS), ram)
        .map_err(|error| anyhow!("the kernel's parameters don't fit into RAM: {error}"))?;
    write_page_tables(ram, PAGE_TABLES, PRESENT | WRITABLE)?;
    ram.write_obj(SEGMENTS, GDT)?;
    Ok(LongMode {
        rip: kernel.entry,
        rsi: BOOT_PARAMS.raw_value(),
        page_tables: PAGE_TABLES.raw_value(),
        gdt: GDT.raw_value(),
        code: CODE,
        data: DATA,
    })
}

/// A kernel in RAM.
struct Kernel {
    /// Where its 64-bit code starts.
    entry: u64,
    /// Where the memory ends that it uses before it looks at the memory map.
    end: u64,
    header: setup_header,
}

impl Kernel {
    /// Loads one that decompresses itself (bzImage), or one that needn't (ELF, vmlinux).
    fn load(ram: &GuestMemoryMmap, image: &[u8]) -> Result<Self> {
        let mut file = Cursor::new(image);
        let size = (ram.last_addr().raw_value() + 1) / MIB;
        let failed = |error| anyhow!("it can't be loaded into {size} MiB of RAM: {error}");
        if image.starts_with(b"\x7fELF") {
            let loaded = Elf::load(ram, None, &mut file, None).map_err(failed)?;
            return Ok(Self {
                entry: loaded.kernel_load.raw_value(),
                end: loaded.kernel_end,
                header: elf_header(),
            });
        }
        if image.get(0x202..0x206) != Some(b"HdrS") {
            bail!("it's neither a bzImage nor an ELF file");
        }
        let loaded = BzImage::load(ram, None, &mut file, None).map_err(failed)?;
        let header = loaded.setup_header.unwrap_or_default();
        ensure!(
            header.xloadflags & XLF_KERNEL_64 != 0,
            "it has no 64-bit entry point"
        );
        Ok(Self {
            entry: loaded.kernel_load.raw_value() + ENTRY_64,
            end: header.pref_address.saturating_add(header.init_size.into()),
            header,
        })
    }
}

/// What a bzImage would say about itself: an ELF file doesn't.
fn elf_header() -> setup_header {
    setup_header {
        boot_flag: 0xaa55,
        header: u32::from_le_bytes(*b"HdrS"),
        version: 0x020f,
        cmdline_size: 2047,
        initrd_addr_max: 0x7fff_ffff,
        ..setup_header::default()
    }
}

/// Tells of 80x25 text of 9x16 dots: the screen that firmware leaves.
fn text_screen() -> screen_info {
    screen_info {
        orig_video_mode: 3,
        orig_video_cols: 80,
        orig_video_lines: 25,
        orig_video_isVGA: 1,
        orig_video_points: 16,
        ..screen_info::default()
    }
}

/// Writes the command line, of as many bytes as the kernel takes.
fn write_command_line(ram: &GuestMemoryMmap, text: &str, most: u32) -> Result<()> {
    let (len, most) = (text.len(), most.min(MOST_COMMAND_LINE) as usize);
    ensure!(
        len <= most,
        "--append has {len} bytes, but this kernel takes at most {most}"
    );
    let mut line = Cmdline::new(most + 1)?; // a NUL ends it
    line.insert_str(text).context("--append")?;
    load_cmdline(ram, COMMAND_LINE, &line).context("--append")
}

/// Writes an initial RAM disk as far up as it may be, and tells of it in `header`.
fn write_initrd(
    ram: &GuestMemoryMmap,
    path: &Path,
    kernel_end: u64,
    header: &mut setup_header,
) -> Result<()> {
    let end = ram
        .last_addr()
        .raw_value()
        .min(header.initrd_addr_max.into())
        + 1;
    let most = end.saturating_sub(kernel_end.next_multiple_of(PAGE));
    let image = files::read("initrd", path, most as usize)?;
    let len = image.len() as u64;
    let start = (end - len) / PAGE * PAGE;
    header.ramdisk_image = start as u32;
    header.ramdisk_size = len as u32;
    ram.write_slice(&image, GuestAddress(start)).map_err(|_| {
        anyhow!(
            "--initrd {}: its {len} bytes would lie at {start:#x} to {:#x}, not all of which is RAM",
            path.display(),
            start + len - 1
        )
    })
}

/// Which addresses are RAM, up to `end`, and which are nobody's to give.
fn memory_map(end: u64) -> [boot_e820_entry; 4] {
    const RAM: u32 = 1;
    const RESERVED: u32 = 2;
    let entry = |start, end, kind| boot_e820_entry {
        addr: start,
        size: end - start,
        r#type: kind,
    };
    [
        entry(0, LOW_RAM, RAM),
        entry(LOW_RAM, MIB, RESERVED),
        entry(MIB, end, RAM),
        entry(CHIPSET, 1 << 32, RESERVED),
    ]
}

/// Maps 4 GiB as they are, in pages of 2 MiB with these `flags`, by six tables: a table with the
/// addresses of the first GiB follows the two above it, and so on.
pub fn write_page_tables(ram: &GuestMemoryMmap, start: GuestAddress, flags: u64) -> Result<()> {
    let table = |number: u64| start.raw_value() + number * PAGE;
    let write = |at, entry: u64| ram.write_obj(entry | flags, GuestAddress(at));
    write(table(0), table(1))?;
    for gib in 0..4 {
        write(table(1) + 8 * gib, table(2 + gib))?;
    }
    for page in 0..4 * 512 {
        write(table(2) + 8 * page, page << 21 | LARGE_PAGE)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
