//! Criterion's view of tasks that nobody waits for; see `fork_join` for why there is one.

mod common;
mod workloads;

use common::pools::{Filch, Rayon, Spawner, Tokio};
use common::size;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, SamplingMode, Throughput};
use std::time::Duration;
use workloads::{Spawning, Unit, spawn::Nested, spawn::Outside};

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(size(500, 10)))
        .measurement_time(Duration::from_millis(size(1500, 50)))
        .without_plots()
        .configure_from_args();
    workload(&mut criterion, &Outside::new());
    workload(&mut criterion, &Nested::new());
    criterion.final_summary();
}

fn workload(criterion: &mut Criterion, work: &impl Spawning) {
    let about = work.about();
    let mut group = criterion.benchmark_group(about.name);
    // A run takes long enough to be a sample of its own.
    group.sampling_mode(SamplingMode::Flat);
    if let Unit::NanosPer(_, count) = about.unit {
        group.throughput(Throughput::Elements(count));
    }
    for workers in [1, 2] {
        on(&mut group, BenchmarkId::new("filch", workers), work, &Filch::new(workers));
        on(&mut group, BenchmarkId::new("rayon", workers), work, &Rayon::new(workers));
        on(&mut group, BenchmarkId::new("tokio", workers), work, &Tokio::new(workers));
    }
    group.finish();
}

fn on(
    group: &mut BenchmarkGroup<WallTime>,
    id: BenchmarkId,
    work: &impl Spawning,
    pool: &impl Spawner,
) {
    group.bench_function(id, |bencher| {
        bencher.iter_custom(|runs| (0..runs).map(|_| work.run(pool)).sum())
    });
}
