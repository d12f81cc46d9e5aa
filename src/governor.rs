//! The governor: a thread that reads what is due, and sleeps until the next reading.

mod alerts;
mod due;
mod herald;
mod hooks;
mod known;
mod shortage;
mod staffing;
#[cfg(all(any(test, fuzzing), not(loom), not(miri)))]
pub mod watched;

use crate::governor::alerts::{Evaluation, Seen};
use crate::governor::due::Due;
use crate::governor::hooks::Hooks;
use crate::governor::known::Known;
use crate::governor::shortage::Relief;
use crate::governor::staffing::Staffing;
use crate::monitor::cgroup::Membership;
use crate::monitor::cpu::CpuMonitor;
use crate::monitor::disk::DiskMonitor;
use crate::monitor::endowment;
use crate::monitor::health::HealthMonitor;
use crate::monitor::kernel;
use crate::monitor::memory::MemoryMonitor;
use crate::monitor::monitoring::Monitoring;
use crate::monitor::network::NetworkMonitor;
use crate::monitor::threads::ThreadsMonitor;
use crate::monitor::work::{self, WorkMonitor};
use crate::policy::alert_rules::AlertAction;
use crate::policy::amounts::{Means, Resource};
use crate::sync::park_timeout;
use crate::telemetry::counters::Count;
use crate::telemetry::readings::Readings;
use crate::telemetry::unavailable::{Fact, Unavailable};
use crate::worker::shared::Shared;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

pub struct Governor {
    membership: Membership,
    work: WorkMonitor,
    threads: ThreadsMonitor,
    cpu: CpuMonitor,
    memory: MemoryMonitor,
    network: NetworkMonitor,
    disk: DiskMonitor,
    due: [Due; 4],
    health: HealthMonitor,
    /// For which the dearer ones of the threads' files are read.
    checks: Due,
    checked: Duration,
    /// For what the victim policy is told.
    balance: Due,
    /// For work that nobody comes for.
    rescue: Due,
    relief: Relief,
    hooks: Hooks,
    alerts: Evaluation,
    known: Known,
    staffing: Staffing,
}

/// No more often is a worker's health checked because something has happened, or looked for work that nobody comes for, and no
/// sooner is anything read after a panic.
const BREATH: Duration = Duration::from_secs(1);

impl Governor {
    /// For a process that may use so many CPUs.
    pub fn new(monitoring: &Monitoring, usable_cpus: usize) -> Self {
        let root = &monitoring.root;
        let series = [monitoring.cpu, monitoring.memory, monitoring.network, monitoring.disk];
        Self {
            membership: Membership::new(root),
            work: WorkMonitor::default(),
            threads: ThreadsMonitor::default(),
            cpu: CpuMonitor::new(root, usable_cpus),
            memory: MemoryMonitor::new(root),
            network: NetworkMonitor::new(root, monitoring.network_capacity),
            disk: DiskMonitor::new(root, &monitoring.mounts),
            due: series.map(|series| Due::at_once(series.every)),
            health: HealthMonitor::default(),
            checks: Due::at_once(monitoring.health_checks),
            checked: Duration::ZERO,
            balance: Due::at_once(monitoring.load_checks),
            rescue: Due::at_once(BREATH),
            relief: Relief::new(monitoring.max_memory),
            hooks: Hooks::new(),
            alerts: Evaluation::new(monitoring),
            known: Known::default(),
            staffing: Staffing::new(usable_cpus),
        }
    }

