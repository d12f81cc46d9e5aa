//! How long a worker that finds nothing looks before it sleeps, by what came of it lately.

use crate::policy::ladder::Ladder;
use std::time::Duration;

/// A sleep of less was one that a long ladder would have spared, about: what a program needs
/// between two parallel loops, which one that sleeps makes longer by as much as a wake takes.
const SHORT: Duration = Duration::from_micros(100);
/// Sleeps of a kind in a row after which the next phase is expected to be one, too. Two, since work
/// that comes by the batch has a long sleep between two batches and short gaps within each.
const ENOUGH: u8 = 2;

/// What a worker knows of its last idle phases.
#[derive(Clone, Copy, Debug, Default)]
pub struct Idleness {
    /// Short sleeps since the last long one.
    short: u8,
    /// Long sleeps since it last found work without one.
    long: u8,
    /// It was woken last time, and found nothing.
    in_vain: bool,
}

impl Idleness {
    /// Whether it looks for long, even if many others do: by experience there is work soon, for all
    /// of them.
    fn is_patient(&self) -> bool {
        self.short >= ENOUGH && !self.in_vain
    }

    /// For one of so many workers that begins to search beside so many others.
    pub fn ladder_beside(&self, searching: usize, workers: usize) -> Ladder {
        // At most half of the workers search: more find no more, and get in the way.
        let crowded = 2 * (searching + 1) > workers.max(2);
        if crowded && !self.is_patient() { Ladder::short() } else { self.ladder() }
    }

    pub fn ladder(&self) -> Ladder {
        if self.in_vain || self.long >= ENOUGH {
            Ladder::short()
        } else if self.is_patient() {
            Ladder::long()
        } else {
            Ladder::default()
        }
    }

    /// It was woken, after so long.
    pub fn slept(&mut self, time: Duration) {
        if time < SHORT {
            (self.short, self.long) = (self.short.saturating_add(1), 0);
        } else {
            (self.short, self.long) = (0, self.long.saturating_add(1));
        }
    }

    /// It was woken, and found nothing.
    pub fn woken_in_vain(&mut self) {
        self.in_vain = true;
    }

    /// It found work, after a sleep or without.
    pub fn found(&mut self, slept: bool) {
        self.in_vain = false;
        if !slept {
            self.long = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Idleness, SHORT};
    use crate::policy::ladder::{Ladder, Step};
    use std::time::Duration;

    const ALMOST: Duration = SHORT.saturating_sub(Duration::from_nanos(1));

    fn yields(idleness: Idleness) -> usize {
        looks(idleness.ladder())
    }

    fn looks(mut ladder: Ladder) -> usize {
        (0..).take_while(|_| ladder.next_step() == Step::Yield).count()
    }

    fn usual() -> usize {
        yields(Idleness::default())
    }

    #[test]
    fn two_long_sleeps_in_a_row_end_the_looking() {
        let mut idleness = Idleness::default();
        for _ in 0..2 {
            assert_eq!(yields(idleness), usual());
            idleness.slept(SHORT);
            idleness.found(true);
        }
        assert_eq!(yields(idleness), 0);
        idleness.slept(ALMOST);
        assert_eq!(yields(idleness), usual());
    }

    #[test]
    fn two_short_sleeps_make_patient_until_a_long_one() {
        let mut idleness = Idleness::default();
        for _ in 0..2 {
            assert!(!idleness.is_patient());
            idleness.slept(ALMOST);
            idleness.found(true);
        }
        for _ in 0..3 {
            assert!(idleness.is_patient() && yields(idleness) > usual());
            idleness.found(false);
        }
        idleness.slept(SHORT);
        assert!(!idleness.is_patient());
        assert_eq!(yields(idleness), usual());
    }

    #[test]
    fn a_batch_with_a_pause_after_it_is_looked_for() {
        let mut idleness = Idleness::default();
        for _ in 0..10 {
            idleness.slept(Duration::from_millis(1));
            idleness.found(true);
            assert_eq!(yields(idleness), usual());
            idleness.found(false);
        }
    }

    #[test]
    fn half_of_the_workers_look_and_all_of_the_patient() {
        let mut idleness = Idleness::default();
        for (workers, half) in [(1, 1), (2, 1), (3, 1), (8, 4), (9, 4)] {
            for searching in 0..workers {
                let expected = if searching < half { usual() } else { 0 };
                assert_eq!(looks(idleness.ladder_beside(searching, workers)), expected);
            }
        }
        idleness.slept(ALMOST);
        idleness.slept(ALMOST);
        assert!(looks(idleness.ladder_beside(7, 8)) > usual());
    }

    #[test]
    fn a_wake_in_vain_ends_the_looking_until_there_is_work() {
        let mut idleness = Idleness::default();
        idleness.slept(ALMOST);
        idleness.slept(ALMOST);
        idleness.woken_in_vain();
        assert!(!idleness.is_patient());
        assert_eq!(yields(idleness), 0);
        idleness.found(true);
        assert!(idleness.is_patient());
    }
}
