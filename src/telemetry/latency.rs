//! How long tasks wait and run, and workers take to wake.

use crate::sync::statistic::{AtomicU64, Ordering};
use crate::telemetry::buckets::{Buckets, Distribution, Tally};
use crate::telemetry::labels::{Class, Labels};
use std::fmt;
use std::slice;
use std::sync::OnceLock;
use std::time::Duration;

/// A length of time that a pool measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum Latency {
    /// From the submission of a task to its start.
    QueueWait,
    /// From its start to its end, waits and whatever is run in them included.
    RunTime,
    /// Both together.
    ResponseTime,
    /// From the call that wakes a sleeping worker for work to its first step: not if it is woken by the end of what
    /// it waits for.
    Wake,
}

/// One worker's, in ticks: written by that worker alone. The memory is had when it is needed.
#[derive(Debug)]
pub struct Latencies {
    /// By class.
    tasks: [OnceLock<Box<TaskBuckets>>; Class::ALL],
    wake: OnceLock<Buckets>,
}

#[derive(Debug)]
struct TaskBuckets {
    queue_wait: Buckets,
    run_time: Buckets,
    response_time: Buckets,
}

impl TaskBuckets {
    fn boxed() -> Box<Self> {
        let new = Buckets::new;
        Box::new(Self { queue_wait: new(), run_time: new(), response_time: new() })
    }

    fn get(&self, latency: Latency) -> Option<&Buckets> {
        match latency {
            Latency::QueueWait => Some(&self.queue_wait),
            Latency::RunTime => Some(&self.run_time),
            Latency::ResponseTime => Some(&self.response_time),
            Latency::Wake => None,
        }
    }
}

impl Latencies {
    pub fn new() -> Self {
        Self { tasks: [const { OnceLock::new() }; Class::ALL], wake: OnceLock::new() }
    }

    #[inline]
    pub fn record_task(&self, class: Class, queue_wait: u64, run_time: u64) {
        let buckets = self.tasks[class.index()].get_or_init(TaskBuckets::boxed);
        buckets.queue_wait.record(queue_wait);
        buckets.run_time.record(run_time);
        buckets.response_time.record(queue_wait.saturating_add(run_time));
    }

    pub fn record_wake(&self, ticks: u64) {
        self.wake.get_or_init(Buckets::new).record(ticks);
    }

    /// How many tasks have been timed, and the sum of their response times, modulo 2^64.
    pub fn responses(&self) -> (u64, u64) {
        self.buckets(Latency::ResponseTime, None)
            .map(Buckets::count_and_sum)
            .fold((0, 0), |(count, sum), (more, longer)| (count + more, sum.wrapping_add(longer)))
    }

    /// Those of tasks of one class, or of all.
    pub fn buckets(
        &self,
        latency: Latency,
        class: Option<Class>,
    ) -> impl Iterator<Item = &Buckets> {
        let tasks = match class {
            Some(class) => slice::from_ref(&self.tasks[class.index()]),
            None => &self.tasks[..],
        };
        let wake = self.wake.get().filter(|_| latency == Latency::Wake && class.is_none());
        tasks.iter().filter_map(move |tasks| tasks.get()?.get(latency)).chain(wake)
    }
}

/// What several workers have measured of tasks of one class, or of all.
pub fn tally(workers: &[&Latencies], latency: Latency, class: Option<Class>) -> Tally {
    let mut tally = Tally::new();
    let buckets = workers.iter().flat_map(|worker| worker.buckets(latency, class));
    buckets.for_each(|buckets| tally.add(buckets));
    tally
}

/// The same by class, with the label of each; wakes, which aren't tasks, as if they had none.
#[cfg(feature = "metrics")]
pub fn tallies(
    workers: &[&Latencies],
    latency: Latency,
    labels: &Labels,
) -> Vec<(Class, Option<&'static str>, Tally)> {
    if latency == Latency::Wake {
        return vec![(Class::UNLABELLED, None, tally(workers, latency, None))];
    }
    let classes = std::iter::once(Class::UNLABELLED).chain(labels.classes());
    let of = |class| (class, labels.name(class), tally(workers, latency, Some(class)));
    classes.map(of).collect()
}

/// How long tasks took that were measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct TaskLatency {
    /// From their submission to their start.
    pub queue_wait: Distribution,
    /// From their start to their end, waits and whatever is run in them included.
    pub run_time: Distribution,
    /// Both together.
    pub response_time: Distribution,
}

