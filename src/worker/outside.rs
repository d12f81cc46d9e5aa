//! How a thread that is no worker waits for the pool.

use crate::policy::patience::{LONGEST, Patience};
use crate::primitive::latch::Latch;
use crate::primitive::parker::Parker;
use crate::sync::clock::Instant;
use crate::sync::{spin_loop, thread_local};
use crate::worker::shared::Shared;
use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

thread_local! {
    /// What a thread outside every pool sleeps on.
    static OUTSIDE: Arc<Parker> = Arc::default();
    /// What it knows of its calls.
    static PATIENCE: Cell<Patience> = const { Cell::new(Patience::new()) };
}

/// Waits for the pool, on a thread that is none of its workers.
pub fn wait_outside(pool: &Shared, latch: &Latch) {
    // A thread that waits while its thread-locals are being destroyed gets a new one.
    let parker = OUTSIDE.try_with(Arc::clone).unwrap_or_default();
    while !latch.is_set() {
        pool.expect_threads();
        if latch.register(Arc::clone(&parker)) {
            parker.park();
        }
    }
}

/// Whether this thread is to spin for its next call.
pub fn spins() -> bool {
    with_patience(Patience::spins)
}

/// Says how long a worker was busy with a call that this thread slept for.
pub fn took(time: Duration) {
    with_patience(|patience| patience.took(time));
}

/// Spins until the latch is set, or it has been long enough. Returns whether it is set.
pub fn spin(latch: &Latch) -> bool {
    let start = Instant::now();
    let set = loop {
        // Dozens of looks for one at the clock.
        let set = (0..32).any(|_| {
            spin_loop();
            latch.is_set()
        });
        if set || start.elapsed() >= LONGEST {
            break set;
        }
    };
    with_patience(|patience| patience.spun(set));
    set
}

fn with_patience<R>(f: impl FnOnce(&mut Patience) -> R) -> R {
    let mut patience = PATIENCE.get();
    let result = f(&mut patience);
    PATIENCE.set(patience);
    result
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{LONGEST, spin, spins, took};
    use crate::primitive::latch::Latch;
    use std::time::{Duration, Instant};

    #[test]
    fn a_thread_spins_after_a_short_call_until_it_has_spun_in_vain() {
        let (unset, set) = (Latch::new(), Latch::new());
        // SAFETY: alive, and set once.
        unsafe { Latch::set(&set) };
        assert!(!spins());
        took(Duration::ZERO);
        assert!(spins() && spin(&set) && spins());
        let start = Instant::now();
        assert!(!spin(&unset) && start.elapsed() >= LONGEST && !spins());
        took(Duration::ZERO);
        assert!(spins());
        took(Duration::MAX);
        assert!(!spins());
    }

    #[test]
    #[cfg_attr(
        miri,
        ignore = "no clock, but a number of steps, says there how long something took"
    )]
    fn who_spins_does_so_no_longer_than_it_has_to() {
        let set = Latch::new();
        // SAFETY: alive, and set once.
        unsafe { Latch::set(&set) };
        // Unless the CPU is somebody else's meanwhile.
        assert!((0..100).any(|_| {
            let start = Instant::now();
            assert!(spin(&set));
            start.elapsed() < LONGEST
        }));
    }
}
