//! The join lane: the private stack of a worker's open joins.
//!
//! Nearly all joins are taken back by the worker that made them, so the lane makes that
//! cheap (a few stores, no fence, no read-modify-write) and the rare hand-over dear.
//! Frames are linked in age order, both ways, and lie wherever their joins' stack frames do:
//!
//! ```text
//!   bottom <-> f0 <-> f1 <-> f2 <-> f3 <-> f4
//!                     │       │             └─ top
//!       beneath edge ─┘       └─ edge: f0 to f2 have gone, f3 and f4 are hidden
//! ```
//!
//! Invariant: the frames up to the *edge* have gone to the owner's deque (or were pulled), in
//! age order; those above it are hidden, and only the owner, or a puller under the
//! claim, may take one. The edge is written only under `claim`, and so lives as long as anybody
//! has that: its owner can't be done with it before.
//! Exposed frames leave oldest first. So a frame that was taken leaves an empty deque
//! behind it, and what its owner finds there is always the very frame it looks for.
//!
//! | owner, push                | owner, pop                 | thief or sleeper            |
//! |----------------------------|----------------------------|-----------------------------|
//! | 1. link the frame to top   | 1. top = below (Release)   | 1. hunger                   |
//! | 2. top = frame (Release)   | 2. lane_fence              | 2. heavy_fence              |
//! | 3. lane_fence              | 3. no claim, and not the   | 3. top above the edge: a    |
//! | 4. hunger: *expose*        |    edge: ours, run it here |    frame hides: *pull* it   |
//!
//! * Push against sleeper (Dekker): the owner sees the hunger, or the sleeper the frame. The push must
//!   come first: checked before, the only frame would stay hidden while its owner sits in a long leaf.
//! * Pop against pull (Dekker; in the line of the protocol T.H.E. of Frigo et al. 1998, with the
//!   fence all on the thief's side): `claim`; heavy_fence; what lies above the edge now is taken. A
//!   pop sees the claim, and then waits for it, or the puller sees its new top. So all frames stay
//!   where they are while somebody pulls; only new ones may come. (To move the edge first and look
//!   then, as T.H.E. does, would hide from a pop of the edge that this has gone long since.)
//! * A frame is the edge if it lies on the frame beneath the edge. That is what a pop compares,
//!   as it has `below` at hand and would have to keep its own address in a register.
//! * A frame gets its latch, which no other needs, from whoever takes it off the lane: under
//!   the claim, so that its owner, who learns of it in [`Lane::reclaim`], sees it made.
//! * Where light fences are not free a lane hides nothing: its hunger never ends, and every join
//!   goes straight to the deque, at a deque's cost. Between push and exposure its frame may
//!   still be pulled; that needs no fence, since the owner waits for the claim then.
//!
//! Model: loom-tests/tests/lane.rs. This file is `unsafe` for the owner's promise to be
//! one thread and for the links, which lead through other frames.

use crate::job::{Frame, FrameRef};
use crate::primitive::claim::Claim;
use crate::queue::deque::{Deque, Stealer};
use crate::sync::fence::{asymmetric, heavy_fence, lane_fence};
use crate::sync::{AtomicPtr, AtomicU32, Ordering, statistic};
use std::ptr;

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
    /// The youngest frame on the lane, or the bottom. Written by the owner.
    top: AtomicPtr<Frame<C>>,
    /// The frame that the edge lies on; null if that is the bottom.
    beneath_edge: AtomicPtr<Frame<C>>,
    /// Joins so far. Written by the owner.
    joins: statistic::AtomicU64,
    /// How many pushes are to be answered by an exposure; 0 if nobody is hungry.
    hunger: AtomicU32,
    /// Whether frames may hide here at all.
    hides: bool,
    claim: Claim,
    /// The youngest frame that has gone, or the bottom if none has.
    edge: AtomicPtr<Frame<C>>,
    /// What the oldest frame lies on. In a box: others point to it, and lanes may move at first.
    bottom: *mut Frame<C>,
}

// SAFETY: what is not atomic never changes; frames are handed over whole, as `FrameRef`s are.
unsafe impl<C> Send for Lane<C> {}
// SAFETY: as above.
unsafe impl<C> Sync for Lane<C> {}

impl<C> Lane<C> {
    pub fn new() -> Self {
        Self::hiding(asymmetric())
    }

