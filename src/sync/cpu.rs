//! Which CPU a thread runs on.
//!
//! This file is `unsafe` for the system call alone.

/// The CPU that the current thread runs on, or ran on a moment ago. None where the system can't
/// tell, and in a model, which has none. No system call, with a C library that has a better way: a
/// few nanoseconds.
pub fn current_cpu() -> Option<u32> {
    #[cfg(all(target_os = "linux", not(any(loom, miri, shuttle, filch_no_affinity))))]
    {
        // SAFETY: it has no preconditions.
        u32::try_from(unsafe { libc::sched_getcpu() }).ok()
    }
    #[cfg(not(all(target_os = "linux", not(any(loom, miri, shuttle, filch_no_affinity)))))]
    None
}
