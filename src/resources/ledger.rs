//! The leases that are out: since when, for how long they are meant, where in the program they were taken, and what they
//! are of. So they can be taken back, once: by whoever has one, or from who has forgotten it, whichever comes first.

use crate::policy::amounts::{Amounts, Resource};
use crate::primitive::slots::Slots;
use crate::primitive::tenure::Tenure;
use crate::resources::lessee::Lessee;
use crate::resources::places;
use crate::sync::clock::Clock;
use crate::sync::statistic::{AtomicU64, Ordering};
use std::collections::VecDeque;
use std::fmt;
use std::panic::Location;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A lease that is out, for [`ThreadPool::leases`](crate::ThreadPool::leases).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeaseInfo {
    /// For how long somebody has had it, since it was granted or last renewed.
    pub held: Duration,
    /// For how long it is meant.
    pub time_to_live: Duration,
    /// Whether the task or thread that asked for it has ended.
    pub abandoned: bool,
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
        let Self { held, time_to_live, abandoned, place } = self;
        match place {
            Some(place) => write!(f, "a lease of {place}")?,
            None => f.write_str("a lease")?,
        }
        write!(f, ", meant for {time_to_live:.1?}, has been held for {held:.1?}")?;
        if *abandoned { f.write_str(" and outlived its task") } else { Ok(()) }
    }
}

/// Since when, in ticks; for how long, in nanoseconds; where; who asked; whose it is, and how much.
const WORDS: usize = 5 + Resource::ALL.len();

/// How many are kept of those that have been taken back.
const LEAKS: usize = 64;

/// What is written down of a lease.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// For how long it is meant, if that is said.
    pub lasts: Option<Duration>,
    pub place: &'static Location<'static>,
    pub lessee: Lessee,
    /// The tenant's index.
    pub tenant: usize,
    pub amounts: Amounts,
}

/// Where that stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub slot: usize,
    pub number: u64,
}

pub struct Ledger {
    terms: Slots<Tenure<WORDS>>,
    clock: Clock,
    /// In how many nanoseconds from the last look the next one is due.
    planned: AtomicU64,
    /// For how long a lease is meant that doesn't say.
    time_to_live: Duration,
    /// How often all are looked at, at least.
    checks: Duration,
    reclaimed: AtomicU64,
    /// Those that have been taken back last.
    leaks: Mutex<VecDeque<LeaseInfo>>,
    /// Has somebody look at once.
    call: Arc<dyn Fn() + Send + Sync>,
}

impl Ledger {
    pub fn new(
        time_to_live: Duration,
        checks: Duration,
        call: Arc<dyn Fn() + Send + Sync>,
    ) -> Self {
        let (terms, clock, reclaimed) = (Slots::default(), Clock::new(), AtomicU64::new(0));
        let planned = AtomicU64::new(0);
        let leaks = Mutex::default();
        Self { terms, clock, planned, time_to_live, checks, reclaimed, leaks, call }
    }

    /// Writes it down; none if there are too many for anybody to watch.
    pub fn begin(&self, terms: &Terms) -> Option<Entry> {
        let (slot, term) = self.terms.take()?;
        Some(self.write(slot, term, terms))
    }

    fn write(&self, slot: usize, term: &Tenure<WORDS>, terms: &Terms) -> Entry {
        let lasts = terms.lasts.unwrap_or(self.time_to_live).as_nanos();
        let lasts = u64::try_from(lasts).unwrap_or(u64::MAX);
        let place = places::number(terms.place);
        let (lessee, tenant) = (terms.lessee.into_word(), terms.tenant as u64);
        let [cpu, memory, network, disk, io] = *terms.amounts.all();
        let since = self.clock.ticks();
        let words = [since, lasts, place, lessee, tenant, cpu, memory, network, disk, io];
        let number = term.begin(words);
        if lasts < self.planned.load(Ordering::Relaxed) {
            self.call();
        }
        Entry { slot, number }
    }

