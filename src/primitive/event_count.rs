//! Who looks for work, who sleeps, and who is to be woken.
//!
//! Members are numbered; each is *busy*, *searching* or *asleep*. Invariant: if work
//! has been published and a member sleeps, then somebody searches, or a publisher or a
//! member that leaves its search is about to look at the sleepers.
//!
//! | publisher                        | member about to sleep                        |
//! |----------------------------------|----------------------------------------------|
//! | 1. publish the work              | 1. sleep_begin: its bit set, not searching   |
//! | 2. light_fence                   | 2. heavy_fence                               |
//! | 3. nobody searches: wake_one     | 3. look at everything once more              |
//! |                                  | 4. found some: wake_up; else park, wake_up   |
//!
//! Steps 1-3 of both are a Dekker handshake: either the publisher sees the sleeper's
//! bit, or the sleeper sees the work. A publisher that sees somebody search wakes
//! nobody. So a searcher that finds work must, if it was the last one, look once more
//! on behalf of those who still sleep (`stop_searching` says so); a sleeper that is
//! woken counts as searching from the moment its waker picks it.
//!
//! The sleepers are a bit set, not a stack: a member that changes its mind must be able
//! to leave from the middle. The lowest bit is woken first, so a pool with little to
//! do keeps using the same few threads, whose caches are warm.
//!
//! Model: loom-tests/tests/event_count.rs.

use crate::sync::fence::light_fence;
use crate::sync::{AtomicU64, Ordering};
use crossbeam_utils::CachePadded;

#[derive(Debug)]
pub struct EventCount {
    /// `wakes << 21 | ended << 20 | searching`. The wakes may run over the top: they only
    /// tell whether somebody has woken meanwhile.
    state: CachePadded<AtomicU64>,
    sleepers: CachePadded<Box<[AtomicU64]>>,
}

/// What came of an attempt to wake a member.
enum Picked {
    Won,
    /// Somebody else was first. `last`: nobody searches any more.
    Lost {
        last: bool,
    },
}

const SEARCHER: u64 = 1;
const SEARCHING: u64 = ENDED - 1;
const ENDED: u64 = 1 << 20;
const WAKE: u64 = 1 << 21;

impl EventCount {
    /// All members are busy at first.
    ///
    /// # Panics
    /// With half a million members or more: each may be counted twice for a moment.
    pub fn new(members: usize) -> Self {
        assert!((members as u64) < ENDED / 2);
        let words = members.div_ceil(64).max(1);
        Self {
            state: CachePadded::new(AtomicU64::new(0)),
            sleepers: CachePadded::new((0..words).map(|_| AtomicU64::new(0)).collect()),
        }
    }

    fn slot(&self, member: usize) -> (&AtomicU64, u64) {
        (&self.sleepers[member / 64], 1 << (member % 64))
    }

    /// For publishers, right after they made work visible: the member to unpark, whom `wake` wakes, if
    /// nobody searches and somebody sleeps. It counts as searching from here on.
    #[inline]
    pub fn notify(&self, wake: impl FnOnce() -> Option<usize>) -> Option<usize> {
        light_fence();
        if self.searching() > 0 || !self.anyone_asleep() { None } else { wake() }
    }

    /// How many look for work right now.
    #[inline]
    pub fn searching(&self) -> usize {
        (self.state.load(Ordering::Relaxed) & SEARCHING) as usize
    }

    /// Picks a sleeper, whoever searches. The caller unparks it.
    pub fn wake_one(&self) -> Option<usize> {
        self.wake_one_of(|_| true)
    }

    /// Picks one of the sleepers that are `meant`; any, if somebody else was first and may have been relied on.
    pub fn wake_one_of(&self, meant: impl Fn(usize) -> bool) -> Option<usize> {
        // After a lost race from the start, and then whoever sleeps if publishers may have relied on us: see `pick`.
        let mut relied_upon = false;
        while let Some(member) = self.sleeping().find(|&member| relied_upon || meant(member)) {
            match self.pick(member) {
                Picked::Won => return Some(member),
                Picked::Lost { last } => relied_upon |= last,
            }
        }
        None
    }

