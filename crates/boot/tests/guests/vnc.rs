// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The live view, through a VNC client that knows nothing of it.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use iced_x86::IcedError;
use iced_x86::code_asm::CodeAssembler;
use stdvga_testing::program::text;
use tokio::net::TcpStream;
use vnc::{PixelFormat, VncConnector, VncEncoding, VncError, VncEvent, X11Event};

use crate::BOOT;
use crate::boot_sectors::{sector, set_mode};
use crate::machine::echo;
use crate::run::{Picture, SEABIOS, SEAVGABIOS, assert_same, command, have_kvm_and, temporary};

/// No wait in here ends by time, unless something is wrong.
const LIMIT: Duration = Duration::from_secs(120);
const ENTER: u32 = 0xff0d;

/// The example, while it shows a boot sector to viewers.
struct Live {
    process: Child,
    stderr: BufReader<std::process::ChildStderr>,
    /// Where viewers can connect.
    address: String,
}

impl Live {
    fn boot(
        name: &str,
        draw: fn(&mut CodeAssembler) -> Result<(), IcedError>,
        options: &[&str],
    ) -> Self {
        let image = temporary(&format!("{name}.img"));
        fs::write(&image, sector(draw)).expect("the image can be written");
        let files = ["--bios", SEABIOS, "--vgabios", SEAVGABIOS];
        let own = ["--floppy", text(&image), "--vnc", "0"];
        let mut process = command(&[&files[..], &own, options].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("cargo runs");
        let mut stderr = BufReader::new(process.stderr.take().expect("stderr is a pipe"));
        let mut said = String::new();
        let address = loop {
            let line = said.len();
            let read = stderr.read_line(&mut said).expect("stderr is text");
            assert!(read > 0, "boot said no address:\n{said}");
            let rest = said[line..].split_once("viewers can connect to ");
            if let Some((address, _)) = rest.and_then(|(_, rest)| rest.split_once(": ")) {
                break address.to_owned();
            }
        };
        Self {
            process,
            stderr,
            address,
        }
    }

    /// Waits for the end, which must be a good one. Gives what was printed.
    fn end(mut self) -> String {
        let (mut printed, mut said) = (String::new(), String::new());
        let mut stdout = self.process.stdout.take().expect("stdout is a pipe");
        stdout.read_to_string(&mut printed).expect("stdout is text");
        self.stderr
            .read_to_string(&mut said)
            .expect("stderr is text");
        let status = self.process.wait().expect("boot ends");
        assert!(status.success(), "{status}\n{said}");
        printed
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // It has ended already where the test went well.
        let _ = self.process.kill();
    }
}

/// How a viewer wants to be served.
#[derive(Clone, Copy)]
struct Wishes {
    format: PixelFormat,
    encoding: VncEncoding,
    password: &'static str,
}

impl Wishes {
    /// As most viewers have it.
    fn usual() -> Self {
        Self {
            format: PixelFormat::bgra(),
            encoding: VncEncoding::Zrle,
            password: "",
        }
    }
}

/// A viewer, and what it sees.
struct Viewer {
    client: vnc::VncClient,
    picture: Picture,
    /// Where in a pixel red, green and blue are.
    channels: [usize; 3],
}

impl Viewer {
    async fn connect(live: &Live, wishes: Wishes) -> Self {
        let client = Self::try_connect(live, wishes).await;
        let format = wishes.format;
        let channels = [format.red_shift, format.green_shift, format.blue_shift];
        Self {
            client: client.expect("boot speaks RFB"),
            picture: Picture {
                size: (0, 0),
                pixels: Vec::new(),
            },
            channels: channels.map(|shift| usize::from(shift / 8)),
        }
    }

    async fn try_connect(live: &Live, wishes: Wishes) -> Result<vnc::VncClient, VncError> {
        let stream = TcpStream::connect(&live.address)
            .await
            .expect("boot listens");
        VncConnector::new(stream)
            .set_auth_method(async move { Ok::<_, VncError>(wishes.password.to_owned()) })
            .add_encoding(wishes.encoding)
            .add_encoding(VncEncoding::DesktopSizePseudo)
            .set_pixel_format(wishes.format)
            .build()
            .expect("the options fit together")
            .try_start()
            .await
            .and_then(|state| state.finish())
    }

