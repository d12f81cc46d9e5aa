//! The join lane: the private stack of a worker's open joins.
//!
//! Nearly all joins are taken back by the worker that made them, so the lane makes that
//! cheap (a few stores, no fence, no read-modify-write) and the rare hand-over dear.
//! Frames lie in age order:
//!
//! ```text
//!   slots:   [ f0  f1  f2 | f3  f4 ]
//!              exposed=3 ─┘         └─ depth=5
//! ```
//!
//! Invariant: frames below `exposed` have gone to the owner's deque (or were pulled), in
//! age order; frames in `exposed..depth` are hidden, and only the owner, or a puller under
//! the claim, may take one. `exposed` is written only under `claim`.
//! Exposed frames leave oldest first. So a frame that was taken leaves an empty deque
//! behind it, and what its owner finds there is always the very frame it looks for.
//!
//! | owner, push               | owner, pop                 | thief or sleeper            |
//! |---------------------------|----------------------------|-----------------------------|
//! | 1. slot = frame           | 1. depth = mark (Release)  | 1. limit = 0: *hunger*      |
//! | 2. depth + 1 (Release)    | 2. lane_fence              | 2. heavy_fence              |
//! | 3. lane_fence             | 3. exposed <= mark:        | 3. depth > exposed: a frame |
//! | 4. at the limit: *expose* |    ours, run it inline     |    hides here: *pull* it    |
//!
//! * Push against sleeper (Dekker): the owner sees the hunger, or the sleeper the frame.
//!   The push must come first: checked before, the only frame would stay hidden while
//!   its owner sits in a long leaf.
//! * Pop against pull (Dijkstra's protocol T.H.E. of Frigo et al. 1998, with the fence all
//!   on the thief's side): `claim`; `exposed + 1`; heavy_fence; `depth` still above:
//!   taken, else undone. The owner sees `exposed`, or the puller sees `depth`.
//! * Hunger is folded into the capacity limit, so one compare serves both. The array has a
//!   slot above its capacity; at the limit *every* hidden frame is exposed, oldest
//!   first, and a frame in the spare slot lives on in the deque alone (`overflow`).
//! * A frame gets its latch, which no other needs, from whoever takes it off the lane: under
//!   the claim, so that its owner, who learns of it in [`Lane::reclaim`], sees it made.
//! * Where light fences are not free the capacity is zero: every join goes straight to
//!   the deque, at a deque's cost. Between push and exposure its frame may still be pulled;
//!   that needs no fence, since above the capacity the owner must have the claim first.
//!
//! Model: loom-tests/tests/lane.rs. This file is `unsafe` for the owner's promise to be
//! one thread and for the unchecked slot of a push.

use crate::job::{FrameRef, Pointer};
use crate::primitive::claim::Claim;
use crate::queue::deque::{Deque, Stealer};
use crate::sync::fence::{asymmetric, heavy_fence, lane_fence};
use crate::sync::{AtomicPtr, AtomicUsize, Ordering, statistic};
use std::marker::PhantomData;

/// Depth at which a lane begins to use the deque. Recursion that halves its work is a few
/// dozen joins deep; deeper is recursion on lists, which pays a deque's price.
const CAPACITY: usize = if cfg!(loom) { 2 } else { 128 };

/// What a pull came to.
pub enum Pulled<T> {
    Frame(T),
    /// Nothing was hidden.
    Nothing,
    /// The owner or another puller was at it: look again.
    Busy,
}

/// What a join touches comes first, so that it shares a cache line.
#[repr(C)]
pub struct Lane<C> {
    /// Frames on the lane. Written by the owner.
    depth: AtomicUsize,
    /// `capacity`, or 0 while somebody is hungry.
    limit: AtomicUsize,
    /// Frames that have left for the deque. Written under `claim`.
    exposed: AtomicUsize,
    /// Frames ever pushed. Written by the owner.
    pushes: statistic::AtomicU64,
    claim: Claim,
    capacity: usize,
    /// Frames above the capacity, which are in the deque alone. The owner's.
    overflow: AtomicUsize,
    slots: [AtomicPtr<()>; CAPACITY + 1],
    frames: PhantomData<fn(FrameRef<C>)>,
}

impl<C> Lane<C> {
    pub fn new() -> Self {
        Self::with_capacity(if asymmetric() { CAPACITY } else { 0 })
    }

