//! What is known of a pool as a whole and of each worker.

use crate::telemetry::activity::{Seen, Status, Times};
use crate::telemetry::counters::Counters;
use crate::telemetry::health::{Sign, Vitals};
use crate::telemetry::history::Taken;
use crate::telemetry::latency::{CurrentTask, TaskLatency};
use crate::telemetry::record::Record;
use crate::telemetry::strain::Strain;
use crate::telemetry::thefts::StealsFrom;
use crate::telemetry::unavailable::{Fact, Unavailable};
use crate::telemetry::work::{Thread, Work};
use std::fmt;
use std::time::Duration;

/// What is known of a pool as a whole.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct PoolSnapshot {
    /// Workers there are: those that have a seat, and those that block.
    pub num_threads: usize,
    /// How many may run at a time.
    pub seats: usize,
    /// Why they aren't more, if [strain](Strain) is the reason.
    pub strain: Option<Strain>,
    /// What the workers have done since the pool was built.
    pub counters: Counters,
    /// The pool as it is now. Its rates aren't there: they take two readings.
    pub now: Work,
    /// Tasks run to their end a second.
    pub throughput: Lately,
    /// Tasks that failed, by a panic or an error, as a share of all.
    pub error_rate: Lately,
    /// Time spent on tasks, as a share of that for which there have been workers.
    pub utilisation: Lately,
}

/// A rate over some times up to now: each from the youngest
/// [reading](crate::Monitoring::cpu) that is at least as old, or the oldest there is.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Lately {
    /// Over a second or more.
    pub second: Result<f64, Unavailable>,
    /// Over ten seconds or more.
    pub ten_seconds: Result<f64, Unavailable>,
    /// Over a minute or more.
    pub minute: Result<f64, Unavailable>,
}

impl Lately {
    fn of(rate: impl Fn(Duration) -> Fact<f64>) -> Self {
        let [second, ten_seconds, minute] = [1, 10, 60].map(|age| rate(Duration::from_secs(age)));
        Self { second, ten_seconds, minute }
    }
}

impl PoolSnapshot {
    #[cfg(any(test, fuzzing))]
    pub(crate) fn nothing() -> Self {
        Self::new(Counters::default(), Work::unavailable(Unavailable::NotYet))
    }

    pub(crate) fn new(counters: Counters, now: Work) -> Self {
        let none = Lately::of(|_| Err(Unavailable::NotYet));
        let (throughput, error_rate, utilisation) = (none, none, none);
        let (num_threads, seats, strain) = (0, 0, None);
        Self { num_threads, seats, strain, counters, now, throughput, error_rate, utilisation }
    }

    /// Compares what is now with those readings, the oldest first.
    pub(crate) fn look_back(&mut self, history: &[Taken<Work>]) {
        let now = self.now;
        let since = |age: Duration| {
            let old = history.iter().rev().find(|taken| taken.age >= age);
            old.or(history.first()).ok_or(Unavailable::NotYet)
        };
        let grown = |now: Fact<u64>, then: Fact<u64>| Ok(now?.saturating_sub(then?) as f64);
        let ratio = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
        self.throughput = Lately::of(|age| {
            let then = since(age)?;
            Ok(ratio(grown(now.tasks, then.reading.tasks)?, then.age.as_secs_f64()))
        });
        self.error_rate = Lately::of(|age| {
            let then = since(age)?.reading;
            Ok(ratio(grown(now.failures, then.failures)?, grown(now.tasks, then.tasks)?).min(1.0))
        });
        self.utilisation = Lately::of(|age| {
            let then = since(age)?.reading;
            let staffed = now.staffed_time? - then.staffed_time?;
            Ok(ratio(now.busy_time? - then.busy_time?, staffed).clamp(0.0, 1.0))
        });
    }
}

/// What is known of one worker.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct WorkerSnapshot {
    /// As [`current_thread_index`](crate::current_thread_index) gives it.
    pub index: usize,
    /// What it is about.
    pub status: Status,
    /// For how long it has been: its last activity is so long ago if it sleeps. For one that the
    /// [watch](crate::ThreadPoolBuilder::detect_blocking) has found asleep: since when it has run.
    pub in_status: Duration,
    /// How long it has been about what.
    pub times: Times,
    /// What it has done. The counts belong to the index.
    pub counters: Counters,
    /// The other workers from whom it has tried to steal, spares apart; none in a pool of more than 256.
    pub steals_from: Vec<StealsFrom>,
    /// Tasks and exposed frames of joins in its queues.
    pub queued: usize,
    /// Bytes that it has allocated and not freed, if [`CountingAlloc`](crate::CountingAlloc) counts them;
    /// 0 if it has freed more, that others allocated.
    pub memory: Result<u64, Unavailable>,
    /// The number that the kernel gave its thread, if it is known.
    pub tid: Option<u32>,
    /// The CPU that it is pinned to, unless it floats.
    pub pinned_to: Option<usize>,
    /// What it is in the midst of, if that has a label or is timed.
    pub task: Option<CurrentTask>,
    /// How long those of its tasks took that were timed.
    pub latency: TaskLatency,
    /// What the kernel says of its thread.
    pub thread: Thread,
    /// How long ago; `None` if it hasn't yet.
    pub thread_age: Option<Duration>,
    /// Its health at the last check, and what that is judged by.
    pub health: Vitals,
    /// What took something off it.
    pub reasons: Vec<Sign>,
    /// How long ago that was; `None` if it hasn't been checked.
    pub health_age: Option<Duration>,
}

