//! How long tasks wait and run, and workers take to wake.
//!
//! One task in so many is timed: its submitter stamps it, and makes it a job of another kind than the
//! rest, which so pay for one countdown. A task with a label is marked as its worker's current one in
//! any case.
//!
//! Tests: tests/latency.rs.
//! Tests, with the feature: tests/tracing.rs.

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

#[cfg(all(test, not(loom)))]
mod tests {
    use crate::telemetry::labels::Class;
    use crate::telemetry::latency::Latency;
    use crate::worker::bare;
    use crate::worker::local::{Deques, Local, Origin};
    use crate::worker::shared::Insight;
    use crate::worker::span::TaskSpan;
    use crate::worker::stamp::{LastEnd, Submission};
    use std::thread;
    use std::time::Duration;

    fn timing(one_in: u32) -> Local {
        let deques = Deques::default();
        let insight = Insight { one_in, ..Insight::default() };
        let shared = bare::shared(std::slice::from_ref(&deques), 1, None, insight);
        Local::new(shared, 0, deques, Origin::Built)
    }

    #[test]
    fn there_is_something_to_say_of_tasks_that_are_timed_or_have_a_label() {
        for one_in in [0, 1] {
            let (local, timed) = (timing(one_in), one_in == 1);
            for current in [Some(&local), None] {
                for (label, notable) in [(None, timed), (Some("a"), true), (None, timed)] {
                    assert_eq!(local.shared.is_notable(current, label), notable);
                    let submission = local.shared.submission(current, label, true);
                    assert_eq!(submission.is_some(), notable);
                    let class =
                        label.map_or(Class::UNLABELLED, |label| local.shared.labels.class(label));
                    let said = submission.map(|said| (said.timed, said.class));
                    assert_eq!(said, notable.then_some((timed, class)));
                }
            }
        }
    }

    #[test]
    fn of_a_label_something_is_said_when_the_task_is_not_due_too() {
        let local = timing(1000);
        let mut timed = 0;
        for _ in 0..5000 {
            let due = local.shared.is_notable(Some(&local), None);
            let submission = local.shared.submission(Some(&local), Some("a"), false).unwrap();
            assert_eq!(submission.timed, due);
            timed += usize::from(due);
        }
        assert!((1..100).contains(&timed));
    }

    #[test]
    fn a_wake_is_stamped_where_tasks_are_timed() {
        for one_in in [0, 1] {
            let local = timing(one_in);
            local.shared.note_wake(local.remote());
            assert_eq!(local.remote().woken_at.read().is_some(), one_in == 1);
        }
    }

    #[test]
    fn a_sleep_that_somebody_ends_says_how_long_that_took() {
        let local = timing(1);
        let recorded = || local.remote().latencies.buckets(Latency::Wake, None).count();
        local.park(Some(Duration::ZERO));
        assert_eq!(recorded(), 0, "nobody has woken it");
        // It may sleep only after that.
        while recorded() == 0 {
            thread::scope(|threads| {
                threads.spawn(|| local.shared.unpark(0));
                local.park(None);
            });
        }
    }

    /// What was measured of `task`, of one that was submitted at 4: how often, and how long it waited.
    fn measured(local: &Local, timed: bool, noted: bool) -> (u64, u64) {
        let waits = || {
            let buckets = local.remote().latencies.buckets(Latency::QueueWait, None);
            buckets
                .map(|buckets| buckets.count_and_sum())
                .fold((0, 0), |all, more| (all.0 + more.0, all.1 + more.1))
        };
        let before = waits();
        let submission =
            Submission { class: Class::UNLABELLED, timed, at: 4, span: TaskSpan::new(None, false) };
        let runs = || {
            let (labels, clock) = (&local.shared.labels, &local.shared.clock);
            local.remote().current.read(labels, clock.ticks(), 1.0).is_some()
        };
        let result = match noted {
            true => local.run_noted(Some(submission), runs),
            false => local.time(submission, runs),
        };
        assert!(result && !runs(), "while it runs it is the current one");
        let after = waits();
        (after.0 - before.0, after.1 - before.1)
    }

    #[test]
    fn a_task_begins_when_the_one_before_it_has_ended_if_nothing_came_between() {
        let local = timing(1);
        let last = |tasks| Some(LastEnd { at: 10, tasks });
        let ends = || local.last_end.get();
        local.counters().tasks.bump();
        for (nesting, loops, tasks, chained) in
            [(1, true, 1, true), (1, true, 0, false), (2, true, 1, false), (1, false, 1, false)]
        {
            local.nesting.set(nesting);
            local.loops.set(loops);
            local.last_end.set(last(tasks));
            let (count, wait) = measured(&local, true, true);
            assert_eq!((count, wait == 6), (1, chained));
            let expected = if nesting == 1 && loops { 2 } else { tasks };
            assert_eq!(ends().map(|end| end.tasks), Some(expected));
            assert_eq!(ends().map(|end| end.at > 10), Some(nesting == 1 && loops));
        }
        local.nesting.set(1);
        local.loops.set(true);
        local.last_end.set(last(1));
        assert_ne!(measured(&local, true, false), (1, 6), "it may be amid a job");
        assert_eq!(ends(), last(1));
        assert_eq!(measured(&local, false, true), (0, 0), "it is only said to run");
        assert_eq!(ends(), last(1));
        assert_eq!(local.run_noted(None, || 7), 7);
    }
}
