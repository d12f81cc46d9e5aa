//! Two workers, each pinned, and somebody who keeps the second one's CPU busy.

use crate::common::{machine, size};
use crate::load::{Outcome, Work, come_first, median, offer};
use crate::plot;
use core_affinity::CoreId;
use filch::{Monitoring, Pinning, ThreadPool, ThreadPoolBuilder, VictimPolicy};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// Longer than the kernel's time slices, so that a worker beside a hog is interrupted.
const TASK: Duration = Duration::from_millis(5);
/// Shares of the CPU that is the pool's alone. Both together have one and a half.
const LOADS: [f64; 4] = [0.2, 0.4, 0.6, 0.8];
/// Threads of the hog: with one, a worker beside it takes twice as long, about as long as waiting for the other worker.
const HOGS: usize = 4;
/// So many a second, so that a run needn't take minutes.
const CHECKS: Duration = Duration::from_millis(500);

pub fn run(plots: Option<&Path>) {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    let &[first, second, ..] = &cores[..] else {
        println!("SKIPPED: a worker beside a hog and one that isn't need two CPUs");
        return;
    };
    let policies =
        [VictimPolicy::RoundRobin, VictimPolicy::LeastLoaded, VictimPolicy::HealthWeighted];
    let pools = policies.clone().map(|policy| pool(policy, &[first, second]));
    machine::sleep_precisely();
    if !come_first() {
        println!("Not root, so tasks may come later than they are due");
    }
    let work = Work::lasting(TASK);
    let over = Arc::new(AtomicBool::new(false));
    let hogs: Vec<_> = (0..HOGS).map(|_| hog(second, Arc::clone(&over))).collect();
    println!("\n| load | policy | p50 | p90 | p99 | tasks a second | p99 to RoundRobin's |");
    println!("|---|---|---|---|---|---|---|");
    let mut curves: Vec<_> =
        policies.iter().map(|policy| (format!("{policy:?}"), vec![])).collect();
    for load in LOADS {
        let rate = load / TASK.as_secs_f64();
        let mut rounds: [Vec<Outcome>; 3] = Default::default();
        for round in 0..size(5, 1) {
            for (pool, outcomes) in pools.iter().zip(&mut rounds) {
                // It has to find out first who is how healthy.
                offer(pool, work, rate, size(3, 0) * CHECKS, round + 100);
                let lasting = Duration::from_millis(size(6000, 100));
                outcomes.push(offer(pool, work, rate, lasting, round));
            }
        }
        let figure = |outcomes: &[Outcome], figure: fn(&Outcome) -> f64| {
            median(outcomes.iter().map(figure).collect())
        };
        for ((policy, outcomes), curve) in policies.iter().zip(&rounds).zip(&mut curves) {
            let percentiles: [fn(&Outcome) -> f64; 3] =
                [|it| it.millis(50.0), |it| it.millis(90.0), |it| it.millis(99.0)];
            let [p50, p90, p99] = percentiles.map(|it| figure(outcomes, it));
            let ratios = outcomes.iter().zip(&rounds[0]);
            let mut ratios: Vec<_> =
                ratios.map(|(own, other)| own.millis(99.0) / other.millis(99.0)).collect();
            ratios.sort_by(f64::total_cmp);
            println!(
                "| {load} | `{policy:?}` | {p50:.1} | {p90:.1} | {p99:.1} | {:.1} | {:.2} ({:.2} to {:.2}) |",
                figure(outcomes, |it| it.per_second),
                median(ratios.clone()),
                ratios[0],
                ratios[ratios.len() - 1],
            );
            curve.1.push((load, p99));
        }
    }
    over.store(true, Ordering::Relaxed);
    hogs.into_iter().for_each(|hog| hog.join().unwrap());
    if let Some(folder) = plots {
        let title = "99 % of the tasks are done within, beside a hog on one of two CPUs";
        plot::lines(&folder.join("hog.svg"), title, ["load of one CPU", "ms"], &curves);
    }
}

fn pool(policy: VictimPolicy, cores: &[CoreId]) -> ThreadPool {
    let monitoring =
        Monitoring::new().latency(1).cpu(CHECKS, 9).health_checks(CHECKS).load_checks(CHECKS);
    ThreadPoolBuilder::new()
        .num_threads(cores.len())
        .pinning(Pinning::Explicit(cores.iter().map(|core| core.id).collect()))
        .victim_policy(policy)
        .monitoring(monitoring)
        .build()
        .unwrap()
}

fn hog(core: CoreId, over: Arc<AtomicBool>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        assert!(core_affinity::set_for_current(core), "the hog can't be pinned");
        while !over.load(Ordering::Relaxed) {
            std::hint::spin_loop();
        }
    })
}