    /// Reads what is due, and returns when it is to be called again. Without a pool, only the machine
    /// is read.
    pub fn tick(
        &mut self,
        now: Duration,
        pool: Option<&Arc<Shared>>,
        readings: &Readings,
    ) -> Duration {
        let (stay, usage) = (self.membership.stay(), kernel::usage());
        let [cpu, memory, network, disk] = &mut self.due;
        let asked = pool.is_some_and(|pool| pool.wants_check());
        if asked {
            self.checks.at = self.checks.at.min(self.checked + BREATH);
        }
        let cpu_due = cpu.is(now);
        if cpu_due {
            let cpu = self.cpu.read(now, stay, usage);
            readings.cpu.push(now, &cpu);
            readings.cores.put(now, self.cpu.cores());
            self.known.pressure = cpu.group_pressure_some;
            self.known.cpu_pressure = cpu.group_pressure_some.or(cpu.pressure_some);
            (self.known.cpu, self.known.throttled) = (cpu.system_utilisation, cpu.throttled);
            let cpus =
                kernel::usable_cpus().map(|mask| (mask as f64).min(cpu.quota.unwrap_or(f64::MAX)));
            follow(pool, Resource::Cpu, cpus.map(endowment::of_cpus));
            if let Some(pool) = pool {
                let work = self.work.read(now, pool);
                self.known.utilisation = work.utilisation;
                readings.work.push(now, &work);
            }
        }
        if memory.is(now) {
            let memory = self.memory.read(now, stay, usage);
            self.known.memory = memory.limit_utilisation.or(memory.utilisation);
            self.known.memory_pressure = memory.group_pressure_some.or(memory.pressure_some);
            readings.memory.push(now, &memory);
            follow(pool, Resource::Memory, endowment::of_memory(&memory));
            self.relief.look(now, self.known.memory, pool, &self.hooks);
        }
        if network.is(now) {
            let network = self.network.read(now);
            self.known.network = network.utilisation;
            let capacity = network.capacity.map(|capacity| Means::unused(capacity as u64));
            follow(pool, Resource::Network, capacity);
            readings.network.push(now, &network);
            readings.interfaces.put(now, self.network.interfaces());
        }
        if disk.is(now) {
            readings.disk.push(now, &self.disk.read(now, stay));
            readings.mounts.put(now, self.disk.mounts());
            let first = self.disk.mounts().iter().find(|(key, _)| key.as_number() == 0);
            let first = first.ok_or(Unavailable::Missing);
            follow(pool, Resource::Disk, first.and_then(|(_, mount)| endowment::of_mount(mount)));
        }
        if let Some(pool) = pool
            && (cpu_due || asked)
        {
            let check = self.checks.is(now);
            let threads = self.threads.read(now, check, work::threads(pool));
            readings.threads.put(now, threads);
            self.known.run_delay = mean(threads.iter().map(|(_, thread)| thread.delayed));
            if check {
                pool.check_begins();
                self.checked = now;
                let vitals = self.health.check(now, pool, threads, self.known.memory);
                self.staffing.checked(vitals);
                readings.health.put(now, vitals);
            }
        }
        let next = self.due.iter().map(|due| due.at).min().unwrap_or(Duration::MAX);
        let next = if asked { next.min(self.checks.at) } else { next };
        let Some(pool) = pool else { return next };
        let audit = pool.purse.audit();
        let leases = audit.as_ref().map_or(Duration::MAX, |audit| audit.next);
        let overdue = audit.as_ref().and_then(|audit| audit.overdue);
        self.known.waits = audit.as_ref().and_then(|audit| audit.waits);
        audit.and_then(|audit| audit.call).into_iter().for_each(|call| self.hooks.post(call));
        let next = next.min(now.saturating_add(leases));
        if overdue.is_some() && self.known.overdue.is_none() {
            // It is news.
            self.alerts.due.at = now;
        }
        self.known.overdue = overdue;
        if self.alerts.due.is(now) {
            let seen = Seen {
                known: self.known,
                mounts: self.disk.mounts(),
                health: self.health.scores(),
                threads: self.threads.rows(),
            };
            self.alerts.evaluate(now, pool, &seen, &self.hooks);
            self.known.alarmed = self.alerts.asks_for(&AlertAction::Shrink);
            let sheds = self.alerts.asks_for(&AlertAction::Shed);
            if sheds && !self.known.sheds {
                self.staffing.due.at = now;
            }
            self.known.sheds = sheds;
        }
        let next = next.min(self.alerts.due.at);
        if self.staffing.due.is(now) || pool.has_called_governor() {
            self.known.memory_short = self.relief.is_due();
            let (cpu, times) = (&mut self.cpu, [now, pool.clock.elapsed(), next]);
            self.staffing.step(times, pool, || cpu.allowance(stay), self.known);
        }
        let next = next.min(self.staffing.due.at);
        let waits = self.rescue.is(now) && pool.rescue();
        let next = if waits { next.min(self.rescue.at) } else { next };
        let hook = self.hooks.check(pool).unwrap_or(Duration::MAX);
        let next = next.min(now.saturating_add(hook.max(SHORTEST)));
        // Where all are alike nobody needs to be told, now or later.
        if pool.victims.is_simple() {
            return next;
        }
        if self.balance.is(now) {
            pool.victims.rebalance(self.health.candidates(), self.health.task());
        }
        next.min(self.balance.at)
    }

