//! What the alert rules say of what has been read, and who is told.

use crate::export::save::save;
use crate::governor::due::Due;
use crate::governor::hooks::Hooks;
use crate::governor::known::Known;
use crate::monitor::monitoring::Monitoring;
use crate::monitor::rate::share;
use crate::policy::alert::Change;
use crate::policy::alert_rules::{AlertAction, AlertRules};
use crate::telemetry::activity::Status;
use crate::telemetry::alert::{AlertKind, Severity};
use crate::telemetry::buckets::Tally;
use crate::telemetry::health::Vitals;
use crate::telemetry::history::Key;
use crate::telemetry::latency::Latency;
use crate::telemetry::machine::Mount;
use crate::telemetry::unavailable::{Fact, Unavailable};
use crate::telemetry::work::Thread;
use crate::worker::alarm::Watch;
use crate::worker::shared::Shared;
use crate::worker::span;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

/// What the governor has read last.
pub struct Seen<'s> {
    pub known: Known,
    pub mounts: &'s [(Key, Mount)],
    pub health: &'s [(Key, Vitals)],
    pub threads: &'s [(Key, Thread)],
}

pub struct Evaluation {
    rules: AlertRules,
    pub due: Due,
    watched: Vec<Watch>,
    values: Vec<(AlertKind, usize, Fact<f64>)>,
    mounts: Vec<String>,
    /// Queue waits as of this time and the last.
    waits: [Tally; 2],
    tasks: u64,
    failures: u64,
    runs: Vec<Run>,
    /// Where the lease that is overdue for longest was asked for.
    overdue: Option<&'static Location<'static>>,
    /// Where somebody waits for one for longest.
    starved: Option<&'static Location<'static>>,
}

/// For people.
fn said(place: Option<&'static Location<'static>>) -> String {
    place.map_or_else(|| "a place unknown".to_owned(), ToString::to_string)
}

/// How long a worker has been in one task.
#[derive(Clone, Copy, Default)]
struct Run {
    tasks: u64,
    since: Duration,
}

/// Of its CPU: one that uses less waits for something.
const COMPUTES: f64 = 0.1;

impl Evaluation {
    pub fn new(monitoring: &Monitoring) -> Self {
        let mounts = monitoring.mounts.iter().map(|mount| mount.display().to_string());
        Self {
            rules: monitoring.alerts.clone(),
            due: Due::at_once(monitoring.evaluations),
            watched: Vec::new(),
            values: Vec::new(),
            mounts: mounts.collect(),
            waits: [Tally::new(), Tally::new()],
            tasks: 0,
            failures: 0,
            runs: Vec::new(),
            overdue: None,
            starved: None,
        }
    }

    /// Looks at every rule, and sums up. Allocates nothing unless something happens.
    pub fn evaluate(&mut self, now: Duration, pool: &Arc<Shared>, seen: &Seen<'_>, hooks: &Hooks) {
        self.gather(now, pool, seen);
        for at in 0..self.values.len() {
            let (kind, resource, value) = self.values[at];
            self.step(now, kind, resource, value, pool, hooks);
        }
        let Known { cpu, memory, network, .. } = seen.known;
        let firing = self.watched.iter().filter(|watch| watch.severity().is_some()).count();
        span::summary(pool.num_threads(), pool.queued(), [cpu, memory, network], firing);
    }

    /// Whether an alert fires about which this is to be done.
    pub fn asks_for(&self, action: &AlertAction) -> bool {
        let asks = |watch: &Watch| {
            let severity = watch.severity();
            let mut actions = self.rules.actions(watch.kind);
            actions.any(|(least, wanted)| Some(least) <= severity && wanted == action)
        };
        self.watched.iter().any(asks)
    }

    /// What is done once, about an alert of this kind that has become as bad as that.
    fn act(
        &self,
        kind: AlertKind,
        severity: Severity,
        is_new: bool,
        pool: &Arc<Shared>,
        hooks: &Hooks,
    ) {
        for (least, action) in self.rules.actions(kind) {
            // A trace tells of what has happened by now.
            let due = least == severity || least < severity && is_new;
            match action {
                AlertAction::Shed if due => pool.ask_to_tidy(),
                AlertAction::WriteTrace(path) if least <= severity => {
                    let (pool, path) = (Arc::downgrade(pool), path.clone());
                    hooks.post(Box::new(move || {
                        if let Some(pool) = pool.upgrade()
                            && save(&pool, &path).is_err()
                        {
                            pool.common.lost_hooks.bump_shared();
                        }
                    }));
                }
                _ => {}
            }
        }
    }

