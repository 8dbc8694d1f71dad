// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Boot sectors that set modes by INT 10h and draw; and what they're assembled with.

use std::fs;
use std::path::Path;

use iced_x86::code_asm::*;
use iced_x86::{IcedError, Instruction};
use stdvga_testing::program::text;
use stdvga_testing::skip::has_qemu;

use crate::qemu::Qemu;
use crate::run::{
    Picture, SEABIOS, SEAVGABIOS, UNTIL_HALTED, assert_recorded, boot, have_kvm_and, temporary,
};

/// Bytes of a floppy that QEMU takes for one.
const FLOPPY: usize = 1440 << 10;

/// A boot sector: `draw`, and then an end that is an event.
pub fn sector(draw: fn(&mut CodeAssembler) -> Result<(), IcedError>) -> Vec<u8> {
    let assemble = || {
        let mut a = CodeAssembler::new(16)?;
        a.xor(ax, ax)?;
        a.mov(ds, ax)?;
        a.mov(es, ax)?;
        a.cld()?;
        draw(&mut a)?;
        a.cli()?;
        a.hlt()?;
        a.assemble(0x7c00)
    };
    let mut sector: Vec<u8> = assemble().expect("the boot sector assembles");
    assert!(
        sector.len() <= 510,
        "the boot sector has {} bytes",
        sector.len()
    );
    sector.resize(510, 0);
    sector.extend([0x55, 0xaa]);
    sector
}

/// Sets a mode by INT 10h.
pub fn set_mode(a: &mut CodeAssembler, mode: u32) -> Result<(), IcedError> {
    a.mov(ax, mode)?;
    a.int(0x10)
}

pub fn out(a: &mut CodeAssembler, port: u32, index: u32, value: u32) -> Result<(), IcedError> {
    a.mov(dx, port)?;
    a.mov(ax, value << 8 | index)?;
    a.out(dx, ax)
}

/// Boots a sector that draws and halts, and compares its picture with the recorded one: once where the
/// screen compares what's in VRAM, and once where it knows the dirty pages.
fn assert_sector_draws(
    name: &str,
    draw: fn(&mut CodeAssembler) -> Result<(), IcedError>,
    options: &[&str],
) {
    if !have_kvm_and(&[SEABIOS, SEAVGABIOS]) {
        return;
    }
    let image = temporary(&format!("{name}.img"));
    fs::write(&image, sector(draw)).expect("the image can be written");
    for damage in ["compare", "log"] {
        assert_image_draws(name, &image, &[options, &["--damage", damage]].concat());
    }
}

/// Boots an image, and compares its picture with the recorded one. Returns what the program said.
pub fn assert_image_draws(name: &str, image: &Path, options: &[&str]) -> String {
    let screenshot = image.with_extension("png");
    let files = ["--bios", SEABIOS, "--vgabios", SEAVGABIOS];
    let own = ["--floppy", text(image), "--screenshot", text(&screenshot)];
    let arguments = [&files[..], &own, &UNTIL_HALTED, options].concat();
    let output = boot(&arguments);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "boot {arguments:?}:\n{stderr}");
    let actual = Picture::load(&screenshot).expect("boot wrote the picture");
    assert_recorded(name, &actual, || shown_by_qemu(image));
    stderr
}

/// What QEMU shows when a boot sector has drawn.
fn shown_by_qemu(image: &Path) -> Picture {
    assert!(has_qemu(), "recording needs QEMU 10.0");
    let floppy = image.with_extension("floppy");
    let mut bytes = fs::read(image).expect("the image can be read");
    bytes.resize(FLOPPY, 0);
    fs::write(&floppy, bytes).expect("the floppy can be written");
    let mut qemu = Qemu::start(&["-device", "VGA"].map(str::to_owned), &floppy);
    qemu.wait_for_halt();
    qemu.dump()
}

