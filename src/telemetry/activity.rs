//! What a worker is about, and how long it has been about what.

use crate::sync::statistic::{AtomicU64, Ordering};
use std::time::Duration;

/// What a worker is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum Status {
    /// Its thread has yet to begin.
    Starting,
    /// It runs tasks, or has looked for the next one for a moment only. The thread of
    /// [`use_current_thread`](crate::ThreadPoolBuilder::use_current_thread) also while it is about
    /// something else.
    Running,
    /// It has found nothing to do, and looks again.
    Searching,
    /// It sleeps, as there is nothing to do; a spare, as nobody needs it.
    Parked,
    /// It sleeps in the midst of a task: in a wait, in [`blocking`](crate::blocking), or found so
    /// by the [watch](crate::ThreadPoolBuilder::detect_blocking), who doesn't say since when: then it is
    /// since when it has run, and that time counts as busy.
    Blocked,
    /// Its thread has ended.
    Stopped,
    /// It runs or looks for work, but is to leave when it finds none, since the pool has got smaller or
    /// doesn't need it.
    Retiring,
}

impl Status {
    pub(crate) const ALL: [Self; 7] = [
        Self::Starting,
        Self::Running,
        Self::Searching,
        Self::Parked,
        Self::Blocked,
        Self::Stopped,
        Self::Retiring,
    ];
}

/// Bits of the word that hold the status; the others, nanoseconds, are good for 73 years.
const BITS: u32 = 3;

/// Written by its worker alone, on its way to or from sleep, where a look at the clock costs little.
#[derive(Debug, Default)]
pub struct Activity {
    /// `since << BITS | status`.
    word: AtomicU64,
    /// Nanoseconds in each status, but for the time since then.
    spent: [AtomicU64; Status::ALL.len()],
}

/// How long a worker has been about each thing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Times {
    /// Running tasks.
    pub busy: Duration,
    /// Looking for some.
    pub searching: Duration,
    /// Asleep, with nothing to do.
    pub parked: Duration,
    /// Asleep in the midst of a task.
    pub blocked: Duration,
}

impl Times {
    /// The time since its start.
    pub fn all(&self) -> Duration {
        self.busy + self.searching + self.parked + self.blocked
    }
}

/// What a worker is about, since when, and how long it has been about what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    pub status: Status,
    pub since: Duration,
    pub times: Times,
}

impl Activity {
    pub fn is(&self, status: Status) -> bool {
        decode(self.word.load(Ordering::Relaxed)).0 == status
    }

    /// From now on. Returns how long it has been about the last thing.
    pub fn enter(&self, status: Status, now: Duration) -> Duration {
        let (before, since) = decode(self.word.load(Ordering::Relaxed));
        let time = now.saturating_sub(since);
        let spent = &self.spent[before as usize];
        // One writer.
        let sum = spent.load(Ordering::Relaxed).wrapping_add(time.as_nanos() as u64);
        spent.store(sum, Ordering::Relaxed);
        self.word.store((now.as_nanos() as u64) << BITS | status as u64, Ordering::Relaxed);
        time
    }

    /// As others see it: now and then a change is seen in one place and not yet in another.
    pub fn read(&self, now: Duration) -> Seen {
        let (mut word, mut spent) =
            (self.word.load(Ordering::Relaxed), [Duration::ZERO; Status::ALL.len()]);
        // A change between two looks would count the time before it twice. Not for ever: it is a guess.
        for _ in 0..4 {
            let read = |spent: &AtomicU64| Duration::from_nanos(spent.load(Ordering::Relaxed));
            spent = self.spent.each_ref().map(read);
            let before = std::mem::replace(&mut word, self.word.load(Ordering::Relaxed));
            if word == before {
                break;
            }
        }
        let (status, since) = decode(word);
        let time = |of: Status| {
            let past = spent[of as usize];
            if of == status { past + now.saturating_sub(since) } else { past }
        };
        let times = Times {
            busy: time(Status::Running),
            searching: time(Status::Searching),
            parked: time(Status::Parked),
            blocked: time(Status::Blocked),
        };
        Seen { status, since, times }
    }
}

fn decode(word: u64) -> (Status, Duration) {
    let status = Status::ALL.get((word & ((1 << BITS) - 1)) as usize);
    (status.copied().unwrap_or(Status::Stopped), Duration::from_nanos(word >> BITS))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Activity, Seen, Status, Times};
    use std::time::Duration;

    #[test]
    fn times_add_up_and_the_present_one_goes_on() {
        let (activity, second) = (Activity::default(), Duration::from_secs);
        assert!(activity.is(Status::Starting));
        activity.enter(Status::Running, second(1));
        assert_eq!(activity.enter(Status::Parked, second(3)), second(2));
        assert_eq!(activity.enter(Status::Running, second(7)), second(4));
        activity.enter(Status::Blocked, second(8));
        let times =
            Times { busy: second(3), searching: second(0), parked: second(4), blocked: second(2) };
        let expected = Seen { status: Status::Blocked, since: second(8), times };
        assert_eq!(activity.read(second(10)), expected);
        assert_eq!(times.all(), second(9));
        // A clock that two CPUs disagree on.
        assert_eq!(activity.enter(Status::Running, second(7)), second(0));
        assert_eq!(activity.read(second(6)).times.blocked, second(0));
    }

    #[test]
    fn every_status_survives() {
        for status in Status::ALL {
            let activity = Activity::default();
            activity.enter(status, Duration::from_secs(1 << 30));
            let seen = activity.read(Duration::MAX);
            assert_eq!((seen.status, seen.since), (status, Duration::from_secs(1 << 30)));
        }
    }
}
