// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What the environment asks of random tests.

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

/// The number in an environment variable.
pub fn environment(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    let number = value.parse();
    Some(number.unwrap_or_else(|_| panic!("{name}={value} is no number")))
}

/// The run's seed: that in `STDVGA_SEED`, or a fresh one.
pub fn seed() -> u64 {
    static SEED: OnceLock<u64> = OnceLock::new();
    *SEED.get_or_init(|| {
        environment("STDVGA_SEED").unwrap_or_else(|| {
            let now = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .expect("a clock after 1970");
            now.as_nanos() as u64 >> 10
        })
    })
}
