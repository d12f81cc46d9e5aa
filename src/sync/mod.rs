//! Floor 0: what the rest of the house builds on. Only this folder names
//! `std::sync::atomic`, `std::thread` or `loom`, so that one switch (`--cfg loom`)
//! puts every protocol above it under the model checker.

pub mod cell;
pub mod clock;
pub mod cpu;
pub mod fence;
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
#[cfg(not(loom))]
pub use std::{
    hint::spin_loop,
    sync::atomic::{
        AtomicBool, AtomicIsize, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering,
    },
    sync::{Mutex, MutexGuard},
    thread::yield_now,
};

/// Threads, for the pool. A model never starts a whole pool, so these are std's
/// under loom too.
pub use std::thread::{
    Builder as ThreadSpawner, JoinHandle as ThreadHandle, Thread, ThreadId, available_parallelism,
    current as current_thread, park, park_timeout, scope as thread_scope, sleep,
};

#[cfg(feature = "tracing")]
pub use std::thread::panicking;

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
