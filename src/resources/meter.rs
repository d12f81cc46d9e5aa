//! A meter: lets so many bytes a second through, by a token bucket.
//!
//! The bucket is kept as the time by which what has been taken will have been paid for. It holds a tenth of a second's
//! worth: less, and who takes small pieces sleeps for each; more, and a burst is no part of what was agreed on.

use std::time::{Duration, Instant};

/// How much may be taken at once after a pause, in seconds' worth.
const BURST: Duration = Duration::from_millis(100);

#[derive(Debug, Default)]
pub struct Meter(Option<Instant>);

impl Meter {
    /// Takes this much, at so much a second. Returns when it may be used.
    pub fn take(&mut self, now: Instant, amount: u64, rate: u64) -> Instant {
        let seconds = Duration::try_from_secs_f64(amount as f64 / rate.max(1) as f64);
        // A year is as good as for ever, and can be added.
        let time = seconds.unwrap_or(Duration::MAX).min(Duration::from_secs(365 * 86_400));
        let full = now.checked_sub(BURST).unwrap_or(now);
        let paid = self.0.map_or(full, |paid| paid.max(full)) + time;
        self.0 = Some(paid);
        paid
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{BURST, Meter};
    use proptest::prelude::*;
    use std::time::{Duration, Instant};

    #[test]
    fn a_tenth_of_a_second_s_worth_is_there_at_once_and_the_rest_is_waited_for() {
        let (mut meter, now) = (Meter::default(), Instant::now());
        assert!(meter.take(now, 100, 1000) <= now);
        assert_eq!(meter.take(now, 500, 1000), now + Duration::from_millis(500));
        // Paid for half.
        let later = now + Duration::from_millis(250);
        assert_eq!(meter.take(later, 0, 1000), now + Duration::from_millis(500));
        let much_later = now + Duration::from_secs(9);
        assert_eq!(meter.take(much_later, 100, 1000), much_later);
        assert!(meter.take(now, u64::MAX, 0) > now + Duration::from_secs(300 * 86_400));
    }

    proptest! {
        #[test]
        fn never_does_more_go_through_than_the_rate_and_a_burst(
            takes in prop::collection::vec((0..5_000_u64, 0..200_u64), 1..50),
            rate in 1_000..100_000_u64,
        ) {
            let (mut meter, start) = (Meter::default(), Instant::now());
            let (mut now, mut sum, mut paused) = (start, 0, Duration::ZERO);
            for (amount, pause) in takes {
                paused += Duration::from_millis(pause);
                now += Duration::from_millis(pause);
                let at = meter.take(now, amount, rate);
                now = now.max(at);
                sum += amount;
                let most = (now - start + BURST).as_secs_f64() * rate as f64;
                prop_assert!(sum as f64 <= most + 1.0, "{sum} in {:?}", now - start);
                // Nor is anybody kept waiting for more than what went through takes.
                let longest = paused.as_secs_f64() + sum as f64 / rate as f64;
                prop_assert!((now - start).as_secs_f64() <= longest + 1e-3);
            }
        }
    }
}
