//! What happens when the allocator has nothing to give, once, at any point of a pool's life: the process ends and says so, or
//! all is done. An allocator of our own is for all tests of a program, so there is one test only.
#![cfg(all(not(loom), not(miri), unix))]

mod common;

use common::*;
use std::alloc::{GlobalAlloc, Layout, System};
use std::os::unix::process::ExitStatusExt;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many calls are served before one is not.
static SERVED: AtomicUsize = AtomicUsize::new(usize::MAX);

fn is_served() -> bool {
    SERVED.fetch_sub(1, Ordering::Relaxed) != 0
}

struct Scarce;

// SAFETY: hands all on to the system's allocator, or has no memory.
unsafe impl GlobalAlloc for Scarce {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !is_served() {
            return std::ptr::null_mut();
        }
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !is_served() {
            return std::ptr::null_mut();
        }
        // SAFETY: as the caller promises.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Scarce = Scarce;

/// More than the child needs.
const MOST: usize = 10_000;
const TEST: &str = "without_memory_the_process_ends_or_all_is_done";

#[test]
fn without_memory_the_process_ends_or_all_is_done() {
    let mut served = std::env::var("SERVED").map_or(0, |served| served.parse().unwrap());
    let (mut aborted, mut done) = (0, 0);
    while served < MOST {
        let child = in_child(TEST, &[("SERVED", &served.to_string())], || {
            SERVED.store(served, Ordering::Relaxed);
            let pool = builder(2).build().unwrap();
            mix(&pool, 2);
            // Deques grow.
            pool.scope(|scope| (0..2000).for_each(|_| scope.spawn(|_| _ = fib(3))));
            pool.shutdown().unwrap();
            SERVED.store(usize::MAX, Ordering::Relaxed);
        });
        let Some(output) = child else { return };
        let stderr = String::from_utf8_lossy(&output.stderr);
        if output.status.success() {
            done += 1;
        } else {
            assert_eq!(output.status.signal(), Some(libc::SIGABRT), "after {served}: {stderr}");
            assert!(stderr.contains("memory allocation of"), "after {served}: {stderr}");
            aborted += 1;
        }
        // All of the first ones, and of the others some.
        served += 1 + served / 4;
    }
    // Those that come after all, and those for want of which a file isn't read.
    assert!(aborted > 15 && done > 0, "{aborted} aborted, {done} did it all");
}
