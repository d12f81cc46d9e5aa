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

#[cfg(all(test, target_os = "linux", not(any(loom, miri, shuttle, filch_no_affinity))))]
mod tests {
    use super::current_cpu;

    #[test]
    fn a_pinned_thread_runs_where_it_is_pinned() {
        let on_each = || {
            for core in core_affinity::get_core_ids().unwrap() {
                assert!(core_affinity::set_for_current(core));
                assert_eq!(current_cpu(), Some(core.id as u32));
            }
        };
        // Not the test's own, which others use after it.
        std::thread::spawn(on_each).join().unwrap();
    }
}
