// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

use std::net::SocketAddr;

use super::*;

const RFB_3_8: &[u8; 12] = b"RFB 003.008\n";
/// No wait takes so long, unless something is wrong.
const LIMIT: Duration = Duration::from_secs(60);
const WHITE: u32 = 0xff_ffff;
const PICTURE: [u32; 12] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];

fn rect(x: u32, y: u32, width: u32, height: u32) -> Rect {
    let size = Size { width, height };
    Rect { x, y, size }
}

fn serve() -> (Viewers, SocketAddr) {
    let listener = Address::parse("0").unwrap().bind().unwrap();
    let address = listener.local_addr().unwrap();
    (Viewers::serve(listener).unwrap(), address)
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
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let mut client = Self(stream);
        client.expect(RFB_3_8);
        client.say(version);
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
        let start = Instant::now();
        while viewers.0.lock().keys.len() < count {
            assert!(start.elapsed() < LIMIT, "fewer than {count} keys came");
            thread::yield_now();
        }
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

#[test]
fn an_update_is_made_without_the_lock_from_the_picture_as_it_was() {
    let shared = Shared::default();
    let size = rect(0, 0, 4, 3).size;
    shared.lock().show(size, &PICTURE, &[]);
    let mut viewer = Viewer::new(size);
    viewer.ready = true;
    shared.lock().viewers.insert(0, viewer);
    let update = shared.next_update(0).unwrap();
    let mut state = shared.state.try_lock().expect("nobody has the lock");
    state.show(size, &[WHITE; 12], &[rect(0, 0, 4, 3)]);
    assert_eq!(state.picture.pixels, [WHITE; 12]);
    let pixels = PICTURE.map(u32::to_le_bytes).concat();
    let message = update.into_message();
    assert!(message.ends_with(&pixels), "{message:x?}");
}

#[test]
fn a_viewer_that_reads_nothing_is_left() {
    let listener = Address::parse("0").unwrap().bind().unwrap();
    let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    stream
        .set_write_timeout(Some(Duration::from_millis(1)))
        .unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let shared = Shared::default();
    let size = rect(0, 0, 2048, 2048).size; // more than the host buffers
    let mut viewer = Viewer::new(size);
    viewer.ready = true;
    shared.lock().viewers.insert(0, viewer);
    shared.lock().closing = true;
    send_updates(&shared, 0, &stream);
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

#[test]
fn there_are_viewers_up_to_a_limit() {
    let (viewers, address) = serve();
    show(&viewers, rect(0, 0, 0, 0));
    let mut clients = Vec::new();
    for _ in 0..MOST_VIEWERS {
        let (mut client, _) = Client::connect(address, RFB_3_8);
        client.expect_update([0, 0, 4, 3], &PICTURE);
        clients.push(client);
    }
    Client::connect(address, RFB_3_8).0.expect_end();
}

#[test]
fn those_who_say_nothing_are_limited_too() {
    let (_viewers, address) = serve();
    let mut silent: Vec<_> = (0..MOST_CONNECTIONS)
        .map(|_| Client(TcpStream::connect(address).unwrap()))
        .collect();
    silent.iter_mut().for_each(|client| client.expect(RFB_3_8));
    Client(TcpStream::connect(address).unwrap()).expect_end();
    drop(silent);
    let start = Instant::now();
    let is_served = || {
        let mut stream = TcpStream::connect(address).unwrap();
        matches!(stream.read(&mut [0]), Ok(1))
    };
    while !is_served() {
        assert!(start.elapsed() < LIMIT, "no place became free");
        thread::yield_now();
    }
}

#[test]
fn a_hello_must_be_over_by_its_deadline() {
    let listener = Address::parse("0").unwrap().bind().unwrap();
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

#[test]
fn changes_add_up_and_a_large_picture_comes_in_parts() {
    let mut stale = Stale::all(rect(0, 0, 4096, 2000).size);
    assert_eq!(stale.take(), [rect(0, 0, 4096, 1024)]);
    assert_eq!(stale.take(), [rect(0, 1024, 4096, 976)]);
    stale.add(&rect(10, 5, 20, 3));
    stale.add(&rect(40, 6, 10, 1));
    stale.add(&rect(4000, 1999, 200, 9));
    stale.add(&rect(4096, 0, 1, 1));
    let parts = [
        rect(10, 5, 20, 1),
        rect(10, 6, 40, 1),
        rect(10, 7, 20, 1),
        rect(4000, 1999, 96, 1),
    ];
    assert_eq!(stale.take(), parts);
    assert!(stale.is_empty());
}