impl TaskLatency {
    pub(crate) fn new(
        workers: &[&Latencies],
        class: Option<Class>,
        nanoseconds_per_tick: f64,
    ) -> Self {
        let of = |latency| tally(workers, latency, class).distribution(nanoseconds_per_tick);
        Self {
            queue_wait: of(Latency::QueueWait),
            run_time: of(Latency::RunTime),
            response_time: of(Latency::ResponseTime),
        }
    }
}

/// How long tasks take, and workers to wake, since the pool was built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct LatencySnapshot {
    /// One task in so many is measured; 0: none.
    pub one_in: u32,
    /// Tasks with and without labels.
    pub all: TaskLatency,
    /// Those of each [label](crate::TaskBuilder::label).
    pub labelled: Vec<(&'static str, TaskLatency)>,
    /// How long workers take from the call that wakes them for work to their first step; all are measured.
    pub wake: Distribution,
}

impl LatencySnapshot {
    pub(crate) fn new(
        one_in: u32,
        workers: &[&Latencies],
        labels: &Labels,
        nanoseconds_per_tick: f64,
    ) -> Self {
        let of = |class| TaskLatency::new(workers, class, nanoseconds_per_tick);
        let labelled = |class| Some((labels.name(class)?, of(Some(class))));
        let wake = tally(workers, Latency::Wake, None).distribution(nanoseconds_per_tick);
        let labelled = labels.classes().filter_map(labelled);
        let labelled = labelled.filter(|(_, latency)| latency.run_time.count > 0).collect();
        Self { one_in, all: of(None), labelled, wake }
    }
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, median, p99, max, .. } = self;
        if *count == 0 {
            return f.write_str("none yet");
        }
        let mean = self.mean();
        write!(f, "{count:>8}, mean {mean:.1?}, median {median:.1?}, 99 % {p99:.1?}, max {max:.1?}")
    }
}

impl fmt::Display for TaskLatency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = [("queue wait", self.queue_wait), ("run time", self.run_time)];
        let rows = rows.into_iter().chain([("response time", self.response_time)]);
        rows.into_iter().try_for_each(|(name, row)| writeln!(f, "  {name:24}{row}"))
    }
}

impl fmt::Display for LatencySnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.one_in == 0 {
            return writeln!(f, "latency: not measured");
        }
        write!(f, "latency: of one task in {}\n{}", self.one_in, self.all)?;
        writeln!(f, "  {:24}{}", "wake", self.wake)?;
        self.labelled.iter().try_for_each(|(label, latency)| write!(f, "  {label}:\n{latency}"))
    }
}

/// The task that a worker is in the midst of, if it has a label or is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct CurrentTask {
    /// `None` if it has none.
    pub label: Option<&'static str>,
    /// How long it has been running.
    pub running_for: Duration,
}

/// A class and when it was, in ticks, in one word; none: 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Began(u64);

impl Began {
    /// For the class. The rest is good for years by any clock there is.
    const BITS: u32 = 5;

    #[inline(always)]
    pub fn new(class: Class, at: u64) -> Self {
        const { assert!(Class::ALL <= 1 << Self::BITS) }
        Self(at.max(1) << Self::BITS | class.index() as u64)
    }

    fn class(self) -> Class {
        Class::from_index((self.0 & ((1 << Self::BITS) - 1)) as usize)
    }
}

/// What a worker is in the midst of: written by that worker alone.
#[derive(Debug, Default)]
pub struct Current(AtomicU64);

impl Current {
    /// From now on. Returns what it was before.
    #[inline(always)]
    pub fn replace(&self, began: Began) -> Began {
        let before = self.0.load(Ordering::Relaxed);
        self.0.store(began.0, Ordering::Relaxed);
        Began(before)
    }

    pub fn read(
        &self,
        labels: &Labels,
        now: u64,
        nanoseconds_per_tick: f64,
    ) -> Option<CurrentTask> {
        let began = Began(self.0.load(Ordering::Relaxed));
        if began == Began::default() {
            return None;
        }
        let ticks = now.saturating_sub(began.0 >> Began::BITS);
        let running_for = Duration::from_nanos((ticks as f64 * nanoseconds_per_tick) as u64);
        Some(CurrentTask { label: labels.name(began.class()), running_for })
    }
}
