// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The embedded guest: a BIOS image of our own that carries out the demo program on a real vCPU.
//! A few dozen instructions of real-mode code, assembled when it's needed, walk the program.

use anyhow::{Context, Result, ensure};
use iced_x86::code_asm::*;
use iced_x86::{IcedError, Instruction};

use crate::demo::{Area, Step};

const IMAGE: usize = 64 << 10;
/// The CPU starts here, 16 bytes below the image's end.
const RESET_VECTOR: usize = IMAGE - 16;
/// The image as code: segment 0xf000, so that it's the same bytes from 0xf0000 on.
const SEGMENT: u16 = 0xf000;
const BASE: u32 = 0xf_0000;
/// The segment descriptors, behind the program.
const GDT: usize = RESET_VECTOR - 32;
const PROGRAM: usize = 0x200;

const END: u8 = 0;
const OUT8: u8 = 1;
const OUT16: u8 = 2;
const OUT32: u8 = 3;
const IN8: u8 = 4;
const FILL: u8 = 5;
const COPY: u8 = 6;

/// The BIOS image: code, program, segment descriptors and reset vector.
pub fn image(program: &[Step]) -> Result<Vec<u8>> {
    let code = code().context("the embedded guest can't be assembled")?;
    let program = encode(program);
    ensure!(
        code.len() <= PROGRAM && PROGRAM + program.len() <= GDT,
        "the embedded guest has {} bytes of code and a program of {}: too much for 64 KiB",
        code.len(),
        program.len()
    );
    let mut image = vec![0; IMAGE];
    let mut put = |at: usize, bytes: &[u8]| image[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &code);
    put(PROGRAM, &program);
    // The null descriptor, and one for data: base 0, 4 GiB, writable.
    put(GDT + 8, &[0xff, 0xff, 0x00, 0x00, 0x00, 0x92, 0xcf, 0x00]);
    put(GDT + 16, &15u16.to_le_bytes());
    put(GDT + 18, &(BASE + GDT as u32).to_le_bytes());
    let [low, high] = SEGMENT.to_le_bytes();
    put(RESET_VECTOR, &[0xea, 0x00, 0x00, low, high]); // jmp 0xf000:0
    Ok(image)
}

/// The program as bytes: a code for each step, then its operands.
fn encode(program: &[Step]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let area = |Area {
                    address,
                    pitch,
                    width,
                    rows,
                }: &Area| {
        [*address, *pitch, *width, *rows]
            .map(u32::to_le_bytes)
            .concat()
    };
    for step in program {
        let (code, operands) = match step {
            Step::Out8(port, value) => (OUT8, [&port.to_le_bytes()[..], &[*value]].concat()),
            Step::Out16(port, value) => (OUT16, [port.to_le_bytes(), value.to_le_bytes()].concat()),
            Step::Out32(port, value) => (
                OUT32,
                [&port.to_le_bytes()[..], &value.to_le_bytes()].concat(),
            ),
            Step::In8(port) => (IN8, port.to_le_bytes().to_vec()),
            Step::Fill { area: to, value } => {
                (FILL, [area(to), value.to_le_bytes().into()].concat())
            }
            Step::Copy { area: to, row } => {
                let row = row.iter().flat_map(|dword| dword.to_le_bytes());
                (COPY, area(to).into_iter().chain(row).collect())
            }
        };
        bytes.push(code);
        bytes.extend(operands);
    }
    bytes.push(END);
    bytes
}

