//! The idle ladder: what to do after the n-th look around that found nothing.

/// A step of the ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Give up the time slice, then look again.
    Yield,
    /// Take hidden frames from owners that don't answer the hunger, then look again.
    Pull,
    /// Go to sleep.
    Sleep,
}

/// About 5 us, a little longer than a wake-up call costs, which is when looking stops paying (the
/// ski rental rule: spend on waiting what going to sleep would have cost).
///
/// Yields and no spinning: a yield costs under half a microsecond where nobody else wants the core,
/// and lets run whoever does; on a machine with more threads than cores often the one we wait for.
/// And whoever wakes a thread on a core where another spins has to interrupt that core, which takes
/// several microseconds in a virtual machine.
const YIELDS: u32 = 12;
/// Below 100 us: about what a program needs between two parallel loops, one that waits for the
/// first to be woken included.
const MANY_YIELDS: u32 = 128;

/// Where on the ladder a worker stands.
#[derive(Debug)]
pub struct Ladder {
    looks: u32,
    yields: u32,
}

impl Ladder {
    fn new(yields: u32) -> Self {
        // A model gains nothing by looks that it may as well have later, and Miri little by what took most of its time.
        let most = if cfg!(loom) {
            0
        } else if cfg!(miri) {
            1
        } else {
            u32::MAX
        };
        Self { looks: 0, yields: yields.min(most) }
    }

    /// For a worker whose looks would most likely be for nothing.
    pub fn short() -> Self {
        Self::new(0)
    }

    /// For one whose sleeps have been short lately.
    pub fn long() -> Self {
        Self::new(MANY_YIELDS)
    }

    pub fn next_step(&mut self) -> Step {
        let look = self.looks;
        self.looks = look.saturating_add(1);
        if look < self.yields {
            Step::Yield
        } else if look == self.yields {
            Step::Pull
        } else {
            Step::Sleep
        }
    }

    pub fn restart(&mut self) {
        self.looks = 0;
    }
}

impl Default for Ladder {
    fn default() -> Self {
        Self::new(YIELDS)
    }
}

#[cfg(test)]
mod tests {
    use super::{Ladder, Step};

    #[test]
    fn climbs_from_yields_to_sleep_and_stays_there() {
        for mut ladder in [Ladder::short(), Ladder::default(), Ladder::long()] {
            let steps: Vec<_> = (0..200).map(|_| ladder.next_step()).collect();
            let kind = |step: &Step| match step {
                Step::Yield => 0,
                Step::Pull => 1,
                Step::Sleep => 2,
            };
            assert!(steps.is_sorted_by_key(kind));
            assert_eq!(steps.iter().filter(|&&step| step == Step::Pull).count(), 1);
            assert_eq!(steps[199], Step::Sleep);
            ladder.restart();
            assert_eq!(ladder.next_step(), steps[0]);
        }
    }
}
