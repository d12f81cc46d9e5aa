//! Whether a worker is in its seat, as one word that the worker and the watch (watch.rs)
//! change. `primitive/seats.rs` only counts.
//!
//! | state     | holds a seat | who changes it                                            |
//! |-----------|--------------|-----------------------------------------------------------|
//! | `BUSY`    | yes          | the worker; the watch makes it `STALLED`                  |
//! | `SPARE`   | yes          | as `BUSY`, for a spare, who has more to see to            |
//! | `IDLE`    | yes          | the worker: it sleeps until somebody has work             |
//! | `AWAY`    | no           | the worker: it blocks and has said so, or is a spare that |
//! |           |              | lies on the bench                                         |
//! | `STALLED` | no           | both: the watch found it asleep in the midst of a task;   |
//! |           |              | whoever notices first that it runs gives the seat back    |
//!
//! Each change away from `STALLED` is by read-modify-write, so exactly one side gives the
//! seat back.

use crate::sync::{AtomicU32, Ordering};

const BUSY: u32 = 0;
const IDLE: u32 = 1;
const AWAY: u32 = 2;
const STALLED: u32 = 3;
const SPARE: u32 = 4;

#[derive(Debug)]
pub struct Presence(AtomicU32);

/// Whether a change of state goes with one in the count of seats.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    Nothing,
    /// A seat is to be left.
    Leave,
    /// A seat is to be taken back.
    ComeBack,
}

// Relaxed throughout: the word guards no data, and the seats have a lock.
impl Presence {
    pub fn new(spare: bool) -> Self {
        Self(AtomicU32::new(Self::busy(spare)))
    }

    fn busy(spare: bool) -> u32 {
        if spare { SPARE } else { BUSY }
    }

    /// The worker blocks. `None`: it is away already.
    pub fn leave(&self) -> Option<Due> {
        match self.0.swap(AWAY, Ordering::Relaxed) {
            AWAY => None,
            STALLED => Some(Due::Nothing),
            _ => Some(Due::Leave),
        }
    }

    /// It is back, or a spare has been given a seat.
    pub fn back(&self, spare: bool) {
        self.0.store(Self::busy(spare), Ordering::Relaxed);
    }

    /// The worker goes to sleep in its seat.
    pub fn rest(&self) -> Due {
        match self.0.swap(IDLE, Ordering::Relaxed) {
            STALLED => Due::ComeBack,
            _ => Due::Nothing,
        }
    }

    /// Whether there is nothing for the worker to see to between two jobs.
    #[inline]
    pub fn is_plain(&self) -> bool {
        self.0.load(Ordering::Relaxed) == BUSY
    }

    /// Somebody has noticed that it runs.
    pub fn resume(&self, spare: bool) -> Due {
        match self.change(STALLED, Self::busy(spare)) {
            true => Due::ComeBack,
            false => Due::Nothing,
        }
    }

    /// The watch has found it asleep.
    pub fn stall(&self, spare: bool) -> Due {
        match self.change(Self::busy(spare), STALLED) {
            true => Due::Leave,
            false => Due::Nothing,
        }
    }

    pub fn is_busy(&self) -> bool {
        matches!(self.0.load(Ordering::Relaxed), BUSY | SPARE)
    }

    pub fn is_stalled(&self) -> bool {
        self.0.load(Ordering::Relaxed) == STALLED
    }

    fn change(&self, from: u32, to: u32) -> bool {
        self.0.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}
