//! The idle ladder: what to do after the n-th look around that found nothing.

/// A step of the ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Spin this many times, then look again.
    Spin(u32),
    /// Give up the time slice, then look again.
    Yield,
    /// Take hidden frames from owners that don't answer the hunger, then look again.
    Pull,
    /// Go to sleep.
    Sleep,
}

/// Spins double from 1 to 64: about 5 us in all, a little longer than a wake-up call
/// costs, which is when spinning stops paying (the ski rental rule: spend on waiting
/// what going to sleep would have cost).
const SPINS: u32 = 7;
/// A yield costs under a microsecond where nobody else wants the core, and lets run
/// whoever does: on a machine with more threads than cores often the one we wait for.
const YIELDS: u32 = 4;
/// Where one begins. A model gains nothing by looks that it may as well have later.
const START: u32 = if cfg!(loom) { SPINS + YIELDS } else { 0 };

/// Where on the ladder a worker stands.
#[derive(Debug)]
pub struct Ladder {
    looks: u32,
}

impl Ladder {
    pub fn next_step(&mut self) -> Step {
        let look = self.looks;
        self.looks += 1;
        if look < SPINS {
            Step::Spin(1 << look)
        } else if look < SPINS + YIELDS {
            Step::Yield
        } else if look == SPINS + YIELDS {
            Step::Pull
        } else {
            Step::Sleep
        }
    }

    /// Near the top: for a worker whose spinning would most likely be for nothing.
    pub fn without_spinning() -> Self {
        Self { looks: SPINS + YIELDS }
    }

    pub fn restart(&mut self) {
        self.looks = START;
    }
}

impl Default for Ladder {
    fn default() -> Self {
        Self { looks: START }
    }
}

#[cfg(test)]
mod tests {
    use super::{Ladder, Step};

    #[test]
    fn climbs_from_spinning_to_sleep_and_stays_there() {
        let mut ladder = Ladder::default();
        let steps: Vec<_> = (0..20).map(|_| ladder.next_step()).collect();
        assert_eq!(steps[0], Step::Spin(1));
        let kind = |step: &Step| match step {
            Step::Spin(_) => 0,
            Step::Yield => 1,
            Step::Pull => 2,
            Step::Sleep => 3,
        };
        assert!(steps.is_sorted_by_key(kind));
        assert_eq!(steps.iter().filter(|&&step| step == Step::Pull).count(), 1);
        assert_eq!(steps[19], Step::Sleep);
        ladder.restart();
        assert_eq!(ladder.next_step(), Step::Spin(1));
    }
}
