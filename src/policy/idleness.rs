//! Whether a worker that finds nothing spins before it sleeps, by what came of it lately.

use std::time::Duration;

/// A sleep of less was one that spinning would have spared, about: to be woken costs as much.
const SHORT: Duration = Duration::from_micros(50);
/// Long sleeps in a row after which the next phase is expected to be one, too. Two, since work that
/// comes by the batch has a long sleep between two batches and short gaps within each.
const ENOUGH: u8 = 2;

/// What a worker knows of its last idle phases.
#[derive(Clone, Copy, Debug, Default)]
pub struct Idleness {
    /// Long sleeps since it last found work without one.
    long: u8,
    /// It was woken last time, and found nothing.
    in_vain: bool,
}

impl Idleness {
    pub fn spins(&self) -> bool {
        self.long < ENOUGH && !self.in_vain
    }

    /// It was woken, after so long.
    pub fn slept(&mut self, time: Duration) {
        self.long = if time < SHORT { 0 } else { self.long.saturating_add(1) };
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
    use std::time::Duration;

    #[test]
    fn two_long_sleeps_in_a_row_end_the_spinning() {
        let mut idleness = Idleness::default();
        for _ in 0..2 {
            assert!(idleness.spins());
            idleness.slept(SHORT);
            idleness.found(true);
        }
        assert!(!idleness.spins());
        idleness.slept(SHORT - Duration::from_nanos(1));
        assert!(idleness.spins());
    }

    #[test]
    fn a_batch_with_a_pause_after_it_is_spun_for() {
        let mut idleness = Idleness::default();
        for _ in 0..10 {
            idleness.slept(Duration::from_millis(1));
            idleness.found(true);
            assert!(idleness.spins());
            idleness.found(false);
        }
    }

    #[test]
    fn a_wake_in_vain_ends_the_spinning_until_there_is_work() {
        let mut idleness = Idleness::default();
        idleness.woken_in_vain();
        assert!(!idleness.spins());
        idleness.found(true);
        assert!(idleness.spins());
    }
}
