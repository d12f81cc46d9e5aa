//! How often the process is a fork of one that has built a pool: a child has a copy of its parent's pools, and of all
//! their threads the one that forked.
//!
//! A number in memory and not the process's, as whoever submits work looks at it. Who forks by a bare system call, and not by
//! the C library, goes unnoticed.
//!
//! This file is `unsafe` to be called after a fork.

pub use system::{count, prepare};

#[cfg(all(target_os = "linux", not(any(loom, miri, shuttle))))]
mod system {
    use crate::sync::fence;
    use crate::sync::global::{AtomicUsize, Ordering};
    use std::sync::OnceLock;

    static FORKS: AtomicUsize = AtomicUsize::new(0);
    /// Called in a child, on its only thread.
    static HOOK: OnceLock<fn()> = OnceLock::new();

    // Relaxed: who reads it is on the thread that forked, or was started by it.
    pub fn count() -> usize {
        FORKS.load(Ordering::Relaxed)
    }

    /// Has forks counted from now on. `hook` may do what a signal handler may.
    pub fn prepare(hook: fn()) {
        HOOK.get_or_init(|| {
            // SAFETY: the function is there as long as the process, and does what one in a child of many threads may:
            // no lock, no allocation. It fails without memory only, and then forks go unnoticed.
            unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
            hook
        });
    }

    extern "C" fn in_child() {
        FORKS.fetch_add(1, Ordering::Relaxed);
        fence::renew();
        HOOK.get().inspect(|hook| hook());
    }
}

#[cfg(not(all(target_os = "linux", not(any(loom, miri, shuttle)))))]
mod system {
    pub fn count() -> usize {
        0
    }

    pub fn prepare(_hook: fn()) {}
}
