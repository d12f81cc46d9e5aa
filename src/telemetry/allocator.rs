//! How much memory workers hold, counted by an allocator that a program may install.
//!
//! Invariant: the pointer that a thread keeps to its balance is null or valid.
//!
//! This file is `unsafe` for that pointer, and since allocators are.

use crate::sync::statistic::{AtomicU64, Ordering};
use crate::telemetry::unavailable::{Fact, Unavailable};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;
use std::ptr;
use std::sync::OnceLock;

/// A global allocator under which a pool says how much memory its tasks hold: each worker's is
/// [`WorkerSnapshot::memory`](crate::WorkerSnapshot::memory), their sum
/// [`Work::memory`](crate::Work::memory).
///
/// It hands every call on to another allocator. On a worker's thread it also adds up the bytes that are
/// asked for, and takes off those that are given back, from when the thread becomes a worker until
/// it is none any more. So all that tasks and the start handler do counts, and what the pool needs on that thread: a few
/// kilobytes, 18 more for each label of tasks that are timed, and the ring of a flight recorder. On other threads nothing does.
///
/// Memory bears no name. What one worker allocates and another frees stays in the first one's
/// balance and is taken off the second one's; where that falls below zero, 0 is shown. The sum is
/// taken before, so it is right whoever frees what. But memory that tasks are given from outside and
/// free makes it too low, and what they leave to others to free too high.
///
/// A call takes four to six instructions more, a small box 1.07 times as long with glibc's allocator
/// (`cargo bench --bench allocator`). There is no lock in it, and no allocation. Where a thread-local
/// would take one (on all systems but Linux, Apple's, and Windows with MSVC) nothing is counted.
///
/// # Examples
///
/// ```
/// use std::hint::black_box;
///
/// #[global_allocator]
/// static ALLOCATOR: filch::CountingAlloc = filch::CountingAlloc::system();
///
/// let pool = filch::ThreadPoolBuilder::new().num_threads(1).build()?;
/// let data = pool.install(|| black_box(vec![1_u8; 10_000_000]));
/// # if cfg!(target_os = "linux") {
/// assert!(pool.snapshot().workers[0].memory? >= 10_000_000);
/// # }
/// pool.install(|| drop(data));
/// # if cfg!(target_os = "linux") {
/// assert!(pool.snapshot().workers[0].memory? < 1_000_000);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct CountingAlloc<A = System> {
    inner: A,
}

impl CountingAlloc {
    /// On top of the system's allocator, Rust's default.
    pub const fn system() -> Self {
        Self::new(System)
    }
}

impl<A> CountingAlloc<A> {
    /// On top of another allocator.
    ///
    /// # Examples
    ///
    /// ```
    /// use filch::CountingAlloc;
    /// use std::alloc::System;
    ///
    /// // Or jemalloc, say.
    /// #[global_allocator]
    /// static ALLOCATOR: CountingAlloc<System> = CountingAlloc::new(System);
    /// ```
    pub const fn new(inner: A) -> Self {
        Self { inner }
    }
}

// SAFETY: the inner one's blocks are handed on as they are; counting doesn't unwind.
unsafe impl<A: GlobalAlloc> GlobalAlloc for CountingAlloc<A> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: by the caller's promise.
        counted(unsafe { self.inner.alloc(layout) }, 0, layout.size())
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: by the caller's promise.
        counted(unsafe { self.inner.alloc_zeroed(layout) }, 0, layout.size())
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: by the caller's promise.
        counted(unsafe { self.inner.realloc(block, layout, size) }, layout.size(), size)
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(layout.size(), 0);
        // SAFETY: by the caller's promise.
        unsafe { self.inner.dealloc(block, layout) }
    }
}

/// What an allocator returned for a block that was of one size and is to be of another.
#[inline(always)]
fn counted(block: *mut u8, before: usize, now: usize) -> *mut u8 {
    // Else all is as it was.
    if !block.is_null() {
        count(before, now);
    }
    block
}

#[inline(always)]
fn count(before: usize, now: usize) {
    // Elsewhere the standard library may have to allocate a thread-local.
    const FREE: bool = cfg!(any(target_os = "linux", target_vendor = "apple", target_env = "msvc"));
    if !FREE {
        return;
    }
    // SAFETY: by the invariant.
    if let Some(Balance(bytes)) = unsafe { BALANCE.get().as_ref() } {
        let change = (now as u64).wrapping_sub(before as u64);
        // One writer: the thread that has entered it.
        bytes.store(bytes.load(Ordering::Relaxed).wrapping_add(change), Ordering::Relaxed);
    }
}

