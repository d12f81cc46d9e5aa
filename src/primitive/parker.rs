//! Parking: one thread sleeps until another hands it a token.
//!
//! Invariant: a token given is a token taken. `word` is
//! `NOTIFIED` while a token waits, `PARKED` while the owner may be asleep, else `EMPTY`.
//!
//! | owner, park                         | anyone, unpark                    |
//! |-------------------------------------|-----------------------------------|
//! | 1. EMPTY -> PARKED, or take a token | 1. swap in NOTIFIED               |
//! | 2. sleep while PARKED               | 2. it was PARKED: wake the owner  |
//! | 3. swap in EMPTY: token taken       |                                   |
//!
//! Model: loom-tests/tests/parker.rs.

use crate::sync::Ordering;
use crate::sync::futex::Futex;
use std::time::Duration;

const EMPTY: u32 = 0;
const PARKED: u32 = 1;
const NOTIFIED: u32 = 2;

#[derive(Debug)]
pub struct Parker {
    futex: Futex,
}

impl Parker {
    pub fn new() -> Self {
        Self { futex: Futex::new(EMPTY) }
    }

    /// Sleeps until there is a token and takes it. For one thread at a time. Returns
    /// whether the thread really slept, for those who count.
    pub fn park(&self) -> bool {
        let word = &self.futex.word;
        let slept =
            word.compare_exchange(EMPTY, PARKED, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if slept {
            while word.load(Ordering::Relaxed) == PARKED {
                self.futex.wait(PARKED, None);
            }
        }
        // ORDERING: Acquire; pairs with unpark's swap: what the waker did is seen.
        word.swap(EMPTY, Ordering::Acquire);
        slept
    }

    /// As [`park`](Self::park), but gives up after `timeout`, or earlier, now and then.
    /// Returns whether there was a token.
    pub fn park_timeout(&self, timeout: Duration) -> bool {
        let word = &self.futex.word;
        if word.compare_exchange(EMPTY, PARKED, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.futex.wait(PARKED, Some(timeout));
        }
        // ORDERING: Acquire; as above. A token that comes as the time runs out is taken here.
        word.swap(EMPTY, Ordering::Acquire) == NOTIFIED
    }

    /// Hands over a token and wakes the owner if it sleeps. A system call only then;
    /// returns whether it was made.
    pub fn unpark(&self) -> bool {
        // ORDERING: Release; pairs with park's swap.
        let slept = self.futex.word.swap(NOTIFIED, Ordering::Release) == PARKED;
        if slept {
            self.futex.wake();
        }
        slept
    }
}

impl Default for Parker {
    fn default() -> Self {
        Self::new()
    }
}

/// A parker can stand in for a task's waker, so that one latch serves threads and
/// futures alike.
impl std::task::Wake for Parker {
    fn wake(self: std::sync::Arc<Self>) {
        self.unpark();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Parker;
    use std::sync::Arc;
    use std::task::Waker;
    use std::time::Duration;

    #[test]
    fn a_token_is_taken_once_whoever_gives_it() {
        let parker = Arc::new(Parker::new());
        let short = Duration::from_millis(1);
        assert!(!parker.park_timeout(short));
        assert!(!parker.unpark());
        assert!(parker.park_timeout(Duration::MAX) && !parker.park_timeout(short));
        Waker::from(Arc::clone(&parker)).wake();
        assert!(!parker.park());
    }
}
