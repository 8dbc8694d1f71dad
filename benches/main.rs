//! What an access costs: `cargo bench`.

// Criterion's macro makes a public function without documentation.
#![allow(missing_docs)]

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use stdvga::{Clock, Config, Retrace, StdVga};

fn vga() -> StdVga {
    StdVga::new(Config::default()).expect("the default configuration is valid")
}

fn write(vga: &mut StdVga, port: u16, data: &[u8]) {
    let _ = black_box(vga.port_write(black_box(port), black_box(data)));
}

fn read(vga: &mut StdVga, port: u16) {
    let mut data = [0];
    vga.port_read(black_box(port), &mut data);
    black_box(data);
}

/// Selects colour addresses, and planar memory at 0xa0000 with all planes.
fn planar() -> StdVga {
    let mut vga = vga();
    write(&mut vga, 0x3c2, &[0x01]);
    for index_and_data in [[0x02, 0x0f], [0x04, 0x06]] {
        write(&mut vga, 0x3c4, &index_and_data);
    }
    for index_and_data in [[0x06, 0x05], [0x08, 0xff]] {
        write(&mut vga, 0x3ce, &index_and_data);
    }
    vga
}

/// Sets up text memory at 0xb8000.
fn text() -> StdVga {
    let mut vga = planar();
    for index_and_data in [[0x02, 0x03], [0x04, 0x02]] {
        write(&mut vga, 0x3c4, &index_and_data);
    }
    for index_and_data in [[0x05, 0x10], [0x06, 0x0e]] {
        write(&mut vga, 0x3ce, &index_and_data);
    }
    vga
}

fn ports(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ports");
    let mut vga = planar();
    group.bench_function("port_seq", |bencher| {
        let mut planes = 0;
        bencher.iter(|| {
            planes = (planes + 1) & 0x07;
            write(&mut vga, 0x3c4, &[0x02]);
            write(&mut vga, 0x3c5, &[planes]);
        });
    });
    group.bench_function("port_3da", |bencher| bencher.iter(|| read(&mut vga, 0x3da)));
    group.bench_function("dac_entry", |bencher| {
        let mut value = 0_u8;
        bencher.iter(|| {
            value = value.wrapping_add(1);
            for _ in 0..3 {
                write(&mut vga, 0x3c9, &[value]);
            }
        });
    });
    group.bench_function("dispi", |bencher| {
        let mut value = 0_u16;
        bencher.iter(|| {
            value = value.wrapping_add(8);
            write(&mut vga, 0x1ce, &6_u16.to_le_bytes());
            write(&mut vga, 0x1d0, &value.to_le_bytes());
        });
    });

    let time = Arc::new(AtomicU64::new(0));
    let clock = Clock::new(move || time.fetch_add(1000, Ordering::Relaxed));
    let config = Config {
        retrace: Retrace::Precise(clock),
        ..Config::default()
    };
    let mut vga = StdVga::new(config).expect("a valid configuration");
    write(&mut vga, 0x3c2, &[0x01]);
    group.bench_function("port_3da_precise", |bencher| {
        bencher.iter(|| read(&mut vga, 0x3da))
    });
    group.finish();
}

fn window(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("window");
    let mut offset = 0_u64;
    let mut next = move || {
        offset = (offset + 1) & 0x7fff;
        black_box(offset)
    };
    let mut vga = planar();
    group.bench_function("planar_write", |bencher| {
        bencher.iter(|| vga.window_write(next(), black_box(&[0x5a])));
    });
    group.bench_function("planar_read", |bencher| {
        bencher.iter(|| {
            let mut data = [0];
            vga.window_read(next(), &mut data);
            black_box(data);
        });
    });
    let run = [0x5a; 4096];
    group.throughput(Throughput::Bytes(run.len() as u64));
    group.bench_with_input(
        BenchmarkId::new("planar_run", run.len()),
        &run,
        |bencher, run| {
            bencher.iter(|| vga.window_write(0, black_box(run)));
        },
    );
    let mut vga = text();
    group.throughput(Throughput::Bytes(1));
    group.bench_function("text_write", |bencher| {
        bencher.iter(|| vga.window_write(0x1_8000 + next(), black_box(&[0x5a])));
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    targets = ports, window
}
criterion_main!(benches);
