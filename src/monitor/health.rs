//! The vital signs of workers, from what is counted of them and of their threads.

use crate::monitor::rate::{Grown, Growth, share};
use crate::policy::victim::Candidate;
use crate::telemetry::activity::Status;
use crate::telemetry::health::Vitals;
use crate::telemetry::history::Key;
use crate::telemetry::record::Record;
use crate::telemetry::unavailable::{Fact, Unavailable};
use crate::telemetry::work::Thread;
use crate::worker::remote::Remote;
use crate::worker::shared::Shared;
use std::time::Duration;

#[derive(Default)]
pub struct HealthMonitor {
    /// By index.
    workers: Vec<Patient>,
    rows: Vec<(Key, Vitals)>,
    /// Of tasks' response times, in ticks: for the median.
    means: Vec<f64>,
    /// How long a task takes: the median of the means.
    task: Duration,
}

/// What a worker was like at the last check.
#[derive(Default)]
struct Patient {
    cpu: Growth,
    busy: Growth,
    run_delay: Growth,
    involuntary_switches: Growth,
    major_faults: Growth,
    tasks: Growth,
    failures: Growth,
    responses: Growth,
    response_time: Growth,
    /// Of its response times when there were some last, and when that was.
    mean: Option<f64>,
    timed: Duration,
}

/// For so long a worker that is given no tasks is thought to be as slow as it was. Then it is tried again.
const REMEMBERED: Duration = Duration::from_secs(60);

impl HealthMonitor {
    /// Looks at the workers whose threads these are.
    pub fn check(
        &mut self,
        at: Duration,
        shared: &Shared,
        threads: &[(Key, Thread)],
        memory: Fact<f64>,
    ) -> &[(Key, Vitals)] {
        self.rows.clear();
        self.means.clear();
        for (key, thread) in threads {
            let index = key.as_number();
            if self.workers.len() <= index {
                self.workers.resize_with(index + 1, Patient::default);
            }
            let patient = &mut self.workers[index];
            let mut vitals = patient.examine(at, shared.worker(index), shared, thread);
            vitals.memory = memory;
            self.rows.push((*key, vitals));
            self.means.extend(patient.mean);
        }
        self.means.sort_unstable_by(f64::total_cmp);
        // Of an even number the lower one: of two workers the slow one isn't the measure.
        let middle = self.means.len().saturating_sub(1) / 2;
        let median = self.means.get(middle).copied().filter(|&median| median > 0.0);
        let nanoseconds = median.unwrap_or(0.0) * shared.clock.nanoseconds_per_tick();
        self.task = Duration::from_nanos(nanoseconds as u64);
        for (key, vitals) in &mut self.rows {
            let mean = self.workers[key.as_number()].mean;
            let slowness = mean.zip(median).map(|(mean, median)| mean / median);
            vitals.slowness = slowness.ok_or(Unavailable::NotYet);
            vitals.score = Ok(shared.rules.score(vitals));
        }
        &self.rows
    }
}

impl HealthMonitor {
    /// What was found at the last check.
    pub fn scores(&self) -> &[(Key, Vitals)] {
        &self.rows
    }

    /// How long a task took when tasks were timed last; zero if none has been.
    pub fn task(&self) -> Duration {
        self.task
    }

    /// What was found at the last check, by index.
    pub fn candidates(&self) -> Box<[Candidate]> {
        let mut all: Vec<_> = (0..self.workers.len()).map(Candidate::new).collect();
        for (key, vitals) in &self.rows {
            let candidate = &mut all[key.as_number()];
            candidate.health = vitals.score.unwrap_or(1.0);
            candidate.slowness = vitals.slowness.unwrap_or(1.0);
            candidate.error_rate = vitals.error_rate.unwrap_or(0.0);
        }
        all.into()
    }
}

fn nanoseconds(seconds: Fact<f64>) -> Fact<u64> {
    seconds.map(|seconds| (seconds * 1e9) as u64)
}

impl Patient {
    fn examine(
        &mut self,
        at: Duration,
        worker: &Remote,
        shared: &Shared,
        thread: &Thread,
    ) -> Vitals {
        let seen = worker.seen(shared.clock.elapsed());
        let mut vitals = Vitals::unavailable(Unavailable::NotYet);
        let seconds = |nanoseconds: f64| nanoseconds / 1e9;
        vitals.cpu = self.cpu.rate(at, nanoseconds(thread.cpu_time)).map(seconds);
        let busy = self.busy.rate(at, Ok(seen.times.busy.as_nanos() as u64)).map(seconds);
        vitals.cpu_off_tasks = vitals.cpu.and_then(|cpu| Ok((cpu - busy?).max(0.0)));
        vitals.inactive = Ok(match seen.status {
            Status::Parked => shared.clock.elapsed().saturating_sub(seen.since).as_secs_f64(),
            _ => 0.0,
        });
        vitals.run_delay = self.run_delay.rate(at, nanoseconds(thread.run_delay)).map(seconds);
        vitals.involuntary_switches =
            self.involuntary_switches.rate(at, thread.involuntary_switches);
        vitals.major_faults = self.major_faults.rate(at, thread.major_faults);
        let tasks = self.tasks.by(at, Ok(worker.counters.tasks.read()));
        let failures = self.failures.by(at, Ok(worker.counters.failures.read()));
        // A failure is counted before its task.
        vitals.error_rate =
            tasks.and_then(|tasks| Ok(share(failures?.by, tasks.by.max(1)).min(1.0)));
        let (count, time) = worker.latencies.responses();
        let (count, time) = (self.responses.by(at, Ok(count)), self.response_time.by(at, Ok(time)));
        let mean = |count: Grown| Some(time.ok()?.by as f64 / count.by as f64);
        if let Some(mean) = count.ok().filter(|count| count.by > 0).and_then(mean) {
            (self.mean, self.timed) = (Some(mean), at);
        } else if at.saturating_sub(self.timed) > REMEMBERED {
            self.mean = None;
        }
        vitals
    }
}
