//! How often each of many lengths of time occurred: written by one thread, read by any, in the unit
//! that the writer's clock has.
//!
//! As in HdrHistogram, a bucket is a sixteenth of an octave wide, so a length is known to 3 %; all
//! of them take 6 kB.

use crate::sync::statistic::{AtomicU64, Ordering};
use crate::telemetry::counters::Count;
use hdrhistogram::Histogram;
use std::time::Duration;

/// An octave has 2 to the power of that buckets.
const BITS: u32 = 4;
const PER_OCTAVE: usize = 1 << BITS;
/// Lengths from here on, a day by any clock there is, count as this.
const LONGEST: u64 = (1 << 48) - 1;
const BUCKETS: usize = bucket(LONGEST) + 1;

/// Each bucket of the first octaves is for one length.
const fn bucket(ticks: u64) -> usize {
    let octave = (ticks | PER_OCTAVE as u64).ilog2() - BITS;
    octave as usize * PER_OCTAVE + (ticks >> octave) as usize
}

/// The middle of a bucket.
fn middle(bucket: usize) -> f64 {
    let octave = (bucket / PER_OCTAVE).saturating_sub(1);
    let first = (bucket - octave * PER_OCTAVE) as f64;
    let width = f64::powi(2.0, octave as i32);
    first * width + (width - 1.0) / 2.0
}

#[derive(Debug)]
pub struct Buckets {
    /// On the heap: stacks are for tasks.
    counts: Box<[Count]>,
    sum: AtomicU64,
}

impl Buckets {
    pub fn new() -> Self {
        Self { counts: (0..BUCKETS).map(|_| Count::default()).collect(), sum: AtomicU64::new(0) }
    }

    /// How many lengths there are, and their sum.
    pub fn count_and_sum(&self) -> (u64, u64) {
        let count = self.counts.iter().map(Count::read).sum();
        (count, self.sum.load(Ordering::Relaxed))
    }

    /// For one thread.
    #[inline]
    pub fn record(&self, ticks: u64) {
        self.counts[bucket(ticks.min(LONGEST))].bump();
        let sum = self.sum.load(Ordering::Relaxed).wrapping_add(ticks);
        self.sum.store(sum, Ordering::Relaxed);
    }
}

/// What lies in the buckets of several workers.
#[derive(Clone, Debug)]
pub struct Tally {
    counts: Vec<u64>,
    sum: u64,
}

impl Tally {
    pub fn new() -> Self {
        Self { counts: vec![0; BUCKETS], sum: 0 }
    }

    pub fn add(&mut self, buckets: &Buckets) {
        let counts = self.counts.iter_mut().zip(&*buckets.counts);
        counts.for_each(|(sum, count)| *sum += count.read());
        self.sum = self.sum.wrapping_add(buckets.sum.load(Ordering::Relaxed));
    }

    /// Each length and how often it occurred, the shortest first.
    fn lengths(&self) -> impl Iterator<Item = (f64, u64)> {
        lengths(self.counts.iter().copied())
    }

    /// Each length that has occurred since an earlier tally of the same, and how often.
    pub fn since(&self, earlier: &Self) -> impl Iterator<Item = (f64, u64)> {
        let both = self.counts.iter().zip(&earlier.counts);
        lengths(both.map(|(now, then)| now.saturating_sub(*then)))
    }

    /// The length that such a share of those since an earlier tally don't exceed; `None` if there are none.
    pub fn quantile_since(&self, earlier: &Self, share: f64) -> Option<f64> {
        let all: u64 = self.since(earlier).map(|(_, count)| count).sum();
        let mut seen = 0;
        let mut lengths = self.since(earlier);
        let found = lengths.find(|&(_, count)| {
            seen += count;
            seen as f64 >= share * all as f64
        });
        found.map(|(length, _)| length)
    }

    /// Begins anew.
    pub fn clear(&mut self) {
        self.counts.fill(0);
        self.sum = 0;
    }

    /// In nanoseconds.
    pub fn histogram(&self, nanoseconds_per_tick: f64) -> Histogram<u64> {
        let mut histogram = Histogram::new_with_max(LONGEST, 2)
            .expect("filch: HdrHistogram takes a maximum above 2 and two digits");
        for (ticks, count) in self.lengths() {
            histogram.saturating_record_n((ticks * nanoseconds_per_tick) as u64, count);
        }
        histogram
    }

    pub fn distribution(&self, nanoseconds_per_tick: f64) -> Distribution {
        let length = |ticks: f64| Duration::from_nanos((ticks * nanoseconds_per_tick) as u64);
        let count: u64 = self.counts.iter().sum();
        let (mut lengths, mut seen, mut last) = (self.lengths(), 0, 0.0);
        // In this order.
        let mut quantile = |share: f64| {
            while (seen as f64) < share * count as f64 {
                let Some((ticks, count)) = lengths.next() else { break };
                (seen, last) = (seen + count, ticks);
            }
            length(last)
        };
        Distribution {
            count,
            sum: length(self.sum as f64),
            median: quantile(0.5),
            p90: quantile(0.9),
            p99: quantile(0.99),
            p999: quantile(0.999),
            max: quantile(1.0),
        }
    }
}

