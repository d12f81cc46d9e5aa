//! How long tasks from outside wait: in an idle pool, and in one that is busy with its own.
//! Percentiles by hdrhistogram, of filch, rayon and tokio, one after the other; `peers`
//! compares more pools, in alternating runs.

mod common;
mod workloads;

use common::pools::{Filch, Rayon, Spawner, Tokio};
use common::{machine, size};
use hdrhistogram::Histogram;
use std::time::Duration;
use workloads::latency;

fn main() {
    let (filch, rayon, tokio) = (Filch::new(2), Rayon::new(2), Tokio::new(2));
    // Only now, as the pools' threads would inherit it.
    machine::sleep_precisely();
    println!("{}", machine::line());
    println!("{:6} {:27} {:>11} {:>11} {:>11} {:>11} us", "", "", "p50", "p90", "p99", "p99.9");
    measure("filch", &filch);
    measure("rayon", &rayon);
    measure("tokio", &tokio);
}

fn measure(name: &str, pool: &impl Spawner) {
    let [mut waits, mut calls] = [latency::histogram(), latency::histogram()];
    latency::wake(pool, size(4000, 50), &mut waits, &mut calls);
    print(name, "wake of an idle pool", &waits);
    print(name, "the call that spawns", &calls);
    let mut waits = latency::histogram();
    let lasting = Duration::from_millis(size(3000, 100));
    let starved = latency::under_load(pool, lasting, &mut waits);
    print(name, "beside tasks that respawn", &waits);
    let share = 100.0 * starved as f64 / waits.len() as f64;
    println!("{name:6} {:27} {share:11.1} %", "begun after those had ended");
}

fn print(name: &str, what: &str, waits: &Histogram<u64>) {
    print!("{name:6} {what:27}");
    for percentile in [50.0, 90.0, 99.0, 99.9] {
        print!(" {:11.1}", waits.value_at_percentile(percentile) as f64 / 1e3);
    }
    println!();
}
