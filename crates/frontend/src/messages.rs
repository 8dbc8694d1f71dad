// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Lines to the user, on stderr.
//!
//! Nobody waits long for stderr, which may be a pipe that is full and that nobody reads. A thread
//! writes the lines. Those that don't fit into its queue are left out and counted.

use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::io::{self, Write};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::program_name;

/// Bytes that wait to be written.
const MOST_BYTES: usize = 64 << 10;
/// How long a line may hold up who says it. Once one has taken longer, the next ones don't wait.
const PATIENCE: Duration = Duration::from_millis(200);
/// Lines of a kind that is limited: one each.
const PERIOD: Duration = Duration::from_secs(1);

static STDERR: LazyLock<Lines> = LazyLock::new(|| Lines::to(io::stderr()));

/// Writes a message to stderr, after the program's name. It has been written when this returns, unless
/// stderr takes nothing at the moment. A closed stderr is no reason to stop.
pub fn say(message: impl fmt::Display) {
    STDERR.say(&message);
}

/// Copies a guest's text to stderr as it is. It waits for room for a moment, unless stderr takes nothing.
pub fn copy(text: &str) {
    STDERR.copy(text);
}

/// Messages that strangers or a guest can cause: a few at once, and then one a second. The next one
/// says how many were left out.
pub struct Limited(Mutex<Allowance>);

impl Limited {
    /// Allows `most` messages at once.
    pub fn new(most: u32) -> Self {
        Self(Mutex::new(Allowance {
            most,
            left: most,
            since: Instant::now(),
            left_out: 0,
        }))
    }

    /// Says a message if it's allowed. This never waits for stderr.
    pub fn say(&self, message: impl fmt::Display) {
        let mut allowance = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(message) = allowance.limit(&message, Instant::now()) {
            STDERR.push(&message);
        }
    }
}

/// How many messages are allowed.
struct Allowance {
    most: u32,
    left: u32,
    /// From when on time counts for the next one.
    since: Instant,
    left_out: u64,
}

impl Allowance {
    /// What to say instead of a message, if anything.
    fn limit(&mut self, message: &dyn fmt::Display, now: Instant) -> Option<String> {
        let periods = now.saturating_duration_since(self.since).as_secs() / PERIOD.as_secs();
        if periods > 0 {
            let more = u32::try_from(periods).unwrap_or(u32::MAX);
            self.left = self.left.saturating_add(more).min(self.most);
            self.since = now;
        }
        let Some(left) = self.left.checked_sub(1) else {
            self.left_out += 1;
            return None;
        };
        if self.left == self.most {
            self.since = now;
        }
        self.left = left;
        Some(match std::mem::take(&mut self.left_out) {
            0 => message.to_string(),
            count => format!("{message} ({count} like it were left out)"),
        })
    }
}

/// Lines on their way to a writer.
struct Lines(Arc<Shared>);

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    lines: VecDeque<String>,
    bytes: usize,
    left_out: u64,
    is_writing: bool,
    /// Somebody waited in vain, and nothing has been written since.
    is_stuck: bool,
}

impl Lines {
    /// Starts a thread that writes to `writer`.
    fn to(mut writer: impl Write + Send + 'static) -> Self {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        // Without a thread there are no messages, and the program goes on.
        let _ = thread::Builder::new().spawn(move || theirs.write_to(&mut writer));
        Self(shared)
    }

    /// Says a line, and waits until it has been written, though not for long.
    fn say(&self, message: &dyn fmt::Display) {
        self.push(message);
        let queue = self.0.lock();
        if queue.is_stuck {
            return;
        }
        let is_left = |queue: &mut Queue| queue.is_writing || !queue.lines.is_empty();
        let waited = self.0.changed.wait_timeout_while(queue, PATIENCE, is_left);
        let (mut queue, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        queue.is_stuck |= waited.timed_out();
    }

    /// Puts a line into the queue, if there's room.
    fn push(&self, message: &dyn fmt::Display) {
        let mut line = String::new();
        // A message that can't be formatted is said as far as it goes.
        let _ = writeln!(line, "{}: {message}", program_name());
        self.0.lock().add(line);
        self.0.changed.notify_all();
    }

    /// Puts text into the queue, and waits until there's room for it, though not for long.
    fn copy(&self, text: &str) {
        let mut queue = self.0.lock();
        if !queue.is_stuck {
            let is_full = |queue: &mut Queue| !queue.has_room(text);
            let waited = self.0.changed.wait_timeout_while(queue, PATIENCE, is_full);
            let waited = waited.unwrap_or_else(PoisonError::into_inner);
            queue = waited.0;
            queue.is_stuck |= waited.1.timed_out();
        }
        queue.add(text.to_owned());
        self.0.changed.notify_all();
    }
}

impl Queue {
    fn has_room(&self, line: &str) -> bool {
        self.bytes + line.len() <= MOST_BYTES
    }

