//! The example `vfio_user`, as a user runs it.

use std::fs;
use std::path::PathBuf;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::example::example;
use crate::machine::wait_for;
use crate::picture::Picture;
use crate::process::Process;

pub struct Server {
    process: Process,
    files: TempDir,
}

impl Server {
    /// A server of a device that's named as QEMU names its own: `secondary-vga,xres=1920`.
    pub fn start(device: &str) -> Self {
        let files = tempfile::tempdir().expect("a temporary directory");
        let (device, properties) = device.split_once(',').unwrap_or((device, ""));
        let mut command = example("vfio_user", &["--device", device, "--socket"]);
        command
            .arg(files.path().join("socket"))
            .arg("--screenshot")
            .arg(files.path().join("picture.png"));
        for property in properties.split_terminator(',') {
            let (name, value) = property.split_once('=').expect("a property has a value");
            command.args([&format!("--{name}"), value]);
        }
        let mut process = Process::start(&mut command, &files.path().join("server"));
        // It may have to be built first.
        wait_for("the server's socket", || {
            process.assert_runs();
            process.log().contains("waits for a client").then_some(())
        });
        Self { process, files }
    }

    pub fn socket(&self) -> PathBuf {
        self.files.path().join("socket")
    }

    /// The picture of this moment.
    pub fn picture(&mut self) -> Picture {
        let path = self.files.path().join("picture.png");
        let _ = fs::remove_file(&path);
        kill_process(Pid::from_child(&self.process.child), Signal::USR1).expect("a server to ask");
        // The file comes as a whole.
        wait_for("the server's picture", || {
            self.process.assert_runs();
            Picture::load(&path)
        })
    }
}
