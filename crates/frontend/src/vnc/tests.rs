// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

use std::net::SocketAddr;

use rand::prelude::*;

use super::guesses::WrongGuesses;
use super::state::{IDLE, MOST_KEYS};
use super::updates::Update;
use super::*;
use crate::address::Access;
use crate::picture::Picture;

const RFB_3_8: &[u8; 12] = b"RFB 003.008\n";
/// No wait takes so long, unless something is wrong.
const LIMIT: Duration = Duration::from_secs(300);
const WHITE: u32 = 0xff_ffff;
const PICTURE: [u32; 12] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];

fn rect(x: u32, y: u32, width: u32, height: u32) -> Rect {
    let size = Size { width, height };
    Rect { x, y, size }
}

fn listen() -> TcpListener {
    Address::parse("0", &Access::default())
        .unwrap()
        .bind()
        .unwrap()
}

fn serve() -> (Viewers, SocketAddr) {
    serve_those_who_know(None)
}

fn serve_those_who_know(password: Option<Password>) -> (Viewers, SocketAddr) {
    let listener = listen();
    let address = listener.local_addr().unwrap();
    let viewers = Viewers::new(password);
    viewers.serve(listener).unwrap();
    (viewers, address)
}

/// Waits until something is so.
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < LIMIT, "it doesn't come: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Shows a picture of 4x3 pixels: numbered ones, and white in `changed`.
fn show(viewers: &Viewers, changed: Rect) {
    let rows = changed.y..changed.y + changed.size.height;
    let columns = changed.x..changed.x + changed.size.width;
    let is_changed = |n| rows.contains(&(n / 4)) && columns.contains(&(n % 4));
    let pixels: Vec<_> = (0..12)
        .map(|n| if is_changed(n) { WHITE } else { n })
        .collect();
    viewers.show(rect(0, 0, 4, 3).size, &pixels, &[changed]);
}

/// A viewer's end of the connection.
struct Client(TcpStream);

impl Client {
    /// Connects, and tells the size of the screen.
    fn connect(address: SocketAddr, version: &[u8; 12]) -> (Self, Vec<u16>) {
        let mut client = Self::begin(address, version);
        if version == b"RFB 003.003\n" {
            client.expect(&[0, 0, 0, 1]);
        } else {
            client.expect(&[1, 1]);
            client.say(&[1]);
        }
        if version == RFB_3_8 {
            client.expect(&[0; 4]);
        }
        client.say(&[1]);
        let size = client.numbers(2);
        client.expect(&[32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0]);
        client.expect(b"\0\0\0\x06stdvga");
        (client, size)
    }

