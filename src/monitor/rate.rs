//! How fast a count grows.

use crate::telemetry::unavailable::{Fact, Unavailable};
use std::time::Duration;

/// What a count was at the last reading.
#[derive(Clone, Copy, Debug, Default)]
pub struct Growth(Option<(Duration, u64)>);

/// By how much it has grown, and in how many seconds: more than none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grown {
    pub by: u64,
    pub seconds: f64,
}

impl Growth {
    /// Since the last reading.
    pub fn by(&mut self, at: Duration, count: Fact<u64>) -> Fact<Grown> {
        let last = std::mem::replace(&mut self.0, count.ok().map(|count| (at, count)));
        let (count, (then, before)) = (count?, last.ok_or(Unavailable::NotYet)?);
        let by = count.checked_sub(before).ok_or(Unavailable::WentBack)?;
        match at.checked_sub(then) {
            Some(elapsed) if !elapsed.is_zero() => Ok(Grown { by, seconds: elapsed.as_secs_f64() }),
            _ => Err(Unavailable::NotYet),
        }
    }

    /// A second.
    pub fn rate(&mut self, at: Duration, count: Fact<u64>) -> Fact<f64> {
        self.by(at, count).map(|grown| grown.by as f64 / grown.seconds)
    }
}

/// A part as a share of a whole: none of nothing.
pub fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Growth, share};
    use crate::telemetry::unavailable::Unavailable;
    use std::time::Duration;

    #[test]
    fn a_rate_takes_two_readings_and_time_between_them() {
        let mut growth = Growth::default();
        let second = Duration::from_secs;
        assert_eq!(growth.rate(second(1), Ok(10)), Err(Unavailable::NotYet));
        assert_eq!(growth.rate(second(3), Ok(16)), Ok(3.0));
        assert_eq!(growth.rate(second(3), Ok(17)), Err(Unavailable::NotYet));
        assert_eq!(growth.rate(second(2), Ok(18)), Err(Unavailable::NotYet));
        assert_eq!(growth.rate(second(4), Ok(18)), Ok(0.0));
    }

    #[test]
    fn a_count_that_goes_back_or_is_gone_begins_anew() {
        let mut growth = Growth::default();
        let second = Duration::from_secs;
        let _ = growth.rate(second(1), Ok(u64::MAX));
        assert_eq!(growth.rate(second(2), Ok(5)), Err(Unavailable::WentBack));
        assert_eq!(growth.rate(second(3), Ok(6)), Ok(1.0));
        let missing = Err(Unavailable::Missing);
        assert_eq!(growth.rate(second(4), missing), Err(Unavailable::Missing));
        assert_eq!(growth.rate(second(5), Ok(9)), Err(Unavailable::NotYet));
    }

    #[test]
    fn nothing_is_no_share_of_nothing() {
        assert_eq!((share(0, 0), share(1, 4)), (0.0, 0.25));
    }
}
