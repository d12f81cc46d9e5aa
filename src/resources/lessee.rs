//! Lessees: who has leases. A task is one from its first lease on, and so is each part of it that another worker runs, and
//! a thread outside every pool. Whoever waits for a lease while something that waits for *it* has one might wait for
//! itself, so a lessee knows whose part it is.
//!
//! Invariant: a lessee outlives the lessees that are parts of it, as whoever waits does. So the chain from a lessee up to
//! the task of which it is a part of a part consists of those that live. Of any other number one can tell whether it still
//! lives: whoever gets its place next has another tag.

use crate::primitive::slots::Slots;
use crate::sync::LazyLock;
use crate::sync::statistic::{AtomicU64, Ordering};
use crate::sync::thread_local;
use std::cell::Cell;

/// A lessee: its tag in the upper half, its place and 1 in the lower one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lessee(u64);

#[derive(Debug, Default)]
struct Record {
    /// The tag in the upper half, how many leases others have given back for it in the lower one.
    word: AtomicU64,
    /// How many leases it has taken and not given back itself. Written by the thread that is about it, so at no cost.
    taken: AtomicU64,
    /// Whose part it is.
    above: AtomicU64,
    /// The tag in the upper half, what it has leased of the CPUs, in thousandths of one, in the lower one: whatever thread
    /// gives some back may do so when it has ended.
    cpu: AtomicU64,
    /// How many parts have a permit to run beside it.
    permits: AtomicU64,
}

/// Of all pools: a task of one may have leases of another.
static RECORDS: LazyLock<Slots<Record>> = LazyLock::new(Slots::default);

thread_local! {
    /// Without a destructor, so that it is there until the very end, and costs a task next to nothing.
    static CURRENT: Cell<Lessee> = const { Cell::new(Lessee::NOBODY) };
    /// Its record, if it has one: found once, as each lease needs it twice.
    static RECORD: Cell<Option<&'static Record>> = const { Cell::new(None) };
    /// Ends the lessee that a thread is.
    static EXIT: Exit = const { Exit };
}

struct Exit;

impl Drop for Exit {
    fn drop(&mut self) {
        set_current(Lessee::NOBODY).end();
    }
}

impl Lessee {
    /// Without leases, and part of nobody who has some.
    pub const NOBODY: Self = Self(0);

    /// What runs on this thread.
    #[inline(always)]
    pub fn current() -> Self {
        CURRENT.get()
    }

    /// To be written down.
    pub fn into_word(self) -> u64 {
        self.0
    }

    pub fn from_word(word: u64) -> Self {
        Self(word)
    }

    #[inline(always)]
    pub fn is_nobody(self) -> bool {
        self == Self::NOBODY
    }

    /// What runs on this thread, which is to have one lease more. Nobody, if there are too many who have any.
    pub fn take_one() -> Self {
        if Self::current().is_nobody() {
            set_current(Self::begin(Self::NOBODY));
            // A worker's tasks end without it.
            let _ = EXIT.try_with(|_| ());
        }
        // It lives as long as this thread is about it.
        if let Some(Record { taken, .. }) = RECORD.get() {
            taken.store(taken.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        }
        Self::current()
    }

    /// It has one less, if it lives: given back by whatever thread.
    pub fn give_back_one(self) {
        if self == Self::current() {
            if let Some(Record { taken, .. }) = RECORD.get() {
                taken.store(taken.load(Ordering::Relaxed).wrapping_sub(1), Ordering::Relaxed);
            }
            return;
        }
        self.count(|record| &record.word, 1);
    }

    /// Counts so much more in the lower half of a word of its record. Whoever finds another's tag there has nothing to do.
    // Apart from those who call it: most leases come and go on one thread, and are for no CPUs.
    #[inline(never)]
    fn count(self, word: impl FnOnce(&Record) -> &AtomicU64, more: u32) {
        let Some(place) = self.place() else { return };
        let counted = |word: u64| {
            let count = (word as u32).wrapping_add(more);
            (word >> 32 == self.0 >> 32).then_some(word & !u64::from(u32::MAX) | u64::from(count))
        };
        let word = word(RECORDS.get(place));
        let _ = word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, counted);
    }

    fn begin(above: Self) -> Self {
        let Some((place, record)) = RECORDS.take() else { return Self::NOBODY };
        // Relaxed throughout: the place came by an exchange, and whoever is told of the lessee learns it after this.
        let tag = (record.word.load(Ordering::Relaxed) >> 32) as u32;
        let tag = tag.wrapping_add(1);
        record.above.store(above.0, Ordering::Relaxed);
        record.taken.store(0, Ordering::Relaxed);
        record.cpu.store(u64::from(tag) << 32, Ordering::Relaxed);
        record.permits.store(0, Ordering::Relaxed);
        record.word.store(u64::from(tag) << 32, Ordering::Relaxed);
        Self(u64::from(tag) << 32 | (place as u64 + 1))
    }

    fn end(self) {
        if let Some(place) = self.place() {
            let next = ((self.0 >> 32) as u32).wrapping_add(1);
            RECORDS.get(place).word.store(u64::from(next) << 32, Ordering::Relaxed);
            RECORDS.put_back(place);
        }
    }

    fn place(self) -> Option<usize> {
        (self.0 as u32 as usize).checked_sub(1)
    }

