//! A lane, its owner's deque and a thief, in any order of calls, beside a model: who gets which frame, when
//! somebody has to wait, and that each frame runs once. What two do at the same time is for the models in
//! `loom-tests`; those have four frames at most, and these have hundreds.

#![no_main]

use filch::fuzzed::deque::Deque;
use filch::fuzzed::lane::{Lane, Pulled};
use filch::fuzzed::{FrameRef, StackJob};
use libfuzzer_sys::fuzz_target;
use std::collections::VecDeque;
use std::rc::Rc;

type Job<F> = Box<StackJob<(), F, u64>>;

/// The second half of a join: returns its number, and whether another has run it.
fn half(number: u64, runs: &Rc<()>) -> impl FnOnce(bool) -> u64 + use<> {
    let once = Rc::clone(runs);
    move |moved| {
        drop(once);
        2 * number + u64::from(moved)
    }
}

/// Numbers of frames, the oldest first.
#[derive(Default)]
struct Model {
    hidden: VecDeque<u64>,
    shown: VecDeque<u64>,
    hunger: u32,
    joins: u64,
}

impl Model {
    /// All hidden frames are shown.
    fn expose(&mut self, hides: bool) {
        self.shown.append(&mut self.hidden);
        self.hunger -= u32::from(hides);
    }
}

struct Play<F> {
    hides: bool,
    lane: Lane<()>,
    deque: Deque<FrameRef<()>>,
    /// The oldest first.
    open: Vec<Job<F>>,
    /// What thieves have and haven't run.
    taken: Vec<(u64, FrameRef<()>)>,
    model: Model,
}

impl<F: FnOnce(bool) -> u64> Play<F> {
    fn new(hides: bool) -> Self {
        Self {
            hides,
            lane: Lane::hiding(hides),
            deque: Deque::new(),
            open: Vec::new(),
            taken: Vec::new(),
            model: Model { hunger: u32::from(!hides), ..Model::default() },
        }
    }

    /// Whether the frame must be exposed before the next push.
    fn push(&mut self, half: F) -> bool {
        let job = Box::new(StackJob::new(half, self.lane.top()));
        // SAFETY: it lies in a box, and is waited for before that goes.
        let hungry = unsafe { self.lane.push(job.as_frame()) };
        assert_eq!(hungry, self.model.hunger > 0);
        self.model.hidden.push_back(self.open.len() as u64);
        self.model.joins += 1;
        self.open.push(job);
        hungry
    }

    fn expose(&mut self) {
        // SAFETY: both are ours.
        assert!(unsafe { self.lane.expose(&self.deque) });
        self.model.expose(self.hides);
    }

    /// The youngest join ends; `meanwhile` comes between its pop and its reclaim, if it has to be reclaimed.
    fn pop(&mut self, meanwhile: impl FnOnce(&mut Self)) {
        let Some(job) = self.open.pop() else { return };
        let number = self.open.len() as u64;
        // SAFETY: the youngest, pushed by us.
        let mut ours = unsafe { self.lane.pop(job.below()) };
        assert_eq!(ours, self.model.hidden.back() == Some(&number));
        if ours {
            self.model.hidden.pop_back();
        } else {
            self.open.push(job);
            meanwhile(self);
            let job = self.open.pop().unwrap();
            // SAFETY: right after that pop, for the owner.
            ours = unsafe { self.lane.reclaim(job.below(), &self.deque) };
            assert_eq!(ours, self.model.shown.pop_back() == Some(number));
            return self.finish(job, number, ours);
        }
        self.finish(job, number, ours);
    }

    fn finish(&mut self, job: Job<F>, number: u64, ours: bool) {
        let result = if ours {
            // SAFETY: the lane vouches for it.
            unsafe { job.run_here(false) }
        } else {
            let is_ours = |taken: &(u64, _)| taken.0 == number;
            if let Some(at) = self.taken.iter().position(is_ours) {
                self.run(at);
            }
            // SAFETY: armed by whoever took it.
            assert!(unsafe { job.latch() }.is_set());
            // SAFETY: the latch is set.
            unsafe { job.take_result() }.unwrap()
        };
        assert_eq!(result, 2 * number + u64::from(!ours));
    }

    /// A thief has run what it took.
    fn run(&mut self, at: usize) {
        let (_, frame) = self.taken.swap_remove(at);
        // SAFETY: it is the thief's alone, as `take` has seen.
        unsafe { frame.run(&()) }
    }

    /// That frame is now a thief's.
    fn take(&mut self, number: u64, frame: FrameRef<()>) {
        // SAFETY: compared, not run.
        assert!(unsafe { self.open[number as usize].as_frame() } == frame);
        self.taken.push((number, frame));
    }

    fn steal(&mut self) {
        let (frame, number) = (self.deque.stealer().steal(), self.model.shown.pop_front());
        assert_eq!(frame.is_some(), number.is_some());
        if let (Some(frame), Some(number)) = (frame, number) {
            self.take(number, frame);
        }
    }

    /// `popping`: whether the owner has popped its youngest frame, and reclaims it next.
    fn pull(&mut self) {
        match self.lane.pull(&self.deque.stealer()) {
            Pulled::Frame(frame) => {
                assert!(self.model.shown.is_empty(), "an older frame waits in the deque");
                let oldest = self.model.hidden.pop_front().expect("a frame from nowhere");
                self.take(oldest, frame);
            }
            Pulled::Nothing => assert!(self.model.hidden.is_empty()),
            Pulled::Busy => assert!(!self.model.shown.is_empty()),
        }
    }

    fn raise(&mut self, pushes: u32) {
        self.lane.raise_hunger(pushes);
        self.model.hunger = self.model.hunger.max(pushes);
    }

    fn ask(&mut self) {
        self.lane.ask();
        self.model.hunger = self.model.hunger.max(1);
    }

    /// What somebody else may do at any time.
    fn others(&mut self, byte: u8) {
        match byte % 8 {
            0 | 1 => self.steal(),
            2 | 3 => self.pull(),
            4 => self.ask(),
            5 => self.raise(u32::from(byte / 8)),
            _ if self.taken.is_empty() => {}
            _ => self.run(usize::from(byte / 8) % self.taken.len()),
        }
    }

    fn check(&self) {
        let Model { hidden, shown, joins, .. } = &self.model;
        assert_eq!(self.lane.has_hidden(), !hidden.is_empty());
        assert_eq!(self.lane.is_bare(), self.open.is_empty());
        assert_eq!(self.lane.joins(), *joins);
        assert_eq!(self.deque.stealer().len(), shown.len());
        assert_eq!(self.deque.is_empty(), shown.is_empty());
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((first, bytes)) = bytes.split_first() else { return };
    let mut play = Play::new(first % 4 > 0);
    let runs = Rc::new(());
    let mut bytes = bytes.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte % 4 {
            0 | 1 => {
                if play.push(half(play.open.len() as u64, &runs)) {
                    // Between the push and the exposure.
                    (0..byte / 4 % 4).for_each(|_| play.others(bytes.next().unwrap_or(6)));
                    play.expose();
                }
            }
            2 => play.pop(|play| {
                (0..byte / 4 % 4).for_each(|_| play.others(bytes.next().unwrap_or(6)));
            }),
            _ => play.others(byte / 4),
        }
        play.check();
    }
    while !play.open.is_empty() {
        play.pop(|_| {});
        play.check();
    }
    assert_eq!((play.taken.len(), Rc::strong_count(&runs)), (0, 1));
});
