//! The leases that are out: since when, for how long they are meant, and where in the program they were taken.

use crate::primitive::slots::Slots;
use crate::primitive::tenure::Tenure;
use crate::resources::places;
use crate::sync::clock::Clock;
use crate::sync::statistic::{AtomicU64, Ordering};
use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

/// A lease that is out, for [`ThreadPool::leases`](crate::ThreadPool::leases).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeaseInfo {
    /// For how long somebody has had it, since it was granted or last renewed.
    pub held: Duration,
    /// For how long it is meant.
    pub time_to_live: Duration,
    /// Where it was asked for; `None` if that happens at more than a thousand places.
    pub place: Option<&'static Location<'static>>,
}

impl LeaseInfo {
    /// By how much it has been held for longer than it was meant; zero if it hasn't.
    pub fn overdue(&self) -> Duration {
        self.held.saturating_sub(self.time_to_live)
    }
}

impl fmt::Display for LeaseInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { held, time_to_live, place } = self;
        match place {
            Some(place) => write!(f, "a lease of {place}")?,
            None => f.write_str("a lease")?,
        }
        write!(f, ", meant for {time_to_live:.1?}, has been held for {held:.1?}")
    }
}

pub struct Ledger {
    /// In each: since when, in ticks, for how long, in nanoseconds, and where.
    terms: Slots<Tenure<3>>,
    clock: Clock,
    /// In how many nanoseconds from the last look the next one is due.
    planned: AtomicU64,
    /// For how long a lease is meant that doesn't say.
    time_to_live: Duration,
    /// How often all are looked at, at least.
    checks: Duration,
    /// Has somebody look at once.
    call: Arc<dyn Fn() + Send + Sync>,
}

impl Ledger {
    pub fn new(
        time_to_live: Duration,
        checks: Duration,
        call: Arc<dyn Fn() + Send + Sync>,
    ) -> Self {
        let (terms, clock, planned) = (Slots::default(), Clock::new(), AtomicU64::new(0));
        Self { terms, clock, planned, time_to_live, checks, call }
    }

    /// Its number; none if there are too many for anybody to watch.
    pub fn begin(
        &self,
        lasts: Option<Duration>,
        place: &'static Location<'static>,
    ) -> Option<usize> {
        let lasts = lasts.unwrap_or(self.time_to_live).as_nanos();
        let lasts = u64::try_from(lasts).unwrap_or(u64::MAX);
        let number = self.terms.take()?;
        self.terms.get(number).begin([self.clock.ticks(), lasts, places::number(place)]);
        if lasts < self.planned.load(Ordering::Relaxed) {
            (self.call)();
        }
        Some(number)
    }

    pub fn end(&self, number: usize) {
        self.terms.get(number).end();
        self.terms.put_back(number);
    }

    pub fn look_at(&self, number: usize) -> Option<LeaseInfo> {
        let fields = self.terms.get(number).look()?;
        Some(self.info(fields, self.clock.ticks(), self.clock.nanoseconds_per_tick()))
    }

    fn info(&self, [since, lasts, place]: [u64; 3], now: u64, tick: f64) -> LeaseInfo {
        let held = now.saturating_sub(since) as f64 * tick;
        LeaseInfo {
            held: Duration::from_nanos(held as u64),
            time_to_live: Duration::from_nanos(lasts),
            place: places::place(place),
        }
    }

    /// Those that are out now.
    pub fn all(&self) -> impl Iterator<Item = LeaseInfo> {
        let (now, tick) = (self.clock.ticks(), self.clock.nanoseconds_per_tick());
        self.terms.all().filter_map(move |(_, term)| Some(self.info(term.look()?, now, tick)))
    }

    /// The one that is overdue for longest, and when to look again: when the next one is due.
    pub fn look(&self) -> (Option<LeaseInfo>, Duration) {
        let (mut worst, mut next) = (None::<LeaseInfo>, self.checks);
        for info in self.all() {
            match info.time_to_live.checked_sub(info.held).filter(|left| !left.is_zero()) {
                Some(left) => next = next.min(left),
                None if worst.is_none_or(|worst| worst.overdue() < info.overdue()) => {
                    worst = Some(info);
                }
                None => {}
            }
        }
        self.planned.store(next.as_nanos() as u64, Ordering::Relaxed);
        (worst, next)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Ledger;
    use crate::sync::statistic::{AtomicU64, Ordering};
    use std::panic::Location;
    use std::sync::Arc;
    use std::time::Duration;

    #[test]
    fn what_is_held_for_longer_than_it_was_meant_is_found_and_the_next_one_is_known() {
        let (minute, place) = (Duration::from_secs(60), Location::caller());
        let calls = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&calls);
        let call = Arc::new(move || _ = counted.fetch_add(1, Ordering::Relaxed));
        let ledger = Ledger::new(minute * 10, minute, call);
        assert_eq!(ledger.look(), (None, minute));
        let begin = |lasts| ledger.begin(lasts, place).unwrap();
        let long = begin(None);
        assert_eq!(calls.load(Ordering::Relaxed), 0, "somebody looks before");
        let short = begin(Some(Duration::from_millis(1)));
        assert_eq!(calls.load(Ordering::Relaxed), 1);
        std::thread::sleep(Duration::from_millis(5));
        let (worst, next) = ledger.look();
        let worst = worst.unwrap();
        assert!(worst.overdue() > Duration::ZERO && worst.time_to_live.as_millis() == 1);
        assert_eq!((worst.place, next), (Some(place), minute));
        assert!(worst.to_string().contains("ledger.rs"), "{worst}");
        ledger.end(short);
        let short = begin(Some(minute / 2));
        let (worst, next) = ledger.look();
        assert!(worst.is_none() && next > minute / 4 && next <= minute / 2);
        assert_eq!(ledger.all().count(), 2);
        ledger.end(short);
        ledger.end(long);
        assert_eq!((ledger.all().count(), ledger.look_at(long)), (0, None));
    }
}
