// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Shows the screen to VNC viewers, who can also type.
//!
//! A viewer asks for an update, and gets it once something changed. Until it asks again, changes add
//! up: a slow viewer gets fewer pictures, and holds up nobody. Each has two threads: one reads what it
//! says, the other sends its updates.
//!
//! # Bounds
//!
//! Viewers and those who only connect are strangers. Whatever they do, these hold:
//!
//! - **Memory**: `4 bytes * pixels of the picture + 16 viewers * (2 MiB + 8 bytes * rows)`, besides
//!   threads' stacks and what the host buffers. The picture is shared. An update is made and written in
//!   pieces of at most 64 Ki pixels.
//! - **CPU**: one viewer's pixels are encoded at a time, so that all of them together take one CPU at
//!   most. Each viewer gets at most 50 updates a second. Of what it says, 64 KiB or 256 messages are
//!   taken in 40 ms.
//! - **Log**: a line a second about viewers who are turned away.
//! - **Places**: 16 viewers, and 20 connections. If all are taken, the viewer that has asked for nothing
//!   for the longest time makes room, if that's 10 s at least; and so does a connection that hasn't said
//!   hello within 2 s.
//! - **Time**: a viewer has 10 s to say hello, or 60 s to enter a password, and 30 s to read something.
//!   One whose host vanished is noticed after some minutes. At the end of the program the last picture
//!   is sent for a second at most.
//! - **Passwords**: a wrong one is answered after 1 s, later ones after 2, 4 and 8 s. All connections
//!   together can try 20 in 8 s.
//!
//! Who can connect can still keep others out, by taking all places. A firewall helps against that.

use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use socket2::{SockRef, TcpKeepalive};
use stdvga::{Rect, Size};

use super::address::Address;
use super::keys::Keyboard;
use super::messages::{Limited, say};
use super::password::Password;
use super::rfb::{self, Message, Security, Version};

mod guesses;
mod pace;
mod stale;
mod state;
mod updates;
mod viewer;

use pace::Paced;
use state::{Connection, MOST_VIEWERS, Next, State};
use updates::Sender;
use viewer::Viewer;

/// Connections at a time: a few more, for those who haven't said hello.
const MOST_CONNECTIONS: usize = MOST_VIEWERS + 4;
/// How long viewers may take to say hello, also if somebody must enter a password for that.
const GREETING: Duration = Duration::from_secs(10);
const TYPING: Duration = Duration::from_secs(60);
/// How long viewers may take to get the last picture.
const FAREWELL: Duration = Duration::from_secs(1);
/// How long a viewer may read nothing of an update.
const UNREAD: Duration = Duration::from_secs(30);
/// From one update to the next: less than the time between two of the guest's pictures.
const UPDATE: Duration = Duration::from_millis(20);
/// How long a connection may take to end, where it makes room.
const LEAVING: Duration = Duration::from_millis(100);
/// How long nothing must come from a viewer's host until it's asked whether it's still there.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// Everybody who watches.
pub struct Viewers(Arc<Shared>);

impl Viewers {
    /// Waits for viewers at `address`.
    pub fn listen(address: &Address) -> Result<Self> {
        let listener = address.bind()?;
        let bound = listener.local_addr().context("--vnc")?;
        let viewers = Self::new(address.password().cloned());
        viewers.serve(listener)?;
        let needs = match address.password() {
            Some(_) => "they need the password",
            None => "they need no password",
        };
        say(format_args!("VNC viewers can connect to {bound}: {needs}"));
        Ok(viewers)
    }

    /// Nobody yet. Who comes needs the password, if there's one.
    pub fn new(password: Option<Password>) -> Self {
        Self(Arc::new(Shared {
            state: Mutex::default(),
            changed: Condvar::new(),
            encoding: Mutex::new(()),
            password,
            complaints: Limited::new(1),
        }))
    }

    /// Serves those who connect.
    fn serve(&self, listener: TcpListener) -> Result<()> {
        let shared = Arc::clone(&self.0);
        thread::Builder::new()
            .spawn(move || accept(&listener, &shared))
            .context("no thread for VNC viewers")?;
        Ok(())
    }

    /// Serves a viewer on this thread, without any waiting: it hears the answer to each message before
    /// the next one is read. This is for tests and fuzzing, where what it says is there from the start.
    pub fn answer(&self, stream: &mut (impl Read + Write)) -> io::Result<()> {
        let (shared, id) = (&*self.0, u64::MAX);
        let mut keyboard = Keyboard::default();
        let mut answer = || {
            greet(shared, id, stream, |_| {})?;
            let mut sender = Sender::default();
            loop {
                let message = Message::read(stream)?;
                obey(shared, id, &message, &mut keyboard);
                let next = shared.lock().next(id);
                if let Some(Next::Update(update)) = next {
                    sender.send(shared, &update, stream)?;
                }
            }
        };
        let result = answer();
        shared.remove(id, &mut keyboard);
        result
    }

