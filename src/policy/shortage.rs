//! Whether memory runs out.

use crate::telemetry::unavailable::Fact;
use std::time::Duration;

/// That memory runs out: what a
/// [`ThreadPoolBuilder::on_memory_pressure`](crate::ThreadPoolBuilder::on_memory_pressure) hook is told.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct MemoryPressure {
    /// Memory in use: as a share of the control group's limit, or of the machine's memory without one.
    pub used: f64,
    /// For how long it has been above the threshold.
    pub lasts: Duration,
}

/// It is over when so much less is in use: or a program that gives back a little would be told with every
/// reading.
const HYSTERESIS: f64 = 0.05;
/// While it lasts, whoever can do something is told again as often.
const AGAIN: Duration = Duration::from_secs(30);

/// What has been seen so far.
#[derive(Debug, Default)]
pub struct Shortage {
    since: Option<Duration>,
    told: Duration,
}

impl Shortage {
    /// Returns what is to be told now, if anything. What isn't known changes nothing.
    pub fn look(
        &mut self,
        now: Duration,
        used: Fact<f64>,
        threshold: f64,
    ) -> Option<MemoryPressure> {
        let used = used.ok().filter(|used| !used.is_nan())?;
        let bound = if self.since.is_some() { threshold - HYSTERESIS } else { threshold };
        if used <= bound {
            self.since = None;
            return None;
        }
        let new = self.since.is_none();
        let since = *self.since.get_or_insert(now);
        if !new && now.saturating_sub(self.told) < AGAIN {
            return None;
        }
        self.told = now;
        Some(MemoryPressure { used, lasts: now.saturating_sub(since) })
    }

    pub fn lasts(&self) -> bool {
        self.since.is_some()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{AGAIN, HYSTERESIS, MemoryPressure, Shortage};
    use crate::telemetry::unavailable::Unavailable;
    use proptest::prelude::*;
    use std::time::Duration;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn it_is_told_at_once_then_every_half_minute_until_it_is_clearly_over() {
        let mut shortage = Shortage::default();
        let mut look = |second, used| shortage.look(SECOND * second, Ok(used), 0.8);
        assert_eq!(look(0, 0.8), None);
        let told = |used, lasts| Some(MemoryPressure { used, lasts: SECOND * lasts });
        assert_eq!(look(5, 0.81), told(0.81, 0));
        assert_eq!((look(10, 0.9), look(34, 0.76)), (None, None));
        assert_eq!(look(35, 0.76), told(0.76, 30));
        assert_eq!((look(40, 0.75), look(45, 0.8), look(50, 0.79)), (None, None, None));
        assert_eq!(look(55, 0.85), told(0.85, 0));
    }

    #[test]
    fn what_is_not_known_changes_nothing() {
        let mut shortage = Shortage::default();
        for unknown in [Err(Unavailable::Garbled), Ok(f64::NAN)] {
            assert!(shortage.look(SECOND, unknown, 0.8).is_none() && !shortage.lasts());
        }
        assert!(shortage.look(SECOND, Ok(0.9), 0.8).is_some());
        assert!(shortage.look(SECOND * 100, Err(Unavailable::Garbled), 0.8).is_none());
        assert!(shortage.lasts());
    }

    proptest! {
        #[test]
        fn nobody_is_told_below_the_threshold_nor_too_often(
            readings in prop::collection::vec((0.0..1.0_f64, 1..100_u32), 1..200),
        ) {
            let (mut shortage, mut now, mut last) = (Shortage::default(), Duration::ZERO, None);
            for (used, seconds) in readings {
                now += SECOND * seconds;
                let lasted = shortage.lasts();
                if let Some(told) = shortage.look(now, Ok(used), 0.8) {
                    let bound = if lasted { 0.8 - HYSTERESIS } else { 0.8 };
                    prop_assert!(used > bound);
                    prop_assert!(!lasted || last.is_none_or(|last| now - last >= AGAIN));
                    prop_assert_eq!(told.used, used);
                    last = Some(now);
                }
                prop_assert!(shortage.lasts() || used <= 0.8);
            }
        }
    }
}