    /// A lane on which frames hide, or one that shows each to everybody at once.
    pub fn hiding(hides: bool) -> Self {
        let bottom = Box::into_raw(Box::new(Frame::bottom()));
        Self {
            top: AtomicPtr::new(bottom),
            beneath_edge: AtomicPtr::new(ptr::null_mut()),
            joins: statistic::AtomicU64::new(0),
            hunger: AtomicU32::new((!hides).into()),
            hides,
            claim: Claim::new(),
            edge: AtomicPtr::new(bottom),
            bottom,
        }
    }

    /// What the next frame will lie on. For the owner.
    #[inline(always)]
    pub fn top(&self) -> *mut Frame<C> {
        self.top.load(Ordering::Relaxed)
    }

    /// Puts a frame on the lane, which says itself what it lies on. Returns whether somebody is
    /// hungry: then [`expose`](Self::expose) must follow before the next push.
    ///
    /// # Safety
    /// Only the lane's owner calls this, with a frame that lies on the [top](Self::top) of this
    /// moment, and [`pop`](Self::pop) before the frame is gone, youngest first.
    #[inline(always)]
    pub unsafe fn push(&self, frame: FrameRef<C>) -> bool {
        let frame = frame.as_ptr();
        self.count();
        // SAFETY: alive, and so is the frame that it lies on, as it is popped later.
        unsafe { Frame::put_on(Frame::below(frame), frame) };
        // ORDERING: Release; pairs with the loads of top in pull: the frame and its links are seen.
        self.top.store(frame, Ordering::Release);
        lane_fence();
        self.hunger.load(Ordering::Relaxed) > 0
    }

    /// Takes the youngest frame, which lies on `below`, off the lane. True: it is the owner's
    /// alone, to be run in place. False: [`reclaim`](Self::reclaim) tells.
    ///
    /// # Safety
    /// As for [`push`](Self::push).
    #[inline(always)]
    pub unsafe fn pop(&self, below: *mut Frame<C>) -> bool {
        // ORDERING: Release, though no frame is published: a puller's Acquire may read
        // this very store, and takes an older frame on its strength.
        self.top.store(below, Ordering::Release);
        lane_fence();
        // The claim first: it goes when the edge has been moved.
        !self.claim.is_taken() && self.beneath_edge.load(Ordering::Relaxed) != below
    }

    /// Moves all hidden frames to the deque and answers the hunger. Returns whether it did;
    /// if not, a puller was at work: the hunger stays and the next push tries again. In
    /// either case a sleeper is to be woken: the puller may come away empty-handed.
    ///
    /// # Safety
    /// Only the owner of both calls this.
    #[cold]
    pub unsafe fn expose(&self, deque: &Deque<FrameRef<C>>) -> bool {
        if !self.hides {
            self.claim.take();
        } else if !self.claim.try_take() {
            return false;
        }
        let top = self.top.load(Ordering::Relaxed);
        let mut edge = self.edge.load(Ordering::Relaxed);
        while edge != top {
            // SAFETY: below the top, so open, and with another on it.
            edge = unsafe { Frame::above(edge) };
            // SAFETY: on the lane, so alive until it has been run.
            let frame = unsafe { FrameRef::new(edge) };
            // SAFETY: hidden so far, so nobody has armed it; nobody pulls under our claim.
            unsafe { frame.arm() };
            deque.push(frame);
        }
        // SAFETY: open, or the bottom.
        self.set_edge(top, unsafe { Frame::below(top) });
        // Above 0: only its owner lowers it.
        // ORDERING: Acquire; pairs with raise_hunger: whoever's hunger is answered here is seen by
        // the look at the sleepers that follows.
        self.hunger.fetch_sub(self.hides.into(), Ordering::Acquire);
        self.claim.release();
        true
    }

    /// Under the claim.
    fn set_edge(&self, edge: *mut Frame<C>, beneath: *mut Frame<C>) {
        self.edge.store(edge, Ordering::Relaxed);
        self.beneath_edge.store(beneath, Ordering::Relaxed);
    }

    /// For a frame, one that lies on `below`, that [`pop`](Self::pop) could not vouch for: takes
    /// it back if it is still there. True: run it in place. False: somebody has taken it; wait.
    ///
    /// # Safety
    /// Only the owner of both calls this, right after that pop.
    #[cold]
    pub unsafe fn reclaim(&self, below: *mut Frame<C>, deque: &Deque<FrameRef<C>>) -> bool {
        self.claim.take();
        if self.beneath_edge.load(Ordering::Relaxed) != below {
            // A puller was at it, and had another or none.
            self.claim.release();
            return true;
        }
        let frame = self.edge.load(Ordering::Relaxed);
        // SAFETY: open, or the bottom: older than the frame.
        self.set_edge(below, unsafe { Frame::below(below) });
        self.claim.release();
        // Frames leave the deque oldest first, so it holds this one or none.
        let back = deque.pop();
        debug_assert!(back.is_none_or(|back| back.as_ptr() == frame));
        back.is_some()
    }

