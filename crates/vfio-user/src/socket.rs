// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The socket that clients connect to.

use std::fs::{self, FileType};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::Mode;

/// A socket in the file system. It's removed when this is dropped.
pub struct Socket {
    listener: UnixListener,
    pub path: PathBuf,
}

impl Socket {
    /// A socket that only this user's processes can connect to: whoever can has all of the device.
    pub fn new(path: PathBuf) -> Result<Self> {
        let others = Mode::RWXG | Mode::RWXO;
        let umask = rustix::process::umask(others);
        let bound = UnixListener::bind(&path);
        rustix::process::umask(umask);
        let listener = bound.with_context(|| {
            let there = fs::symlink_metadata(&path).map_or("", |there| advice(there.file_type()));
            format!("no socket can be made at {}{there}", path.display())
        })?;
        Ok(Self { listener, path })
    }

    /// The socket for one who accepts a client.
    pub fn listener(&self) -> io::Result<UnixListener> {
        self.listener.try_clone()
    }

    /// Whether a client waits to be accepted. Waits for one up to `time`, or until a signal comes.
    pub fn has_client(&self, time: Duration) -> io::Result<bool> {
        let time = Timespec::try_from(time).map_err(io::Error::other)?;
        let mut polled = [PollFd::new(&self.listener, PollFlags::IN)];
        match rustix::event::poll(&mut polled, Some(&time)) {
            Ok(ready) => Ok(ready > 0),
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// What to do about what exists where the socket should be. Only a socket may be one that a server left.
fn advice(there: FileType) -> &'static str {
    if there.is_socket() {
        ": a socket is there. Remove it, unless a server uses it"
    } else if there.is_dir() {
        ": it's a folder. Choose a path in it, or another one"
    } else if there.is_file() {
        ": it's a file. Choose another path"
    } else if there.is_symlink() {
        ": it's a symbolic link. Choose another path"
    } else {
        ": it's a device or a pipe. Choose another path"
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = fs::remove_file(&self.path);
    }
}
