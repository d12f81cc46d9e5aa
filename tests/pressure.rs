//! What happens when memory runs out, on a machine that is made up.
#![cfg(all(target_os = "linux", not(miri), not(loom)))]

mod common;

use common::*;
use filch::{MemoryPressure, Monitoring, Refusal, Request, Resource, Status, Strain};
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

/// A root directory with as little as that in it.
struct Machine(PathBuf);

impl Machine {
    fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("filch-{name}-{}", std::process::id()));
        fs::create_dir_all(root.join("proc")).unwrap();
        let machine = Self(root);
        machine.in_use(10);
        machine
    }

    /// So many percent of the memory.
    fn in_use(&self, percent: u64) {
        let free = 10 * (100 - percent);
        let text = format!("MemTotal: 1000 kB\nMemFree: 0 kB\nMemAvailable: {free:4} kB\n");
        // In place, for who holds it open, and never shorter than that.
        let file = self.0.join("proc/meminfo");
        let mut file = File::options().write(true).create(true).truncate(false).open(file).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn often(&self) -> Monitoring {
        Monitoring::new().root(&self.0).memory(Duration::from_millis(10), 10)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_hook_is_told_once_and_the_heap_is_trimmed() {
    let machine = Machine::new("told");
    let (sender, told) = channel::<MemoryPressure>();
    let trims = Arc::new(AtomicUsize::new(0));
    let theirs = Arc::clone(&trims);
    let pool = Pool::from(
        builder(2)
            .monitoring(machine.often().max_memory(0.7))
            .on_memory_pressure(move |pressure| sender.send(pressure).unwrap())
            .trim_handler(move || _ = theirs.fetch_add(1, Ordering::Relaxed))
            .trim_on_memory_pressure(true),
    );
    wait_until(|| pool.snapshot().memory.current.utilisation == Ok(0.1));
    assert!(told.try_recv().is_err());
    machine.in_use(71);
    let Ok(pressure) = told.recv_timeout(Duration::from_secs(60)) else { panic!("never told") };
    assert!((pressure.used - 0.71).abs() < 1e-9 && pressure.lasts == Duration::ZERO);
    wait_until(|| trims.load(Ordering::Relaxed) == 1);
    assert!(told.try_recv().is_err(), "told twice");
    assert_eq!(pool.counters().lost_hooks, 0);
}

#[test]
fn fewer_workers_run_and_those_that_nobody_needs_end_at_once() {
    let machine = Machine::new("fewer");
    machine.in_use(90);
    let pool = Pool::from(builder(4).min_threads(1).monitoring(machine.often()));
    wait_until(|| pool.snapshot().pool.strain == Some(Strain::Memory));
    let stopped = || {
        let workers = pool.snapshot().workers;
        workers.iter().filter(|worker| worker.status == Status::Stopped).count()
    };
    // Its idle timeout is five minutes.
    wait_until(|| stopped() > 0);
    assert!(pool.snapshot().pool.seats < 4);
}

#[test]
fn a_hook_that_panics_or_hangs_is_nobody_s_trouble() {
    let machine = Machine::new("hangs");
    machine.in_use(90);
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let pool = Pool::from(builder(2).monitoring(machine.often()).on_memory_pressure(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        std::panic::resume_unwind(Box::new("quietly"));
    }));
    wait_until(|| pool.counters().lost_hooks == 1);
    assert_eq!((calls.load(Ordering::Relaxed), pool.install(|| 1)), (1, 1));
    // Until the end of the process, or nearly so.
    let begun = Arc::new(Gate::default());
    let told = Arc::clone(&begun);
    let pool = Pool::from(builder(2).monitoring(machine.often()).on_memory_pressure(move |_| {
        told.open();
        std::thread::sleep(Duration::from_secs(3600));
    }));
    begun.wait();
    assert_eq!(pool.install(|| 1), 1);
    pool.shutdown().unwrap();
}

#[test]
fn a_trim_handler_that_panics_is_counted_and_comes_out_of_a_call() {
    let machine = Machine::new("trims");
    machine.in_use(90);
    let pool = builder(2).monitoring(machine.often()).trim_on_memory_pressure(true);
    let pool = Pool::from(pool.trim_handler(|| explode("trimmed")));
    wait_until(|| pool.counters().lost_hooks == 1);
    assert_eq!(panic_of(|| pool.trim_heap()), "trimmed");
    mix(&pool, 1);
}

#[test]
fn leases_are_granted_of_what_nobody_uses() {
    let machine = Machine::new("leases");
    let pool = Pool::from(builder(1).monitoring(machine.often()));
    let free = || pool.budget(Resource::Memory).free;
    // 80 % of 1000 kB, and what is used of it.
    assert_eq!((pool.budget(Resource::Memory).total, free()), (819_200, 819_200 - 102_400));
    machine.in_use(70);
    wait_until(|| free() == 102_400);
    let request = Request::new().memory(200_000);
    assert_eq!(pool.try_acquire(&request).unwrap_err(), Refusal::Busy);
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| pool.acquire(&request).unwrap());
        std::thread::sleep(Duration::from_millis(50));
        assert!(!waits.is_finished());
        machine.in_use(20);
        drop(waits.join().unwrap());
    });
    pool.set_budget(Resource::Memory, 10);
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!((pool.budget(Resource::Memory).total, free()), (10, 10), "it was given");
}