thread_local! {
    /// Where this thread's memory is counted, or null. Const and without a destructor, so that it is
    /// there from a thread's first instruction to its last.
    static BALANCE: Cell<*const Balance> = const { Cell::new(ptr::null()) };
}

/// Bytes that a thread has allocated minus those that it has freed, modulo 2^64.
#[derive(Debug, Default)]
pub struct Balance(AtomicU64);

impl Balance {
    /// Counts what this thread allocates and frees, until [`leave`](Self::leave).
    ///
    /// # Safety
    /// It stays valid until then, the caller leaves on this thread, and no other enters it meanwhile.
    pub unsafe fn enter(&self) {
        BALANCE.set(self);
    }

    pub fn leave() {
        BALANCE.set(ptr::null());
    }

    /// Below zero for a thread that has freed what others allocated.
    pub fn read(&self) -> Fact<i64> {
        if is_installed() {
            Ok(self.0.load(Ordering::Relaxed).cast_signed())
        } else {
            Err(Unavailable::NotCounted)
        }
    }
}

/// Whether the process's memory goes through a [`CountingAlloc`] that counts: found by a trial.
pub fn is_installed() -> bool {
    static INSTALLED: OnceLock<bool> = OnceLock::new();
    *INSTALLED.get_or_init(|| {
        let trial = Balance::default();
        let own = BALANCE.replace(&trial);
        // Or the compiler leaves it out.
        let block = black_box(Box::new(0_u8));
        let counted = trial.0.load(Ordering::Relaxed) > 0;
        drop(block);
        BALANCE.set(own);
        counted
    })
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Balance, CountingAlloc};
    use crate::sync::statistic::Ordering;
    use crate::telemetry::unavailable::Unavailable;
    use std::alloc::{GlobalAlloc, Layout, System};
    use std::ptr;

    /// Has no memory left if it is told so.
    struct Scarce(bool);

    // SAFETY: as the system's; null is allowed.
    unsafe impl GlobalAlloc for Scarce {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            // SAFETY: by the caller's promise.
            if self.0 { ptr::null_mut() } else { unsafe { System.alloc(layout) } }
        }

        unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
            // SAFETY: by the caller's promise.
            unsafe { System.dealloc(block, layout) }
        }
    }

    #[test]
    fn each_call_counts_if_it_succeeds() {
        let (plenty, scarce) =
            (CountingAlloc::new(Scarce(false)), CountingAlloc::new(Scarce(true)));
        let layout = |size| Layout::from_size_align(size, 8).unwrap();
        let balance = Balance::default();
        let is = |bytes| assert_eq!(balance.0.load(Ordering::Relaxed), bytes);
        // SAFETY: it outlives this thread's stay, and nobody else has it.
        unsafe { balance.enter() };
        // SAFETY: not of size zero.
        let block = unsafe { plenty.alloc(layout(1000)) };
        is(1000);
        // SAFETY: as above.
        let zeroes = unsafe { plenty.alloc_zeroed(layout(100)) };
        is(1100);
        // SAFETY: ours, and of that size.
        let block = unsafe { plenty.realloc(block, layout(1000), 5000) };
        is(5100);
        // SAFETY: as above.
        let block = unsafe { plenty.realloc(block, layout(5000), 10) };
        is(110);
        // SAFETY: not of size zero.
        assert!(unsafe { scarce.alloc(layout(1)) }.is_null());
        // SAFETY: not of size zero.
        assert!(unsafe { scarce.alloc_zeroed(layout(1)) }.is_null());
        // SAFETY: ours, and it stays as it is.
        assert!(unsafe { scarce.realloc(block, layout(10), 20) }.is_null());
        is(110);
        // SAFETY: ours, and of that size.
        unsafe { plenty.dealloc(block, layout(10)) };
        is(100);
        Balance::leave();
        // SAFETY: as above.
        unsafe { plenty.dealloc(zeroes, layout(100)) };
        is(100);
    }

    #[test]
    fn an_allocator_that_is_not_the_global_one_counts_nothing() {
        assert_eq!(Balance::default().read(), Err(Unavailable::NotCounted));
    }
}
