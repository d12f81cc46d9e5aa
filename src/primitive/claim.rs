//! A claim: a lock for a few dozen instructions, which most who want it can do without.
//!
//! Model: loom-tests/tests/lane.rs, whose frames it guards.

use crate::sync::{AtomicBool, Ordering, spin_loop, yield_now};

/// How often one who must have it looks before it gives up its time slice. It is held about
/// as long as a membarrier takes, 1 to 4 us, unless its holder was preempted.
const SPINS: u32 = if cfg!(loom) { 0 } else { 256 };

#[derive(Debug)]
pub struct Claim {
    taken: AtomicBool,
}

impl Claim {
    pub fn new() -> Self {
        Self { taken: AtomicBool::new(false) }
    }

    /// Whether somebody has it. If not, all that holders did before is seen.
    #[inline(always)]
    pub fn is_taken(&self) -> bool {
        // ORDERING: Acquire; pairs with release.
        self.taken.load(Ordering::Acquire)
    }

    pub fn try_take(&self) -> bool {
        // ORDERING: Acquire; pairs with release.
        // Not a swap: those who wait must not write, or they keep the line from its holder.
        !self.taken.load(Ordering::Relaxed)
            && self
                .taken
                .compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed)
                .is_ok()
    }

    pub fn take(&self) {
        let mut spins = SPINS;
        while !self.try_take() {
            if spins > 0 {
                spins -= 1;
                spin_loop();
            } else {
                yield_now();
            }
        }
    }

    pub fn release(&self) {
        // ORDERING: Release; pairs with try_take and is_taken: the next holder, and whoever sees
        // nobody hold it, sees what this one did.
        self.taken.store(false, Ordering::Release);
    }
}

impl Default for Claim {
    fn default() -> Self {
        Self::new()
    }
}
