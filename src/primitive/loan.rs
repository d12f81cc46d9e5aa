//! A loan: a worker's share in the search for work, lent to the call that it runs for somebody
//! outside.
//!
//! While a worker runs a call it doesn't search, but it goes on counting as one who does: the
//! caller, who spins until the call is done, looks after those who sleep in its place, should the
//! call take long. So a call that doesn't costs nobody a thought. Invariant: who has the count, the
//! worker or the caller, leaves the search with it or goes on searching; and no worker is lent for
//! longer than its caller is there.
//!
//! | worker                          | caller                                          |
//! |---------------------------------|-------------------------------------------------|
//! | 1. lend; false: too late, so it | 1. spin, for a while                            |
//! |    leaves the search now        | 2. withdraw; true: it is lent, and the caller   |
//! | 2. run the call                 |    leaves the search for the worker             |
//! | 3. give back; false: withdrawn, |                                                 |
//! |    so it is merely busy now     |                                                 |
//!
//! Model: loom-tests/tests/loan.rs.

use crate::sync::{AtomicU32, Ordering};

const NONE: u32 = 0;
const LENT: u32 = 1;
const OVER: u32 = 2;

#[derive(Debug)]
pub struct Loan(AtomicU32);

impl Loan {
    pub fn new() -> Self {
        Self(AtomicU32::new(NONE))
    }

    /// For the worker, once, before anything else. Whether the caller is still there.
    #[must_use]
    pub fn lend(&self) -> bool {
        // ORDERING: Release; pairs with withdraw: who leaves the search for us has seen what we
        // have, and tells of it in our place.
        self.0.compare_exchange(NONE, LENT, Ordering::Release, Ordering::Relaxed).is_ok()
    }

    /// For the worker that has lent. Whether it still counts as searching.
    #[must_use]
    pub fn give_back(&self) -> bool {
        // Relaxed: nothing but the word itself is decided here.
        self.0.compare_exchange(LENT, OVER, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// For the caller, once. Whether it is to leave the search in place of the worker.
    #[must_use]
    pub fn withdraw(&self) -> bool {
        // ORDERING: Acquire; pairs with lend.
        self.0.swap(OVER, Ordering::Acquire) == LENT
    }
}

impl Default for Loan {
    fn default() -> Self {
        Self::new()
    }
}
