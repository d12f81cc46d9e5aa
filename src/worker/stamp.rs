//! When things happened whose lengths are measured; and which tasks those are.
//!
//! Tests: tests/latency.rs.

use crate::sync::clock::Clock;
use crate::sync::statistic::{AtomicU64, Ordering};
use crate::sync::thread_local;
use crate::telemetry::labels::Class;
use crate::worker::span::TaskSpan;
use std::cell::Cell;

/// What is known of a task from its submission.
#[derive(Debug)]
pub struct Submission {
    pub class: Class,
    /// Whether it is one of those that are timed.
    pub timed: bool,
    /// In ticks.
    pub at: u64,
    pub span: TaskSpan,
}

/// How many tasks a thread has yet to submit up to one to be timed.
#[derive(Debug)]
pub struct Countdown {
    left: Cell<u32>,
    /// One task in so many is timed; `None` before the first.
    one_in: Cell<Option<u32>>,
}

impl Countdown {
    /// To time one task in `one_in`, the first one with the same chance as any other.
    pub fn new(one_in: u32, random: u64) -> Self {
        let new = Self { left: Cell::new(0), one_in: Cell::new(None) };
        new.restart(one_in, random);
        new
    }

    fn restart(&self, one_in: u32, random: u64) {
        self.begin(one_in, random);
        // The interval from a task that is timed to the next would come too late for half of them.
        if one_in > 0 && scatter(random).is_multiple_of(one_in) {
            self.left.set(1);
        }
    }

    /// Counts a task. Returns whether it is to be timed; then [`begin`](Self::begin) follows.
    #[inline(always)]
    pub fn count(&self) -> bool {
        self.left.set(self.left.get().wrapping_sub(1));
        self.is_due()
    }

    /// Whether the task that was counted last is to be timed.
    #[inline(always)]
    pub fn is_due(&self) -> bool {
        self.left.get() == 0
    }

    /// Up to the next one of those of which one in `one_in` is to be timed; none if that is 0.
    pub fn begin(&self, one_in: u32, random: u64) {
        self.one_in.set(Some(one_in));
        self.left.set(if one_in == 0 { u32::MAX } else { interval(one_in, random) });
    }

    /// Of a thread that submits to whatever pool: begins anew if another share of its tasks is
    /// to be timed than of the last one's.
    pub fn count_of(&self, one_in: u32, clock: &Clock) -> bool {
        if self.one_in.get() != Some(one_in) {
            self.restart(one_in, clock.ticks());
        }
        self.count()
    }
}

thread_local! {
    /// That of a thread outside every pool.
    pub static OUTSIDE: Countdown =
        const { Countdown { left: Cell::new(1), one_in: Cell::new(None) } };
}

/// Fibonacci hashing: the upper half of the product is as good as random.
fn scatter(random: u64) -> u32 {
    (random.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as u32
}

/// `one_in` on average, and each as likely up to twice that: tasks may come in a rhythm.
fn interval(one_in: u32, random: u64) -> u32 {
    // Not the number that has said whether the first is due.
    let random = u64::from(scatter(random.rotate_left(32)));
    // More than that never comes.
    let choices = 2 * u64::from(one_in.min(1 << 31)) - 1;
    // Below 2^32 both.
    1 + ((random * choices) >> 32) as u32
}

/// When a task that was timed ended, in ticks, and how many its worker had run then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastEnd {
    pub at: u64,
    pub tasks: u64,
}

/// When the first of those who wake a worker that sleeps did so, in ticks; 0: nobody has.
#[derive(Debug, Default)]
pub struct WokenAt(AtomicU64);

impl WokenAt {
    pub fn note(&self, now: u64) {
        if self.0.load(Ordering::Relaxed) == 0 {
            self.0.store(now, Ordering::Relaxed);
        }
    }

    /// For the worker, before it sleeps.
    pub fn forget(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// For the worker, when it is awake.
    pub fn read(&self) -> Option<u64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|&at| at > 0)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Clock, Countdown, interval};

    #[test]
    #[cfg_attr(miri, ignore = "too many rounds of mere arithmetic")]
    fn one_task_in_so_many_is_due_on_average_and_never_in_a_rhythm() {
        for one_in in [1, 2, 64, 1000] {
            let intervals: Vec<_> =
                (0..100_000).map(|tick| u64::from(interval(one_in, 37 * tick))).collect();
            let mean = intervals.iter().sum::<u64>() as f64 / intervals.len() as f64;
            assert!((0.98..1.02).contains(&(mean / f64::from(one_in))), "{mean} for {one_in}");
            let most = 2 * u64::from(one_in) - 1;
            assert!(intervals.iter().all(|interval| (1..=most).contains(interval)));
            assert!([1, most].iter().all(|end| intervals.contains(end)));
        }
        assert!(interval(u32::MAX, u64::MAX) > 0);
    }

    #[test]
    #[cfg_attr(miri, ignore = "as above")]
    fn one_task_in_so_many_is_due_whoever_submits_it_and_wherever() {
        let clock = Clock::new();
        for one_in in [1, 2, 16] {
            // Threads that submit one each, and one that submits to two pools by turns.
            let threads =
                (0..20_000).filter(|&random| Countdown::new(one_in, 977 * random).count()).count();
            let countdown = Countdown::new(one_in, 1);
            let both = (0..20_000).filter(|_| {
                let due = countdown.count_of(one_in, &clock);
                if due {
                    countdown.begin(one_in, clock.ticks());
                }
                countdown.count_of(1000, &clock);
                due
            });
            for count in [threads, both.count()] {
                let expected = 20_000 / one_in as usize;
                assert!(
                    (3 * expected / 4..=2 * expected).contains(&count),
                    "{count} of {expected}"
                );
            }
        }
        let none = Countdown::new(0, 0);
        assert!(!(0..1000).any(|_| none.count()));
        let all = Countdown::new(1, 5);
        for _ in 0..10 {
            assert!(all.count());
            all.begin(1, 7);
        }
    }
}