fn lengths(counts: impl Iterator<Item = u64>) -> impl Iterator<Item = (f64, u64)> {
    let all = counts.enumerate().filter(|bucket| bucket.1 > 0);
    all.map(|(bucket, count)| (middle(bucket), count))
}

/// How long something took, of those times it was measured.
///
/// Lengths are known to 3 %, their sum exactly. See
/// [`ThreadPool::histogram`](crate::ThreadPool::histogram) for more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Distribution {
    /// How often it was measured.
    pub count: u64,
    /// Of all lengths.
    pub sum: Duration,
    /// Half of the lengths are as short or shorter.
    pub median: Duration,
    /// 90 % are.
    pub p90: Duration,
    /// 99 % are.
    pub p99: Duration,
    /// 99.9 % are.
    pub p999: Duration,
    /// The longest.
    pub max: Duration,
}

impl Distribution {
    /// The mean length; zero if there was none.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = filch::ThreadPoolBuilder::new().num_threads(1).build()?;
    /// pool.spawn_handle(|| ()).join().unwrap();
    /// let queue_wait = pool.snapshot().latency.all.queue_wait;
    /// println!("{:?} on average, of {} tasks", queue_wait.mean(), queue_wait.count);
    /// # Ok::<(), filch::Error>(())
    /// ```
    pub fn mean(&self) -> Duration {
        let nanoseconds = self.sum.as_nanos().checked_div(self.count.into()).unwrap_or(0);
        Duration::from_nanos(nanoseconds as u64)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{BUCKETS, Buckets, Distribution, LONGEST, Tally, bucket, middle};
    use std::time::Duration;

    #[test]
    fn every_length_is_near_the_middle_of_its_bucket() {
        let mut last = 0;
        for ticks in (0..1000).chain((10..48).flat_map(|octave| {
            [0, 1, 77, 500, 1023].map(|step| (1 << octave) + (step << (octave - 10)))
        })) {
            let bucket = bucket(ticks);
            assert!(bucket >= last, "{ticks}");
            last = bucket;
            let error = (middle(bucket) - ticks as f64).abs();
            assert!(error <= 0.032 * ticks as f64, "{ticks} in {}", middle(bucket));
            assert!(ticks >= 32 || error == 0.0);
        }
        assert_eq!(bucket(LONGEST), BUCKETS - 1);
    }

    fn tally(buckets: &[&Buckets]) -> Tally {
        let mut tally = Tally::new();
        buckets.iter().for_each(|buckets| tally.add(buckets));
        tally
    }

    #[test]
    fn the_quantiles_are_those_of_the_sum_of_all_workers() {
        let (one, other) = (Buckets::new(), Buckets::new());
        (1..=990).for_each(|_| one.record(10));
        (1..=9).for_each(|_| other.record(20));
        other.record(30);
        let all = tally(&[&one, &other]);
        let nanoseconds = |ticks: u64| Duration::from_nanos(2 * ticks);
        let expected = Distribution {
            count: 1000,
            sum: nanoseconds(9900 + 180 + 30),
            median: nanoseconds(10),
            p90: nanoseconds(10),
            p99: nanoseconds(10),
            p999: nanoseconds(20),
            max: nanoseconds(30),
        };
        assert_eq!(all.distribution(2.0), expected);
        assert_eq!(expected.mean(), Duration::from_nanos(20));
        let histogram = all.histogram(2.0);
        assert_eq!(histogram.len(), 1000);
        assert_eq!((histogram.value_at_quantile(0.999), histogram.max()), (40, 60));
    }

    #[cfg(feature = "metrics")]
    #[test]
    fn what_has_occurred_since_is_the_difference() {
        let buckets = Buckets::new();
        [10, 20, 20].iter().for_each(|&ticks| buckets.record(ticks));
        let earlier = tally(&[&buckets]);
        [20, 30].iter().for_each(|&ticks| buckets.record(ticks));
        let now = tally(&[&buckets]);
        let since = |earlier: &Tally| now.since(earlier).collect::<Vec<_>>();
        assert_eq!(since(&earlier), [(20.0, 1), (30.0, 1)]);
        assert_eq!(since(&Tally::new()), [(10.0, 1), (20.0, 3), (30.0, 1)]);
        assert_eq!(since(&now), []);
        // Of something else: no count goes below zero.
        assert_eq!(earlier.since(&now).count(), 0);
    }

    #[test]
    fn nothing_takes_no_time_and_what_never_ends_the_longest() {
        let buckets = Buckets::new();
        assert_eq!(tally(&[&buckets]).distribution(1.0), Distribution::default());
        assert_eq!(Distribution::default().mean(), Duration::ZERO);
        buckets.record(u64::MAX);
        let longest = tally(&[&buckets]).distribution(1.0).max.as_nanos() as f64;
        assert!((0.97..1.0).contains(&(longest / LONGEST as f64)));
        assert_eq!(tally(&[&buckets]).histogram(8.0).len(), 1);
    }
}