    /// Shows a picture, of which `damage` changed.
    pub fn show(&self, size: Size, pixels: &[u32], damage: &[Rect]) {
        let mut state = self.0.lock();
        state.show(size, pixels, damage);
        let State {
            viewers, picture, ..
        } = &*state;
        if viewers.values().any(|viewer| viewer.has_update(picture)) {
            self.0.changed.notify_all();
        }
    }

    /// Takes what was typed: scan codes, at most `room` bytes.
    pub fn take_keys(&self, room: usize) -> Vec<u8> {
        let keys = &mut self.0.lock().keys;
        let mut taken = Vec::new();
        while let Some(codes) = keys.front()
            && taken.len() + codes.len() <= room
        {
            taken.extend(codes);
            keys.pop_front();
        }
        taken
    }

    /// Waits until everybody got the last picture and has gone, though not for long.
    pub fn finish(&self) {
        let mut state = self.0.lock();
        state.closing = true;
        self.0.changed.notify_all();
        let left = |state: &mut State| !state.viewers.is_empty();
        // Nothing is left to do where it took too long.
        let _ = self.0.changed.wait_timeout_while(state, FAREWELL, left);
    }
}

/// What all threads share.
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    /// Held by who makes messages of pixels, so that viewers leave time to the guest.
    encoding: Mutex<()>,
    password: Option<Password>,
    complaints: Limited,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn security(&self) -> Security {
        match self.password {
            Some(_) => Security::Password,
            None => Security::None,
        }
    }

    /// How long a viewer may take to say hello.
    fn greeting(&self) -> Duration {
        match self.password {
            Some(_) => TYPING,
            None => GREETING,
        }
    }

    /// Lets a viewer in who knows the password, if there's a place: the size of the screen is for it.
    fn let_in(
        &self,
        id: u64,
        stream: &mut (impl Read + Write),
    ) -> io::Result<Result<Size, Refusal>> {
        if let Some(password) = &self.password {
            let challenge = Password::challenge()?;
            stream.write_all(&challenge)?;
            let answer = rfb::bytes(stream)?;
            if !password.is_answered(&challenge, &answer) {
                return Ok(Err(Refusal {
                    reason: "the password is wrong".into(),
                    delay: self.lock().guesses.add(Instant::now()),
                }));
            }
        }
        let size = self.lock().admit(id, Instant::now());
        Ok(size.ok_or_else(|| Refusal {
            reason: format!("{MOST_VIEWERS} viewers at a time are the most"),
            delay: Duration::ZERO,
        }))
    }

    /// Changes a viewer. Its sender may have waited for that.
    fn change(&self, id: u64, change: impl FnOnce(&mut Viewer)) {
        let State {
            viewers, picture, ..
        } = &mut *self.lock();
        if let Some(viewer) = viewers.get_mut(&id) {
            change(viewer);
            if viewer.has_update(picture) {
                self.changed.notify_all();
            }
        }
    }

    /// Forgets a viewer, and releases the keys that it held.
    fn remove(&self, id: u64, keyboard: &mut Keyboard) {
        let mut state = self.lock();
        state.viewers.remove(&id);
        for codes in keyboard.release_all() {
            state.type_codes(codes);
        }
        self.changed.notify_all();
    }

    /// The next update of a viewer, once there's one.
    fn next_update(&self, id: u64) -> Next {
        let mut state = self.lock();
        loop {
            if let Some(next) = state.next(id) {
                return next;
            }
            let waited = self.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Takes a connection, if there's a place.
    fn connect(&self, id: u64, stream: &Arc<TcpStream>) -> bool {
        let mut state = self.lock();
        let is_full = |state: &mut State| state.connections.len() >= MOST_CONNECTIONS;
        if is_full(&mut state) {
            if !state.end_longest_silence(Instant::now()) {
                return false;
            }
            let waited = self.changed.wait_timeout_while(state, LEAVING, is_full);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        if is_full(&mut state) {
            return false;
        }
        let connection = Connection {
            stream: Arc::clone(stream),
            since: Instant::now(),
            is_greeting: true,
        };
        state.connections.insert(id, connection);
        true
    }

    /// A connection said hello.
    fn greeted(&self, id: u64) {
        if let Some(connection) = self.lock().connections.get_mut(&id) {
            connection.is_greeting = false;
        }
    }

    /// A connection has ended.
    fn disconnect(&self, id: u64) {
        self.lock().connections.remove(&id);
        self.changed.notify_all();
    }
}

/// Why a viewer isn't let in, and when it hears that.
struct Refusal {
    reason: String,
    delay: Duration,
}

/// Serves whoever connects.
fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for (id, stream) in (0..).zip(listener.incoming()) {
        let served = stream.and_then(|stream| {
            let stream = Arc::new(stream);
            if !shared.connect(id, &stream) {
                return Ok(()); // without a word, for there may be many
            }
            let theirs = Arc::clone(shared);
            let thread = thread::Builder::new();
            let thread = thread.spawn(move || {
                serve(&theirs, id, &stream);
                theirs.disconnect(id);
            });
            thread.map(drop).inspect_err(|_| shared.disconnect(id))
        });
        if let Err(error) = served {
            let complaint = format_args!("a VNC viewer can't connect: {error}");
            shared.complaints.say(complaint);
            thread::sleep(Duration::from_secs(1));
        }
    }
}

/// Serves a viewer until it goes.
fn serve(shared: &Shared, id: u64, stream: &TcpStream) {
    let mut keyboard = Keyboard::default();
    let result = say_hello(shared, id, stream).and_then(|()| {
        thread::scope(|scope| {
            let thread = thread::Builder::new();
            let sender = thread.spawn_scoped(scope, || send_updates(shared, id, stream));
            let result = sender.and_then(|_| follow(shared, id, stream, &mut keyboard));
            shared.remove(id, &mut keyboard);
            // The other thread may be in the middle of an update.
            let _ = stream.shutdown(Shutdown::Both);
            result
        })
    });
    // It may have got a place, and gone before it knew that.
    shared.remove(id, &mut keyboard);
    let gone = [
        ErrorKind::UnexpectedEof,
        ErrorKind::ConnectionReset,
        ErrorKind::BrokenPipe,
    ];
    if let Err(error) = result
        && !gone.contains(&error.kind())
    {
        let complaint = format_args!("a VNC viewer was turned away: {error}");
        shared.complaints.say(complaint);
    }
}

/// Makes a connection notice soon what happens at its other end.
fn set_up(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(UNREAD))?;
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

/// Gets to know a viewer, in time.
fn say_hello(shared: &Shared, id: u64, stream: &TcpStream) -> io::Result<()> {
    set_up(stream)?;
    let deadline = Instant::now() + shared.greeting();
    greet(
        shared,
        id,
        &mut Greeting { stream, deadline },
        thread::sleep,
    )?;
    stream.set_read_timeout(None)?;
    shared.greeted(id);
    Ok(())
}

/// Gets to know a viewer. One that must wait for its answer does so by `wait`.
fn greet(
    shared: &Shared,
    id: u64,
    stream: &mut (impl Read + Write),
    wait: fn(Duration),
) -> io::Result<()> {
    let security = shared.security();
    let version = Version::agree(stream)?;
    version.agree_on(security, stream)?;
    let size = match shared.let_in(id, stream)? {
        Ok(size) => size,
        Err(Refusal { reason, delay }) => {
            wait(delay);
            version.refuse(security, &reason, stream)?;
            return Err(io::Error::other(reason));
        }
    };
    version.welcome(security, stream)?;
    rfb::start(size, stream)
}

/// A connection until the viewer has said hello, which must be over by the deadline.
struct Greeting<'a> {
    stream: &'a TcpStream,
    deadline: Instant,
}

