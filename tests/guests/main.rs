//! Real guests, through the example `boot` as a user runs it: firmware, boot loaders, boot sectors that set
//! modes by INT 10h, the example's own guests, and what it says to bad input.
//!
//! The pictures in `tests/data/guests` are what QEMU 10.0.2 shows for the same boot sectors, and for
//! the embedded guest's BIOS image (`demo.png`). To record them again, run
//! `STDVGA_RECORD=1 cargo test --test guests`, and then compare each with QEMU's `screendump`: the boot
//! sectors are left in `target/tmp/guests`; fill one up to 1.44 MB and start it with `qemu-system-x86_64
//! -accel tcg -m 32 -nodefaults -vga none -device VGA -drive if=floppy,format=raw,file=IMAGE`.
//! On a difference, both pictures and one of the differing pixels are written there, too.
//!
//! What boot loaders show isn't recorded: QEMU shows it in the same run. To see how long each took, and how
//! many exits, run `cargo test --test guests boot_loaders -- --show-output`.
//!
//! Tests that need KVM, firmware, QEMU or boot loaders are skipped where those are missing, and fail
//! instead where `CI` is set.

#[cfg(target_os = "linux")]
#[path = "../example/mod.rs"]
mod example;
#[path = "../grub/mod.rs"]
mod grub;
#[path = "../picture/mod.rs"]
mod picture;
#[cfg(target_os = "linux")]
#[path = "../qmp/mod.rs"]
mod qmp;
#[path = "../skip/mod.rs"]
mod skip;

#[cfg(target_os = "linux")]
mod boot_loaders;
mod boot_sectors;
mod exits;
mod linux;
mod machine;
#[cfg(target_os = "linux")]
mod qemu;
mod refusals;
mod run;
#[cfg(target_os = "linux")]
mod vnc;