    /// Takes what comes next, and asks for more. Gives whether the connection is still there.
    async fn follow(&mut self) -> bool {
        let event = tokio::time::timeout(LIMIT, self.client.recv_event());
        match event.await.expect("boot sends something") {
            Ok(VncEvent::SetResolution(screen)) => {
                let (width, height) = (screen.width.into(), screen.height.into());
                let pixels = vec![[0; 3]; width as usize * height as usize];
                self.picture = Picture {
                    size: (width, height),
                    pixels,
                };
            }
            Ok(VncEvent::RawImage(rect, bytes)) => self.draw(rect, &bytes),
            Ok(VncEvent::Error(_)) | Err(_) => return false,
            Ok(event) => panic!("nobody asked for {event:?}"),
        }
        // The server has gone where this fails, and the next event says it.
        let _ = self.client.input(X11Event::Refresh).await;
        true
    }

    /// Sees everything up to the end.
    async fn watch(&mut self) {
        while self.follow().await {}
    }

    fn draw(&mut self, rect: vnc::Rect, bytes: &[u8]) {
        let width = usize::from(rect.width);
        for (y, row) in bytes.chunks_exact(4 * width).enumerate() {
            let start =
                (usize::from(rect.y) + y) * self.picture.size.0 as usize + usize::from(rect.x);
            let pixels = &mut self.picture.pixels[start..start + width];
            for (pixel, bytes) in pixels.iter_mut().zip(row.chunks_exact(4)) {
                *pixel = self.channels.map(|channel| bytes[channel]);
            }
        }
    }

