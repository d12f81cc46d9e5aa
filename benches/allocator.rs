//! What counting costs: a small block allocated and freed, by the system's allocator and through
//! `CountingAlloc` in turn, on a worker and elsewhere.

mod common;

use common::{machine, size};
use filch::{CountingAlloc, ThreadPoolBuilder};
use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::time::Instant;

static COUNTING: CountingAlloc = CountingAlloc::system();

/// Nanoseconds a pair of calls.
fn pair(allocator: &impl GlobalAlloc) -> f64 {
    let pairs = size(200_000, 1000);
    let layout = Layout::new::<[u64; 4]>();
    let start = Instant::now();
    for _ in 0..pairs {
        // SAFETY: not of size zero.
        let block = black_box(unsafe { allocator.alloc(layout) });
        // SAFETY: just allocated so.
        unsafe { allocator.dealloc(block, layout) };
    }
    start.elapsed().as_nanos() as f64 / f64::from(pairs)
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

fn compare(place: &str) {
    let rounds = (0..size(501, 3)).map(|_| (pair(&System), pair(&COUNTING)));
    let (plain, counted): (Vec<_>, Vec<_>) = rounds.unzip();
    let ratios = plain.iter().zip(&counted).map(|(plain, counted)| counted / plain).collect();
    let (plain, counted, ratio) = (median(plain), median(counted), median(ratios));
    println!("{place:12} system {plain:6.2} ns, counted {counted:6.2} ns, {ratio:.3}x");
}

fn main() {
    println!("{}", machine::line());
    let pool = ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    pool.install(|| compare("on a worker"));
    compare("elsewhere");
}
