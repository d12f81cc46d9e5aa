//! Floor 0: what the rest of the house builds on. Only this folder names
//! `std::sync::atomic`, `std::thread`, `loom` or `shuttle`, so that one switch puts every protocol
//! above it under a model checker (`--cfg loom`), or the whole pool under a scheduler of its own
//! (`--cfg shuttle`).

pub mod cell;
pub mod clock;
#[cfg(shuttle)]
mod coroutine;
pub mod cpu;
pub mod fence;
pub mod fork;
pub mod futex;
pub mod stack;

#[cfg(loom)]
pub use loom::{
    hint::spin_loop,
    sync::atomic::{
        AtomicBool, AtomicIsize, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering,
    },
    sync::{Mutex, MutexGuard},
    thread::yield_now,
};
#[cfg(shuttle)]
pub use shuttle::{
    hint::spin_loop,
    sync::atomic::{
        AtomicBool, AtomicIsize, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering,
    },
    sync::{Mutex, MutexGuard},
    thread::yield_now,
};
#[cfg(not(any(loom, shuttle)))]
pub use std::{
    hint::spin_loop,
    sync::atomic::{
        AtomicBool, AtomicIsize, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering,
    },
    sync::{Mutex, MutexGuard},
    thread::yield_now,
};

#[cfg(shuttle)]
pub(crate) use coroutine::thread_local;
/// Threads, for the pool, and what each has of its own. loom's models never start a whole pool, so
/// these are std's under loom too.
#[cfg(not(shuttle))]
pub use std::{
    thread::{
        Builder as ThreadSpawner, JoinHandle as ThreadHandle, Thread, ThreadId,
        current as current_thread, park, park_timeout, scope as thread_scope, sleep,
    },
    thread_local,
};
#[cfg(shuttle)]
pub use {
    coroutine::{
        Builder as ThreadSpawner, JoinHandle as ThreadHandle, LocalKey, park_timeout, sleep,
    },
    shuttle::thread::{Thread, ThreadId, current as current_thread, park, scope as thread_scope},
};

pub use std::thread::available_parallelism;

#[cfg(feature = "tracing")]
pub use std::thread::panicking;

/// For statics that a run must not find as the one before has left them.
#[cfg(shuttle)]
pub use coroutine::LazyLock;
#[cfg(not(shuttle))]
pub use std::sync::LazyLock;

/// Others may run here under shuttle, which sees no access that concerns them in what follows: as in
/// crossbeam's queues.
#[inline(always)]
pub fn interleave() {
    #[cfg(shuttle)]
    coroutine::interleave();
}

/// Locks of which there is no model: std's under loom, which would try all sequences of them too.
pub mod lock {
    #[cfg(shuttle)]
    pub use shuttle::sync::{Condvar, Mutex, MutexGuard};
    #[cfg(not(shuttle))]
    pub use std::sync::{Condvar, Mutex, MutexGuard};
}

/// Statistics use these even under loom: they order nothing, and each would
/// multiply the interleavings that a model has to visit.
pub mod statistic {
    pub use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
}

/// Process-wide switches that outlive any one model: loom's atomics can't be
/// `static`.
pub mod global {
    pub use std::sync::atomic::{AtomicUsize, Ordering};
}
