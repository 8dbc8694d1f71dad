//! Real guests, through the example `boot` as a user runs it: firmware, boot sectors that set modes by
//! INT 10h, the example's own guests, and what it says to bad input.
//!
//! The pictures in `tests/data/guests` are what QEMU 10.0.2 shows for the same boot sectors, and for
//! the embedded guest's BIOS image (`demo.png`). To record them again, run
//! `STDVGA_RECORD=1 cargo test --test guests`, and then compare each with QEMU's `screendump`: the boot
//! sectors are left in `target/tmp/guests`; fill one up to 1.44 MB and start it with `qemu-system-x86_64
//! -accel tcg -m 32 -nodefaults -vga none -device VGA -drive if=floppy,format=raw,file=IMAGE`.
//! On a difference, the actual picture and one of the differing pixels are written there, too.
//!
//! Tests that need KVM or firmware are skipped where those are missing, and fail instead where `CI` is
//! set.

use std::env;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use iced_x86::code_asm::*;
use iced_x86::{IcedError, Instruction};

const SEABIOS: &str = "/usr/share/seabios/bios-256k.bin";
const SEAVGABIOS: &str = "/usr/share/seabios/vgabios-stdvga.bin";
const PLEX86_VGABIOS: &str = "/usr/share/vgabios/vgabios.bin";

