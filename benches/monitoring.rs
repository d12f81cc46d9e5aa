//! What it costs to see what a pool does: wall time of joins and spawned tasks, with and without monitoring
//! and a flight recorder; CPU time of a tick of the governor at which everything is due, and of an idle
//! process (both Linux only); with the feature `metrics` also of publishing a snapshot to nobody.

mod common;

use common::{machine, size};
use filch::{Monitoring, ThreadPool, ThreadPoolBuilder};
use std::fs;
use std::hint::black_box;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

fn main() {
    println!("{}", machine::line());
    joins_and_tasks();
    if cfg!(target_os = "linux") {
        governor();
    }
}

fn governor() {
    let every = Duration::from_millis(20);
    let often = Monitoring::new().cpu(every, 9).memory(every, 9).network(every, 9).disk(every, 9);
    for workers in [1, 2, 8, 32] {
        let pool = pool(workers, often.clone());
        thread::sleep(10 * every);
        let before = governors_time();
        let ticks = size(200, 20);
        thread::sleep(every * ticks);
        let tick = (governors_time() - before) / ticks;
        println!("{workers:3} workers: a tick {:8.1} us", tick.as_secs_f64() * 1e6);
        drop(pool);
    }
    #[cfg(feature = "metrics")]
    [2, 32].iter().for_each(|&workers| publishing(workers));
    let seconds: u32 = size(30, 1);
    for (what, monitoring) in [("on", Monitoring::new()), ("off", Monitoring::off())] {
        let pool = pool(2, monitoring);
        // Past the first reading.
        thread::sleep(Duration::from_millis(200));
        let before = process_time();
        thread::sleep(Duration::from_secs(seconds.into()));
        let spent = (process_time() - before).as_secs_f64() * 1e3 / f64::from(seconds);
        println!("idle, monitoring {what:3}: {spent:8.4} ms of CPU time a second");
        drop(pool);
    }
}

#[cfg(feature = "metrics")]
fn publishing(workers: usize) {
    let pool = pool(workers, Monitoring::new());
    // Past the second reading of the CPUs: then there are rates.
    thread::sleep(Duration::from_secs(size(6, 0)));
    let mut publisher = filch::MetricsPublisher::new();
    publisher.publish(&pool);
    let times = size(1000, 2);
    let start = Instant::now();
    (0..times).for_each(|_| publisher.publish(&pool));
    let each = start.elapsed() / times;
    println!("{workers:3} workers: to publish a snapshot {:8.1} us", each.as_secs_f64() * 1e6);
}

/// By turns on pools that differ in what they say of themselves.
fn joins_and_tasks() {
    let recorded = ThreadPoolBuilder::new().num_threads(1).monitoring(Monitoring::off());
    let pools = [
        ("nothing", pool(1, Monitoring::off())),
        ("monitoring", pool(1, Monitoring::new())),
        ("all tasks timed", pool(1, Monitoring::new().latency(1))),
        ("flight recorder", recorded.flight_recorder(10_000).build().unwrap()),
    ];
    let (fib, tasks, rounds) = (size(27, 10), size(200_000, 100), size(61, 2));
    let mut times: [[Vec<f64>; 2]; 4] = Default::default();
    for _ in 0..rounds {
        for ((_, pool), [join, task]) in pools.iter().zip(&mut times) {
            let start = Instant::now();
            let joins = pool.install(|| joins_of_fib(black_box(fib)));
            join.push(start.elapsed().as_secs_f64() * 1e9 / joins as f64);
            let (sender, receiver) = mpsc::channel();
            let start = Instant::now();
            pool.spawn(move || chain(tasks, sender));
            receiver.recv().unwrap();
            task.push(start.elapsed().as_secs_f64() * 1e9 / tasks as f64);
        }
    }
    for ((what, _), times) in pools.iter().zip(times) {
        let [join, task] = times.map(|mut times| {
            times.sort_by(f64::total_cmp);
            [1, 2, 3].map(|quarter| times[(times.len() - 1) * quarter / 4])
        });
        let show = |[low, median, high]: [f64; 3]| format!("{median:7.2} ns ({low:.2}..{high:.2})");
        println!("{what:15}: a join {}, a task {}", show(join), show(task));
    }
}

/// Computes a Fibonacci number, with a join for each addition, and returns how many those are.
fn joins_of_fib(n: u64) -> u64 {
    if n < 2 {
        return 0;
    }
    let (a, b) = filch::join(|| joins_of_fib(n - 1), || joins_of_fib(n - 2));
    a + b + 1
}

/// Each task spawns the next.
fn chain(left: u64, done: mpsc::Sender<()>) {
    match left {
        0 => done.send(()).unwrap(),
        _ => filch::spawn(move || chain(left - 1, done)),
    }
}

fn pool(workers: usize, monitoring: Monitoring) -> ThreadPool {
    ThreadPoolBuilder::new().num_threads(workers).monitoring(monitoring).build().unwrap()
}

/// Of the thread of this name.
fn governors_time() -> Duration {
    tasks_time(|name| name.trim() == "filch-governor")
}

fn process_time() -> Duration {
    tasks_time(|_| true)
}

fn tasks_time(is_meant: impl Fn(&str) -> bool) -> Duration {
    let tasks = fs::read_dir("/proc/self/task").expect("Linux's /proc");
    let read = |task: &fs::DirEntry, file| fs::read_to_string(task.path().join(file)).ok();
    let time = |task: &fs::DirEntry| {
        read(task, "schedstat")?.split(' ').next()?.parse().ok().map(Duration::from_nanos)
    };
    let tasks = tasks.filter_map(Result::ok);
    tasks
        .filter(|task| read(task, "comm").is_some_and(|name| is_meant(&name)))
        .filter_map(|task| time(&task))
        .sum()
}