/// The code, which starts at offset 0 of the segment. ESI walks the program.
fn code() -> Result<Vec<u8>, IcedError> {
    let mut a = CodeAssembler::new(16)?;
    let mut next = a.create_label();

    // "Unreal mode": segment registers keep a limit of 4 GiB after a look at protected mode.
    // Interrupts stay off, so that nothing loads them again.
    a.cli()?;
    a.cld()?;
    a.lgdt(ptr(GDT as u32 + 16).cs())?;
    a.mov(eax, cr0)?;
    a.or(al, 1)?;
    a.mov(cr0, eax)?;
    a.mov(bx, 8)?;
    a.mov(ds, bx)?;
    a.mov(es, bx)?;
    a.and(al, !1 & 0xff)?;
    a.mov(cr0, eax)?;
    a.mov(esi, BASE + PROGRAM as u32)?;

    a.set_label(&mut next)?;
    a.mov(al, byte_ptr(esi))?;
    a.inc(esi)?;
    let codes = [OUT8, OUT16, OUT32, IN8, FILL, COPY];
    let mut steps = codes.map(|_| a.create_label());
    for (code, label) in codes.into_iter().zip(steps) {
        a.cmp(al, u32::from(code))?;
        a.je(label)?;
    }
    a.cli()?;
    a.hlt()?;

    let [out8, out16, out32, in8, fill, copy] = &mut steps;
    a.set_label(out8)?;
    a.mov(dx, word_ptr(esi))?;
    a.mov(al, byte_ptr(esi + 2))?;
    a.out(dx, al)?;
    a.add(esi, 3)?;
    a.jmp(next)?;

    a.set_label(out16)?;
    a.mov(dx, word_ptr(esi))?;
    a.mov(ax, word_ptr(esi + 2))?;
    a.out(dx, ax)?;
    a.add(esi, 4)?;
    a.jmp(next)?;

    a.set_label(out32)?;
    a.mov(dx, word_ptr(esi))?;
    a.mov(eax, dword_ptr(esi + 2))?;
    a.out(dx, eax)?;
    a.add(esi, 6)?;
    a.jmp(next)?;

    a.set_label(in8)?;
    a.mov(dx, word_ptr(esi))?;
    a.in_(al, dx)?;
    a.add(esi, 2)?;
    a.jmp(next)?;

    // Both ways to write an area keep its address in EBP, and its rows in EDX.
    let mut row = a.create_label();
    a.set_label(fill)?;
    load_area(&mut a)?;
    a.mov(eax, dword_ptr(esi + 16))?;
    a.set_label(&mut row)?;
    a.mov(edi, ebp)?;
    a.mov(ecx, dword_ptr(esi + 8))?;
    a.add_instruction(Instruction::with_rep_stosd(32)?)?;
    a.add(ebp, dword_ptr(esi + 4))?;
    a.dec(edx)?;
    a.jnz(row)?;
    a.add(esi, 20)?;
    a.jmp(next)?;

    let mut row = a.create_label();
    a.set_label(copy)?;
    load_area(&mut a)?;
    a.mov(ebx, esi)?;
    a.set_label(&mut row)?;
    a.mov(edi, ebp)?;
    a.mov(ecx, dword_ptr(ebx + 8))?;
    a.lea(esi, dword_ptr(ebx + 16))?;
    a.add_instruction(Instruction::with_rep_movsd(32)?)?;
    a.add(ebp, dword_ptr(ebx + 4))?;
    a.dec(edx)?;
    a.jnz(row)?;
    a.jmp(next)?; // the copy left ESI behind the row
    a.assemble(0)
}

fn load_area(a: &mut CodeAssembler) -> Result<(), IcedError> {
    a.mov(ebp, dword_ptr(esi))?;
    a.mov(edx, dword_ptr(esi + 12))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo;

    #[test]
    fn the_image_ends_in_a_reset_vector_to_its_start() {
        let image = image(&demo::program()).unwrap();
        assert_eq!(image.len(), IMAGE);
        assert_eq!(image[RESET_VECTOR..][..5], [0xea, 0, 0, 0, 0xf0]);
        assert_eq!(image[..2], [0xfa, 0xfc]); // cli, cld
    }

    #[test]
    fn a_program_that_does_not_fit_is_refused() {
        let step = Step::Out8(0x3c0, 0);
        assert!(image(&vec![step; IMAGE / 4]).is_err());
    }
}
