//! How often each verb asks the allocator, counted by one of our own. One test only: others would be counted, too.
#![cfg(all(not(loom), not(miri)))]

mod common;

use common::*;
use filch::{Monitoring, Request, Resource};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

struct Counting;

thread_local! {
    /// Whether this thread is one of those that are counted.
    static COUNTED: Cell<bool> = const { Cell::new(false) };
}

static CALLS: AtomicU64 = AtomicU64::new(0);

fn count() {
    if COUNTED.get() {
        CALLS.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: hands everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as the caller promises.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const TIMES: u64 = 10_000;

/// How often the allocator is asked while this is done so many times, after it has been done as often before: the first
/// ones grow queues, and make the blocks that the others use again.
fn asked(mut verb: impl FnMut()) -> u64 {
    (0..TIMES).for_each(|_| verb());
    let before = CALLS.load(Ordering::Relaxed);
    (0..TIMES).for_each(|_| verb());
    CALLS.load(Ordering::Relaxed) - before
}

#[test]
fn a_join_a_scope_and_a_lease_allocate_nothing_and_a_spawn_once_at_most() {
    let builder = builder(1).budget(Resource::Memory, 10).monitoring(Monitoring::off());
    let pool = Pool::from(builder);
    let request = Request::new().memory(1);
    pool.install(|| {
        COUNTED.set(true);
        assert_eq!(asked(|| _ = filch::join(|| 1, || 2)), 0, "join");
        assert_eq!(asked(|| assert_eq!(fib(3), 2)), 0, "nested joins");
        assert_eq!(asked(|| filch::scope(|_| ())), 0, "scope");
        assert_eq!(asked(|| filch::scope(|scope| scope.spawn(|_| ()))), 0, "a task of a scope");
        // What has been joined stays in the queue, which grows, until the worker gets there.
        let handles = asked(|| filch::spawn_handle(|| ()).join().unwrap());
        assert!((TIMES..TIMES + 20).contains(&handles), "spawn_handle: {handles} of {TIMES}");
        assert_eq!(asked(|| drop(pool.try_acquire(&request).unwrap())), 0, "try_acquire");
        let cancelled = || {
            filch::scope(|scope| {
                scope.cancel();
                scope.spawn(|_| ());
            });
        };
        assert_eq!(asked(cancelled), TIMES, "the token of a scope that is cancelled");
        COUNTED.set(false);
    });
    // A chain, as each task runs before the next one comes: those that wait need memory of their own.
    let (sender, receiver) = std::sync::mpsc::channel();
    fn chain(left: u64, sender: std::sync::mpsc::Sender<u64>) {
        COUNTED.set(true);
        if left == TIMES {
            CALLS.store(0, Ordering::Relaxed);
        }
        if left == 0 {
            COUNTED.set(false);
            return sender.send(CALLS.load(Ordering::Relaxed)).unwrap();
        }
        filch::spawn(move || chain(left - 1, sender));
    }
    pool.spawn(move || chain(2 * TIMES, sender));
    let calls = receiver.recv().unwrap();
    assert!(calls <= TIMES, "spawn: {calls} of {TIMES}");
    println!("spawn: {calls} of {TIMES}, its blocks being used again");
}
