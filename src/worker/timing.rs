//! How long tasks wait and run, and workers take to wake.
//!
//! One task in so many is timed: its submitter stamps it, and makes it a job of another kind than the
//! rest, which so pay for one countdown. A task with a label is marked as its worker's current one in
//! any case.
//!
//! Tests: tests/latency.rs.

use crate::telemetry::labels::Class;
use crate::telemetry::latency::Began;
use crate::worker::local::Local;
use crate::worker::remote::Remote;
use crate::worker::shared::Shared;
use crate::worker::span::TaskSpan;
use crate::worker::stamp::{Countdown, LastEnd, OUTSIDE, Submission};
use std::time::Duration;

impl Shared {
    /// Counts a task that is submitted now, by this worker or from outside. Returns whether there is
    /// anything to say of it, perhaps: then [`submission`](Self::submission) follows.
    #[inline(always)]
    pub fn is_notable(&self, current: Option<&Local>, label: Option<&'static str>) -> bool {
        let due = match current {
            Some(local) => local.countdown.count(),
            None => OUTSIDE.with(|countdown| countdown.count_of(self.one_in, &self.clock)),
        };
        due || label.is_some() || TaskSpan::is_wanted()
    }

    /// What there is to say of the task that was counted last; and that its submitter waits for, or
    /// doesn't.
    #[cold]
    pub fn submission(
        &self,
        current: Option<&Local>,
        label: Option<&'static str>,
        waited_for: bool,
    ) -> Option<Submission> {
        let now = self.clock.ticks();
        let begin = |countdown: &Countdown| {
            let due = countdown.is_due();
            if due {
                countdown.begin(self.one_in, now);
            }
            due
        };
        let due = current.map_or_else(|| OUTSIDE.with(begin), |local| begin(&local.countdown));
        let timed = due && self.one_in > 0;
        let class = label.map_or(Class::UNLABELLED, |label| self.labels.class(label));
        let span = TaskSpan::new(label, waited_for);
        let notable = timed || label.is_some() || !span.is_disabled();
        notable.then_some(Submission { class, timed, at: now, span })
    }

    /// Before `worker` is woken.
    pub(super) fn note_wake(&self, worker: &Remote) {
        if self.one_in > 0 {
            worker.woken_at.note(self.clock.ticks());
        }
    }
}

/// A task that runs; on drop, as it may panic, it has ended.
struct Timing<'l> {
    local: &'l Local,
    class: Class,
    timed: bool,
    submitted: u64,
    start: u64,
    outer: Began,
    /// Whether nothing but the search for the next job follows.
    chained: bool,
}

impl Drop for Timing<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        let Self { local, class, submitted, start, .. } = *self;
        local.remote().current.replace(self.outer);
        if !self.timed {
            return;
        }
        let end = local.shared.clock.ticks();
        let wait = start.saturating_sub(submitted);
        local.remote().latencies.record_task(class, wait, end.saturating_sub(start));
        if self.chained {
            // This one isn't counted yet.
            let tasks = local.counters().tasks.read().wrapping_add(1);
            local.last_end.set(Some(LastEnd { at: end, tasks }));
        }
    }
}

impl Local {
    /// Runs a task of a job that does nothing else, by what was noted of it when it was submitted.
    #[inline(always)]
    pub fn run_noted<R>(&self, noted: Option<Submission>, task: impl FnOnce() -> R) -> R {
        match noted {
            None => task(),
            Some(submission) => self.time_job(submission, task),
        }
    }

    /// Runs a task of a job that does nothing else. Apart, so that a job which may be noted or not
    /// is small enough to be inlined.
    #[inline(never)]
    fn time_job<R>(&self, submission: Submission, task: impl FnOnce() -> R) -> R {
        // Not within another, which goes on after it, nor where a guest or a start handler does.
        let chained = self.nesting.get() == 1 && self.loops.get();
        let tasks = self.counters().tasks.read();
        let last = self.last_end.get().filter(|last| chained && last.tasks == tasks);
        // The end of one task is the start of the next.
        let start = last.map_or_else(|| self.shared.clock.ticks(), |last| last.at);
        self.time_from(start, chained, submission, task)
    }

    /// Runs a task.
    pub fn time<R>(&self, submission: Submission, task: impl FnOnce() -> R) -> R {
        self.time_from(self.shared.clock.ticks(), false, submission, task)
    }

    #[inline(always)]
    fn time_from<R>(
        &self,
        start: u64,
        chained: bool,
        submission: Submission,
        task: impl FnOnce() -> R,
    ) -> R {
        let Submission { class, timed, at: submitted, span } = submission;
        let outer = self.remote().current.replace(Began::new(class, start));
        let _timing = Timing { local: self, class, timed, submitted, start, outer, chained };
        let _span = span.start(self.index, || {
            let ticks = start.saturating_sub(submitted) as f64;
            Duration::from_nanos((ticks * self.shared.clock.nanoseconds_per_tick()) as u64)
        });
        task()
    }

    /// Sleeps until it is woken, or for so long.
    pub fn park(&self, timeout: Option<Duration>) {
        self.shared.expect_threads();
        let Remote { parker, woken_at, latencies, .. } = self.remote();
        woken_at.forget();
        let woken = match timeout {
            Some(timeout) => parker.park_timeout(timeout),
            None => parker.park(),
        };
        if woken && let Some(at) = woken_at.read() {
            latencies.record_wake(self.shared.clock.ticks().saturating_sub(at));
        }
    }
}
