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