    fn record(self) -> Option<&'static Record> {
        let record = RECORDS.get(self.place()?);
        (record.word.load(Ordering::Relaxed) >> 32 == self.0 >> 32).then_some(record)
    }

    /// It has so much more of the CPUs, or less, in thousandths of one.
    #[inline(always)]
    pub fn add_cpu(self, more: i64) {
        if more != 0 {
            self.count(|record| &record.cpu, more as u32);
        }
    }

    /// Who has leased the CPUs on which it runs, if anybody has: it, or the nearest that waits for it.
    pub fn bound(self) -> Option<Self> {
        let mut next = self;
        loop {
            let record = next.record()?;
            if record.cpu.load(Ordering::Relaxed) as u32 > 0 {
                return Some(next);
            }
            next = Self(record.above.load(Ordering::Relaxed));
        }
    }

    /// A permit for one more of its parts to run, if its CPUs suffice, of which it `takes` so many itself; or if it `must` be.
    pub fn permit(self, takes: u64, must: bool) -> Option<Permit> {
        let record = self.record()?;
        // Less than one counts as one.
        let cpus = (record.cpu.load(Ordering::Relaxed) as u32 / 1000).max(1).into();
        let more = |permits| (must || permits + takes < cpus).then_some(permits + 1);
        let permits = &record.permits;
        permits.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok().map(|_| Permit(self))
    }

    /// Whether it has not ended. Nobody has, and never will.
    pub fn lives(self) -> bool {
        self.is_nobody() || self.record().is_some()
    }

    /// Whether it has leases, or something has that waits for it.
    pub fn has_any(self) -> bool {
        let mut next = self;
        while let Some(record) = next.record() {
            let given_back = record.word.load(Ordering::Relaxed) as u32;
            if record.taken.load(Ordering::Relaxed) as u32 != given_back {
                return true;
            }
            next = Self(record.above.load(Ordering::Relaxed));
        }
        false
    }
}

/// Returns what this thread was about before.
fn set_current(lessee: Lessee) -> Lessee {
    RECORD.set(lessee.place().map(|place| RECORDS.get(place)));
    CURRENT.replace(lessee)
}

/// Ends on drop.
#[derive(Debug)]
pub struct Permit(Lessee);

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(record) = self.0.record() {
            record.permits.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Who waits for something, for those who are to know.
#[derive(Debug)]
pub struct Named(AtomicU64);

impl Named {
    pub fn new(lessee: Lessee) -> Self {
        Self(AtomicU64::new(lessee.0))
    }

    #[inline(always)]
    pub fn get(&self) -> Lessee {
        Lessee(self.0.load(Ordering::Relaxed))
    }

    pub fn set(&self, lessee: Lessee) {
        self.0.store(lessee.0, Ordering::Relaxed);
    }
}

/// What this thread was about, in the midst of which it is to run something else.
#[must_use]
pub struct Outer(Lessee);

impl Outer {
    /// Nothing that has leases.
    pub const NOBODY: Self = Self(Lessee::NOBODY);

    /// What the thread runs from here on is part of nothing that has leases.
    pub fn leave() -> Self {
        Self(set_current(Lessee::NOBODY))
    }

    /// What the thread runs from here on is part of `above`, which waits for it.
    pub fn leave_for_part_of(above: Lessee) -> Self {
        Self(set_current(Lessee::begin(above)))
    }

    /// Back to it, at the end of that.
    pub fn resume(self) {
        set_current(self.0).end();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Lessee, Outer};
    use std::thread;

    #[test]
    fn a_part_knows_of_its_whole_s_leases_and_no_other_task_does() {
        let whole = Lessee::take_one();
        assert!(whole.has_any() && Lessee::current() == whole);
        let other = Outer::leave();
        assert!(Lessee::current().is_nobody() && !Lessee::current().has_any());
        other.resume();
        thread::spawn(move || {
            let outer = Outer::leave_for_part_of(whole);
            let part = Lessee::current();
            assert!(part.has_any() && part != whole);
            let own = Lessee::take_one();
            assert_eq!(own, part);
            whole.give_back_one();
            assert!(part.has_any() && !whole.has_any());
            own.give_back_one();
            assert!(!part.has_any() && part.lives());
            outer.resume();
            assert!(!part.lives() && Lessee::current().is_nobody());
            // Too late: it has no effect on whoever has its place now.
            let next = Lessee::take_one();
            part.give_back_one();
            assert!(next.has_any());
        })
        .join()
        .unwrap();
        assert!(whole.lives() && Lessee::NOBODY.lives());
        whole.give_back_one();
    }

    #[test]
    fn parts_run_beside_it_on_the_cpus_it_has_leased_but_one() {
        let whole = Lessee::take_one();
        assert!(whole.bound().is_none());
        whole.add_cpu(2500);
        let outer = Outer::leave_for_part_of(whole);
        let part = Lessee::current();
        assert_eq!(part.bound(), Some(whole));
        let permit = whole.permit(1, false).unwrap();
        assert!(whole.permit(1, false).is_none());
        let waits = whole.permit(0, false).unwrap();
        assert!(whole.permit(0, false).is_none());
        drop((whole.permit(0, true).unwrap(), waits, permit));
        assert!(whole.permit(1, false).is_some());
        // Its own, which has none beside it.
        part.add_cpu(900);
        assert!(part.bound() == Some(part) && part.permit(1, false).is_none());
        part.add_cpu(-900);
        assert_eq!(part.bound(), Some(whole));
        outer.resume();
        whole.add_cpu(-2500);
        whole.give_back_one();
        assert!(whole.bound().is_none());
    }

    #[test]
    fn a_thread_s_lessee_ends_with_it() {
        let lessee = thread::spawn(Lessee::take_one).join().unwrap();
        assert!(!lessee.lives());
    }
}
