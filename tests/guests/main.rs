//! Real guests, through the example `boot` as a user runs it: firmware, boot sectors that set modes by
//! INT 10h, the example's own guests, and what it says to bad input.
//!
//! The pictures in `tests/data/guests` are what QEMU 10.0.2 shows for the same boot sectors, and for
//! the embedded guest's BIOS image (`demo.png`). To record them again, run
//! `STDVGA_RECORD=1 cargo test --test guests`, and then compare each with QEMU's `screendump`: the boot
//! sectors are left in `target/tmp/guests`; fill one up to 1.44 MB and start it with `qemu-system-x86_64
//! -accel tcg -m 32 -nodefaults -vga none -device VGA -drive if=floppy,format=raw,file=IMAGE`.
//! On a difference, both pictures and one of the differing pixels are written there, too.
//!
//! Tests that need KVM or firmware are skipped where those are missing, and fail instead where `CI` is
//! set.

#[path = "../picture/mod.rs"]
mod picture;
#[path = "../skip/mod.rs"]
mod skip;

mod boot_sectors;
mod exits;
mod linux;
mod machine;
mod refusals;
mod run;
#[cfg(target_os = "linux")]
mod vnc;