#[test]
fn mode_03h_shows_every_character_and_attribute() {
    // Blinking off: QEMU 10.0.2 shows sixteen backgrounds.
    assert_sector_draws(
        "mode-03h",
        |a| {
            set_mode(a, 0x0003)?;
            a.mov(ah, 1)?;
            a.mov(cx, 0x2607)?; // no cursor: its phase would be in the picture
            a.int(0x10)?;
            a.mov(ax, 0xb800)?;
            a.mov(es, ax)?;
            a.xor(di, di)?;
            a.xor(bx, bx)?;
            let mut next = a.create_label();
            a.set_label(&mut next)?;
            a.mov(al, bl)?; // character: the cell's number
            a.mov(ah, bh)?; // attribute: another one in each round
            a.shl(ah, 5)?;
            a.xor(ah, bl)?;
            a.stosw()?;
            a.inc(bx)?;
            a.cmp(bx, 80 * 25)?;
            a.jb(next)
        },
        &["--text-blink", "off"],
    );
}

#[test]
fn mode_12h_draws_in_planes_and_in_write_mode_2() {
    assert_sector_draws("mode-12h", draw_planes, &[]);
}

/// Draws in mode 12h by writes to the window.
pub fn draw_planes(a: &mut CodeAssembler) -> Result<(), IcedError> {
    set_mode(a, 0x0012)?;
    a.mov(ax, 0xa000)?;
    a.mov(es, ax)?;
    // The upper half: another pattern in each plane.
    let (mut plane, mut word) = (a.create_label(), a.create_label());
    a.mov(bx, 0x0102)?; // bit of the plane; sequencer register 2
    a.set_label(&mut plane)?;
    a.mov(dx, 0x3c4)?;
    a.mov(al, bl)?;
    a.mov(ah, bh)?;
    a.out(dx, ax)?;
    a.xor(di, di)?;
    a.mov(cx, 80 * 240 / 2)?;
    a.set_label(&mut word)?;
    a.mov(ax, di)?;
    a.mul(bh)?;
    a.xor(ax, di)?;
    a.stosw()?;
    a.loop_(word)?;
    a.shl(bh, 1)?;
    a.cmp(bh, 0x10)?;
    a.jb(plane)?;
    // The lower half: colours through write mode 2, in every other pixel.
    out(a, 0x3c4, 2, 0x0f)?;
    out(a, 0x3ce, 5, 0x02)?;
    out(a, 0x3ce, 8, 0x55)?;
    let mut next = a.create_label();
    a.mov(cx, 80 * 240)?;
    a.set_label(&mut next)?;
    a.mov(al, byte_ptr(di).es())?; // loads the latches: the other pixels stay
    a.mov(ax, di)?;
    a.shr(ax, 4)?;
    a.stosb()?;
    a.loop_(next)
}

#[test]
fn mode_13h_draws_through_mapped_memory_with_a_palette_by_string_io() {
    assert_sector_draws(
        "mode-13h",
        |a| {
            set_mode(a, 0x0013)?;
            // A palette, written by `rep outsb`: 768 accesses of one byte.
            let mut colour = a.create_label();
            a.mov(di, 0x9000)?;
            a.xor(cx, cx)?;
            a.set_label(&mut colour)?;
            a.mov(al, cl)?;
            a.shr(al, 2)?;
            a.stosb()?;
            a.xor(al, 0x3f)?;
            a.stosb()?;
            a.mov(al, cl)?;
            a.and(al, 0x3f)?;
            a.stosb()?;
            a.inc(cl)?;
            a.jnz(colour)?;
            a.mov(dx, 0x3c8)?;
            a.xor(al, al)?;
            a.out(dx, al)?;
            a.inc(dx)?;
            a.mov(si, 0x9000)?;
            a.mov(cx, 768)?;
            a.add_instruction(Instruction::with_rep_outsb(16)?)?;
            // 64,000 pixels of column + row * row / 64.
            let (mut row, mut pixel) = (a.create_label(), a.create_label());
            a.mov(ax, 0xa000)?;
            a.mov(es, ax)?;
            a.xor(di, di)?;
            a.xor(bx, bx)?;
            a.set_label(&mut row)?;
            a.mov(al, bl)?;
            a.mul(al)?;
            a.shr(ax, 6)?;
            a.mov(cx, 320)?;
            a.set_label(&mut pixel)?;
            a.stosb()?;
            a.inc(ax)?;
            a.loop_(pixel)?;
            a.inc(bx)?;
            a.cmp(bx, 200)?;
            a.jb(row)
        },
        &[],
    );
}

