//! How a thread that is no worker waits for the pool.

use crate::primitive::latch::Latch;
use crate::primitive::parker::Parker;
use std::sync::Arc;

thread_local! {
    /// What a thread outside every pool sleeps on.
    static OUTSIDE: Arc<Parker> = Arc::default();
}

/// Waits on a thread that is no worker.
pub fn wait_outside(latch: &Latch) {
    // A thread that waits while its thread-locals are being destroyed gets a new one.
    let parker = OUTSIDE.try_with(Arc::clone).unwrap_or_default();
    while !latch.is_set() {
        if latch.register(Arc::clone(&parker)) {
            parker.park();
        }
    }
}
