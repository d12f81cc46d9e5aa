//! The gate through which work comes in from outside the pool's own threads.
//!
//! One word, `inside << 1 | closed`. Invariant: once the gate is closed, `inside` only
//! falls; at zero it is *sealed*, and nothing comes in any more, ever. Whoever enters
//! stays inside until its job is queued, so a pool that shuts down can tell "all
//! queues are empty" from "empty for now".
//!
//! | submitter                           | closer                                   |
//! |-------------------------------------|------------------------------------------|
//! | 1. enter; refused if closed         | 1. close                                 |
//! | 2. queue the job                    | 2. sealed? now empty queues stay empty   |
//! | 3. leave; the last out of a closed  | 3. not sealed: the last one out wakes us |
//! |    gate wakes whoever waits         |                                          |
//!
//! Model: loom-tests/tests/gate.rs.

use crate::sync::{AtomicUsize, Ordering};

const CLOSED: usize = 1;
const INSIDE: usize = 2;

#[derive(Debug)]
pub struct Gate {
    word: AtomicUsize,
}

impl Gate {
    pub fn new() -> Self {
        Self { word: AtomicUsize::new(0) }
    }

    /// Goes in, unless the gate is closed. Whoever got in must [`leave`](Self::leave).
    #[must_use]
    pub fn enter(&self) -> bool {
        // Not a fetch_add that is taken back when refused: a count that rises after the
        // gate was closed could hide the seal from the last one who looks.
        let enter = |word| (word & CLOSED == 0).then_some(word + INSIDE);
        self.word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, enter).is_ok()
    }

    /// Goes out. Returns whether that sealed the gate.
    pub fn leave(&self) -> bool {
        // ORDERING: Release; pairs with is_sealed: what was queued inside is seen.
        self.word.fetch_sub(INSIDE, Ordering::Release) == INSIDE | CLOSED
    }

    pub fn close(&self) {
        // ORDERING: Release; pairs with is_sealed: what the closer has arranged before (one
        // more worker that must sleep) is seen.
        self.word.fetch_or(CLOSED, Ordering::Release);
    }

    /// Whether the gate is closed and nobody is inside any more.
    pub fn is_sealed(&self) -> bool {
        // ORDERING: Acquire; pairs with leave and close.
        self.word.load(Ordering::Acquire) == CLOSED
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}