    /// Strikes it out and writes it down anew, in the same place; none if somebody has struck it out.
    pub fn renew(&self, Entry { slot, number }: Entry, terms: &Terms) -> Option<Entry> {
        let term = self.terms.get(slot);
        term.end(number).then(|| self.write(slot, term, terms))
    }

    /// Has somebody look at once.
    pub fn call(&self) {
        (self.call)();
    }

    /// Strikes it out. False: somebody has done so.
    #[must_use]
    pub fn end(&self, entry: Entry) -> bool {
        let ended = self.terms.get(entry.slot).end(entry.number);
        if ended {
            self.terms.put_back(entry.slot);
        }
        ended
    }

    /// What is to be known of it, unless it has been struck out.
    pub fn look_at(&self, entry: Entry) -> Option<LeaseInfo> {
        let (number, words) = self.terms.get(entry.slot).look()?;
        let info = self.info(&words, self.clock.ticks(), self.clock.nanoseconds_per_tick());
        (number == entry.number).then_some(info)
    }

    fn info(&self, words: &[u64; WORDS], now: u64, tick: f64) -> LeaseInfo {
        let &[since, lasts, place, lessee, ..] = words;
        let held = now.saturating_sub(since) as f64 * tick;
        LeaseInfo {
            held: Duration::from_nanos(held as u64),
            time_to_live: Duration::from_nanos(lasts),
            abandoned: !Lessee::from_word(lessee).lives(),
            place: places::place(place),
        }
    }

    fn entries(&self) -> impl Iterator<Item = (Entry, [u64; WORDS], LeaseInfo)> {
        let (now, tick) = (self.clock.ticks(), self.clock.nanoseconds_per_tick());
        self.terms.all().filter_map(move |(slot, term)| {
            let (number, words) = term.look()?;
            Some((Entry { slot, number }, words, self.info(&words, now, tick)))
        })
    }

    /// Those that are out now.
    pub fn all(&self) -> impl Iterator<Item = LeaseInfo> {
        self.entries().map(|(_, _, info)| info)
    }

    /// Strikes out those that are overdue and that nobody has any more, or, if `running`, whoever has them. `take_back` is
    /// told of each: `whose`, by the tenant's index, and how much. Returns the last of them.
    pub fn reclaim<T>(
        &self,
        running: bool,
        whose: impl Fn(usize) -> T,
        mut take_back: impl FnMut(T, Amounts),
    ) -> Option<LeaseInfo> {
        let mut last = None;
        for (entry, words, info) in self.entries() {
            if info.overdue().is_zero() || !(running || info.abandoned) {
                continue;
            }
            // Before: while it stands here its tenant is there.
            let whose = whose(words[4] as usize);
            if self.end(entry) {
                self.reclaimed.fetch_add(1, Ordering::Relaxed);
                let mut leaks = self.leaks.lock().unwrap_or_else(PoisonError::into_inner);
                if leaks.len() == LEAKS {
                    leaks.pop_front();
                }
                leaks.push_back(info);
                drop(leaks);
                last = Some(info);
                take_back(whose, Amounts::new(std::array::from_fn(|at| words[5 + at])));
            }
        }
        last
    }

    pub fn leaks(&self) -> Vec<LeaseInfo> {
        let leaks = self.leaks.lock().unwrap_or_else(PoisonError::into_inner);
        leaks.iter().copied().collect()
    }

