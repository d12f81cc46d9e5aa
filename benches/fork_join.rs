//! Criterion's view of work that forks and joins: each workload, serial and on each pool.
//! `peers` compares pools, in alternating runs; this target is for watching one workload over
//! time, as criterion keeps the last run to compare with.

mod common;
mod workloads;

use common::pools::{Chili, Filch, Pool, Rayon, Serial};
use common::size;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, SamplingMode, Throughput};
use std::time::Duration;
use workloads::{ForkJoin, Unit, fib::Fib, queens::Queens, sort::Sort, tree::Tree};

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(size(500, 10)))
        .measurement_time(Duration::from_millis(size(1500, 50)))
        .without_plots()
        .configure_from_args();
    workload(&mut criterion, &Fib::new());
    workload(&mut criterion, &Tree::small());
    workload(&mut criterion, &Tree::large());
    workload(&mut criterion, &Queens::new());
    workload(&mut criterion, &Sort::new());
    criterion.final_summary();
}

fn workload(criterion: &mut Criterion, work: &impl ForkJoin) {
    let about = work.about();
    let mut group = criterion.benchmark_group(about.name);
    // A run takes long enough to be a sample of its own.
    group.sampling_mode(SamplingMode::Flat);
    if let Unit::NanosPer(_, count) = about.unit {
        group.throughput(Throughput::Elements(count));
    }
    on(&mut group, BenchmarkId::from_parameter("serial"), work, &Serial);
    for workers in [1, 2] {
        on(&mut group, BenchmarkId::new("filch", workers), work, &Filch::new(workers));
        on(&mut group, BenchmarkId::new("rayon", workers), work, &Rayon::new(workers));
        on(&mut group, BenchmarkId::new("chili", workers), work, &Chili::new(workers));
    }
    group.finish();
}

fn on(
    group: &mut BenchmarkGroup<WallTime>,
    id: BenchmarkId,
    work: &impl ForkJoin,
    pool: &impl Pool,
) {
    group.bench_function(id, |bencher| {
        bencher.iter_custom(|runs| (0..runs).map(|_| work.run(pool)).sum())
    });
}
