//! Whether a worker is in its seat, as one word that the worker and the watch (watch.rs)
//! change. `primitive/seats.rs` only counts.
//!
//! | state     | holds a seat | who changes it                                            |
//! |-----------|--------------|-----------------------------------------------------------|
//! | `BUSY`    | yes          | the worker; the watch makes it `STALLED`                  |
//! | `IDLE`    | yes          | the worker: it sleeps until somebody has work             |
//! | `AWAY`    | no           | the worker: it blocks and has said so, or lies on the     |
//! |           |              | bench                                                     |
//! | `STALLED` | no           | both: the watch found it asleep in the midst of a task;   |
//! |           |              | whoever notices first that it runs gives the seat back    |
//! | `GONE`    | no           | the worker: it has left for good                          |
//!
//! Each change away from `STALLED` is by read-modify-write, so exactly one side gives the
//! seat back. Beside the state, `LENT`: it has not settled in its seat. Written under the seats' lock.
//!
//! Tests: tests/elastic.rs.

use crate::sync::{AtomicU32, Ordering};

const BUSY: u32 = 0;
const IDLE: u32 = 1;
const AWAY: u32 = 2;
const STALLED: u32 = 3;
const GONE: u32 = 4;
const LENT: u32 = 8;

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
    pub fn new(lent: bool) -> Self {
        Self(AtomicU32::new(if lent { BUSY | LENT } else { BUSY }))
    }

    /// The worker blocks, or leaves its seat for the bench. `None`: it is away already.
    pub fn leave(&self) -> Option<Due> {
        match self.swap(AWAY) {
            AWAY => None,
            STALLED => Some(Due::Nothing),
            _ => Some(Due::Leave),
        }
    }

    /// The worker leaves for good.
    pub fn leave_for_good(&self) -> Due {
        match self.swap(GONE) {
            AWAY | STALLED => Due::Nothing,
            _ => Due::Leave,
        }
    }

    /// It is back, or has been given a seat.
    pub fn back(&self) {
        self.swap(BUSY);
    }

    /// The worker goes to sleep in its seat.
    pub fn rest(&self) -> Due {
        match self.swap(IDLE) {
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
    pub fn resume(&self) -> Due {
        if self.change(STALLED, BUSY) { Due::ComeBack } else { Due::Nothing }
    }

    /// The watch has found it asleep.
    pub fn stall(&self) -> Due {
        if self.change(BUSY, STALLED) { Due::Leave } else { Due::Nothing }
    }

    pub fn is_busy(&self) -> bool {
        self.state() == BUSY
    }

    pub fn is_stalled(&self) -> bool {
        self.state() == STALLED
    }

    /// Whether it has left for good.
    pub fn is_gone(&self) -> bool {
        self.state() == GONE
    }

    /// Whether it leaves its seat when it finds nothing, or there are too many.
    pub fn is_lent(&self) -> bool {
        self.0.load(Ordering::Relaxed) & LENT != 0
    }

    /// For whoever holds the seats' lock.
    pub fn lend(&self, lent: bool) {
        if lent {
            self.0.fetch_or(LENT, Ordering::Relaxed);
        } else {
            self.0.fetch_and(!LENT, Ordering::Relaxed);
        }
    }

    fn state(&self) -> u32 {
        self.0.load(Ordering::Relaxed) & !LENT
    }

    /// Puts it in this state, and returns the one before.
    fn swap(&self, state: u32) -> u32 {
        let change = |word| Some(word & LENT | state);
        let before = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change);
        before.unwrap_or_else(|word| word) & !LENT
    }

    fn change(&self, from: u32, to: u32) -> bool {
        let change = |word| (word & !LENT == from).then_some(word & LENT | to);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change).is_ok()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Due, Presence};

    fn is(presence: &Presence, [busy, stalled, gone]: [bool; 3], lent: bool) -> bool {
        [presence.is_busy(), presence.is_stalled(), presence.is_gone()] == [busy, stalled, gone]
            && (presence.is_plain(), presence.is_lent()) == (busy && !lent, lent)
    }

    const BUSY: [bool; 3] = [true, false, false];
    const STALLED: [bool; 3] = [false, true, false];
    const GONE: [bool; 3] = [false, false, true];
    /// Idle or away.
    const ELSE: [bool; 3] = [false; 3];

    #[test]
    fn a_seat_is_left_and_taken_back_once() {
        for lent in [false, true] {
            let presence = Presence::new(lent);
            assert!(is(&presence, BUSY, lent));
            assert_eq!((presence.leave(), presence.leave()), (Some(Due::Leave), None));
            assert_eq!((presence.stall(), presence.resume()), (Due::Nothing, Due::Nothing));
            assert!(is(&presence, ELSE, lent));
            presence.back();
            assert!(is(&presence, BUSY, lent));
            assert_eq!((presence.rest(), presence.stall()), (Due::Nothing, Due::Nothing));
            assert!(is(&presence, ELSE, lent));
            presence.back();
            assert_eq!((presence.resume(), presence.leave_for_good()), (Due::Nothing, Due::Leave));
            assert!(is(&presence, GONE, lent));
        }
    }

    #[test]
    fn whoever_notices_first_that_a_stalled_one_runs_takes_the_seat_back() {
        for lent in [false, true] {
            let presence = Presence::new(lent);
            let stall = || {
                assert_eq!((presence.stall(), presence.stall()), (Due::Leave, Due::Nothing));
                assert!(is(&presence, STALLED, lent));
            };
            stall();
            assert_eq!((presence.resume(), presence.resume()), (Due::ComeBack, Due::Nothing));
            assert!(is(&presence, BUSY, lent));
            stall();
            assert_eq!((presence.rest(), presence.rest()), (Due::ComeBack, Due::Nothing));
            presence.back();
            stall();
            assert_eq!(presence.leave(), Some(Due::Nothing));
            assert!(is(&presence, ELSE, lent));
            assert_eq!(presence.leave_for_good(), Due::Nothing);
            presence.back();
            stall();
            assert_eq!(presence.leave_for_good(), Due::Nothing);
            assert!(is(&presence, GONE, lent));
        }
    }

    #[test]
    fn a_seat_is_lent_and_settled_in_whatever_the_worker_is_about() {
        let presence = Presence::new(false);
        for state in [BUSY, STALLED] {
            for lent in [true, true, false, false] {
                presence.lend(lent);
                assert!(is(&presence, state, lent));
            }
            let _ = presence.stall();
        }
    }
}
