// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The program as a process: a server of the device, which clients can connect to.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use stdvga_testing::picture::Picture;
use tempfile::TempDir;
use vfio_user::Client;

use crate::VFIO_USER;

/// No wait in here ends by time, unless something is wrong: it's generous, for slow machines.
pub const LIMIT: Duration = Duration::from_secs(300);
const SOCKET: &str = "socket";
const PICTURE: &str = "picture.png";

/// The server, ready for clients.
pub struct Server {
    process: Child,
    stdout: Option<Receiver<String>>,
    stderr: Receiver<String>,
    directory: TempDir,
    /// What it said until it was ready.
    pub said: String,
}

impl Server {
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, Stdio::piped())
    }

    /// A server whose pictures aren't waited for: it has a stdout of the test's.
    pub fn start_with(arguments: &[&str], stdout: Stdio) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut process = VFIO_USER
            .command(arguments)
            .arg("--socket")
            .arg(directory.path().join(SOCKET))
            .arg("--screenshot")
            .arg(directory.path().join(PICTURE))
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server runs");
        let stdout = process.stdout.take().map(lines);
        let stderr = process.stderr.take().map(lines).expect("stderr is a pipe");
        let mut server = Self {
            process,
            stdout,
            stderr,
            directory,
            said: String::new(),
        };
        server.said = server.wait_for("waits for a client");
        server
    }

    pub fn socket(&self) -> PathBuf {
        self.directory.path().join(SOCKET)
    }

    pub fn picture_path(&self) -> PathBuf {
        self.directory.path().join(PICTURE)
    }

    pub fn connect(&self) -> Client {
        Client::new(&self.socket()).expect("the server talks to a client")
    }

    /// Waits until the server says a line with `what` in it. Gives all that it said up to there.
    pub fn wait_for(&self, what: &str) -> String {
        let mut said = String::new();
        while !said.lines().last().is_some_and(|line| line.contains(what)) {
            let line = self.stderr.recv_timeout(LIMIT);
            said +=
                &line.unwrap_or_else(|_| panic!("{what:?} isn't what the server said:\n{said}"));
        }
        said
    }

    /// Asks for a picture.
    pub fn picture(&self) -> Picture {
        self.signal(Signal::USR1);
        self.written_picture()
    }

    /// The next picture that the server tells of.
    pub fn written_picture(&self) -> Picture {
        let stdout = self.stdout.as_ref().expect("stdout is a pipe of its own");
        let line = stdout.recv_timeout(LIMIT);
        let line = line.expect("the server tells of a picture");
        let picture = Picture::load(&self.picture_path()).expect("the picture is there");
        let (width, height) = picture.size;
        assert!(
            line.starts_with(&format!(
                "stdvga-vfio-user: {width}x{height} pixels written to "
            )),
            "{line}"
        );
        picture
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.process);
        kill_process(pid, signal).expect("the server runs");
    }

    /// What the kernel knows of the process: a file of `/proc/PID`.
    pub fn proc(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{name}", self.process.id()))
    }

    /// Waits until the server has ended.
    pub fn wait(&mut self) -> ExitStatus {
        self.process.wait().expect("the server ends")
    }

    /// Waits until the server has ended. Gives what it said since the last look, too.
    pub fn end(mut self) -> (ExitStatus, String) {
        let status = self.wait();
        assert!(
            fs::symlink_metadata(self.socket()).is_err(),
            "the socket is still there"
        );
        (status, self.stderr.iter().collect())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already where the test went well.
        let _ = self.process.kill();
        let _ = self.process.wait();
        if thread::panicking() {
            let said: String = self.stderr.iter().collect();
            eprintln!("The server said since the last look:\n{said}");
        }
    }
}

/// The lines of what a process prints, as they come.
fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let lines = BufReader::new(stream).lines().map_while(Result::ok);
        // Nobody waits for them any more where sending fails.
        lines.for_each(|line| drop(sender.send(line + "\n")));
    });
    receiver
}