    /// # Panics
    /// If the capacity is above what the lane was built for.
    pub fn with_capacity(capacity: usize) -> Self {
        assert!(capacity <= CAPACITY);
        Self {
            depth: AtomicUsize::new(0),
            limit: AtomicUsize::new(capacity),
            exposed: AtomicUsize::new(0),
            pushes: statistic::AtomicU64::new(0),
            claim: Claim::new(),
            capacity,
            overflow: AtomicUsize::new(0),
            slots: std::array::from_fn(|_| AtomicPtr::new(std::ptr::null_mut())),
            frames: PhantomData,
        }
    }

    /// The place of the next frame. For the owner.
    #[inline(always)]
    pub fn mark(&self) -> usize {
        self.depth.load(Ordering::Relaxed)
    }

    /// Puts a frame on the lane. Returns whether the lane is at its limit: then
    /// [`expose`](Self::expose) must follow before the next push.
    ///
    /// # Safety
    /// Only the lane's owner calls this, with the [mark](Self::mark) of this moment, and
    /// [`pop`](Self::pop) with the same before the frame is gone, youngest first.
    #[inline(always)]
    pub unsafe fn push(&self, mark: usize, frame: FrameRef<C>) -> bool {
        debug_assert!(mark == self.mark() && mark <= self.capacity);
        // One writer: no read-modify-write.
        self.pushes.store(self.pushes.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        // SAFETY: depth is at most `capacity` between pushes, and there is one slot more.
        let slot = unsafe { self.slots.get_unchecked(mark) };
        slot.store(frame.into_raw(), Ordering::Relaxed);
        // ORDERING: Release; pairs with the loads of depth in pull: the slot is seen.
        self.depth.store(mark + 1, Ordering::Release);
        lane_fence();
        mark >= self.limit.load(Ordering::Relaxed)
    }

    /// Takes the youngest frame off the lane. True: it is still the owner's alone, to be
    /// run in place. False: [`reclaim`](Self::reclaim) tells.
    ///
    /// # Safety
    /// As for [`push`](Self::push).
    #[inline(always)]
    pub unsafe fn pop(&self, mark: usize) -> bool {
        // ORDERING: Release, though no frame is published: a puller's Acquire may read
        // this very store, and takes an older frame on its strength.
        self.depth.store(mark, Ordering::Release);
        lane_fence();
        self.exposed.load(Ordering::Relaxed) <= mark
    }

    /// Moves all hidden frames to the deque and ends the hunger. Returns whether it did;
    /// if not, a puller was at work: the hunger stays and the next push tries again. In
    /// either case a sleeper is to be woken: the puller may come away empty-handed.
    ///
    /// # Safety
    /// Only the owner of both calls this.
    #[cold]
    pub unsafe fn expose(&self, deque: &Deque<FrameRef<C>>) -> bool {
        let depth = self.depth.load(Ordering::Relaxed);
        if depth <= self.capacity {
            if !self.claim.try_take() {
                return false;
            }
        } else {
            // The spare slot must be free for the next push.
            self.claim.take();
        }
        let overflow = self.overflow.load(Ordering::Relaxed);
        // In overflow the spare slot is used again and again, and `exposed` stays above it.
        let first = if overflow > 0 { self.capacity } else { self.exposed.load(Ordering::Relaxed) };
        for slot in &self.slots[first..depth] {
            // SAFETY: every slot below depth holds a frame that push put there.
            let frame = unsafe { FrameRef::from_raw(slot.load(Ordering::Relaxed)) };
            // SAFETY: hidden so far, so nobody has armed it; nobody pulls under our claim.
            unsafe { frame.arm() };
            deque.push(frame);
        }
        if depth > self.capacity {
            self.overflow.store(overflow + 1, Ordering::Relaxed);
            // Relaxed: `exposed` is above it, so no pull succeeds on the strength of this.
            self.depth.store(self.capacity, Ordering::Relaxed);
        }
        self.exposed.store(depth, Ordering::Relaxed);
        // ORDERING: Acquire; pairs with raise_hunger: whoever's hunger ends here is seen by
        // the look at the sleepers that follows.
        self.limit.swap(self.capacity, Ordering::Acquire);
        self.claim.release();
        true
    }

    /// For a frame that [`pop`](Self::pop) could not vouch for: takes it back if it is
    /// still there. True: run it in place. False: somebody has taken it; wait.
    ///
    /// # Safety
    /// Only the owner of both calls this, right after that pop.
    #[cold]
    pub unsafe fn reclaim(&self, mark: usize, deque: &Deque<FrameRef<C>>) -> bool {
        self.claim.take();
        if self.exposed.load(Ordering::Relaxed) <= mark {
            // A pull came too late and was undone.
            self.claim.release();
            return true;
        }
        let overflow = self.overflow.load(Ordering::Relaxed);
        if mark == self.capacity && overflow > 1 {
            // The slot's place stays exposed for the frames still in overflow.
            self.overflow.store(overflow - 1, Ordering::Relaxed);
        } else {
            if mark == self.capacity {
                self.overflow.store(0, Ordering::Relaxed);
            }
            self.exposed.store(mark, Ordering::Relaxed);
        }
        self.claim.release();
        // Frames leave the deque oldest first, so it holds this one or none.
        let back = deque.pop();
        debug_assert!(
            mark == self.capacity
                || back.is_none_or(|frame| {
                    frame.into_raw() == self.slots[mark].load(Ordering::Relaxed)
                })
        );
        back.is_some()
    }

    /// Makes the owner expose its frames at its next push, and then see that the caller is
    /// about to sleep.
    pub fn raise_hunger(&self) {
        // A swap, not a store, and not only where no hunger is raised: of this and the
        // owner's answer to an earlier hunger one comes first. Either this hunger stays, or
        // the answer is to this one, too.
        // ORDERING: Release; pairs with expose.
        self.limit.swap(0, Ordering::Release);
    }

    /// As [`raise_hunger`](Self::raise_hunger), but the owner may miss it: for those who
    /// will look again.
    pub fn ask(&self) {
        // A store only where it changes something: the line is the owner's.
        if self.limit.load(Ordering::Relaxed) != 0 {
            // A swap, or it would cut a sleeper's hunger off from the owner's answer.
            self.limit.swap(0, Ordering::Relaxed);
        }
    }

    /// Whether frames hide here. Exact after a heavy_fence, else a hint.
    pub fn has_hidden(&self) -> bool {
        self.depth.load(Ordering::Relaxed) > self.exposed.load(Ordering::Relaxed)
    }

    /// How many frames there have been.
    pub fn pushes(&self) -> u64 {
        self.pushes.load(Ordering::Relaxed)
    }

    /// Whether there is no frame at all. For the owner.
    pub fn is_bare(&self) -> bool {
        self.depth.load(Ordering::Relaxed) == 0 && self.overflow.load(Ordering::Relaxed) == 0
    }

    /// Takes the oldest hidden frame without its owner's help, which may be busy with a
    /// long leaf. Costs a heavy_fence, and makes an owner that pops meanwhile wait for it.
    pub fn pull(&self, deque: &Stealer<FrameRef<C>>) -> Pulled<FrameRef<C>> {
        if !self.has_hidden() {
            return Pulled::Nothing;
        }
        if !self.claim.try_take() {
            return Pulled::Busy;
        }
        let oldest = self.exposed.load(Ordering::Relaxed);
        // While we hold the claim nothing is added to the deque. If it isn't empty, older
        // frames than this one wait there, and age order would be broken.
        if !deque.is_empty() {
            self.claim.release();
            return Pulled::Busy;
        }
        self.exposed.store(oldest + 1, Ordering::Relaxed);
        heavy_fence();
        // ORDERING: Acquire; pairs with the stores of depth in push and pop.
        let pulled = if self.depth.load(Ordering::Acquire) > oldest {
            let frame = self.slots[oldest].load(Ordering::Relaxed);
            // SAFETY: below depth, so push put it there; and its owner sees `exposed`
            // from here on, so it is ours.
            let frame = unsafe { FrameRef::from_raw(frame) };
            // SAFETY: hidden so far; its owner asks for the latch after it has had the claim.
            unsafe { frame.arm() };
            Pulled::Frame(frame)
        } else {
            self.exposed.store(oldest, Ordering::Relaxed);
            Pulled::Nothing
        };
        self.claim.release();
        pulled
    }
}

impl<C> Default for Lane<C> {
    fn default() -> Self {
        Self::new()
    }
}