/// Runs the example with `arguments`.
fn boot(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO"));
    command.args(["run", "--quiet", "--example", "boot"]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .arg("--")
        .args(arguments);
    command.output().expect("cargo runs")
}

/// Runs the example, which must succeed, and returns what it printed.
fn boot_ok(arguments: &[&str]) -> String {
    let output = boot(arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "boot {arguments:?}: {}\n{stderr}",
        output.status
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Whether a test can run: /dev/kvm can be opened, and these files exist. Says why not.
fn have_kvm_and(files: &[&str]) -> bool {
    let kvm = File::options().read(true).write(true).open("/dev/kvm");
    let missing = match kvm {
        Err(error) => Some(format!("/dev/kvm: {error}")),
        Ok(_) => {
            let file = files.iter().find(|file| !Path::new(file).is_file());
            file.map(|file| format!("{file} isn't there"))
        }
    };
    let Some(missing) = missing else { return true };
    assert!(env::var_os("CI").is_none(), "CI is set, and {missing}");
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    // Not `eprintln`: the test harness would keep it to itself.
    let _ = writeln!(io::stderr(), "{test}: skipped: {missing}");
    false
}

/// A file of this name for a test to write.
fn temporary(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests");
    fs::create_dir_all(&directory).expect("the target directory can be written");
    directory.join(name)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("the path is Unicode")
}

/// A picture: width, height, and pixels of three bytes.
#[derive(PartialEq, Eq)]
struct Picture {
    size: (u32, u32),
    pixels: Vec<[u8; 3]>,
}

impl Picture {
    fn load(path: &Path) -> Option<Self> {
        let file = BufReader::new(File::open(path).ok()?);
        let mut reader = png::Decoder::new(file).read_info().expect("a PNG");
        let mut bytes = vec![
            0;
            reader
                .output_buffer_size()
                .expect("a size that fits into memory")
        ];
        let info = reader.next_frame(&mut bytes).expect("a whole PNG");
        assert_eq!(info.color_type, png::ColorType::Rgb, "{}", path.display());
        let pixels = bytes.chunks_exact(3).map(|p| [p[0], p[1], p[2]]).collect();
        Some(Self {
            size: (info.width, info.height),
            pixels,
        })
    }

    fn save(&self, path: &Path) {
        let file = BufWriter::new(File::create(path).expect("the picture can be written"));
        let mut encoder = png::Encoder::new(file, self.size.0, self.size.1);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_compression(png::Compression::High);
        let mut writer = encoder.write_header().expect("the picture can be written");
        writer
            .write_image_data(self.pixels.as_flattened())
            .expect("the picture can be written");
    }
}

/// Fails unless two pictures are the same, naming the first pixel that differs.
fn assert_same(name: &str, actual: &Picture, expected: &Picture) {
    if actual == expected {
        return;
    }
    let path = temporary(&format!("{name}-actual.png"));
    actual.save(&path);
    let path = path.display();
    assert_eq!(
        actual.size, expected.size,
        "{name}: another size; see {path}"
    );
    let pairs = || actual.pixels.iter().zip(&expected.pixels);
    let differs = pairs()
        .map(|(a, b)| if a == b { [0; 3] } else { [255; 3] })
        .collect();
    Picture {
        size: actual.size,
        pixels: differs,
    }
    .save(&temporary(&format!("{name}-difference.png")));
    let first = pairs().position(|(a, b)| a != b).unwrap_or(0);
    let (x, y) = (
        first % actual.size.0 as usize,
        first / actual.size.0 as usize,
    );
    let (a, b) = (actual.pixels[first], expected.pixels[first]);
    panic!("{name}: pixel ({x}, {y}) is {a:02x?} and not {b:02x?}; see {path} and -difference.png");
}

/// Boots a sector that draws and halts, and compares its picture with the recorded one.
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
    let screenshot = temporary(&format!("{name}.png"));
    let files = ["--bios", SEABIOS, "--vgabios", SEAVGABIOS];
    let own = ["--floppy", text(&image), "--screenshot", text(&screenshot)];
    boot_ok(&[&files[..], &own, options].concat());
    let actual = Picture::load(&screenshot).expect("boot wrote the picture");

    assert_recorded(name, &actual);
}

/// Compares a picture with the recorded one, or records it.
fn assert_recorded(name: &str, actual: &Picture) {
    let recorded = Path::new("tests/data/guests").join(format!("{name}.png"));
    if env::var_os("STDVGA_RECORD").is_some() {
        actual.save(&recorded);
    }
    let expected = Picture::load(&recorded);
    let expected = expected.unwrap_or_else(|| panic!("{} is missing", recorded.display()));
    assert_same(name, actual, &expected);
}

/// A boot sector: `draw`, and then an end that is an event.
fn sector(draw: fn(&mut CodeAssembler) -> Result<(), IcedError>) -> Vec<u8> {
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
fn set_mode(a: &mut CodeAssembler, mode: u32) -> Result<(), IcedError> {
    a.mov(ax, mode)?;
    a.int(0x10)
}

fn out(a: &mut CodeAssembler, port: u32, index: u32, value: u32) -> Result<(), IcedError> {
    a.mov(dx, port)?;
    a.mov(ax, value << 8 | index)?;
    a.out(dx, ax)
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
    assert_sector_draws(
        "mode-12h",
        |a| {
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
        },
        &[],
    );
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

#[test]
fn seabios_says_its_version_and_that_there_is_nothing_to_boot() {
    if !have_kvm_and(&[SEABIOS, SEAVGABIOS]) {
        return;
    }
    let files = ["--bios", SEABIOS, "--vgabios", SEAVGABIOS];
    let options = ["--text", "--until-text", "No bootable device"];
    let screen = boot_ok(&[&files[..], &options].concat());
    assert!(screen.starts_with("SeaBIOS (version "), "{screen}");
    assert!(screen.contains("No bootable device"), "{screen}");
}

#[test]
fn a_vga_bios_without_a_pci_header_is_run_from_fw_cfg() {
    if !have_kvm_and(&[SEABIOS, PLEX86_VGABIOS]) {
        return;
    }
    let files = ["--bios", SEABIOS, "--vgabios", PLEX86_VGABIOS];
    let options = ["--text", "--until-text", "No bootable device"];
    let screen = boot_ok(&[&files[..], &options].concat());
    assert!(screen.contains("SeaBIOS (version "), "{screen}");
    // It tells its name as a VBE implementation.
    let name = |a: &mut CodeAssembler| {
        const INFO: u32 = 0x9000;
        set_mode(a, 0x0003)?;
        a.mov(ax, 0x4f00)?;
        a.mov(di, INFO)?;
        a.int(0x10)?;
        let (mut next, mut end) = (a.create_label(), a.create_label());
        a.lds(si, dword_ptr(INFO + 6))?;
        a.set_label(&mut next)?;
        a.lodsb()?;
        a.test(al, al)?;
        a.jz(end)?;
        a.mov(ah, 0x0e)?;
        a.int(0x10)?;
        a.jmp(next)?;
        a.set_label(&mut end)?;
        a.nop()
    };
    let image = temporary("name.img");
    fs::write(&image, sector(name)).expect("the image can be written");
    let options = ["--floppy", text(&image), "--text"];
    let screen = boot_ok(&[&files[..], &options].concat());
    assert!(screen.contains("Bochs VBE"), "{screen}");
}

#[test]
fn typed_keys_reach_the_guest() {
    let echo = |a: &mut CodeAssembler| {
        let (mut next, mut end) = (a.create_label(), a.create_label());
        set_mode(a, 0x0003)?;
        a.mov(ax, 0x0e3f)?; // '?'
        a.int(0x10)?;
        a.set_label(&mut next)?;
        a.xor(ax, ax)?;
        a.int(0x16)?;
        a.cmp(al, 13)?;
        a.je(end)?;
        a.mov(ah, 0x0e)?;
        a.int(0x10)?;
        a.jmp(next)?;
        a.set_label(&mut end)
    };
    if !have_kvm_and(&[SEABIOS, SEAVGABIOS]) {
        return;
    }
    let image = temporary("echo.img");
    fs::write(&image, sector(echo)).expect("the image can be written");
    let files = [
        "--bios",
        SEABIOS,
        "--vgabios",
        SEAVGABIOS,
        "--floppy",
        text(&image),
    ];
    let screen = boot_ok(&[&files[..], &["--text", "--type", "Hello, VGA <enter>"]].concat());
    assert_eq!(screen, "?Hello, VGA\n");
}

/// Writes a dword of the VGA's configuration space.
fn configure(a: &mut CodeAssembler, register: u32, value: u32) -> Result<(), IcedError> {
    a.mov(dx, 0xcf8)?;
    a.mov(eax, 0x8000_1000 + register)?;
    a.out(dx, eax)?;
    a.mov(dx, 0xcfc)?;
    a.mov(eax, value)?;
    a.out(dx, eax)
}

#[test]
fn a_bar_that_is_moved_over_ram_does_not_hurt_the_guest() {
    const BAR0: u32 = 0x10;
    const BAR2: u32 = 0x18;
    let moves = |a: &mut CodeAssembler| {
        set_mode(a, 0x0003)?;
        for (register, address) in [
            (BAR0, 0x0000_0000),
            (BAR0, 0x0100_0000),
            (BAR0, 0xff00_0000),
            (BAR2, 0x0000_7000), // over this very code
            (BAR0, 0xe000_0000),
            (BAR2, 0xe000_0000), // over the framebuffer
        ] {
            configure(a, register, address)?;
        }
        a.mov(ax, 0x0e21)?; // '!'
        a.int(0x10)
    };
    if !have_kvm_and(&[SEABIOS, SEAVGABIOS]) {
        return;
    }
    let image = temporary("moves.img");
    fs::write(&image, sector(moves)).expect("the image can be written");
    let files = [
        "--bios",
        SEABIOS,
        "--vgabios",
        SEAVGABIOS,
        "--floppy",
        text(&image),
    ];
    let output = boot(&[&files[..], &["--text"]].concat());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "!\n");
    assert!(
        stderr.contains("the framebuffer isn't mapped: 0x1000000 is taken"),
        "{stderr}"
    );
}

#[test]
fn the_scripted_guest_needs_no_kvm() {
    let screenshot = temporary("no-kvm.png");
    let output = boot(&[
        "--kvm",
        "/nonexistent/kvm",
        "--screenshot",
        text(&screenshot),
    ]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert!(
        stderr.contains("/nonexistent/kvm") && stderr.contains("scripted"),
        "{stderr}"
    );
    assert_recorded(
        "demo",
        &Picture::load(&screenshot).expect("boot wrote the picture"),
    );
}

#[test]
fn embedded_and_scripted_guest_draw_the_same_picture() {
    if !have_kvm_and(&[]) {
        return;
    }
    let picture = |guest: &str| {
        let screenshot = temporary(&format!("{guest}.png"));
        boot_ok(&["--guest", guest, "--screenshot", text(&screenshot)]);
        Picture::load(&screenshot).expect("boot wrote the picture")
    };
    assert_same("embedded", &picture("embedded"), &picture("scripted"));
}

/// Runs the example, which must fail without a panic and say all of `words` in its last line.
fn assert_refuses(arguments: &[&str], words: &[&str]) {
    let output = boot(arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "boot {arguments:?} succeeded");
    assert!(!stderr.contains("panicked"), "{stderr}");
    let line = stderr
        .lines()
        .rfind(|line| line.starts_with("boot: "))
        .unwrap_or_default();
    for word in words {
        assert!(
            line.contains(word),
            "boot {arguments:?}: {word:?} isn't in:\n{stderr}"
        );
    }
}

#[test]
fn bad_sizes_and_keys_are_refused() {
    assert_refuses(&["--memory", "0"], &["--memory 0", "2 to 3584"]);
    assert_refuses(&["--memory", "1"], &["--memory 1"]);
    assert_refuses(&["--memory", "4096"], &["--memory 4096"]);
    assert_refuses(&["--vgamem", "0"], &["--vgamem 0", "1 to 256"]);
    assert_refuses(&["--vgamem", "257"], &["--vgamem 257"]);
    assert_refuses(
        &["--vgamem", "2", "--guest", "scripted"],
        &["--vgamem 2", "4 MiB"],
    );
    assert_refuses(&["--seconds", "0"], &["--seconds 0"]);
    assert_refuses(&["--seconds", "NaN"], &["--seconds NaN"]);
    assert_refuses(&["--type", "<f13>"], &["<f13>", "<enter>"]);
}

#[test]
fn a_missing_kvm_is_named_where_it_is_needed() {
    let kvm = ["--kvm", "/nonexistent/kvm"];
    assert_refuses(
        &[&kvm[..], &["--guest", "embedded"]].concat(),
        &["/nonexistent/kvm"],
    );
    assert_refuses(
        &["--kvm", "/dev/null", "--guest", "embedded"],
        &["/dev/null"],
    );
}

#[test]
fn options_that_conflict_are_refused() {
    let conflicts: [&[&str]; 4] = [
        &["--seconds", "1", "--until-stable"],
        &["--until-stable", "--until-text", "x"],
        &["--guest", "embedded", "--bios", "x"],
        &["--guest", "scripted", "--type", "x"],
    ];
    for arguments in conflicts {
        let output = boot(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            output.status.code(),
            Some(2),
            "boot {arguments:?}: {stderr}"
        );
        assert!(stderr.starts_with("error: "), "{stderr}");
    }
}

#[test]
fn files_that_cannot_be_right_are_refused() {
    if !have_kvm_and(&[SEABIOS, SEAVGABIOS]) {
        return;
    }
    let file = |name: &str, bytes: &[u8]| {
        let path = temporary(name);
        fs::write(&path, bytes).expect("the file can be written");
        text(&path).to_owned()
    };
    let empty = file("empty", &[]);
    let missing = text(&temporary("missing")).to_owned();
    let large = file("large", &vec![0; (16 << 20) + 1]);
    let odd = file("odd", &[0xf4; 1000]);
    for option in ["--bios", "--vgabios", "--floppy"] {
        assert_refuses(&[option, &empty], &[&empty, "is empty"]);
        assert_refuses(&[option, &missing], &[&missing, "can't be read"]);
        assert_refuses(&[option, &large], &[&large, "are the most"]);
        assert_refuses(&[option, env!("CARGO_TARGET_TMPDIR")], &["isn't a file"]);
    }
    assert_refuses(&["--bios", &odd], &[&odd, "64 KiB"]);
    assert_refuses(&["--vgabios", &odd], &[&odd, "55 aa"]);
    assert_refuses(
        &["--screenshot", "/nonexistent/x.png", "--guest", "scripted"],
        &["/nonexistent"],
    );
}

/// A BIOS image whose reset vector is `code`.
fn bios(name: &str, code: &[u8]) -> String {
    let mut image = vec![0; 64 << 10];
    image[0xfff0..][..code.len()].copy_from_slice(code);
    let path = temporary(name);
    fs::write(&path, image).expect("the image can be written");
    text(&path).to_owned()
}

#[test]
fn a_guest_that_crashes_or_shows_nothing_ends_with_a_message() {
    if !have_kvm_and(&[SEAVGABIOS]) {
        return;
    }
    let screenshot = temporary("nothing.png");
    let options = ["--vgabios", SEAVGABIOS, "--screenshot", text(&screenshot)];
    let halts = bios("halts.bin", &[0xfa, 0xf4]); // cli; hlt
    assert_refuses(&[&options[..], &["--bios", &halts]].concat(), &["black"]);
    // No interrupt table, protected mode, and a segment that there is not.
    let crash = [
        0x2e, 0x0f, 0x01, 0x1e, 0x00, 0x00, // lidt cs:[0]
        0x0f, 0x20, 0xc0, 0x0c, 0x01, 0x0f, 0x22, 0xc0, // cr0 |= 1
        0x8e, 0xd8, // mov ds, ax: no such segment
    ];
    let crashes = bios("crashes.bin", &crash);
    assert_refuses(
        &[&options[..], &["--bios", &crashes]].concat(),
        &["triple fault"],
    );
    let resets = bios("resets.bin", &[0xb0, 0xfe, 0xe6, 0x64]); // out 0x64, 0xfe
    let reset = ["--bios", &resets, "--until-text", "x"];
    assert_refuses(
        &[&options[..], &reset].concat(),
        &["stopped before", "\"x\""],
    );
}