    /// Makes the owner expose its frames at each of its next `pushes`, and then see that the
    /// caller is about to sleep.
    pub fn raise_hunger(&self, pushes: u32) {
        // Not a store, and not only where no hunger is raised: of this and the owner's answer to an earlier hunger one
        // comes first. Either this hunger stays, or the answer is to this one, too.
        // ORDERING: Release; pairs with expose.
        self.hunger.fetch_max(pushes, Ordering::Release);
    }

    /// As [`raise_hunger`](Self::raise_hunger), but the owner may miss it: for those who
    /// will look again.
    pub fn ask(&self) {
        // A store only where it changes something: the line is the owner's.
        if self.hunger.load(Ordering::Relaxed) == 0 {
            // Not a store, or it would cut a sleeper's hunger off from the owner's answer.
            self.hunger.fetch_max(1, Ordering::Relaxed);
        }
    }

    /// Whether frames hide here. After a heavy_fence it misses none, else it is a hint.
    pub fn has_hidden(&self) -> bool {
        self.top.load(Ordering::Relaxed) != self.edge.load(Ordering::Relaxed)
    }

    /// Counts a join, for the owner, whose frame is pushed or needs no place: without a read-modify-write.
    #[inline(always)]
    pub fn count(&self) {
        self.joins.store(self.joins.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// How many joins there have been.
    pub fn joins(&self) -> u64 {
        self.joins.load(Ordering::Relaxed)
    }

    /// Whether there is no frame at all. For the owner.
    pub fn is_bare(&self) -> bool {
        self.top() == self.bottom
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
        // The owner may pop one more frame, and then waits for us.
        heavy_fence();
        let pulled = self.pull_claimed(deque);
        self.claim.release();
        pulled
    }

    fn pull_claimed(&self, deque: &Stealer<FrameRef<C>>) -> Pulled<FrameRef<C>> {
        // While we hold the claim nothing is added to the deque. If it isn't empty, older
        // frames than this one wait there, and age order would be broken.
        if !deque.is_empty() {
            return Pulled::Busy;
        }
        let edge = self.edge.load(Ordering::Relaxed);
        // ORDERING: Acquire; pairs with the stores of top in push and pop.
        let top = self.top.load(Ordering::Acquire);
        // The latter while the owner pops the edge itself.
        if top == edge || top == self.beneath_edge.load(Ordering::Relaxed) {
            return Pulled::Nothing;
        }
        // SAFETY: the edge is alive under the claim, and something is on it, which stays.
        let oldest = unsafe { Frame::above(edge) };
        self.set_edge(oldest, edge);
        // SAFETY: on the lane, and its owner sees the new edge from here on, so it is ours.
        let frame = unsafe { FrameRef::new(oldest) };
        // SAFETY: hidden so far; its owner asks for the latch after it has had the claim.
        unsafe { frame.arm() };
        Pulled::Frame(frame)
    }
}

impl<C> Default for Lane<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C> Drop for Lane<C> {
    fn drop(&mut self) {
        // SAFETY: from a box, and nobody is left.
        drop(unsafe { Box::from_raw(self.bottom) });
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Lane;
    use crate::job::StackJob;

    /// Pushes a frame and takes it back. Returns whether it was to be shown.
    fn join(lane: &Lane<()>) -> bool {
        let job = StackJob::new(|_: bool| (), lane.top());
        // SAFETY: popped below, and run by nobody.
        let hungry = unsafe { lane.push(job.as_frame()) };
        assert!(!lane.is_bare() && lane.has_hidden());
        // SAFETY: pushed last.
        assert!(unsafe { lane.pop(job.below()) });
        assert!(lane.is_bare() && !lane.has_hidden());
        hungry
    }

    #[test]
    fn frames_hide_until_somebody_asks() {
        let lane = Lane::hiding(true);
        assert!(lane.is_bare() && !join(&lane));
        lane.ask();
        assert!(join(&lane));
        assert!(join(&Lane::hiding(false)));
    }
}
