//! Tasks that wait for something else most of the time: how many workers they want, no formula knows.

use crate::common::{machine, size};
use crate::load::Work;
use crate::plot;
use filch::{Monitoring, Pinning, ScalingPolicy, ThreadPool, ThreadPoolBuilder};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const COMPUTES: Duration = Duration::from_micros(500);
const WAITS: Duration = Duration::from_millis(4);
const SIZES: [usize; 9] = [1, 2, 4, 8, 12, 16, 24, 32, 48];
const MOST: usize = 48;

pub fn run(plots: Option<&Path>) {
    machine::sleep_precisely();
    let work = Work::lasting(COMPUTES);
    println!("\n| workers | tasks a second | CPUs used |");
    println!("|---|---|---|");
    let mut curve = vec![];
    let lasting = Duration::from_secs(size(8, 0));
    for workers in size(&SIZES[..], &SIZES[..2]).iter().copied() {
        let pool = builder().num_threads(workers).monitoring(Monitoring::off()).build().unwrap();
        let busy = Busy::new(&pool, work);
        thread::sleep(lasting / 8);
        let (rate, cpus, _) = measure(&pool, lasting);
        busy.end();
        println!("| {workers} | {rate:.0} | {cpus:.2} |");
        curve.push((workers as f64, rate));
    }
    let best = curve.iter().map(|point| point.1).fold(0.0, f64::max);
    let pool = builder()
        .min_threads(1)
        .max_threads(MOST)
        .scaling(ScalingPolicy::HillClimb)
        .build()
        .unwrap();
    let busy = Busy::new(&pool, work);
    let mut climbed = vec![];
    for window in 0..size(12, 1) {
        let (rate, cpus, workers) = measure(&pool, Duration::from_secs(size(15, 0)));
        println!(
            "| climbing, {} s, {workers:.1} | {rate:.0}, {:.2} of the best | {cpus:.2} |",
            15 * (window + 1),
            rate / best
        );
        climbed.push((workers, rate));
    }
    busy.end();
    if let Some(folder) = plots {
        let curves =
            [("fixed".to_owned(), curve), ("climbing, in steps of 15 s".to_owned(), climbed)];
        let title = "tasks that compute for 0.5 ms and wait for 4 ms";
        plot::lines(&folder.join("climb.svg"), title, ["workers", "tasks a second"], &curves);
    }
}

fn builder() -> ThreadPoolBuilder {
    ThreadPoolBuilder::new().pinning(Pinning::None).detect_blocking(None)
}

/// Tasks that spawn themselves again, more than there can be workers.
struct Busy {
    over: Arc<AtomicBool>,
}

impl Busy {
    fn new(pool: &ThreadPool, work: Work) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        (0..2 * MOST).for_each(|_| {
            let over = Arc::clone(&over);
            pool.spawn(move || again(work, over));
        });
        Self { over }
    }

    fn end(self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

fn again(work: Work, over: Arc<AtomicBool>) {
    work.run();
    thread::sleep(WAITS);
    if !over.load(Ordering::Relaxed) {
        filch::spawn(move || again(work, over));
    }
}

/// Tasks a second, CPUs used and the mean number of workers.
fn measure(pool: &ThreadPool, lasting: Duration) -> (f64, f64, f64) {
    let (tasks, cpu, start) = (pool.counters().tasks, machine::cpu_time(), Instant::now());
    let mut workers = vec![];
    while start.elapsed() < lasting || workers.is_empty() {
        thread::sleep(Duration::from_millis(50));
        workers.push(pool.num_threads() as f64);
    }
    let seconds = start.elapsed().as_secs_f64();
    let cpus = (machine::cpu_time() - cpu).as_secs_f64() / seconds;
    let mean = workers.iter().sum::<f64>() / workers.len() as f64;
    ((pool.counters().tasks - tasks) as f64 / seconds, cpus, mean)
}
