//! Workers' memory is counted under `CountingAlloc`. In a binary of its own, which has that for its
//! global allocator.
#![cfg(all(target_os = "linux", not(miri), not(loom)))]

mod common;

use common::*;
use filch::{CountingAlloc, Monitoring, Snapshot, ThreadPool};
use std::hint::black_box;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: CountingAlloc = CountingAlloc::system();

const TEN: usize = 10 << 20;

/// So many times what [`ten`] takes. What pools take for themselves, and free of what comes from
/// outside, is an order of magnitude less.
fn in_tens(bytes: u64) -> u64 {
    const LITTLE: u64 = 1 << 20;
    let (tens, rest) = ((bytes + LITTLE) / TEN as u64, (bytes + LITTLE) % TEN as u64);
    assert!(rest <= 2 * LITTLE, "{bytes}");
    tens
}

fn ten() -> Vec<u8> {
    black_box(vec![1; TEN])
}

fn unmonitored(workers: usize) -> Pool {
    builder(workers).monitoring(Monitoring::off()).into()
}

fn memory(snapshot: &Snapshot, index: usize) -> u64 {
    let worker = snapshot.workers.iter().find(|worker| worker.index == index);
    worker.unwrap().memory.unwrap()
}

/// Of each of the first two workers, and of all.
fn tens(pool: &ThreadPool) -> [u64; 3] {
    let snapshot = pool.snapshot();
    let all = snapshot.pool.now.memory.unwrap();
    [memory(&snapshot, 0), memory(&snapshot, 1), all].map(in_tens)
}

#[test]
fn what_a_task_holds_is_its_workers_until_it_is_gone() {
    let pool = unmonitored(2);
    assert_eq!(tens(&pool), [0, 0, 0]);
    let (gate, holds) = (Arc::new(Gate::default()), Arc::new(Gate::default()));
    let (theirs, told) = (Arc::clone(&gate), Arc::clone(&holds));
    let task = pool.spawn_handle(move || {
        let data = ten();
        told.open();
        theirs.wait();
        drop(data);
        filch::current_thread_index().unwrap()
    });
    holds.wait();
    let (held, snapshot) = (tens(&pool), pool.snapshot());
    gate.open();
    let worker = task.join().unwrap();
    assert_eq!((held[worker], held[1 - worker], held[2]), (1, 0, 1));
    let row = snapshot.workers.iter().find(|row| row.index == worker).unwrap().to_string();
    assert!(row.contains(", 10.") && row.contains(" MiB"), "{row}");
    assert_eq!(tens(&pool), [0, 0, 0]);
}

#[test]
fn memory_that_another_worker_frees_leaves_the_sum_right() {
    let pool = unmonitored(2);
    let held = Mutex::new(None);
    let on = |worker: usize, f: &(dyn Fn() + Sync)| {
        pool.broadcast(|context| {
            if context.index() == worker {
                f();
            }
        });
    };
    on(0, &|| *held.lock().unwrap() = Some((ten(), ten())));
    assert_eq!(tens(&pool), [2, 0, 2]);
    on(1, &|| drop(held.lock().unwrap().take()));
    assert_eq!(tens(&pool), [2, 0, 0]);
    assert_eq!(memory(&pool.snapshot(), 1), 0);
    // What it lacks is made up for first.
    on(1, &|| *held.lock().unwrap() = Some((ten(), ten())));
    assert_eq!(tens(&pool), [2, 0, 2]);
    on(0, &|| drop(held.lock().unwrap().take()));
    assert_eq!(tens(&pool), [0, 0, 0]);
}

#[test]
fn blocks_that_grow_and_shrink_are_followed() {
    let pool = unmonitored(1);
    let tens = || in_tens(memory(&pool.snapshot(), 0));
    let mut data = Vec::new();
    pool.install(|| data = black_box(vec![0_u8; TEN]));
    assert_eq!(tens(), 1);
    pool.install(|| data.reserve_exact(2 * TEN));
    assert_eq!(tens(), 3);
    pool.install(|| data.shrink_to_fit());
    assert_eq!(tens(), 1);
    // There is no such block, and the old one stays.
    pool.install(|| assert!(data.try_reserve_exact(isize::MAX as usize - TEN).is_err()));
    assert_eq!(tens(), 1);
    pool.install(|| drop(data));
    assert_eq!(tens(), 0);
}

#[test]
fn threads_that_are_no_workers_count_nowhere() {
    let pool = unmonitored(2);
    let data = thread::scope(|scope| scope.spawn(ten).join().unwrap());
    assert_eq!(tens(&pool), [0, 0, 0]);
    drop(data);
    let other = unmonitored(1);
    other.install(|| forget(black_box(ten())));
    assert_eq!(tens(&pool), [0, 0, 0]);
}

#[test]
fn a_guest_counts_until_it_leaves() {
    on_new_thread(|| {
        let pool = builder(2).use_current_thread().build().unwrap();
        let data = ten();
        assert_eq!(tens(&pool), [1, 0, 1]);
        pool.shutdown().unwrap();
        drop(data);
        assert_eq!(tens(&pool), [1, 0, 1]);
    });
}

#[test]
fn readings_have_it_too() {
    let often = Monitoring::new().cpu(Duration::from_millis(10), 10);
    let pool = Pool::from(builder(1).monitoring(often));
    let data = pool.install(ten);
    let work = || pool.snapshot().work.current.memory;
    wait_until(|| work().is_ok_and(|bytes| in_tens(bytes) == 1));
    drop(data);
}

thread_local! {
    static LATE: OnDrop<fn()> = const { OnDrop(|| forget(ten())) };
}

#[test]
fn a_worker_allocates_past_its_end() {
    let pool = unmonitored(1);
    let held = pool.install(|| {
        LATE.with(|_| ());
        ten()
    });
    pool.shutdown().unwrap();
    // What its locals did counts no more, but what is held does.
    assert_eq!(in_tens(memory(&pool.snapshot(), 0)), 1);
    drop(held);
}