    /// Picks one of the lowest class.
    pub fn wake_one_by(&self, class: impl Fn(usize) -> u8) -> Option<usize> {
        while let Some(member) = self.sleeping().min_by_key(|&member| class(member)) {
            if let Picked::Won = self.pick(member) {
                return Some(member);
            }
        }
        None
    }

    /// The lowest first.
    fn sleeping(&self) -> impl Iterator<Item = usize> {
        let words = self.sleepers.iter().map(|word| word.load(Ordering::Relaxed)).enumerate();
        words.filter(|&(_, bits)| bits != 0).flat_map(|(word, bits)| {
            (0..64).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| word * 64 + bit)
        })
    }

    /// For a member that is awake: it counts as searching from here on, if nobody has woken it.
    pub fn wake_up(&self, member: usize) {
        // Who has lost is counted by whoever has won: so it isn't the last one, and has nobody to look for.
        let _ = self.pick(member);
    }

    /// Takes `member` off the sleepers, unless somebody else has done so already; it counts as searching from
    /// here on.
    fn pick(&self, member: usize) -> Picked {
        let (word, bit) = self.slot(member);
        // Counted first: between its bit and its count the member, who may wake up by
        // itself, would be nothing, and could find work, or leave the search, uncounted.
        self.enlist();
        // ORDERING: AcqRel; pairs with itself: who finds the bit gone finds the count of
        // whoever took it.
        let won = word.fetch_and(!bit, Ordering::AcqRel) & bit != 0;
        if won {
            return Picked::Won;
        }
        // Publishers, and those who have left the search, may have relied on this count for a moment. One
        // who looks for another sleeper now sees all that went to sleep before.
        // ORDERING: Acquire; pairs with sleep_begin.
        let before = self.state.fetch_sub(SEARCHER, Ordering::Acquire);
        Picked::Lost { last: before & SEARCHING == SEARCHER }
    }

    /// Counts one more as searching: for whoever is about to start one who is no member and
    /// will never sleep here, or to wake a member.
    pub fn enlist(&self) {
        // ORDERING: Acquire; pairs with end: what is taken from a queue from here on, the
        // end's last look still found there.
        self.state.fetch_add(WAKE + SEARCHER, Ordering::Acquire);
    }

    /// From busy to searching.
    pub fn start_searching(&self) {
        self.state.fetch_add(SEARCHER, Ordering::Relaxed);
    }

    /// Leaves the search, having found work. True: nobody searches any more. The caller
    /// must make sure that those who sleep miss nothing.
    #[must_use]
    pub fn stop_searching(&self) -> bool {
        // ORDERING: AcqRel. Acquire pairs with sleep_begin: the last one to leave sees the
        // bit of everybody who went to sleep before. Release pairs with end: who no longer
        // sees us search sees that we don't sleep.
        let before = self.state.fetch_sub(SEARCHER, Ordering::AcqRel);
        before & SEARCHING == SEARCHER
    }

    /// Whether some member sleeps. For one who has just left the search as the last.
    #[inline]
    pub fn anyone_asleep(&self) -> bool {
        self.sleepers.iter().any(|word| word.load(Ordering::Relaxed) != 0)
    }

    /// From searching to asleep. After this, and before parking, the member issues a
    /// heavy_fence and looks at everything once more; then it calls
    /// [`wake_up`](Self::wake_up) for itself, whether it parked or not.
    pub fn sleep_begin(&self, member: usize) {
        let (word, bit) = self.slot(member);
        // ORDERING: Release; pairs with asleep: whatever this member has queued is seen.
        word.fetch_or(bit, Ordering::Release);
        // ORDERING: AcqRel. Release pairs with stop_searching and wake_up: our bit is seen. Acquire
        // pairs with stop_searching: whoever has left before is seen to be awake.
        self.state.fetch_sub(SEARCHER, Ordering::AcqRel);
    }

    /// How many members sleep, or are about to, beside this one.
    pub fn asleep_beside(&self, member: usize) -> usize {
        self.asleep_but(Some(member))
    }

    fn asleep_but(&self, member: Option<usize>) -> usize {
        let words = self.sleepers.iter().enumerate().map(|(index, word)| {
            let own = member.filter(|member| member / 64 == index).map_or(0, |m| 1 << (m % 64));
            // ORDERING: Acquire; pairs with sleep_begin.
            (word.load(Ordering::Acquire) & !own).count_ones() as usize
        });
        words.sum()
    }

    /// How many members sleep, or are about to.
    pub fn asleep(&self) -> usize {
        self.asleep_but(None)
    }

    /// Ends the game if all `members` sleep and `nothing_left` finds no work. Then no
    /// member finds any, ever: for one to come by work it must wake up first, and none
    /// has between the first look at the state and the last.
    pub fn end(&self, members: usize, nothing_left: impl Fn() -> bool) -> bool {
        // ORDERING: Acquire; pairs with stop_searching.
        let mut state = self.state.load(Ordering::Acquire);
        while state & (ENDED | SEARCHING) == 0 && self.asleep() == members && nothing_left() {
            // ORDERING: Release; pairs with wake_up and has_ended. Acquire on failure; as the
            // load above.
            match self.state.compare_exchange(
                state,
                state | ENDED,
                Ordering::Release,
                Ordering::Acquire,
            ) {
                Ok(_) => return true,
                // Not false: the state may have been an old one, and whoever woke may have
                // gone back to sleep before we fell asleep.
                Err(now) => state = now,
            }
        }
        false
    }

    pub fn has_ended(&self) -> bool {
        // ORDERING: Acquire; pairs with end.
        self.state.load(Ordering::Acquire) & ENDED != 0
    }
}

