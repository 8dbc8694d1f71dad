//! Saved state, and the monitor that can be changed at run time.
//!
//! - `twins.rs`: a device that is saved and restored goes on like one that isn't, whatever a guest does
//! - `refusals.rs`: states that no device can have are refused, by the name of the field
//! - `untrusted.rs`: whatever a state holds, restoring doesn't panic, nor does what follows
//! - `recorded.rs`: states that earlier versions wrote are read, and mean what they meant
//! - `monitor.rs`: the EDID blob follows the monitor
//!
//! Some need the feature `serde`: run them all with `cargo test --all-features --test state`.
#![cfg(target_os = "linux")]

#[path = "../driver/mod.rs"]
mod driver;
#[path = "../qtest/mod.rs"]
mod qtest;

mod machine;
mod monitor;
#[cfg(feature = "serde")]
mod recorded;
mod refusals;
mod twins;
#[cfg(feature = "serde")]
mod untrusted;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use driver::Guest;
use stdvga::{Clock, Config, Retrace, State, StdVga};

/// The state, once it was seen to survive being written and read, where that can be done.
fn through_serde(state: State) -> State {
    #[cfg(feature = "serde")]
    {
        let json = serde_json::to_string(&state).expect("a state that can be written");
        let read: State = serde_json::from_str(&json).expect("a state that can be read");
        assert_eq!(read, state, "what was read of {json}");
    }
    state
}

/// Saves the guest's device, and goes on with one that is restored on the same VRAM.
fn save_and_restore(guest: &mut Guest, config: &Config) {
    let state = through_serde(guest.vga.state());
    let vram = Arc::clone(guest.vga.vram().region());
    guest.vga = StdVga::from_state_with_vram(config.clone(), &state, vram)
        .expect("a state that a device had");
    assert_eq!(guest.vga.state(), state, "the state of the device restored");
}

/// A clock that a test sets, and the retrace that follows it.
fn precise_retrace() -> (Arc<AtomicU64>, Retrace) {
    let now = Arc::new(AtomicU64::new(0));
    let clock = Clock::new({
        let now = Arc::clone(&now);
        move || now.load(Ordering::Relaxed)
    });
    (now, Retrace::Precise(clock))
}
