//! What a lease costs that nobody else wants.

mod common;

use common::size;
use criterion::Criterion;
use filch::{Request, Resource, ThreadPoolBuilder};
use std::hint::black_box;
use std::time::Duration;

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(size(500, 10)))
        .measurement_time(Duration::from_millis(size(1500, 50)))
        .without_plots()
        .configure_from_args();
    let pool =
        ThreadPoolBuilder::new().num_threads(1).budget(Resource::Memory, 1 << 40).build().unwrap();
    let (one, two) = (Request::new().memory(1 << 20), Request::new().memory(1 << 20).cpu(100));
    for (name, request) in [("one resource", one), ("two resources", two)] {
        criterion.bench_function(&format!("lease and release/{name}"), |bencher| {
            bencher.iter(|| drop(black_box(pool.try_acquire(&request).unwrap())));
        });
    }
    criterion.final_summary();
}
