// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The shortest complete program around the device: the README shows it, too.

use std::error::Error;
use std::time::{Duration, Instant};
use std::{io, thread};

use stdvga::embedding::{MappedRegions, Picture, Region, RegionMapper, SharedVga};
use stdvga::{Config, Dirty, StdVga};

/// Maps host memory into the guest. A VMM does this through its hypervisor, for example with KVM's memory slots.
struct Slots;

impl RegionMapper for Slots {
    fn map(&mut self, region: &Region) -> io::Result<()> {
        println!("map {region}");
        Ok(())
    }

    fn unmap(&mut self, region: &Region) -> io::Result<()> {
        println!("unmap {region}");
        Ok(())
    }
}

/// A vCPU thread. Each access that causes an exit goes to the device. These are what a driver sends.
fn run_vcpu(vga: &SharedVga) {
    // BAR0 is at 0xfd000000, and memory decoding is enabled. The guest's memory follows.
    vga.write(|vga| vga.config_write(0x10, &0xfd00_0000_u32.to_le_bytes()));
    vga.write(|vga| vga.config_write(0x04, &2_u16.to_le_bytes()));
    // DISPI: 640x480 with 32 bits per pixel.
    for (register, value) in [(1_u16, 640_u16), (2, 480), (3, 32), (4, 0x41)] {
        vga.write(|vga| vga.port_write(0x1ce, &register.to_le_bytes()));
        vga.write(|vga| vga.port_write(0x1d0, &value.to_le_bytes()));
    }
    // The palette is switched on. Without that, the screen is blank in any mode.
    vga.write(|vga| vga.port_write(0x3c0, &[0x20]));
    // A read, for comparison: the height.
    let mut height = [0; 2];
    vga.with(|vga| {
        let _ = vga.port_write(0x1ce, &[2, 0]);
        vga.port_read(0x1d0, &mut height);
    });
    println!("the guest set {} lines", u16::from_le_bytes(height));
}

fn main() -> Result<(), Box<dyn Error>> {
    let vga = StdVga::new(Config::default())?;
    let vram = vga.vram().clone();
    let vga = SharedVga::new(vga, MappedRegions::new(Slots), |change| {
        for error in change.errors {
            eprintln!("{error}");
        }
    });

    let vcpu = thread::spawn({
        let vga = vga.clone();
        move || run_vcpu(&vga)
    });

    // The display thread. The guest chooses the size: 3840x2160 pixels at most are shown.
    let mut picture = Picture::new(3840 * 2160);
    let start = Instant::now();
    for _frame in 0..5 {
        // Only this needs the lock.
        let scanout = vga.with(|vga| vga.scanout());
        if let Some(damage) = picture.refresh(&scanout, &vram, Dirty::Compare, start.elapsed())? {
            for rect in damage.iter() {
                println!(
                    "show {} at {},{} of {}",
                    rect.size,
                    rect.x,
                    rect.y,
                    picture.size()
                );
            }
        }
        thread::sleep(Duration::from_millis(33));
    }
    vcpu.join().expect("the vCPU thread doesn't panic");
    Ok(())
}
