// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! QEMU 11.1 with a guest, and with a device of its own or of this crate.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use stdvga_testing::picture::{self, Picture};
use stdvga_testing::qmp::Monitor;
use stdvga_testing::skip::{downloaded, skip};
use tempfile::TempDir;

use super::process::Process;
use super::serial::Serial;
use crate::server::Server;

/// How long a test waits for anything: generous, for slow machines.
pub const LIMIT: Duration = Duration::from_secs(300);

/// Whether there are guests to run. Says why not.
pub fn have_guests() -> bool {
    let is_there = Path::new(&downloaded("versions")).is_file();
    if !is_there {
        skip("target/guests isn't there: .ci/guests makes it");
    }
    is_there
}

/// A server of a device that's named as QEMU names its own: `secondary-vga,xres=1920`.
pub fn serve(device: &str) -> Server {
    let (device, properties) = device.split_once(',').unwrap_or((device, ""));
    let mut arguments = vec!["--device".to_owned(), device.to_owned()];
    for property in properties.split_terminator(',') {
        let (name, value) = property.split_once('=').expect("a property has a value");
        arguments.extend([format!("--{name}"), value.to_owned()]);
    }
    Server::start(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

pub struct Machine {
    pub serial: Serial,
    pub monitor: Monitor,
    qemu: Process,
    /// What serves the device, if that isn't QEMU's own.
    server: Option<Server>,
    files: TempDir,
}

impl Machine {
    /// A machine with one of QEMU's own devices.
    pub fn with_qemus(device: &str, guest: &[&str]) -> Self {
        Self::start(device, None, guest)
    }

    /// A machine with this crate's device, attached by vfio-user.
    pub fn with_ours(server: Server, guest: &[&str]) -> Self {
        let device = json!({
            "driver": "vfio-user-pci",
            "socket": {"type": "unix", "path": server.socket()},
        });
        // QEMU's log tells of each access.
        let trace = ["-trace", "vfio_user_region_rw"];
        Self::start(&device.to_string(), Some(server), &[&trace, guest].concat())
    }

    fn start(device: &str, server: Option<Server>, guest: &[&str]) -> Self {
        let files = tempfile::tempdir().expect("a temporary directory");
        let [monitor, serial] = ["monitor", "serial"].map(|name| files.path().join(name));
        let listener = UnixListener::bind(&serial).expect("a socket");
        let mut command = Command::new(downloaded("qemu-system-x86_64"));
        command
            .args("-M pc,smm=off -accel tcg -m 512 -nodefaults -no-user-config".split(' '))
            .args(["-vga", "none", "-display", "none", "-device", device])
            .arg("-qmp")
            .arg(format!("unix:{},server=on,wait=off", monitor.display()))
            .arg("-serial")
            .arg(format!("unix:{}", serial.display()))
            .args(guest);
        let mut qemu = Process::start(&mut command, &files.path().join("qemu"));
        let monitor = Monitor::connect(&monitor, &mut qemu.child);
        let monitor = monitor.expect("a monitor that answers");
        // It's connected: QEMU does that before it opens its monitor.
        let (serial, _) = listener.accept().expect("a connection");
        Self {
            serial: Serial::new(serial),
            monitor,
            qemu,
            server,
            files,
        }
    }

    /// How often this crate's device was asked for a region of it, by its number in PCI.
    pub fn accesses(&self, region: u32) -> usize {
        let region = format!("vfio_user_region_rw  region {region} ");
        self.qemu.log().matches(&region).count()
    }

    /// Kills QEMU, but not the server of this crate's device, and waits until that has noticed.
    pub fn into_server(self) -> Server {
        let Self { qemu, server, .. } = self;
        let server = server.expect("this crate's device");
        drop(qemu);
        server.written_picture();
        server
    }

    /// The picture of this moment.
    pub fn picture(&mut self) -> Picture {
        if let Some(server) = &self.server {
            return server.picture();
        }
        let path = self.files.path().join("picture.ppm");
        self.monitor
            .call("screendump", json!({"filename": path}))
            .expect("a screendump");
        Picture::load_dump(&path)
    }

    /// Waits for a picture for which `is_there` holds, and returns the picture of a moment after that.
    pub fn picture_where(&mut self, what: &str, is_there: impl Fn(&Picture) -> bool) -> Picture {
        wait_for(what, || is_there(&self.picture()).then_some(()));
        self.picture()
    }
}

/// Runs a guest on this crate's device and on QEMU's own, side by side: the former's result comes first.
pub fn on_both<T: Send>(device: &str, guest: &[&str], run: impl Fn(Machine) -> T + Sync) -> [T; 2] {
    thread::scope(|scope| {
        let ours = scope.spawn(|| run(Machine::with_ours(serve(device), guest)));
        let qemus = run(Machine::with_qemus(device, guest));
        [ours.join().expect("a run on the crate's device"), qemus]
    })
}

/// Looks until there's something to see.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(
            start.elapsed() < LIMIT,
            "{what} didn't come within {LIMIT:?}"
        );
        thread::sleep(Duration::from_millis(20));
    }
}

/// Fails unless two pictures are the same. The first is left in a file, to be looked at.
pub fn assert_same(name: &str, actual: &Picture, expected: &Picture) {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("vfio_guests");
    fs::create_dir_all(&directory).expect("the target directory can be written");
    actual.save(&directory.join(format!("{name}.png")));
    if let Err(difference) = picture::compare(&directory.join(name), actual, expected) {
        panic!("{name}: {difference}");
    }
}
