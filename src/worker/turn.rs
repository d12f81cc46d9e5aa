//! Whose turn it is on a worker: its own jobs', or those' from outside. They share its time, so
//! that tasks which keep spawning tasks can't keep others out, nor others them.

use crate::policy::turn;
use crate::sync::clock::Instant;
use std::cell::Cell;

pub struct Turn {
    outsiders: Cell<bool>,
    /// Whether theirs begins with calls: each time the other way, as either may be without end.
    calls_first: Cell<bool>,
    began: Cell<Instant>,
    /// Searches since then, up to the next reading of the clock, and how many of them are
    /// still to come.
    searches: Cell<u32>,
    left: Cell<u32>,
}

impl Turn {
    pub fn new() -> Self {
        Self {
            outsiders: Cell::new(false),
            calls_first: Cell::new(false),
            began: Cell::new(Instant::now()),
            searches: Cell::new(1),
            left: Cell::new(1),
        }
    }

    /// Counts a search. Returns whether it is to begin outside.
    pub fn is_outsiders(&self) -> bool {
        let left = self.left.get().wrapping_sub(1);
        self.left.set(left);
        // A model can't have clocks.
        if left == 0 && !cfg!(loom) {
            self.read_the_clock();
        }
        self.outsiders.get()
    }

    /// How many searches, each with a job, it expects before it reads the clock again.
    pub fn searches_left(&self) -> u32 {
        // A model can't have clocks.
        if cfg!(loom) { 2 } else { self.left.get() }
    }

    /// Of an outsiders' turn.
    pub fn has_calls_first(&self) -> bool {
        self.calls_first.get()
    }

    #[cold]
    fn read_the_clock(&self) {
        let now = Instant::now();
        let searches = self.searches.get();
        let (over, next) = turn::is_over(now.duration_since(self.began.get()), searches);
        self.left.set(next);
        if over {
            self.searches.set(next);
            self.began.set(now);
            self.outsiders.set(!self.outsiders.get());
            if self.outsiders.get() {
                self.calls_first.set(!self.calls_first.get());
            }
        } else {
            self.searches.set(searches.saturating_add(next));
        }
    }

    /// Nothing waits outside. How long jobs there took says nothing about our own.
    pub fn end(&self) {
        self.outsiders.set(false);
        self.forget();
    }

    /// What comes is of another kind, perhaps.
    pub fn forget(&self) {
        self.searches.set(1);
        self.left.set(1);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Turn;
    use std::time::{Duration, Instant};

    #[test]
    #[cfg_attr(miri, ignore = "a search takes longer there than a turn")]
    fn turns_alternate_and_so_does_what_outsiders_begin_with() {
        let (turn, start) = (Turn::new(), Instant::now());
        let (mut searches, mut turns, mut most) = ([0; 2], Vec::new(), 0);
        while searches.iter().any(|&searches| searches < 100) || turns.len() < 10 {
            assert!(start.elapsed() < Duration::from_secs(30));
            let outsiders = turn.is_outsiders();
            searches[usize::from(outsiders)] += 1;
            let is_another = turns.last().is_none_or(|&(last, _)| last != outsiders);
            if is_another {
                turns.push((outsiders, turn.has_calls_first()));
            }
            assert!(turn.searches_left() >= 1);
            most = most.max(turn.searches_left());
        }
        let calls_first = turns.iter().filter(|turn| turn.0).map(|turn| turn.1);
        assert!(
            calls_first.clone().eq([true, false].into_iter().cycle().take(calls_first.count()))
        );
        assert!(most > 1, "short searches are not each timed");
    }

    #[test]
    #[cfg_attr(miri, ignore = "a search takes longer there than a turn")]
    fn what_was_learnt_is_forgotten_when_nothing_waits_outside() {
        let (turn, start) = (Turn::new(), Instant::now());
        while !turn.is_outsiders() || turn.searches_left() == 1 {
            assert!(start.elapsed() < Duration::from_secs(30));
        }
        turn.end();
        assert_eq!((turn.outsiders.get(), turn.searches_left()), (false, 1));
    }
}
