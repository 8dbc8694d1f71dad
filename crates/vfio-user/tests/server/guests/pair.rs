// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! A guest on two machines side by side: one with this crate's device, one with QEMU's own.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use stdvga_testing::picture::Picture;

use super::machine::{LIMIT, Machine, assert_same};
use crate::server::Server;

/// How long a picture must stand still to be taken for finished.
const STILL: Duration = Duration::from_millis(500);

pub struct Pair {
    start: Instant,
    ours: Machine,
    qemus: Machine,
    /// What was compared so far.
    pictures: Vec<Picture>,
}

impl Pair {
    /// Starts a guest with our device, which `server` serves, and with QEMU's own `device`.
    pub fn start(server: Server, device: &str, guest: &[&str]) -> Self {
        Self {
            start: Instant::now(),
            qemus: Machine::with_qemus(device, guest),
            ours: Machine::with_ours(server, guest),
            pictures: Vec::new(),
        }
    }

    /// Kills both machines, but not the server of our device.
    pub fn into_server(self) -> Server {
        self.ours.into_server()
    }

    /// Resets both machines. What they show until a text comes from the serial ports is of no interest.
    pub fn reset(&mut self, text: &str) {
        self.call("system_reset", json!({}));
        self.pictures.clear();
        self.wait_for(text);
    }

    /// Waits for a text on both serial ports.
    pub fn wait_for(&mut self, text: &str) {
        self.ours.serial.wait_for(text);
        self.qemus.serial.wait_for(text);
    }

    /// Presses a key, which is named as QEMU names it.
    pub fn press(&mut self, key: &str) {
        let keys = json!({"keys": [{"type": "qcode", "data": key}]});
        self.call("send-key", keys);
    }

    fn call(&mut self, command: &str, arguments: serde_json::Value) {
        for machine in [&mut self.ours, &mut self.qemus] {
            let called = machine.monitor.call(command, arguments.clone());
            called.expect("a monitor that answers");
        }
    }

    /// Waits until both show the same picture, one that stands still, and another one than before. A picture
    /// of fewer colours isn't finished.
    pub fn assert_same_picture(&mut self, name: &str, colors: usize) -> Picture {
        let start = Instant::now();
        let mut last = None;
        loop {
            let (ours, qemus) = (self.ours.picture(), self.qemus.picture());
            let is_new = count_colors(&qemus) >= colors && !self.pictures.contains(&qemus);
            let is_there = is_new && ours == qemus && last.as_ref() == Some(&qemus);
            if is_there || start.elapsed() > LIMIT {
                assert_same(name, &ours, &qemus);
                assert!(is_there, "{name}: no other picture came within {LIMIT:?}");
                let [vram, registers] = [0, 2].map(|bar| self.ours.accesses(bar));
                println!(
                    "{name}: the same after {:.0?}; accesses to BAR0: {vram}, to BAR2: {registers}",
                    self.start.elapsed()
                );
                self.pictures.push(qemus);
                return ours;
            }
            last = Some(qemus);
            thread::sleep(STILL);
        }
    }
}

fn count_colors(picture: &Picture) -> usize {
    let mut pixels = picture.pixels.clone();
    pixels.dedup();
    pixels.sort_unstable();
    pixels.dedup();
    pixels.len()
}