#[cfg(test)]
mod tests {
    use super::EventCount;

    #[test]
    fn only_those_who_are_meant_are_woken_the_lowest_first() {
        let members = EventCount::new(130);
        for member in [1, 65, 66, 129] {
            members.start_searching();
            members.sleep_begin(member);
        }
        assert_eq!(members.wake_one_of(|member| member > 1), Some(65));
        assert_eq!(members.wake_one_of(|member| member == 65), None);
        assert_eq!(members.wake_one_by(|member| u8::from(member == 1)), Some(66));
        assert_eq!(members.wake_one_by(|_| 7), Some(1));
        assert_eq!((members.asleep(), members.searching()), (1, 3));
    }

    #[test]
    fn somebody_is_woken_if_nobody_searches_and_somebody_sleeps() {
        let members = EventCount::new(130);
        let notified = || members.notify(|| Some(7));
        assert_eq!((notified(), members.anyone_asleep()), (None, false));
        for member in [3, 70] {
            members.start_searching();
            assert_eq!(notified(), None);
            members.sleep_begin(member);
        }
        assert_eq!((notified(), members.anyone_asleep()), (Some(7), true));
        members.start_searching();
        assert_eq!(notified(), None);
        let beside = [3, 70, 6, 67].map(|member| members.asleep_beside(member));
        assert_eq!(beside, [1, 1, 2, 2]);
    }

    #[test]
    fn it_ends_once_when_all_sleep_and_nothing_is_left() {
        let members = EventCount::new(2);
        for member in 0..2 {
            members.start_searching();
            assert!(!members.end(member, || true), "{member} sleep and one searches");
            members.sleep_begin(member);
        }
        assert!(!members.end(3, || true) && !members.end(2, || false) && !members.has_ended());
        assert!(members.end(2, || true) && members.has_ended());
        assert!(!members.end(2, || true));
    }
}
