//! What the models share.
//!
//! Every test is named by the property it checks. A model proves something only if it
//! can fail: `controls.txt` lists a weakened variant for every ordering, and
//! `src/bin/controls.rs` checks that the models reject each.

#![cfg(loom)]

use filch::protocols::cell::UnsafeCell;
use filch::protocols::deque::{Deque, Stealer};
use filch::protocols::fence::full_fence;
use filch::protocols::lane::{Lane, Pulled};
use filch::protocols::{FrameRef, StackJob};
use loom::sync::Arc;
use loom::thread::yield_now;

/// Explores every interleaving with at most two preemptions, or as many as `LOOM_MAX_PREEMPTIONS`
/// says.
pub fn check(model: impl Fn() + Sync + Send + 'static) {
    check_deep(2, model);
}

/// As [`check`], for a fault that needs more preemptions to show. With less than two, a first look
/// is asked for, which is to be quick everywhere.
pub fn check_deep(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.max_branches = builder.max_branches.max(10_000);
    if !matches!(builder.preemption_bound, Some(0..2)) {
        builder.preemption_bound = builder.preemption_bound.max(Some(preemptions));
    }
    builder.check(move || {
        // What the fences share is made before there are threads whom that would order.
        full_fence();
        model();
    });
}

/// How often something was done. Plain data, so that loom sees two who do it at once,
/// and whether the one who asks may know.
pub struct Times(UnsafeCell<usize>);

// SAFETY: not so, and that is the point: loom reports it.
unsafe impl Sync for Times {}

impl Times {
    pub fn none() -> Self {
        Self(UnsafeCell::new(0))
    }

    pub fn once_more(&self) {
        // SAFETY: checked by loom.
        self.0.with_mut(|times| unsafe { *times += 1 });
    }

    pub fn get(&self) -> usize {
        // SAFETY: checked by loom.
        self.0.with(|times| unsafe { *times })
    }
}

impl Default for Times {
    fn default() -> Self {
        Self::none()
    }
}

/// A worker's lane and deque, as others see them.
pub struct Victim {
    pub lane: Lane<()>,
    pub frames: Stealer<FrameRef<()>>,
}

/// The worker itself.
pub struct Owner {
    pub victim: Arc<Victim>,
    pub deque: Deque<FrameRef<()>>,
}

impl Owner {
    pub fn new(hides: bool) -> Self {
        let deque = Deque::new();
        let victim = Victim { lane: Lane::hiding(hides), frames: deque.stealer() };
        Self { victim: Arc::new(victim), deque }
    }

    pub fn join(&self, first: impl FnOnce()) {
        self.join_waking(|| {}, first);
    }

    /// `wake` is called when frames have been exposed.
    pub fn join_waking(&self, wake: impl FnOnce(), first: impl FnOnce()) {
        self.join_with(wake, first, |_moved| {});
    }

    /// A join as in construct/join.rs. The second half is counted, and told whether another
    /// has taken it.
    pub fn join_with(&self, wake: impl FnOnce(), first: impl FnOnce(), second: impl FnOnce(bool)) {
        let runs = Times::none();
        let second = |moved| {
            runs.once_more();
            second(moved);
        };
        let lane = &self.victim.lane;
        let job = StackJob::new(second, lane.top());
        // SAFETY: popped below, after all that `first` pushes, and waited for.
        if unsafe { lane.push(job.as_frame()) } {
            // SAFETY: both are ours.
            unsafe { lane.expose(&self.deque) };
            wake();
        }
        first();
        // SAFETY: pushed above.
        if unsafe { lane.pop(job.below()) || lane.reclaim(job.below(), &self.deque) } {
            // SAFETY: the lane vouches that it is ours.
            unsafe { job.run_here(false) };
        } else {
            assert!(self.deque.is_empty(), "a frame was taken before an older one");
            // SAFETY: armed by whoever took it, as we know from `reclaim`.
            while !unsafe { job.latch() }.is_set() {
                yield_now();
            }
            // SAFETY: the latch is set.
            unsafe { job.take_result() }.unwrap();
        }
        assert_eq!(runs.get(), 1);
    }
}

impl Victim {
    /// Steals a frame and runs it.
    pub fn rob(&self) -> bool {
        self.frames.steal().map(run).is_some()
    }

    /// Pulls a frame and runs it.
    pub fn pull(&self) -> bool {
        match self.lane.pull(&self.frames) {
            Pulled::Frame(frame) => {
                run(frame);
                true
            }
            Pulled::Nothing | Pulled::Busy => false,
        }
    }
}

/// Runs a frame that has just been taken.
pub fn run(frame: FrameRef<()>) {
    // SAFETY: nobody else has it; that is what the models check.
    unsafe { frame.run(&()) }
}
