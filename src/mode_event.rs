// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The event that tells an event loop of a changed mode.

use std::sync::atomic::{AtomicBool, Ordering};

use vmm_sys_util::eventfd::EventFd;

/// Signalled once when the mode changes, and again only after it was rearmed.
#[derive(Debug, Default)]
pub(crate) struct ModeEvent {
    fd: Option<EventFd>,
    signalled: AtomicBool,
}

impl ModeEvent {
    pub fn new(fd: Option<EventFd>) -> Self {
        Self {
            fd,
            signalled: AtomicBool::new(false),
        }
    }

    pub fn rearm(&self) {
        self.signalled.store(false, Ordering::Relaxed);
    }

    pub fn signal(&mut self) {
        let signalled = self.signalled.get_mut();
        if let (Some(fd), false) = (&self.fd, *signalled) {
            // It fails only where the counter is full, and then the event loop is awake already.
            *signalled = fd.write(1).is_ok();
        }
    }
}