    fn gather(&mut self, now: Duration, pool: &Shared, seen: &Seen<'_>) {
        let Known { cpu, memory, network, throttled, cpu_pressure, memory_pressure, .. } =
            seen.known;
        let waits = self.queue_wait(pool);
        let errors = self.error_rate(pool);
        let overdue = seen.known.overdue.map(|info| info.overdue().as_secs_f64());
        self.overdue = seen.known.overdue.and_then(|info| info.place);
        let waited = seen.known.waits.map(|(since, _)| since.elapsed().as_secs_f64());
        self.starved = seen.known.waits.map(|(_, place)| place);
        let workers = pool.num_threads().max(1);
        self.values.clear();
        self.values.extend([
            (AlertKind::Cpu, 0, cpu),
            (AlertKind::Memory, 0, memory),
            (AlertKind::Network, 0, network),
            (AlertKind::Throttled, 0, throttled),
            (AlertKind::Lease, 0, overdue.ok_or(Unavailable::NotYet)),
            (AlertKind::Starvation, 0, waited.ok_or(Unavailable::NotYet)),
            (AlertKind::CpuPressure, 0, cpu_pressure),
            (AlertKind::MemoryPressure, 0, memory_pressure),
            (AlertKind::QueueLength, 0, Ok(pool.queued() as f64 / workers as f64)),
            (AlertKind::QueueWait, 0, waits),
            (AlertKind::ErrorRate, 0, errors),
        ]);
        let disks = seen.mounts.iter();
        self.values.extend(disks.map(|(key, m)| (AlertKind::Disk, key.as_number(), m.utilisation)));
        let missing = |vitals: &Vitals| vitals.score.map(|score| 1.0 - score);
        let health = seen.health.iter();
        self.values.extend(health.map(|(key, v)| (AlertKind::Health, key.as_number(), missing(v))));
        for (key, thread) in seen.threads {
            let index = key.as_number();
            let time = self.in_one_task(now, index, pool, thread);
            self.values.push((AlertKind::Stall, index, time));
        }
        // A worker that has left, a disk that is gone: what was found of it is over some time.
        for Watch { kind, resource, .. } in &self.watched {
            if !self.values.iter().any(|value| (value.0, value.1) == (*kind, *resource)) {
                self.values.push((*kind, *resource, Err(Unavailable::Missing)));
            }
        }
    }

    /// What one in a hundred of the tasks since the last time has waited longer than.
    fn queue_wait(&mut self, pool: &Shared) -> Fact<f64> {
        self.waits.swap(0, 1);
        let [before, after] = &mut self.waits;
        after.clear();
        for worker in pool.workers() {
            worker.latencies.buckets(Latency::QueueWait, None).for_each(|b| after.add(b));
        }
        let ticks = after.quantile_since(before, 0.99).ok_or(Unavailable::NotYet)?;
        Ok(ticks * pool.clock.nanoseconds_per_tick() / 1e9)
    }

    fn error_rate(&mut self, pool: &Shared) -> Fact<f64> {
        let counters = pool.counters();
        let grown = |last: &mut u64, now: u64| now.saturating_sub(std::mem::replace(last, now));
        let tasks = grown(&mut self.tasks, counters.tasks);
        let failures = grown(&mut self.failures, counters.failures);
        // A failure is counted before its task.
        if tasks == 0 { Err(Unavailable::NotYet) } else { Ok(share(failures, tasks).min(1.0)) }
    }

    /// For how many seconds a worker has been in one task, as far as has been seen.
    fn in_one_task(
        &mut self,
        now: Duration,
        index: usize,
        pool: &Shared,
        thread: &Thread,
    ) -> Fact<f64> {
        if self.runs.len() <= index {
            self.runs.resize(index + 1, Run::default());
        }
        let (run, worker) = (&mut self.runs[index], pool.worker(index));
        let tasks = worker.counters.tasks.read();
        let computes = thread.utilisation? > COMPUTES;
        if run.tasks != tasks || !worker.activity.is(Status::Running) || !computes {
            *run = Run { tasks, since: now };
        }
        Ok(now.saturating_sub(run.since).as_secs_f64())
    }

    fn step(
        &mut self,
        now: Duration,
        kind: AlertKind,
        resource: usize,
        value: Fact<f64>,
        pool: &Arc<Shared>,
        hooks: &Hooks,
    ) {
        let Some(condition) = self.rules.condition(kind) else { return };
        let known = self.watched.iter().position(|w| (w.kind, w.resource) == (kind, resource));
        let at = known.unwrap_or_else(|| {
            self.watched.push(Watch::new(kind, resource));
            self.watched.len() - 1
        });
        let name = || match kind {
            AlertKind::Disk => self.mounts.get(resource).cloned().unwrap_or_default(),
            AlertKind::Health | AlertKind::Stall => resource.to_string(),
            AlertKind::Lease => said(self.overdue),
            AlertKind::Starvation => said(self.starved),
            _ => String::new(),
        };
        let watch = &mut self.watched[at];
        let Some((outcome, alert)) = pool.alarm.step(watch, now, value, &condition, name) else {
            return;
        };
        match outcome.change {
            Some(Change::Fires(severity)) => {
                pool.common.alerts.bump_shared();
                self.act(kind, severity, true, pool, hooks);
            }
            Some(Change::Escalates) => self.act(kind, Severity::Critical, false, pool, hooks),
            Some(Change::Resolves) | None => {}
        }
        if !outcome.tell {
            return;
        }
        span::alert(&alert);
        pool.alarm.send(&alert, || pool.common.lost_hooks.bump_shared());
        for listener in pool.alarm.listeners() {
            let alert = alert.clone();
            hooks.post(Box::new(move || listener(&alert)));
        }
    }
}

