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
use crate::sync::{AtomicU64, AtomicUsize, Ordering};
use crossbeam_utils::CachePadded;

#[derive(Debug)]
pub struct EventCount {
    searching: CachePadded<AtomicUsize>,
    sleepers: CachePadded<Box<[AtomicU64]>>,
    /// How often a sleeper was taken off the list; [`ENDED`] for good at the end.
    wakes: AtomicU64,
}

/// Above any count of wakes: at a billion a second it takes 292 years.
const ENDED: u64 = 1 << 63;

impl EventCount {
    pub fn new(members: usize) -> Self {
        let words = members.div_ceil(64).max(1);
        Self {
            searching: CachePadded::new(AtomicUsize::new(0)),
            sleepers: CachePadded::new((0..words).map(|_| AtomicU64::new(0)).collect()),
            wakes: AtomicU64::new(0),
        }
    }

    fn slot(&self, member: usize) -> (&AtomicU64, u64) {
        (&self.sleepers[member / 64], 1 << (member % 64))
    }

    /// For publishers, right after they made work visible: the member to unpark, if
    /// nobody searches and somebody sleeps. It counts as searching from here on.
    #[inline]
    pub fn notify(&self) -> Option<usize> {
        light_fence();
        if self.searching.load(Ordering::Relaxed) > 0 { None } else { self.wake_one() }
    }

    /// How many look for work right now.
    pub fn searching(&self) -> usize {
        self.searching.load(Ordering::Relaxed)
    }

    /// Picks a sleeper, whoever searches. The caller unparks it.
    pub fn wake_one(&self) -> Option<usize> {
        for (word_index, word) in self.sleepers.iter().enumerate() {
            let mut bits = word.load(Ordering::Relaxed);
            while bits != 0 {
                let bit = bits & bits.wrapping_neg();
                let member = word_index * 64 + bit.trailing_zeros() as usize;
                if self.wake_up(member) {
                    return Some(member);
                }
                bits = word.load(Ordering::Relaxed);
            }
        }
        None
    }

    /// Takes `member` off the sleepers; it counts as searching from here on. Returns
    /// false if somebody else has done so already.
    pub fn wake_up(&self, member: usize) -> bool {
        let (word, bit) = self.slot(member);
        // Relaxed: of two that clear a bit one wins, and the parker's token carries
        // whatever else the sleeper must see.
        if word.fetch_and(!bit, Ordering::Relaxed) & bit == 0 {
            return false;
        }
        self.start_searching();
        // ORDERING: AcqRel; pairs with end. Acquire: a member that wakes after the end sees
        // it. Release isn't needed by anyone yet keeps the count a chain.
        self.wakes.fetch_add(1, Ordering::AcqRel);
        true
    }

    pub fn start_searching(&self) {
        self.searching.fetch_add(1, Ordering::Relaxed);
    }

    /// Leaves the search, having found work. True: nobody searches any more, yet some
    /// sleep. The caller must make sure that they miss nothing.
    #[must_use]
    pub fn stop_searching(&self) -> bool {
        // ORDERING: Acquire; pairs with sleep_begin: the last one to leave sees the bit of
        // everybody who went to sleep before.
        self.searching.fetch_sub(1, Ordering::Acquire) == 1 && self.anyone_asleep()
    }

    /// From searching to asleep. After this, and before parking, the member issues a
    /// heavy_fence and looks at everything once more; then it calls
    /// [`wake_up`](Self::wake_up) for itself, whether it parked or not.
    pub fn sleep_begin(&self, member: usize) {
        let (word, bit) = self.slot(member);
        // ORDERING: Release; pairs with asleep: whatever this member has queued is seen.
        word.fetch_or(bit, Ordering::Release);
        // ORDERING: Release; pairs with stop_searching: our bit is seen.
        self.searching.fetch_sub(1, Ordering::Release);
    }

    fn anyone_asleep(&self) -> bool {
        self.sleepers.iter().any(|word| word.load(Ordering::Relaxed) != 0)
    }

    fn asleep(&self) -> usize {
        // ORDERING: Acquire; pairs with sleep_begin.
        self.sleepers.iter().map(|word| word.load(Ordering::Acquire).count_ones() as usize).sum()
    }

    /// Ends the game if all `members` sleep and `nothing_left` finds no work. Then no
    /// member finds any, ever: for one to come by work it must wake up first, and none
    /// has between the first look at the count of wakes and the last.
    pub fn end(&self, members: usize, nothing_left: impl Fn() -> bool) -> bool {
        let mut wakes = self.wakes.load(Ordering::Relaxed);
        while wakes < ENDED && self.asleep() == members && nothing_left() {
            // ORDERING: Release; pairs with wake_up and has_ended.
            match self.wakes.compare_exchange(
                wakes,
                wakes | ENDED,
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                // Not false: the count may have been an old one, and whoever woke may have
                // gone back to sleep before we fell asleep.
                Err(now) => wakes = now,
            }
        }
        false
    }

    pub fn has_ended(&self) -> bool {
        // ORDERING: Acquire; pairs with end.
        self.wakes.load(Ordering::Acquire) >= ENDED
    }
}
