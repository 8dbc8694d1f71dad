// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The socket that clients connect to.

use std::fs::{self, FileType, Metadata};
use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::Mode;
use rustix::net::{AddressFamily, RecvFlags, SocketAddrUnix, SocketFlags, SocketType};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 128;
/// What the kernel has room for.
const MOST_PATH_BYTES: usize = 107;

/// A socket in the file system. It's removed when this is dropped.
pub struct Socket {
    listener: UnixListener,
    pub path: PathBuf,
    made: Metadata,
}

/// What a client that was accepted has done so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Greeting {
    /// Nothing.
    Silent,
    /// It closed the connection, and said nothing before.
    Gone,
    /// There's something to read.
    Speaks,
}

impl Socket {
    /// A socket that only this user's processes can connect to: whoever can has all of the device.
    pub fn new(path: PathBuf) -> Result<Self> {
        let listener = listen(&path).map_err(|error| refusal(&path, error))?;
        let made = fs::symlink_metadata(&path)
            .with_context(|| format!("the socket {} can't be found", path.display()))?;
        Ok(Self {
            listener,
            path,
            made,
        })
    }

    /// Whether a client waits to be accepted. Waits for one up to `time`, or until a signal comes.
    pub fn has_client(&self, time: Duration) -> io::Result<bool> {
        is_readable(&self.listener, time)
    }

    /// Accepts the next client.
    pub fn accept(&self) -> io::Result<UnixStream> {
        self.listener.accept().map(|(client, _)| client)
    }
}

/// Binds a socket of mode 0600. Nothing may exist at `path`, not even a link.
fn listen(path: &Path) -> io::Result<UnixListener> {
    let (family, kind) = (AddressFamily::UNIX, SocketType::STREAM);
    let socket = rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC, None)?;
    // Binding makes a file of the socket's own mode. Unlike a umask, this also keeps off those whom the folder's
    // default access list lets in.
    rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket.into())
}

/// Waits up to `time` for a client's first word, or until a signal comes.
pub fn greeting(client: &UnixStream, time: Duration) -> io::Result<Greeting> {
    if !is_readable(client, time)? {
        return Ok(Greeting::Silent);
    }
    let mut first = [0];
    match rustix::net::recv(client, &mut first, RecvFlags::PEEK | RecvFlags::DONTWAIT) {
        Ok((_, 1..)) => Ok(Greeting::Speaks),
        Ok((_, 0)) | Err(_) => Ok(Greeting::Gone),
    }
}

fn is_readable(socket: impl AsFd, time: Duration) -> io::Result<bool> {
    let time = Timespec::try_from(time).map_err(io::Error::other)?;
    let mut polled = [PollFd::new(&socket, PollFlags::IN)];
    match rustix::event::poll(&mut polled, Some(&time)) {
        Ok(ready) => Ok(ready > 0),
        Err(error) if error.kind() == ErrorKind::Interrupted => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Why no socket can be made. What stands in its way says more than the error that it leads to.
fn refusal(path: &Path, error: io::Error) -> anyhow::Error {
    let name = path.display();
    if let Ok(there) = fs::symlink_metadata(path) {
        let there = advice(there.file_type());
        return anyhow!("no socket can be made at {name}: {there}");
    }
    if path.as_os_str().len() > MOST_PATH_BYTES {
        return anyhow!(
            "no socket can be made at {name}: its path has at most {MOST_PATH_BYTES} bytes"
        );
    }
    anyhow!(error).context(format!("no socket can be made at {name}"))
}

/// What to do about what exists where the socket should be. Only a socket may be one that a server left.
fn advice(there: FileType) -> &'static str {
    if there.is_socket() {
        "a socket is there. Remove it, unless a server uses it"
    } else if there.is_dir() {
        "it's a folder. Choose a path in it, or another one"
    } else if there.is_file() {
        "it's a file. Choose another path"
    } else if there.is_symlink() {
        "it's a symbolic link. Choose another path"
    } else {
        "it's a device or a pipe. Choose another path"
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let identity = |file: &Metadata| (file.dev(), file.ino());
        // Another server's socket may be there by now.
        let there = fs::symlink_metadata(&self.path);
        if there.is_ok_and(|there| identity(&there) == identity(&self.made)) {
            let _ = fs::remove_file(&self.path);
        }
    }
}