    /// Presses and releases a key.
    async fn key(&self, keysym: u32) {
        for down in [true, false] {
            let event = X11Event::KeyEvent((keysym, down).into());
            self.client.input(event).await.expect("boot takes keys");
        }
    }
}

/// Runs a test's viewers.
fn run<T>(viewers: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().expect("a runtime");
    runtime.block_on(viewers)
}

/// Waits for a key, and then draws in all colours.
fn draw_after_a_key(a: &mut CodeAssembler) -> Result<(), IcedError> {
    use iced_x86::code_asm::*;

    a.xor(ax, ax)?;
    a.int(0x16)?;
    set_mode(a, 0x0013)?;
    a.mov(ax, 0xa000)?;
    a.mov(es, ax)?;
    a.xor(di, di)?;
    let mut pixel = a.create_label();
    a.mov(cx, 320 * 200)?;
    a.set_label(&mut pixel)?;
    a.mov(ax, di)?;
    a.xor(al, ah)?;
    a.stosb()?;
    a.loop_(pixel)
}

#[test]
fn viewers_see_the_picture_that_is_written_at_the_end() {
    if !have_kvm_and(&[SEABIOS, SEAVGABIOS]) {
        return;
    }
    let screenshot = temporary("live.png");
    let live = Live::boot(
        "live",
        draw_after_a_key,
        &["--screenshot", text(&screenshot)],
    );
    let pictures = run(async {
        let usual = Wishes::usual();
        let raw = Wishes {
            format: PixelFormat::rgba(),
            encoding: VncEncoding::Raw,
            ..usual
        };
        let mut first = Viewer::connect(&live, usual).await;
        let mut second = Viewer::connect(&live, raw).await;
        first.key(ENTER).await;
        tokio::join!(first.watch(), second.watch());
        [first.picture, second.picture]
    });
    live.end();
    let written = Picture::load(&screenshot).expect("boot wrote the picture");
    assert_eq!(written.size, (640, 400), "the guest drew in mode 13h");
    for picture in pictures {
        assert_same("live", &picture, &written);
    }
}

#[test]
fn what_a_viewer_types_reaches_the_guest() {
    if !have_kvm_and(&[SEABIOS, SEAVGABIOS]) {
        return;
    }
    let live = Live::boot("live-echo", echo, &["--text"]);
    run(async {
        let mut viewer = Viewer::connect(&live, Wishes::usual()).await;
        for character in "Hello, VGA".chars() {
            viewer.key(character.into()).await;
        }
        viewer.key(ENTER).await;
        viewer.watch().await;
    });
    assert_eq!(live.end(), "?Hello, VGA\n");
}

#[test]
fn the_guest_runs_until_ctrl_c() {
    if !have_kvm_and(&[SEABIOS, SEAVGABIOS]) {
        return;
    }
    /// Shows a picture, and sleeps.
    fn draw(a: &mut CodeAssembler) -> Result<(), IcedError> {
        use iced_x86::code_asm::*;

        set_mode(a, 0x0013)?;
        a.mov(ax, 0xa000)?;
        a.mov(es, ax)?;
        a.mov(byte_ptr(0).es(), 15)?;
        let mut sleep = a.create_label();
        a.set_label(&mut sleep)?;
        a.hlt()?;
        a.jmp(sleep)
    }
    let screenshot = temporary("ctrl-c.png");
    let live = Live::boot("ctrl-c", draw, &["--screenshot", text(&screenshot)]);
    let picture = run(async {
        let mut viewer = Viewer::connect(&live, Wishes::usual()).await;
        let drawn = |picture: &Picture| picture.size == (640, 400) && picture.pixels[0] == [255; 3];
        while !drawn(&viewer.picture) {
            assert!(viewer.follow().await, "boot ended before it was told to");
        }
        let interrupt = ["-INT", &live.process.id().to_string()];
        let killed = Command::new("kill").args(interrupt).status();
        let killed = killed.expect("kill runs");
        assert!(killed.success(), "kill: {killed}");
        viewer.watch().await;
        viewer.picture
    });
    live.end();
    let written = Picture::load(&screenshot).expect("boot wrote the picture");
    assert_same("ctrl-c", &picture, &written);
}

#[test]
fn an_address_that_cannot_be_had_is_refused() {
    if !have_kvm_and(&[]) {
        return;
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = taken.local_addr().expect("an address").port().to_string();
    for address in ["203.0.113.1:0", &taken] {
        let words = [&*format!("--vnc {address}: "), "; "];
        let own = ["--vnc", address, "--vnc-no-password"];
        BOOT.assert_refuses(&[&["--guest", "embedded"][..], &own].concat(), &words);
    }
}

#[test]
fn a_viewer_with_the_password_is_let_in_and_no_other_one() {
    if !have_kvm_and(&[SEABIOS, SEAVGABIOS]) {
        return;
    }
    let file = temporary("password");
    fs::write(&file, "secret\n").expect("the password can be written");
    let options = ["--text", "--vnc-password-file", text(&file)];
    let live = Live::boot("live-password", echo, &options);
    run(async {
        let with = |password| Wishes {
            password,
            ..Wishes::usual()
        };
        let refused = Viewer::try_connect(&live, with("Secret")).await;
        assert!(refused.is_err(), "a wrong password");
        let mut viewer = Viewer::connect(&live, with("secret")).await;
        viewer.key('x'.into()).await;
        viewer.key(ENTER).await;
        viewer.watch().await;
    });
    assert_eq!(live.end(), "?x\n");
}

#[test]
fn nobody_lets_strangers_in_by_mistake() {
    for address in ["0.0.0.0:0", "[::]:5900", "192.0.2.1:5900"] {
        let start = format!("--vnc {address}: ");
        let words = [&*start, "--vnc-password-file", "--vnc-no-password"];
        BOOT.assert_refuses(&["--vnc", address], &words);
    }
    let missing = ["--vnc", "0", "--vnc-password-file", "/nonexistent/file"];
    BOOT.assert_refuses(
        &missing,
        &["--vnc-password-file /nonexistent/file", "can't be read"],
    );
    let usages: [&[&str]; 3] = [
        &["--vnc-password-file", "x"],
        &["--vnc-no-password"],
        &[
            "--vnc",
            "0",
            "--vnc-password-file",
            "x",
            "--vnc-no-password",
        ],
    ];
    for arguments in usages {
        BOOT.assert_bad_usage(arguments);
    }
}
