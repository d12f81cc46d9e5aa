//! Memory that a pool doesn't need goes back. In a binary of its own, which has a global allocator that
//! counts: blocks of tasks are the whole process's.
#![cfg(all(target_os = "linux", not(miri), not(loom)))]

mod common;

use common::*;
use filch::{CountingAlloc, Monitoring};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[global_allocator]
static ALLOCATOR: CountingAlloc = CountingAlloc::system();

/// Whoever runs its own tasks gives the memory back by and by; here another one steals them all.
#[test]
fn the_room_of_a_million_tasks_is_given_back_when_asked_for() {
    const TASKS: usize = 1 << 20;
    let pool = Pool::from(builder(1).monitoring(Monitoring::off()));
    let (ran, all) = (Arc::new(AtomicUsize::new(0)), Arc::new(Gate::default()));
    let (counted, over) = (Arc::clone(&ran), Arc::clone(&all));
    let task = pool.spawn_handle(move || {
        for _ in 0..TASKS {
            let (ran, all) = (Arc::clone(&counted), Arc::clone(&over));
            filch::spawn(move || {
                if ran.fetch_add(1, Ordering::Relaxed) + 1 == TASKS {
                    all.open();
                }
            });
        }
        // A spare takes the seat, and the tasks.
        filch::blocking(|| over.wait());
    });
    task.join().unwrap();
    let held = || pool.snapshot().pool.now.memory.unwrap();
    // A word for each.
    assert!(held() >= TASKS as u64 * 8, "{}", held());
    // More than once: what others might still look at is kept until they all have looked away.
    wait_until(|| {
        let _ = pool.trim_heap();
        held() < 1 << 20
    });
}