impl WorkerSnapshot {
    pub(crate) fn new(index: usize, seen: Seen, now: Duration) -> Self {
        Self {
            index,
            status: seen.status,
            in_status: now.saturating_sub(seen.since),
            times: seen.times,
            counters: Counters::default(),
            steals_from: Vec::new(),
            queued: 0,
            memory: Err(Unavailable::NotCounted),
            tid: None,
            pinned_to: None,
            task: None,
            latency: TaskLatency::default(),
            thread: Thread::unavailable(Unavailable::NotYet),
            thread_age: None,
            health: Vitals::unavailable(Unavailable::NotYet),
            reasons: Vec::new(),
            health_age: None,
        }
    }

    /// Tasks that failed, by a panic or an error, as a share of all.
    pub fn error_rate(&self) -> f64 {
        self.counters.failures as f64 / self.counters.tasks.max(1) as f64
    }

    /// Time spent on tasks, as a share of that since it was started.
    pub fn utilisation(&self) -> f64 {
        let all = self.times.all().as_secs_f64();
        if all > 0.0 { self.times.busy.as_secs_f64() / all } else { 0.0 }
    }
}

impl fmt::Display for PoolSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { num_threads, seats, .. } = self;
        let strain = self.strain.map_or(String::new(), |why| format!(", {why:?}").to_lowercase());
        writeln!(f, "pool: {num_threads} workers, {seats} at a time{strain}")?;
        let lately = |f: &mut fmt::Formatter<'_>, name, lately: &Lately, factor: f64, unit| {
            write!(f, "  {name:24}")?;
            for (of, rate) in
                [("1 s", lately.second), ("10 s", lately.ten_seconds), ("60 s", lately.minute)]
            {
                match rate {
                    Ok(rate) => write!(f, "{:>12.1}{unit} in {of:4}", factor * rate)?,
                    Err(why) => return writeln!(f, "{why:>12}"),
                }
            }
            writeln!(f)
        };
        lately(f, "throughput", &self.throughput, 1.0, "/s")?;
        lately(f, "error rate", &self.error_rate, 100.0, " %")?;
        lately(f, "utilisation", &self.utilisation, 100.0, " %")
    }
}

impl fmt::Display for WorkerSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { index, status, in_status, counters, queued, .. } = self;
        let status = format!("{status:?}").to_lowercase();
        let (in_status, busy) = (in_status.as_secs_f64(), 100.0 * self.utilisation());
        write!(f, "  worker {index:3} {status:9} for {in_status:9.3} s, busy {busy:5.1} %")?;
        write!(f, ", {} tasks, {} joins", counters.tasks, counters.joins)?;
        write!(f, ", {} steals, {queued} queued", counters.steals)?;
        if let Ok(memory) = self.memory {
            write!(f, ", {:.1} MiB", memory as f64 / f64::from(1 << 20))?;
        }
        if let Some(tid) = self.tid {
            write!(f, ", thread {tid}")?;
        }
        if let Some(cpu) = self.pinned_to {
            write!(f, " on CPU {cpu}")?;
        }
        if let Ok(score) = self.health.score {
            write!(f, ", health {score:.1}")?;
        }
        if !self.reasons.is_empty() {
            write!(f, " {:?}", self.reasons)?;
        }
        if let Some(CurrentTask { label: Some(label), running_for }) = self.task {
            write!(f, ", {label} for {:.3} s", running_for.as_secs_f64())?;
        }
        writeln!(f)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Counters, PoolSnapshot, Taken, Work};
    use crate::telemetry::record::Record;
    use crate::telemetry::unavailable::Unavailable;
    use std::time::{Duration, SystemTime};

    fn work(tasks: u64, failures: u64, busy: f64, staffed: f64) -> Work {
        let mut work = Work::unavailable(Unavailable::NotYet);
        (work.tasks, work.failures) = (Ok(tasks), Ok(failures));
        (work.busy_time, work.staffed_time) = (Ok(busy), Ok(staffed));
        work
    }

    #[test]
    fn rates_are_those_since_the_youngest_reading_that_is_old_enough() {
        let at = SystemTime::UNIX_EPOCH;
        let ago = |age, reading| Taken { at, age: Duration::from_secs(age), reading };
        let history = [
            ago(20, work(1000, 0, 0.0, 100.0)),
            ago(12, work(1800, 10, 4.0, 116.0)),
            ago(2, work(2900, 20, 12.0, 136.0)),
            ago(0, work(2999, 20, 13.9, 139.9)),
        ];
        let mut pool = PoolSnapshot::new(Counters::default(), work(3000, 30, 14.0, 140.0));
        pool.look_back(&history);
        assert_eq!(pool.throughput.second, Ok(50.0));
        assert_eq!(pool.throughput.ten_seconds, Ok(100.0));
        assert_eq!(pool.throughput.minute, Ok(100.0));
        assert_eq!(pool.error_rate.second, Ok(0.1));
        assert_eq!(pool.utilisation.second, Ok(0.5));
        assert_eq!(pool.utilisation.minute, Ok(14.0 / 40.0));
    }

    #[test]
    fn without_readings_there_are_no_rates_and_without_tasks_no_errors() {
        let mut pool = PoolSnapshot::new(Counters::default(), work(0, 0, 0.0, 0.0));
        pool.look_back(&[]);
        assert_eq!(pool.throughput.minute, Err(Unavailable::NotYet));
        let at = SystemTime::UNIX_EPOCH;
        pool.look_back(&[Taken { at, age: Duration::ZERO, reading: pool.now }]);
        assert_eq!((pool.throughput.second, pool.error_rate.second), (Ok(0.0), Ok(0.0)));
        assert_eq!(pool.utilisation.second, Ok(0.0));
    }
}
