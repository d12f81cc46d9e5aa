//! What a pool has done and has to do, from what its workers count.

use crate::monitor::rate::{Growth, share};
use crate::telemetry::activity::Status;
use crate::telemetry::unavailable::Unavailable;
use crate::telemetry::work::Work;
use crate::worker::remote::Remote;
use crate::worker::shared::Shared;
use std::time::Duration;

#[derive(Default)]
pub struct WorkMonitor {
    tasks: Growth,
    busy: Growth,
    staffed: Growth,
}

impl WorkMonitor {
    pub fn read(&mut self, at: Duration, shared: &Shared) -> Work {
        let mut work = now(shared);
        let nanoseconds = |seconds: f64| (seconds * 1e9) as u64;
        work.throughput = self.tasks.rate(at, work.tasks);
        let busy = self.busy.by(at, work.busy_time.map(nanoseconds));
        let staffed = self.staffed.by(at, work.staffed_time.map(nanoseconds));
        work.utilisation = busy.and_then(|busy| {
            // Workers don't change both at once.
            Ok(share(busy.by, staffed?.by).min(1.0))
        });
        work
    }
}

/// As it is now: rates aren't there.
pub fn now(shared: &Shared) -> Work {
    let counters = shared.counters();
    let (mut busy, mut staffed) = (Duration::ZERO, Duration::ZERO);
    let (mut threads, mut parked, mut blocked) = (0, 0, 0);
    let now = shared.clock.elapsed();
    for worker in shared.workers() {
        let seen = worker.seen(now);
        busy += seen.times.busy;
        staffed += seen.times.all();
        threads += u64::from(!matches!(seen.status, Status::Starting | Status::Stopped));
        parked += u64::from(seen.status == Status::Parked);
        blocked += u64::from(seen.status == Status::Blocked);
    }
    Work {
        tasks: Ok(counters.tasks),
        failures: Ok(counters.failures),
        queued: Ok(shared.queued() as u64),
        threads: Ok(threads),
        parked: Ok(parked),
        blocked: Ok(blocked),
        memory: shared.memory(),
        busy_time: Ok(busy.as_secs_f64()),
        staffed_time: Ok(staffed.as_secs_f64()),
        utilisation: Err(Unavailable::NotYet),
        throughput: Err(Unavailable::NotYet),
    }
}

/// The workers that run, with the number of the thread that each is, unless it finds none in `/proc`.
pub fn threads(shared: &Shared) -> impl Iterator<Item = (usize, Option<u32>)> {
    let runs = |worker: &Remote| {
        !(worker.activity.is(Status::Starting) || worker.activity.is(Status::Stopped))
    };
    let workers = shared.roster().filter(move |(_, worker)| runs(worker));
    workers.map(|(index, worker)| (index, worker.tid.get()))
}