    /// Goes on until the pool has come to its end, which unparks the thread.
    pub fn run(mut self, shared: &Arc<Shared>) {
        let Ok(readings) = &shared.readings else { return };
        while !shared.is_over() {
            let now = readings.now();
            let tick = || self.tick(now, Some(shared), readings);
            let next = guarded(&shared.common.lost_readings, now, tick);
            park_timeout(next.saturating_sub(readings.now()));
        }
        self.hooks.end();
    }
}

/// The machine has so much of it, of which the pool's tasks take leases.
fn follow(pool: Option<&Arc<Shared>>, resource: Resource, means: Fact<Means>) {
    if let (Some(pool), Ok(means)) = (pool, means) {
        pool.purse.follow(resource, means);
    }
}

/// A hook that is being called is looked at no more often.
const SHORTEST: Duration = Duration::from_millis(10);

/// Of what is known.
fn mean(facts: impl Iterator<Item = Fact<f64>>) -> Fact<f64> {
    let (count, sum) = facts.flatten().fold((0, 0.0), |(count, sum), fact| (count + 1, sum + fact));
    if count > 0 { Ok(sum / f64::from(count)) } else { Err(Unavailable::NotYet) }
}

/// A panic costs one reading: the next tick begins with what was due after that. It isn't at once,
/// since what panics before anything has been read does so again.
fn guarded(lost: &Count, now: Duration, tick: impl FnOnce() -> Duration) -> Duration {
    catch_unwind(AssertUnwindSafe(tick)).unwrap_or_else(|_| {
        lost.bump_shared();
        now.saturating_add(BREATH)
    })
}

#[cfg(all(test, not(loom), not(miri)))]
mod tests {
    use super::watched::Watched;
    use super::{BREATH, guarded};
    use crate::job::Payload;

    use crate::monitor::fixture::Tree;

    use crate::telemetry::counters::Count;

    use crate::worker::bare;
    use crate::worker::local::Deques;
    use crate::worker::shared::Insight;

    use std::panic::resume_unwind;

    use std::thread;
    use std::time::{Duration, Instant};

    #[test]
    fn a_panic_costs_one_reading_and_the_next_tick_takes_the_others() {
        let tree = Tree::new();
        let Watched { mut governor, readings } = Watched::new(&tree);
        let (lost, now) = (Count::default(), Duration::from_secs(7));
        let next = guarded(&lost, now, || {
            assert!(governor.due[0].is(now));
            // Without a message on standard error.
            resume_unwind(Box::new("in the monitor of the CPUs"))
        });
        assert_eq!((lost.read(), next), (1, now + BREATH));
        let next = guarded(&lost, now, || governor.tick(now, None, &readings));
        assert_eq!((lost.read(), next), (1, now + Duration::from_secs(1)));
        assert_eq!((readings.cpu.all().len(), readings.memory.all().len()), (0, 1));
        governor.tick(next, None, &readings);
        assert_eq!(readings.cpu.all().len(), 1);
    }

    #[test]
    fn a_governor_that_panics_at_every_tick_does_so_once_a_breath_and_then_goes_on() {
        let tree = Tree::new();
        let Watched { mut governor, readings } = Watched::new(&tree);
        // No time is so long after that: as long as a check is asked for, each tick panics.
        governor.checked = Duration::MAX;
        let insight = Insight { readings: Ok(readings), ..Insight::default() };
        let shared = bare::shared(&[Deques::default()], 1, None, insight);
        let payload: Payload = Box::new("of a task");
        shared.task_panicked(&payload);
        let lost = || shared.common.lost_readings.read();
        let taken = || shared.readings.as_ref().unwrap().cpu.all().len();
        let wait_for = |done: &dyn Fn() -> bool| {
            let start = Instant::now();
            while !done() && start.elapsed() < Duration::from_secs(30) {
                thread::sleep(Duration::from_millis(1));
            }
        };
        let (many, none, start) = thread::scope(|scope| {
            let start = Instant::now();
            let governor = scope.spawn(|| governor.run(&shared));
            wait_for(&|| lost() > 0);
            thread::sleep(BREATH / 10);
            let seen = (lost(), taken(), start);
            shared.check_begins();
            wait_for(&|| taken() > 0);
            shared.begin_shutdown();
            governor.thread().unpark();
            seen
        });
        assert!((1..=1 + start.elapsed().as_secs()).contains(&many), "{many} panics");
        assert!(none == 0 && taken() > 0);
    }
}