#[cfg(all(test, not(loom), not(miri)))]
mod tests {
    use super::{Evaluation, Seen};
    use crate::governor::hooks::Hooks;
    use crate::governor::known::Known;
    use crate::governor::watched::Watched;
    use crate::monitor::fixture::Tree;
    use crate::monitor::monitoring::Monitoring;
    use crate::telemetry::alert::{AlertKind, Severity};
    use crate::telemetry::health::Vitals;
    use crate::telemetry::history::Key;
    use crate::telemetry::record::Record;
    use crate::telemetry::unavailable::Unavailable;
    use crate::worker::bare;
    use crate::worker::local::Deques;
    use crate::worker::shared::{Insight, Shared};
    use std::sync::Arc;
    use std::time::Duration;

    fn pool() -> Arc<Shared> {
        bare::shared(&[Deques::default()], 1, None, Insight::default())
    }

    #[test]
    fn an_alert_about_a_worker_is_over_when_the_worker_is_gone() {
        let pool = pool();
        let (mut evaluation, hooks) = (Evaluation::new(&Monitoring::new()), Hooks::new());
        let mut evaluate = |minute: u64, health: &[(Key, Vitals)]| {
            let known = Known::default();
            let seen = Seen { known, mounts: &[], health, threads: &[] };
            evaluation.evaluate(Duration::from_secs(60 * minute), &pool, &seen, &hooks);
            pool.alarm.alerts().firing.len()
        };
        let ill = Vitals { score: Ok(0.1), ..Vitals::unavailable(Unavailable::NotYet) };
        assert_eq!(evaluate(0, &[(Key::number(0), ill)]), 1);
        assert_eq!(evaluate(1, &[]), 1, "not yet");
        assert_eq!(evaluate(2, &[]), 0);
        assert!(pool.alarm.alerts().all()[0].resolved.is_some());
    }

    /// How long something had waited for a CPU by then, in milliseconds, every 5 seconds: of a machine with two
    /// CPUs on which four threads and a pool computed for the first minutes, and then a process with a quota.
    const WAITED: [u64; 106] = [
        0, 4263, 8672, 12826, 16969, 21172, 25340, 29570, 33747, 37910, 42144, 46424, 50613, 54818,
        58721, 62489, 66190, 69915, 73504, 77285, 81038, 84651, 88272, 92181, 96175, 100160,
        103823, 107583, 111555, 115569, 119356, 122919, 126866, 130897, 134910, 138671, 142338,
        145911, 149549, 153002, 156322, 159823, 163319, 166831, 170162, 173451, 177023, 180601,
        184139, 187433, 190912, 194446, 197978, 201295, 204599, 208197, 211774, 215320, 218671,
        221967, 225092, 228329, 231451, 234398, 237561, 240715, 243805, 246821, 249813, 253021,
        256192, 259253, 262358, 265474, 268629, 271792, 274749, 277918, 281124, 284331, 287445,
        290103, 290231, 290401, 290540, 290673, 290733, 290787, 290863, 290946, 291136, 291314,
        291533, 291747, 291799, 291840, 291877, 291944, 293214, 294602, 296659, 297758, 297864,
        297979, 298061, 298162,
    ];

    #[test]
    fn a_recording_of_pressure_fires_once_and_is_over_once() {
        let pressure = |milliseconds: u64| {
            let line =
                |kind, total| format!("{kind} avg10=0.00 avg60=0.00 avg300=0.00 total={total}\n");
            line("some", milliseconds * 1000) + &line("full", 0)
        };
        let tree = Tree::new();
        let Watched { mut governor, readings } = Watched::new(&tree);
        let pool = pool();
        let channel = pool.alarm.channel();
        for (at, &waited) in (0..).zip(&WAITED) {
            tree.write("/proc/pressure/cpu", pressure(waited));
            governor.tick(Duration::from_secs(5 * at), Some(&pool), &readings);
        }
        let heard: Vec<_> =
            channel.try_iter().filter(|alert| alert.kind == AlertKind::CpuPressure).collect();
        // Told of again in between, after the cooldown.
        let told: Vec<_> =
            heard.iter().map(|a| (a.id == heard[0].id, a.resolved.is_some())).collect();
        assert_eq!(told, [(true, false), (true, false), (true, true)], "{heard:?}");
        assert_eq!(heard[0].severity, Severity::Warning);
    }
}