impl Read for Greeting<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(Some(left))?;
        self.stream.read(bytes)
    }
}

impl Write for Greeting<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Does what a viewer says, at a pace that leaves time to others.
fn follow(shared: &Shared, id: u64, stream: &TcpStream, keyboard: &mut Keyboard) -> io::Result<()> {
    let mut stream = BufReader::new(Paced::new(stream));
    loop {
        let message = Message::read(&mut stream)?;
        obey(shared, id, &message, keyboard);
        stream.get_mut().count_message();
    }
}

/// Does what a message says.
fn obey(shared: &Shared, id: u64, message: &Message, keyboard: &mut Keyboard) {
    match message {
        Message::Format(format) => shared.change(id, |viewer| viewer.set_format(*format)),
        Message::Encodings {
            pixels,
            desktop_size,
        } => shared.change(id, |viewer| {
            (viewer.encoding, viewer.resizable) = (*pixels, *desktop_size);
        }),
        Message::Request { incremental, rect } => shared.change(id, |viewer| {
            viewer.ask((!incremental).then_some(rect), Instant::now());
        }),
        Message::Key { down, keysym } => shared.lock().type_key(keyboard, *keysym, *down),
        Message::Other => {}
    }
}

/// Sends a viewer its updates until it goes, or the machine does.
fn send_updates(shared: &Shared, id: u64, mut stream: &TcpStream) {
    let mut sender = Sender::default();
    // One that doesn't read may not say anything either: the other thread mustn't wait.
    let end = loop {
        let start = Instant::now();
        match shared.next_update(id) {
            Next::Update(update) => {
                if sender.send(shared, &update, &mut stream).is_err() {
                    break Shutdown::Both;
                }
            }
            // It goes now, which the other thread notices.
            Next::Finished => break Shutdown::Write,
            Next::Gone => break Shutdown::Both,
        }
        thread::sleep(UPDATE.saturating_sub(start.elapsed()));
    };
    let _ = stream.shutdown(end);
}

#[cfg(test)]
mod tests;
