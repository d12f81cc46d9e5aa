//! The loop.
//!
//! This file is `unsafe` where a job that has left its queue is run.

use crate::job::{FrameRef, Payload};
use crate::policy::ladder::Ladder;
use crate::sync::{Ordering, fence};
use crate::telemetry::event::Event;
use crate::worker::bench::Stay;
use crate::worker::local::{Local, Origin};
use crate::worker::shared::Job;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

impl Local {
    /// Runs jobs until the pool has come to its end, or this worker is dismissed.
    pub fn run(&self) {
        self.loops.set(true);
        let hired = self.origin == Origin::Hired;
        let mut next = if hired { self.search(Ladder::default()) } else { self.idle() };
        while let Some(job) = next {
            self.execute(job);
            next = if self.remote().presence.is_plain() { self.next() } else { self.settle() };
        }
        // Who has been dismissed leaves its queues where they are.
        debug_assert!(
            !self.shared.is_over() || !self.has_pending() && self.deques.arrivals.is_empty(),
            "filch: a pool ended with work in a queue"
        );
    }

    /// The next job of one who takes back a seat that the watch took from it, or whose seat is
    /// lent and who goes to the bench first if there are too many.
    #[cold]
    fn settle(&self) -> Option<Job> {
        self.shared.expect_threads();
        self.shared.resume(self.index);
        // Who counts as searching must not sleep as if busy.
        let busy = !self.still_searching.get();
        if busy && self.remote().presence.is_lent() {
            match self.sit_out_if_crowded() {
                Stay::Seated => {}
                Stay::Searching => return self.search(Ladder::default()),
                Stay::Dismissed => return None,
            }
        }
        self.next()
    }

    fn next(&self) -> Option<Job> {
        if self.still_searching.take() {
            self.search(Ladder::default())
        } else {
            self.find().or_else(|| self.idle())
        }
    }

    /// Runs one job, which nobody else has run or will: it has just left a queue.
    pub fn execute(&self, job: Job) {
        match self.remote().recorder.get() {
            None => self.execute_unrecorded(job),
            Some(recorder) => self.record_job(recorder, job, || self.execute_unrecorded(job)),
        }
    }

    #[inline(always)]
    fn execute_unrecorded(&self, job: Job) {
        if self.runs_lessee.get() {
            return self.execute_amid_lessee(job);
        }
        self.execute_plainly(job);
        if self.runs_lessee.get() {
            self.end_lessee();
        }
    }

    #[inline(always)]
    pub(super) fn execute_plainly(&self, job: Job) {
        let scope = if let Job::Scoped(task) = job { task.scope() } else { ptr::null() };
        if self.credits.are_of_another(scope) {
            self.credits.give_back();
        }
        self.nesting.set(self.nesting.get() + 1);
        // Nothing may unwind from here: below are the frames of waits that others rely on.
        let run = AssertUnwindSafe(|| match job {
            Job::Frame(frame) => self.execute_frame(frame),
            // SAFETY: taken from a queue, so by nobody else.
            Job::Call(frame) | Job::QuickCall(frame) => unsafe { frame.run(self) },
            // SAFETY: as above.
            Job::Scoped(task) => unsafe { task.run(self) },
            // SAFETY: as above.
            Job::Task(task) => unsafe { task.run(self) },
        });
        if let Err(payload) = catch_unwind(run) {
            self.caught(payload);
        }
        self.nesting.set(self.nesting.get() - 1);
        if !matches!(job, Job::Frame(_)) {
            self.counters().tasks.bump();
        }
    }

    /// Does what is to be done about a panic that nobody else is told of.
    pub fn caught(&self, payload: Payload) {
        self.counters().panics.bump();
        self.shared.task_panicked(&payload);
        self.shared.report_panic(payload);
        // What has been done about it is no part of the next task.
        self.last_end.set(None);
    }