    /// How many have been taken back from who had forgotten them.
    pub fn reclaimed(&self) -> u64 {
        self.reclaimed.load(Ordering::Relaxed)
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
    use super::{Ledger, Terms};
    use crate::policy::amounts::{Amounts, Resource};
    use crate::resources::lessee::{Lessee, Outer};
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
        let begin = |lasts| ledger.begin(&terms(lasts, place, Lessee::NOBODY)).unwrap();
        let (long, planned) = (begin(None), begin(Some(minute)));
        assert_eq!(calls.load(Ordering::Relaxed), 0, "somebody looks before, or then");
        assert!(ledger.end(planned));
        let short = begin(Some(Duration::from_millis(1)));
        assert_eq!(calls.load(Ordering::Relaxed), 1);
        std::thread::sleep(Duration::from_millis(5));
        let (worst, next) = ledger.look();
        let worst = worst.unwrap();
        assert!(worst.overdue() > Duration::ZERO && worst.time_to_live.as_millis() == 1);
        assert_eq!((worst.place, next), (Some(place), minute));
        assert!(worst.to_string().contains("ledger.rs"), "{worst}");
        assert!(ledger.end(short) && !ledger.end(short));
        let short = begin(Some(minute / 2));
        let (worst, next) = ledger.look();
        assert!(worst.is_none() && next > minute / 4 && next <= minute / 2);
        assert_eq!(ledger.all().count(), 2);
        assert!(ledger.end(short) && ledger.end(long));
        assert_eq!((ledger.all().count(), ledger.look_at(long)), (0, None));
    }

    #[test]
    fn the_one_that_is_overdue_for_longest_is_found_wherever_it_stands() {
        let ledger = Ledger::new(Duration::ZERO, Duration::from_secs(60), Arc::new(|| ()));
        let begin = |nanoseconds| {
            let lasts = Some(Duration::from_nanos(nanoseconds));
            ledger.begin(&terms(lasts, Location::caller(), Lessee::NOBODY)).unwrap()
        };
        let (before, oldest) = (begin(0), begin(1));
        std::thread::sleep(Duration::from_millis(2));
        assert!(ledger.end(before));
        // One of them where that was, and one behind.
        let (_first, _last) = (begin(0), begin(0));
        let order: Vec<_> = ledger.all().map(|info| info.time_to_live.as_nanos()).collect();
        assert_eq!(order, [0, 1, 0]);
        assert_eq!(ledger.look().0.unwrap().time_to_live.as_nanos(), 1);
        assert!(ledger.look_at(oldest).is_some());
    }

    #[test]
    fn how_long_it_is_held_is_said_in_ticks_of_any_length() {
        let ledger = Ledger::new(Duration::ZERO, Duration::ZERO, Arc::new(|| ()));
        let begun = ledger.begin(&terms(None, Location::caller(), Lessee::NOBODY)).unwrap();
        let (_, mut words) = ledger.terms.get(begun.slot).look().unwrap();
        words[0] = 100;
        let held = |now| ledger.info(&words, now, 2.5).held.as_nanos();
        assert_eq!((held(300), held(99)), (500, 0));
    }

    #[test]
    fn what_is_overdue_is_taken_back_once_and_from_whom_is_a_choice() {
        let (place, call) = (Location::caller(), Arc::new(|| ()));
        let ledger = Ledger::new(Duration::ZERO, Duration::from_secs(60), call);
        let outer = Outer::leave();
        let gone = Lessee::take_one();
        outer.resume();
        let there = Lessee::take_one();
        let kept = ledger.begin(&terms(Some(Duration::from_secs(60)), place, gone)).unwrap();
        let [forgotten, held] =
            [gone, there].map(|lessee| ledger.begin(&terms(None, place, lessee)).unwrap());
        std::thread::sleep(Duration::from_millis(1));
        let mut taken = Vec::new();
        let mut reclaim = |running| {
            ledger.reclaim(
                running,
                |tenant| tenant,
                |tenant, amounts| taken.push((tenant, amounts)),
            );
            taken.len()
        };
        assert_eq!((reclaim(false), reclaim(false)), (1, 1));
        assert!(!ledger.end(forgotten) && ledger.look_at(held).is_some());
        assert_eq!((reclaim(true), reclaim(true)), (2, 2));
        assert!(!ledger.end(held) && ledger.end(kept));
        assert_eq!(taken[0], (3, Amounts::NONE.with(Resource::Disk, 7)));
        assert_eq!(ledger.reclaimed(), 2);
        there.give_back_one();
    }

    fn terms(lasts: Option<Duration>, place: &'static Location<'static>, lessee: Lessee) -> Terms {
        let amounts = Amounts::NONE.with(Resource::Disk, 7);
        Terms { lasts, place, lessee, tenant: 3, amounts }
    }
}
