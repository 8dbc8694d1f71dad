// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! A guest whose accesses reach two devices: the server's, and one of the test's own.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use stdvga::{Config, Variant};
use stdvga_testing::driver::{
    ATTRIBUTE, BPP, COLOR_ADDRESSES, ENABLE, ENABLED, Guest, INPUT_STATUS_1, MISC_OUTPUT, Monitor,
    PALETTE_ADDRESS_SOURCE, XRES, YRES, bar2_dispi, bar2_port,
};
use stdvga_testing::picture::{self, Picture};
use vfio_bindings::bindings::vfio::{
    VFIO_PCI_BAR0_REGION_INDEX, VFIO_PCI_BAR2_REGION_INDEX, VFIO_PCI_CONFIG_REGION_INDEX,
    VFIO_PCI_ROM_REGION_INDEX, VFIO_PCI_VGA_REGION_INDEX,
};
use vfio_user::Client;
use vm_memory::{MmapRegion, VolatileMemory};

use crate::server::Server;

pub const BAR0: u32 = VFIO_PCI_BAR0_REGION_INDEX;
pub const BAR2: u32 = VFIO_PCI_BAR2_REGION_INDEX;
pub const ROM: u32 = VFIO_PCI_ROM_REGION_INDEX;
pub const CONFIG: u32 = VFIO_PCI_CONFIG_REGION_INDEX;
/// Legacy ports and the window, in devices that have them.
pub const VGA: u32 = VFIO_PCI_VGA_REGION_INDEX;

/// Bytes of a region.
pub fn read<const N: usize>(client: &mut Client, region: u32, offset: u64) -> [u8; N] {
    let mut data = [0; N];
    let read = client.region_read(region, offset, &mut data);
    read.unwrap_or_else(|error| panic!("{N} bytes of region {region} at {offset:#x}: {error}"));
    data
}

pub fn write(client: &mut Client, region: u32, offset: u64, data: &[u8]) {
    let written = client.region_write(region, offset, data);
    written.unwrap_or_else(|error| panic!("region {region} at {offset:#x}: {error}"));
}

/// The server's VRAM, as a VMM maps it into its guest.
pub fn map_vram(client: &Client) -> MmapRegion {
    let bar0 = client.region(BAR0).expect("BAR0 is a region");
    let file = bar0.file_offset.clone().expect("BAR0 comes with a file");
    MmapRegion::from_file(file, bar0.size as usize).expect("the file can be mapped")
}

/// The guest.
pub struct Machine {
    pub client: Client,
    vram: MmapRegion,
    ours: Guest,
    monitor: Monitor,
}

impl Machine {
    /// A guest of a server that was started without options.
    pub fn new(server: &Server) -> Self {
        let client = server.connect();
        Self {
            vram: map_vram(&client),
            client,
            ours: Guest::with(Config::new(Variant::SecondaryVga)),
            monitor: Monitor::default(),
        }
    }

    /// Writes to BAR2.
    fn mmio_write(&mut self, offset: u64, data: &[u8]) {
        write(&mut self.client, BAR2, offset, data);
        self.ours.mmio_write(offset, data);
    }

    /// Reads from BAR2: what both answer.
    #[track_caller]
    fn mmio_read<const N: usize>(&mut self, offset: u64) -> [u8; N] {
        let answer = read(&mut self.client, BAR2, offset);
        self.ours.expect_mmio(offset, answer);
        answer
    }

    /// Sets a mode as drivers do that have BAR2 alone.
    pub fn set_mode(&mut self, width: u16, height: u16, bpp: u16) {
        self.mmio_read::<1>(bar2_port(INPUT_STATUS_1));
        self.mmio_write(bar2_port(MISC_OUTPUT), &[COLOR_ADDRESSES]);
        self.mmio_read::<1>(bar2_port(INPUT_STATUS_1));
        self.mmio_write(bar2_port(ATTRIBUTE), &[PALETTE_ADDRESS_SOURCE]);
        for (register, value) in [
            (ENABLE, 0),
            (XRES, width),
            (YRES, height),
            (BPP, bpp),
            (ENABLE, ENABLED),
        ] {
            self.mmio_write(bar2_dispi(register), &value.to_le_bytes());
        }
    }

    /// Draws through the mapping.
    pub fn draw(&mut self, offset: usize, data: &[u8]) {
        let slice = self.vram.get_slice(offset, data.len());
        slice.expect("it's inside of VRAM").copy_from(data);
        self.ours.vram_write(offset as u64, data);
    }

    /// Draws by messages, as a VMM does that can't map BAR0.
    pub fn draw_by_messages(&mut self, offset: u64, data: &[u8]) {
        write(&mut self.client, BAR0, offset, data);
        self.ours.vram_write(offset, data);
    }

    pub fn reset(&mut self) {
        self.client.reset().expect("the server is there");
        self.ours.reset();
    }

    /// Fails unless the server's picture is that of the test's own device.
    #[track_caller]
    pub fn expect_picture(&mut self, actual: &Picture) {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        self.monitor.refresh(&mut self.ours, 0);
        let expected = Picture::of_surface(self.monitor.dimensions(), &self.monitor.pixels);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let stem = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("vfio_user-{count}"));
        if let Err(difference) = picture::compare(&stem, actual, &expected) {
            panic!("{difference}");
        }
    }
}