#[test]
fn vbe_mode_101h_draws_through_banks() {
    assert_sector_draws(
        "vbe-101h",
        |a| {
            a.mov(ax, 0x4f02)?;
            a.mov(bx, 0x0101)?; // 640x480, 8 bits per pixel
            a.int(0x10)?;
            a.mov(ax, 0xa000)?;
            a.mov(es, ax)?;
            let (mut bank, mut pixel, mut next) =
                (a.create_label(), a.create_label(), a.create_label());
            a.xor(si, si)?;
            a.set_label(&mut bank)?;
            a.mov(ax, 0x4f05)?;
            a.xor(bx, bx)?;
            a.mov(dx, si)?;
            a.int(0x10)?;
            // 4 banks of 64 KiB, and 45,056 bytes of a fifth; each with other colours.
            a.mov(dx, si)?;
            a.shl(dl, 4)?;
            a.xor(cx, cx)?;
            a.cmp(si, 4)?;
            a.jb(next)?;
            a.mov(cx, 45_056)?;
            a.set_label(&mut next)?;
            a.xor(di, di)?;
            a.set_label(&mut pixel)?;
            a.mov(ax, di)?;
            a.xor(al, ah)?;
            a.add(al, dl)?;
            a.stosb()?;
            a.loop_(pixel)?;
            a.inc(si)?;
            a.cmp(si, 5)?;
            a.jb(bank)
        },
        &[],
    );
}

#[test]
fn vbe_mode_112h_draws_through_the_linear_framebuffer() {
    assert_sector_draws(
        "vbe-112h",
        |a| {
            const INFO: u32 = 0x9000;
            const GDT: u32 = 0x9200;
            a.mov(ax, 0x4f01)?;
            a.mov(cx, 0x0112)?; // 640x480, 24 bits per pixel
            a.mov(di, INFO)?;
            a.int(0x10)?;
            a.mov(ax, 0x4f02)?;
            a.mov(bx, 0x4112)?;
            a.int(0x10)?;
            // "Unreal mode" for the framebuffer above 1 MiB; interrupts would end it.
            let (mut row, mut pixel) = (a.create_label(), a.create_label());
            a.cli()?;
            a.mov(dword_ptr(GDT + 8), 0x0000_ffff)?;
            a.mov(dword_ptr(GDT + 12), 0x00cf_9200)?; // data, base 0, 4 GiB
            a.mov(word_ptr(GDT + 16), 15)?;
            a.mov(dword_ptr(GDT + 18), GDT)?;
            a.lgdt(ptr(GDT + 16))?;
            a.mov(eax, cr0)?;
            a.or(al, 1)?;
            a.mov(cr0, eax)?;
            a.mov(bx, 8)?;
            a.mov(es, bx)?;
            a.and(al, 0xfe)?;
            a.mov(cr0, eax)?;
            a.mov(edi, dword_ptr(INFO + 0x28))?;
            a.xor(bx, bx)?; // row
            a.set_label(&mut row)?;
            a.mov(edx, edi)?;
            a.xor(cx, cx)?; // column
            a.set_label(&mut pixel)?;
            a.mov(al, cl)?; // blue
            a.mov(ah, bl)?; // green
            a.mov(word_ptr(edi).es(), ax)?;
            a.xor(al, ah)?; // red
            a.mov(byte_ptr(edi + 2).es(), al)?;
            a.add(edi, 3)?;
            a.inc(cx)?;
            a.cmp(cx, 640)?;
            a.jb(pixel)?;
            a.movzx(edi, word_ptr(INFO + 0x10))?;
            a.add(edi, edx)?;
            a.inc(bx)?;
            a.cmp(bx, 480)?;
            a.jb(row)
        },
        &[],
    );
}
