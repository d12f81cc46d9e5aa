//! Whether one who calls from outside spins until the call is done, or sleeps at once.

use std::time::Duration;

/// Calls that take longer aren't worth spinning for: about what a system call that wakes
/// somebody costs, twice of which, one to wake the worker and one to be woken, is spared.
const SHORT: Duration = Duration::from_micros(5);
/// How long one spins at most. The worker may have to be woken first.
pub const LONGEST: Duration = Duration::from_micros(20);
/// How many calls at most sleep at once after spins that were in vain.
const MOST: u32 = 1024;

/// What a thread knows of its calls.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// The last call was short.
    short: bool,
    /// Calls that are to sleep at once nevertheless, and how many there will be next time.
    left: u32,
    next: u32,
}

impl Patience {
    pub const fn new() -> Self {
        Self { short: false, left: 0, next: 1 }
    }

    /// Whether the next call is to be spun for.
    pub fn spins(&mut self) -> bool {
        let trusting = self.left == 0;
        self.left = self.left.saturating_sub(1);
        self.short && trusting
    }

    /// How long a worker was busy with a call that was slept for.
    pub fn took(&mut self, time: Duration) {
        self.short = time <= SHORT;
    }

    /// How a spin ended: with the call, or in vain. Calls may be short and yet take their time,
    /// where the worker doesn't get a CPU.
    pub fn spun(&mut self, in_time: bool) {
        if in_time {
            self.next = 1;
        } else {
            self.short = false;
            self.left = self.next;
            self.next = (2 * self.next).min(MOST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MOST, Patience, SHORT};
    use std::time::Duration;

    #[test]
    fn a_short_call_makes_the_next_one_spin_and_a_long_one_does_not() {
        let mut patience = Patience::new();
        assert!(!patience.spins());
        patience.took(SHORT);
        assert!(patience.spins());
        patience.spun(true);
        assert!(patience.spins());
        patience.took(SHORT + Duration::from_nanos(1));
        assert!(!patience.spins());
    }

    #[test]
    fn spins_in_vain_become_rare() {
        let mut patience = Patience::new();
        let spins = (0..100_000)
            .filter(|_| {
                let spins = patience.spins();
                if spins {
                    patience.spun(false)
                } else {
                    patience.took(Duration::ZERO)
                }
                spins
            })
            .count() as u32;
        assert!((10..20 + 100_000 / MOST).contains(&spins), "{spins}");
        patience.spun(true);
        patience.spun(false);
        patience.took(Duration::ZERO);
        assert!(!patience.spins());
        assert!(patience.spins());
    }
}
