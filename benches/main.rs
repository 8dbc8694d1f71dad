// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! How long accesses, pictures and refreshes take: `cargo bench --bench main`.
//!
//! A run without a filter ends with the tables that `docs/performance.md` shows, and writes them to
//! `target/performance.json`.

mod scenarios;
mod summary;

use std::time::{Duration, SystemTime};

use criterion::Criterion;
use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use rustix::time::{ClockId, clock_gettime};

use scenarios::pictures::PICTURES;
use scenarios::{Measure, accesses, refreshes};

/// Measures the time that the thread ran, not that for which other programs did.
struct ThreadTime;

impl Measurement for ThreadTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Duration::try_from(time).unwrap_or_default()
    }

    fn end(&self, start: Duration) -> Duration {
        self.start() - start
    }

    fn add(&self, one: &Duration, other: &Duration) -> Duration {
        *one + *other
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        value.as_nanos() as f64
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

impl Measure for Criterion<ThreadTime> {
    fn measure<R: FnMut()>(&mut self, name: &str, prepare: impl Fn() -> R) {
        let mut round = None;
        // The closure is called for each sample.
        self.bench_function(name, |bencher| {
            bencher.iter(round.get_or_insert_with(&prepare));
        });
    }
}

fn main() -> anyhow::Result<()> {
    let start = SystemTime::now();
    let mut criterion = Criterion::default()
        .with_measurement(ThreadTime)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .nresamples(10_000)
        .configure_from_args();
    accesses::measure(&mut criterion);
    refreshes::measure(&mut criterion);
    for picture in &PICTURES {
        picture.measure_copying(&mut criterion);
        picture.measure_drawing(&mut criterion);
    }
    criterion.final_summary();
    summary::write(start)
}
