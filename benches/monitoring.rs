//! What monitoring costs: CPU time of a tick of the governor at which everything is due, and of an idle
//! process with and without it. Linux only.

mod common;

use common::{machine, size};
use filch::{Monitoring, ThreadPool, ThreadPoolBuilder};
use std::fs;
use std::thread;
use std::time::Duration;

fn main() {
    println!("{}", machine::line());
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
