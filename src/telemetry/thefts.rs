//! From whom a worker has stolen.

use crate::telemetry::counters::Count;

/// More workers than that would take more memory for this, the square of their number, than it is
/// worth: then nobody keeps count.
const MOST_VICTIMS: usize = 256;

/// Written by one worker alone. Spares' queues aren't counted.
#[derive(Debug)]
pub struct Thefts(Box<[Counts]>);

#[derive(Debug, Default)]
struct Counts {
    tried: Count,
    won: Count,
}

/// How a worker has fared with another's queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct StealsFrom {
    /// The index of the other.
    pub victim: usize,
    /// How often it looked for something to steal there; in a wait only if it got something.
    pub tried: u64,
    /// How often it got something.
    pub won: u64,
}

impl Thefts {
    /// In a pool of so many workers.
    pub fn new(workers: usize) -> Self {
        let victims = if workers > MOST_VICTIMS { 0 } else { workers };
        Self((0..victims).map(|_| Counts::default()).collect())
    }

    #[inline]
    pub fn tried(&self, victim: usize) {
        self.0.get(victim).inspect(|counts| counts.tried.bump());
    }

    #[inline]
    pub fn won(&self, victim: usize) {
        self.0.get(victim).inspect(|counts| counts.won.bump());
    }

    /// From whom it ever tried.
    pub fn read(&self) -> Vec<StealsFrom> {
        let read = |(victim, counts): (usize, &Counts)| {
            let (tried, won) = (counts.tried.read(), counts.won.read());
            (tried + won > 0).then_some(StealsFrom { victim, tried, won })
        };
        self.0.iter().enumerate().filter_map(read).collect()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{MOST_VICTIMS, StealsFrom, Thefts};

    #[test]
    fn each_victim_is_counted_apart() {
        let thefts = Thefts::new(3);
        thefts.tried(2);
        thefts.tried(2);
        thefts.won(2);
        thefts.tried(0);
        // A spare.
        thefts.won(3);
        let of = |victim, tried, won| StealsFrom { victim, tried, won };
        assert_eq!(thefts.read(), [of(0, 1, 0), of(2, 2, 1)]);
    }

    #[test]
    fn large_pools_keep_no_count() {
        let thefts = Thefts::new(MOST_VICTIMS + 1);
        thefts.won(0);
        assert_eq!(thefts.read(), []);
    }
}