    /// Connects, and agrees on a version.
    fn begin(address: SocketAddr, version: &[u8; 12]) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let mut client = Self(stream);
        client.expect(RFB_3_8);
        client.say(version);
        client
    }

    /// Answers the challenge as somebody who knows `password`, and gives what comes then.
    fn guess(&mut self, password: &[u8]) -> u32 {
        let mut challenge = [0; 16];
        self.0.read_exact(&mut challenge).unwrap();
        self.say(&Password::new(password).answer(&challenge));
        self.number()
    }

    fn number(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.0.read_exact(&mut bytes).unwrap();
        u32::from_be_bytes(bytes)
    }

    /// What a text says, which starts with its length.
    fn text(&mut self) -> String {
        let mut bytes = vec![0; self.number() as usize];
        self.0.read_exact(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    fn say(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    fn expect(&mut self, expected: &[u8]) {
        let mut bytes = vec![0; expected.len()];
        self.0.read_exact(&mut bytes).unwrap();
        assert_eq!(bytes, expected);
    }

    fn numbers(&mut self, count: usize) -> Vec<u16> {
        let mut bytes = vec![0; 2 * count];
        self.0.read_exact(&mut bytes).unwrap();
        let number = |bytes: &[u8]| u16::from_be_bytes([bytes[0], bytes[1]]);
        bytes.chunks(2).map(number).collect()
    }

    fn request(&mut self, incremental: bool) {
        self.say(&[3, incremental.into(), 0, 0, 0, 0, 255, 255, 255, 255]);
    }

    /// Asks for what changed, and gets an update of one rectangle.
    fn expect_update(&mut self, place: [u16; 4], pixels: &[u32]) {
        self.request(true);
        self.expect(&[0, 0, 0, 1]);
        assert_eq!(self.numbers(4), place);
        self.expect(&[0; 4]);
        pixels
            .iter()
            .for_each(|pixel| self.expect(&pixel.to_le_bytes()));
    }

    fn expect_end(mut self) {
        let read = self.0.read(&mut [0]).map_err(|error| error.kind());
        let ends = [Ok(0), Err(ErrorKind::ConnectionReset)];
        assert!(ends.contains(&read), "{read:?}");
    }
}

#[test]
fn a_viewer_gets_the_picture_and_then_what_changed() {
    let (viewers, address) = serve();
    show(&viewers, rect(0, 0, 0, 0));
    let (mut client, size) = Client::connect(address, RFB_3_8);
    assert_eq!(size, [4, 3]);
    client.expect_update([0, 0, 4, 3], &PICTURE);
    show(&viewers, rect(1, 1, 2, 1));
    client.expect_update([1, 1, 2, 1], &[WHITE; 2]);
    show(&viewers, rect(3, 0, 1, 3));
    client.expect_update([3, 0, 1, 3], &[WHITE; 3]);
    client.request(false);
    client.expect(&[0, 0, 0, 1]);
    assert_eq!(
        client.numbers(4),
        [0, 0, 4, 3],
        "all, since it asked for all"
    );
}

#[test]
fn a_viewer_that_knows_new_sizes_is_told_one_and_any_other_sees_what_fits() {
    let (viewers, address) = serve();
    show(&viewers, rect(0, 0, 0, 0));
    let (mut knows, _) = Client::connect(address, RFB_3_8);
    let (mut other, _) = Client::connect(address, RFB_3_8);
    knows.say(&[2, 0, 0, 2, 0, 0, 0, 0, 255, 255, 255, 33]); // raw, desktop size
    for client in [&mut knows, &mut other] {
        client.expect_update([0, 0, 4, 3], &PICTURE);
    }
    viewers.show(rect(0, 0, 5, 1).size, &[1, 2, 3, 4, 5], &[]);
    knows.request(true);
    knows.expect(&[0, 0, 0, 1, 0, 0, 0, 0, 0, 5, 0, 1, 255, 255, 255, 33]);
    knows.expect_update([0, 0, 5, 1], &[1, 2, 3, 4, 5]);
    other.expect_update([0, 0, 4, 3], &[1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn viewers_of_older_versions_are_welcome() {
    let (_viewers, address) = serve();
    for version in [b"RFB 003.003\n", b"RFB 003.007\n"] {
        let (_, size) = Client::connect(address, version);
        assert_eq!(size, [640, 480]);
    }
}

#[test]
fn keys_wait_for_room_and_are_released_when_their_viewer_goes() {
    let (viewers, address) = serve();
    let (mut client, _) = Client::connect(address, RFB_3_8);
    let wait_for_keys = |count| {
        wait_until("keys", || viewers.0.lock().keys.len() >= count);
    };
    client.say(&[4, 1, 0, 0, 0, 0, 0, b'a']);
    client.say(&[4, 1, 0, 0, 0, 0, 255, 82]); // up
    wait_for_keys(2);
    assert_eq!(viewers.take_keys(2), [0x1e], "half a key mustn't come");
    assert_eq!(viewers.take_keys(2), [0xe0, 0x48]);
    drop(client);
    wait_for_keys(2);
    assert_eq!(viewers.take_keys(64), [0x9e, 0xe0, 0xc8]);
}

#[test]
fn a_guest_that_takes_no_keys_fills_no_memory_and_no_key_sticks() {
    let (a, b) = (u32::from('a'), u32::from('b'));
    let (mut state, mut keyboard) = (State::default(), Keyboard::default());
    (0..1000).for_each(|_| state.type_key(&mut keyboard, a, true));
    assert_eq!(state.keys.len(), MOST_KEYS);
    for (keysym, down) in [(b, true), (b, false), (a, false), (a, false)] {
        state.type_key(&mut keyboard, keysym, down);
    }
    assert_eq!(state.keys.len(), MOST_KEYS + 1, "what was pressed");
    assert_eq!(state.keys.back(), Some(&vec![0x9e]));
    assert_eq!(keyboard.release_all().count(), 0);
}

/// What a viewer of `size` that's ready gets for its next update.
fn ready_viewer(size: Size) -> Viewer {
    let mut viewer = Viewer::new(size, Instant::now());
    viewer.ready = true;
    viewer
}

#[test]
fn an_update_is_written_without_the_lock_and_holds_no_picture() {
    /// A viewer that looks whether anybody has the lock.
    struct Stream<'a>(&'a Shared, Vec<u8>);
    impl Write for Stream<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut state = self.0.state.try_lock().expect("nobody has the lock");
            let _turn = self.0.encoding.try_lock().expect("nobody has the turn");
            let size = state.picture.size();
            state.show(size, &vec![WHITE; 1024 * 192], &[rect(0, 0, 1024, 192)]);
            self.1.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let viewers = Viewers::new(None);
    let (shared, size) = (&*viewers.0, rect(0, 0, 1024, 192).size);
    shared.lock().show(size, &vec![0; 1024 * 192], &[]);
    shared.lock().viewers.insert(0, ready_viewer(size));
    let Next::Update(update) = shared.next_update(0) else {
        panic!("there's no update")
    };
    let mut stream = Stream(shared, Vec::new());
    let mut sender = Sender::default();
    sender.send(shared, &update, &mut stream).unwrap();
    let header = 4 + 12;
    assert_eq!(stream.1.len(), 3 * (12 + 4 * 1024 * 64) + 4);
    let pixel = |row: usize| &stream.1[header + row / 64 * 12 + row * 4096..][..4];
    assert_eq!(pixel(0), [0; 4], "before the first was written");
    assert_eq!(pixel(191), [255, 255, 255, 0], "as the picture is then");
    let stale = &shared.lock().viewers[&0].stale;
    assert!(!stale.is_empty(), "what changed comes again");
}

#[test]
fn a_viewer_that_reads_nothing_is_left() {
    let listener = listen();
    let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    stream
        .set_write_timeout(Some(Duration::from_millis(1)))
        .unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let viewers = Viewers::new(None);
    let size = rect(0, 0, 2048, 2048).size; // more than the host buffers
    let mut state = viewers.0.lock();
    state.viewers.insert(0, ready_viewer(size));
    state.closing = true;
    drop(state);
    send_updates(&viewers.0, 0, &stream);
    assert_eq!(stream.read(&mut [0]).unwrap(), 0, "the reader would wait");
}

#[test]
fn a_viewer_that_talks_nonsense_is_left_and_the_others_stay() {
    let (viewers, address) = serve();
    show(&viewers, rect(0, 0, 0, 0));
    let (mut client, _) = Client::connect(address, RFB_3_8);
    let (mut other, _) = Client::connect(address, RFB_3_8);
    other.say(&[77]);
    other.expect_end();
    client.expect_update([0, 0, 4, 3], &PICTURE);
}

/// As many viewers as there can be, who wait for something to change.
fn all_viewers(address: SocketAddr) -> Vec<Client> {
    let viewer = |_| {
        let (mut client, _) = Client::connect(address, RFB_3_8);
        client.expect_update([0, 0, 4, 3], &PICTURE);
        client.request(true);
        client
    };
    (0..MOST_VIEWERS).map(viewer).collect()
}

#[test]
fn one_viewer_too_many_is_told_why_it_cannot_watch() {
    let (viewers, address) = serve();
    show(&viewers, rect(0, 0, 0, 0));
    let _clients = all_viewers(address);
    wait_until("all viewers wait", || {
        let state = viewers.0.lock();
        state.viewers.values().all(|viewer| viewer.ready)
    });
    let mut client = Client::begin(address, RFB_3_8);
    client.expect(&[1, 1]);
    client.say(&[1]);
    assert_eq!(client.number(), 1, "it's refused");
    assert_eq!(client.text(), "16 viewers at a time are the most");
    client.expect_end();
}

#[test]
fn the_viewer_that_asked_for_nothing_for_the_longest_time_makes_room() {
    let (viewers, address) = serve();
    show(&viewers, rect(0, 0, 0, 0));
    let clients = all_viewers(address);
    let ids: Vec<u64> = viewers.0.lock().viewers.keys().copied().collect();
    wait_until("all viewers wait", || {
        let state = viewers.0.lock();
        state.viewers.values().all(|viewer| viewer.ready)
    });
    let mut state = viewers.0.lock();
    let now = Instant::now();
    assert_eq!(state.idlest(now + 2 * IDLE), None, "all wait for a change");
    for (id, ago) in [(ids[3], 1), (ids[7], 2), (ids[9], 0)] {
        let viewer = state.viewers.get_mut(&id).unwrap();
        (viewer.ready, viewer.asked) = (false, now - ago * IDLE);
    }
    assert_eq!(state.idlest(now), Some(ids[7]));
    drop(state);
    let (mut newcomer, _) = Client::connect(address, RFB_3_8);
    newcomer.expect_update([0, 0, 4, 3], &PICTURE);
    for (n, client) in clients.into_iter().enumerate() {
        if n == 7 {
            client.expect_end();
        }
    }
}

#[test]
fn those_who_say_nothing_are_limited_too_and_make_room() {
    let (viewers, address) = serve();
    let mut silent: Vec<_> = (0..MOST_CONNECTIONS)
        .map(|_| Client(TcpStream::connect(address).unwrap()))
        .collect();
    silent.iter_mut().for_each(|client| client.expect(RFB_3_8));
    wait_until("another one is served", || {
        let count = viewers.0.lock().connections.len();
        assert!(count <= MOST_CONNECTIONS, "{count} connections");
        let mut stream = TcpStream::connect(address).unwrap();
        matches!(stream.read(&mut [0]), Ok(1))
    });
    drop(silent);
    wait_until("all connections are over", || {
        viewers.0.lock().connections.is_empty()
    });
}

#[test]
fn the_password_lets_viewers_in_and_nothing_else_does() {
    let (viewers, address) = serve_those_who_know(Some(Password::new(b"secret")));
    show(&viewers, rect(0, 0, 0, 0));
    for version in [b"RFB 003.003\n", b"RFB 003.007\n", RFB_3_8] {
        let ask = |password: &[u8]| {
            let mut client = Client::begin(address, version);
            if version == b"RFB 003.003\n" {
                client.expect(&[0, 0, 0, 2]);
            } else {
                client.expect(&[1, 2]);
                client.say(&[2]);
            }
            let result = client.guess(password);
            (client, result)
        };
        let (mut client, result) = ask(b"secret");
        assert_eq!(result, 0, "{version:?}");
        client.say(&[1]);
        assert_eq!(client.numbers(2), [4, 3]);
        viewers.0.lock().guesses = WrongGuesses::default(); // lest this takes long
        let (mut client, result) = ask(b"Secret");
        assert_eq!(result, 1, "{version:?}");
        if version == RFB_3_8 {
            assert_eq!(client.text(), "the password is wrong");
        }
        client.expect_end();
    }
    let mut client = Client::begin(address, RFB_3_8);
    client.expect(&[1, 2]);
    client.say(&[1]); // none
    client.expect_end();
}

#[test]
fn a_viewer_whose_host_vanishes_is_noticed() {
    let listener = listen();
    let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, _) = listener.accept().unwrap();
    set_up(&stream).unwrap();
    assert!(SockRef::from(&stream).keepalive().unwrap());
}

#[test]
fn a_viewer_with_a_palette_is_told_its_colours_before_it_gets_pixels() {
    let (viewers, address) = serve();
    viewers.show(
        rect(0, 0, 3, 1).size,
        &[0xff_0000, 0x00_ff00, 0x00_00ff],
        &[],
    );
    let (mut client, _) = Client::connect(address, RFB_3_8);
    client.say(&[0, 0, 0, 0, 8, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    client.request(true);
    client.expect(&[1, 0, 0, 0, 1, 0]);
    let palette = client.numbers(3 * 256);
    client.expect(&[0, 0, 0, 1]);
    assert_eq!(client.numbers(4), [0, 0, 3, 1]);
    client.expect(&[0; 4]);
    for expected in [[0xffff, 0, 0], [0, 0xffff, 0], [0, 0, 0xffff]] {
        let mut pixel = [0];
        client.0.read_exact(&mut pixel).unwrap();
        assert_eq!(palette[3 * usize::from(pixel[0])..][..3], expected);
    }
    viewers.show(rect(0, 0, 3, 1).size, &[0; 3], &[rect(0, 0, 3, 1)]);
    client.request(true);
    client.expect(&[0, 0, 0, 1]); // the palette stays
}

#[test]
fn a_viewer_that_prefers_zrle_gets_it() {
    let (viewers, address) = serve();
    show(&viewers, rect(0, 0, 0, 0));
    let (mut client, _) = Client::connect(address, RFB_3_8);
    client.say(&[2, 0, 0, 2, 0, 0, 0, 16, 0, 0, 0, 0]); // ZRLE, raw
    client.request(true);
    client.expect(&[0, 0, 0, 1, 0, 0, 0, 0, 0, 4, 0, 3, 0, 0, 0, 16]);
    let mut data = vec![0; client.number() as usize];
    client.0.read_exact(&mut data).unwrap();
    let mut tile = Vec::with_capacity(1024);
    let mut zlib = flate2::Decompress::new(true);
    zlib.decompress_vec(&data, &mut tile, flate2::FlushDecompress::Sync)
        .unwrap();
    let pixels = PICTURE.map(|pixel| [pixel as u8, 0, 0]).concat();
    assert_eq!(tile, [&[0][..], &pixels].concat(), "a raw tile");
}

/// A viewer whose words are all there, and who counts what it hears.
struct Script<'a> {
    said: &'a [u8],
    heard: usize,
}

impl Read for Script<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.said.read(bytes)
    }
}

impl Write for Script<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.heard += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_viewer_takes_no_more_memory_than_is_promised_however_large_the_picture_is() {
    let mut rng = SmallRng::seed_from_u64(0);
    for (width, height) in [(2100, 200), (8, 0xffff)] {
        let viewers = Viewers::new(None);
        let noise = (0..width * height).map(|_| rng.random::<u32>() >> 8);
        let pixels: Vec<u32> = noise.collect();
        viewers.show(rect(0, 0, width, height).size, &pixels, &[]);
        let mut said = [&RFB_3_8[..], &[1, 1]].concat();
        for encoding in [0, 16] {
            said.extend([2, 0, 0, 1, 0, 0, 0, encoding]);
            said.extend([3, 0, 0, 0, 0, 0, 255, 255, 255, 255]);
        }
        let mut script = Script {
            said: &said,
            heard: 0,
        };
        let used = allocation_counter::measure(|| {
            viewers.answer(&mut script).unwrap_err();
        });
        let promised = (2 << 20) + 8 * u64::from(height);
        let all = pixels.len() * 4 + pixels.len() * 3;
        let heard = script.heard;
        assert!(
            heard > all,
            "{width}x{height}: {heard} bytes aren't all pixels"
        );
        assert!(
            used.bytes_max <= promised,
            "{width}x{height}: {} bytes, and {promised} are promised",
            used.bytes_max
        );
        println!("{width}x{height}: {} bytes at most", used.bytes_max);
    }
}

#[test]
fn a_viewer_that_asks_for_much_often_gets_one_update() {
    let mut viewer = Viewer::new(rect(0, 0, 40, 30).size, Instant::now());
    viewer.stale.take();
    for rect in [
        rect(0, 0, 0xffff, 0),
        rect(40, 0, 5, 5),
        rect(0xffff, 0xffff, 0xffff, 0xffff),
    ] {
        viewer.ask(Some(&rect), Instant::now());
        assert!(!viewer.has_update(&Picture::default()), "{rect:?}");
    }
    for rect in [rect(5, 6, 1, 1), rect(30, 8, 0xffff, 2)] {
        viewer.ask(Some(&rect), Instant::now());
    }
    let picture = Picture::black(viewer.size);
    match viewer.update(&picture) {
        Some(Update::Pixels { pieces, .. }) => assert_eq!(pieces, [rect(5, 6, 35, 4)]),
        _ => panic!("there's no update"),
    }
    assert!(viewer.update(&picture).is_none());
}

#[test]
fn the_end_waits_two_seconds_at_most_whatever_viewers_do() {
    let (viewers, address) = serve();
    let size = rect(0, 0, 4096, 2048).size;
    viewers.show(size, &vec![WHITE; 4096 * 2048], &[]);
    let mut clients: Vec<_> = (0..MOST_VIEWERS)
        .map(|_| Client::connect(address, RFB_3_8).0)
        .collect();
    for (n, client) in clients.iter_mut().enumerate() {
        match n % 3 {
            0 => {}                      // asks for nothing
            1 => client.request(false),  // reads nothing
            _ => client.say(&[5, 0, 0]), // says half a message
        }
    }
    let start = Instant::now();
    viewers.finish();
    let waited = start.elapsed();
    assert!(waited >= FAREWELL, "{waited:?}: some are still there");
    assert!(FAREWELL * 2 <= Duration::from_secs(2));
}

#[test]
fn a_hello_must_be_over_by_its_deadline() {
    let listener = listen();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, _) = listener.accept().unwrap();
    client.write_all(RFB_3_8).unwrap();
    let mut greeting = Greeting {
        stream: &stream,
        deadline: Instant::now(),
    };
    let error = greeting.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut, "though bytes are there");
}

#[test]
fn the_last_picture_is_sent_before_the_connection_ends() {
    let (viewers, address) = serve();
    show(&viewers, rect(0, 0, 0, 0));
    let (mut client, _) = Client::connect(address, RFB_3_8);
    client.expect_update([0, 0, 4, 3], &PICTURE);
    show(&viewers, rect(0, 2, 4, 1));
    thread::scope(|scope| {
        scope.spawn(|| viewers.finish());
        client.expect_update([0, 2, 4, 1], &[WHITE; 4]);
        client.expect_end();
    });
}