    /// Adds a line, or counts it if there's no room.
    fn add(&mut self, line: String) {
        if !self.has_room(&line) {
            self.left_out += 1;
            return;
        }
        self.bytes += line.len();
        self.lines.push_back(line);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_to(&self, writer: &mut impl Write) -> ! {
        loop {
            let line = self.next();
            let _ = writer.write_all(line.as_bytes());
            let mut queue = self.lock();
            (queue.is_writing, queue.is_stuck) = (false, false);
            self.changed.notify_all();
        }
    }

    /// Waits for a line. Where some were left out, that is said once there's room again.
    fn next(&self) -> String {
        let is_idle = |queue: &mut Queue| queue.lines.is_empty() && queue.left_out == 0;
        let queue = self.changed.wait_while(self.lock(), is_idle);
        let mut queue = queue.unwrap_or_else(PoisonError::into_inner);
        queue.is_writing = true;
        if let Some(line) = queue.lines.pop_front() {
            queue.bytes -= line.len();
            return line;
        }
        let left_out = std::mem::take(&mut queue.left_out);
        format!("{}: {left_out} messages were left out\n", program_name())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::sync::mpsc;

    use super::*;

    /// No wait takes so long, unless something is wrong.
    const LIMIT: Duration = Duration::from_secs(300);

    #[test]
    fn a_message_has_been_written_when_saying_it_returns() {
        let (reader, writer) = io::pipe().unwrap();
        let lines = Lines::to(writer);
        let mut reader = BufReader::new(reader);
        for message in ["one", "two"] {
            lines.say(&message);
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            assert_eq!(line, format!("{}: {message}\n", program_name()));
        }
        assert!(!lines.0.lock().is_stuck);
    }

    #[test]
    fn a_pipe_that_nobody_reads_holds_nobody_up_and_what_was_left_out_is_counted() {
        const MESSAGES: usize = 10_000;
        let (reader, writer) = io::pipe().unwrap();
        let (done, is_done) = mpsc::channel();
        thread::spawn(move || {
            let lines = Lines::to(writer);
            let start = Instant::now();
            (0..MESSAGES).for_each(|n| lines.say(&format_args!("message {n} {}", "x".repeat(100))));
            done.send((lines, start.elapsed())).unwrap();
        });
        let (lines, elapsed) = is_done.recv_timeout(LIMIT).expect("saying never ends");
        assert!(elapsed < LIMIT / 10, "{elapsed:?}");
        let waiting = lines.0.lock().bytes;
        assert!(waiting <= MOST_BYTES, "{waiting} bytes wait");
        let mut written = 0;
        let end = BufReader::new(reader).lines().map(Result::unwrap);
        let end = end
            .inspect(|_| written += 1)
            .find(|line| line.ends_with("were left out"));
        let end = end.expect("the pipe is open");
        let left_out: usize = end.split(' ').nth(1).unwrap().parse().unwrap();
        assert_eq!(written - 1 + left_out, MESSAGES, "{end}");
    }

    #[test]
    fn a_guests_text_comes_as_it_is_and_a_full_pipe_stops_no_guest() {
        let (reader, writer) = io::pipe().unwrap();
        let lines = Lines::to(writer);
        lines.copy("a li");
        lines.copy("ne\n");
        let mut line = String::new();
        let mut reader = BufReader::new(reader);
        reader.read_line(&mut line).unwrap();
        assert_eq!(line, "a line\n");
        let (done, is_done) = mpsc::channel();
        thread::spawn(move || {
            (0..10_000).for_each(|_| lines.copy(&"x".repeat(100)));
            done.send(lines).unwrap();
        });
        let lines = is_done.recv_timeout(LIMIT).expect("copying never ends");
        assert!(lines.0.lock().left_out > 0, "a full pipe takes no more");
    }

    #[test]
    fn limited_messages_come_once_a_second_with_the_number_of_those_between() {
        let start = Instant::now();
        let mut allowance = Allowance {
            most: 2,
            left: 2,
            since: start,
            left_out: 0,
        };
        let mut said = Vec::new();
        for millisecond in 0..3000 {
            let now = start + Duration::from_millis(millisecond);
            said.extend(allowance.limit(&millisecond, now));
        }
        let expected = [
            "0",
            "1",
            "1000 (998 like it were left out)",
            "2000 (999 like it were left out)",
        ];
        assert_eq!(said, expected);
        let later = start + LIMIT;
        let again: Vec<_> = (0..3).filter_map(|n| allowance.limit(&n, later)).collect();
        assert_eq!(again, ["0 (999 like it were left out)", "1"]);
    }
}
