//! The event that tells an event loop of a changed mode.

use vmm_sys_util::eventfd::EventFd;

/// Signalled once when the mode changes, and again only after it was rearmed.
#[derive(Debug, Default)]
pub(crate) struct ModeEvent {
    fd: Option<EventFd>,
    signalled: bool,
}

impl ModeEvent {
    pub fn new(fd: Option<EventFd>) -> Self {
        Self {
            fd,
            signalled: false,
        }
    }

    pub fn rearm(&mut self) {
        self.signalled = false;
    }

    pub fn signal(&mut self) {
        if let (Some(fd), false) = (&self.fd, self.signalled) {
            // It fails only where the counter is full, and then the event loop is awake already.
            self.signalled = fd.write(1).is_ok();
        }
    }
}
