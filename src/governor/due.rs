//! When something is to be done.

use std::time::Duration;

/// When something is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    pub at: Duration,
    every: Duration,
}

impl Due {
    pub fn at_once(every: Duration) -> Self {
        Self { at: Duration::ZERO, every }
    }

    /// Whether it is due; then it is again in a while. What was missed is not made up for.
    pub fn is(&mut self, now: Duration) -> bool {
        let due = now >= self.at;
        if due {
            self.at = now.saturating_add(self.every);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::Due;
    use std::time::Duration;

    #[test]
    fn what_was_missed_is_not_made_up_for() {
        let second = Duration::from_secs;
        let mut due = Due::at_once(second(5));
        assert!(due.is(second(1)));
        assert!(!due.is(second(5)));
        assert!(due.is(second(60)));
        assert!(!due.is(second(64)));
        assert!(due.is(second(65)));
    }
}