    /// Runs a job that is no part of the one we are in the midst of, if we are: whoever
    /// waits for that one must not help with this.
    pub fn execute_foreign(&self, job: Job) {
        let foreign = &self.remote().foreign;
        // One writer. Relaxed: whoever steals what the job pushes sees the count with it.
        foreign.store(foreign.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        self.execute(job);
        foreign.store(foreign.load(Ordering::Relaxed) - 1, Ordering::Relaxed);
        // We go on with what we were about, which may take long.
        self.credits.give_back();
    }

    /// Answers the hunger: shows the hidden frames to everybody.
    #[cold]
    pub fn expose(&self) {
        // SAFETY: both are this worker's, and so is this thread.
        if unsafe { self.lane().expose(&self.deques.frames) } {
            self.counters().exposures.bump();
            // Elsewhere each join is exposed, and would fill the record.
            if fence::asymmetric() {
                self.record(Event::Expose);
            }
        }
        self.shared.notify_exposed(self.index);
    }

    /// Runs a frame, and tells its owner who does if the owner may then help us: if
    /// whatever comes onto our lane and deque from now on is part of it.
    fn execute_frame(&self, frame: FrameRef<Self>) {
        if self.deques.frames.is_empty() && !self.lane().has_hidden() {
            // SAFETY: the frame lives until it has run.
            unsafe { (*frame.latch()).take(self.index) };
        }
        self.last_end.set(None);
        // SAFETY: taken from a queue or pulled, so by nobody else.
        unsafe { frame.run(self) }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use crate::job::{HeapJob, JobRef, StackJob};
    use crate::primitive::latch::Latch;
    use crate::sync::Ordering::Relaxed;
    use crate::worker::bare::{hide, take_back, workers};
    use crate::worker::local::Local;
    use crate::worker::shared::Job;
    use std::cell::Cell;
    use std::sync::atomic::AtomicBool;
    use std::sync::atomic::Ordering::SeqCst;
    use std::{ptr, thread};

    fn task(work: impl FnOnce(&Local) + Send + 'static) -> JobRef<Local> {
        // SAFETY: it borrows nothing.
        unsafe { HeapJob::boxed(work) }
    }

    #[test]
    fn a_job_is_nested_in_the_one_in_whose_midst_it_runs_and_counted() {
        let [local] = workers(1, None);
        local.execute(Job::Task(task(|local| {
            assert_eq!(local.nesting.get(), 1);
            local.execute(Job::Task(task(|local| assert_eq!(local.nesting.get(), 2))));
            assert_eq!((local.nesting.get(), local.counters().tasks.read()), (1, 1));
        })));
        assert_eq!((local.nesting.get(), local.counters().tasks.read()), (0, 2));
    }

    #[test]
    fn what_is_no_part_of_it_is_foreign() {
        let [local] = workers(1, None);
        let foreign = |local: &Local| local.remote().foreign.load(Relaxed);
        local.execute_foreign(Job::Task(task(move |local| {
            assert_eq!(foreign(local), 1);
            local.execute_foreign(Job::Task(task(move |local| assert_eq!(foreign(local), 2))));
            assert_eq!(foreign(local), 1);
        })));
        assert_eq!(foreign(&local), 0);
        local.execute(Job::Task(task(move |local| assert_eq!(foreign(local), 0))));
    }

    #[test]
    fn whoever_waits_for_a_frame_may_help_its_thief_if_all_that_the_thief_has_is_part_of_it() {
        for (hides, shows) in [(false, false), (true, false), (true, true)] {
            let [thief] = workers(1, None);
            let (latch, taker) = (Cell::new(ptr::null::<Latch>()), Cell::new(None));
            // SAFETY: set below, and alive.
            let look = |_| taker.set(unsafe { (*latch.get()).taker() });
            let job = StackJob::new(look, ptr::null_mut());
            // SAFETY: run below, by nobody else.
            let frame = unsafe { job.as_frame() };
            // SAFETY: nobody else knows of it.
            unsafe { frame.arm() };
            latch.set(frame.latch());
            let own = StackJob::new(|_| (), thief.lane().top());
            if hides {
                // SAFETY: taken back below.
                hide(&thief, unsafe { own.as_frame() });
            }
            if shows {
                thief.expose();
            }
            thief.execute(Job::Frame(frame));
            assert_eq!(taker.get(), if hides { None } else { Some(thief.index) });
            assert_eq!(thief.counters().tasks.read(), 0, "a frame is part of a task");
            assert!(!hides || take_back(&thief, &own));
        }
    }

    #[test]
    fn hidden_frames_are_shown_and_that_is_counted() {
        let [local] = workers(1, None);
        let frame = StackJob::new(|_| (), local.lane().top());
        // SAFETY: taken back below.
        hide(&local, unsafe { frame.as_frame() });
        let before = local.counters().exposures.read();
        local.expose();
        assert_eq!(local.counters().exposures.read(), before + 1);
        assert!(local.has_pending() && !local.lane().has_hidden());
        assert!(take_back(&local, &frame));
    }

    /// Two, of whom the second is one too many, and a task.
    fn crowded() -> [Local; 2] {
        let workers = workers(2, None);
        let shared = &workers[0].shared;
        shared.resize(1, [1]);
        shared.injected.push(task(|_| ()));
        workers
    }

    #[test]
    fn between_two_jobs_one_too_many_lies_on_the_bench_until_it_is_wanted() {
        let [_stays, leaves] = crowded();
        let (shared, back) = (&leaves.shared, AtomicBool::new(false));
        thread::scope(|threads| {
            let summons = threads.spawn(|| {
                let mut benched = false;
                while !benched && !back.load(SeqCst) {
                    thread::yield_now();
                    benched = shared.is_benched(1);
                }
                shared.summon(1);
                benched
            });
            let job = leaves.settle().unwrap();
            back.store(true, SeqCst);
            leaves.execute(job);
            assert!(summons.join().unwrap(), "it has not been there");
        });
    }

    #[test]
    fn whoever_searches_or_has_settled_goes_on_instead() {
        let [stays, searches] = crowded();
        stays.execute(stays.settle().unwrap());
        let shared = &searches.shared;
        shared.injected.push(task(|_| ()));
        shared.idle.start_searching();
        searches.still_searching.set(true);
        let job = searches.settle().unwrap();
        assert!(!searches.still_searching.get() && shared.idle.searching() == 0);
        searches.execute(job);
    }
}
