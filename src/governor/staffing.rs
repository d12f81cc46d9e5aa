//! How many workers there are: what `policy/scaling.rs` decides is done here.

use crate::governor::due::Due;
use crate::governor::known::Known;
use crate::monitor::cpu_group::Allowance;
use crate::monitor::kernel;
use crate::policy::hill_climb::HillClimb;
use crate::policy::scaling::{Bounds, Elasticity, Load, Member, Scaling, ScalingPolicy, rank};
use crate::primitive::rng::Rng;
use crate::telemetry::activity::Status;
use crate::telemetry::health::Vitals;
use crate::telemetry::history::Key;
use crate::telemetry::unavailable::Unavailable;
use crate::worker::shared::Shared;
use std::time::Duration;

/// While anything runs.
const EVERY: Duration = Duration::from_secs(1);
/// While a pool climbs: as often as `policy/hill_climb.rs` wants to be told, for what it tries is to be over soon.
const CLIMBS: Duration = Duration::from_millis(250);
/// The least time between two looks, however short the pool's idle timeout is.
const SHORTEST: Duration = Duration::from_millis(10);
/// Below that a worker is ill.
const ILL: f64 = 0.5;
/// It gets a new thread when it has been ill at so many checks in a row.
const CHECKS: u32 = 3;

pub struct Staffing {
    scaling: Scaling,
    /// CPUs that the process could use when the pool was built.
    cpus: usize,
    pub due: Due,
    /// By index.
    health: Vec<Health>,
    members: Vec<Member>,
    climb: Climb,
}

/// What has been tried, and what came of it.
struct Climb {
    policy: HillClimb,
    random: Rng,
    at: Duration,
    tasks: u64,
    cpu: Duration,
}

impl Climb {
    fn new() -> Self {
        let (at, cpu) = (Duration::ZERO, Duration::ZERO);
        Self { policy: HillClimb::new(1, 1), random: Rng::new(0), at, tasks: 0, cpu }
    }

    fn observe(&mut self, now: Duration, pool: &Shared, bounds: Bounds) -> usize {
        self.policy.limits(bounds.min, bounds.max);
        let tasks = pool.counters().tasks;
        let cpu = kernel::usage().map_or(self.cpu, |usage| usage.cpu_time);
        let span = now.saturating_sub(std::mem::replace(&mut self.at, now));
        let done = tasks - std::mem::replace(&mut self.tasks, tasks);
        let used = cpu.saturating_sub(std::mem::replace(&mut self.cpu, cpu));
        self.policy.observe(span, done, used, self.random.below(1 << 20) as u64)
    }
}

#[derive(Clone, Copy)]
struct Health {
    score: f64,
    /// Checks in a row at which it was ill.
    ill: u32,
}

impl Health {
    fn is_bad(&self) -> bool {
        self.ill >= CHECKS
    }
}

impl Default for Health {
    fn default() -> Self {
        Self { score: 1.0, ill: 0 }
    }
}

impl Staffing {
    pub fn new(cpus: usize) -> Self {
        Self {
            scaling: Scaling::default(),
            cpus,
            due: Due::at_once(EVERY),
            health: Vec::new(),
            members: Vec::new(),
            climb: Climb::new(),
        }
    }

    /// What a check has found.
    pub fn checked(&mut self, vitals: &[(Key, Vitals)]) {
        for (key, vitals) in vitals {
            let index = key.as_number();
            if self.health.len() <= index {
                self.health.resize(index + 1, Health::default());
            }
            let health = &mut self.health[index];
            health.score = vitals.score.unwrap_or(1.0);
            health.ill = if health.score < ILL { health.ill + 1 } else { 0 };
        }
    }

    /// Sees to it that there are as many workers as there are to be. `clock` is the pool's. The governor
    /// reads something `next`.
    pub fn step(
        &mut self,
        [now, clock, next]: [Duration; 3],
        pool: &Shared,
        allowance: impl FnOnce() -> Allowance,
        known: Known,
    ) {
        let elasticity = pool.elasticity();
        let at_rest = self.survey(pool, clock);
        let (mut min, mut slack) = (elasticity.bounds.min, false);
        if elasticity.policy == ScalingPolicy::Adaptive {
            // Not for a pool that doesn't ask: these are files.
            let allowance = allowance();
            let usable = self.usable(&elasticity, allowance);
            min = elasticity.bounds.within(usable).min;
            let load = Load {
                usable,
                throttled: allowance.throttled,
                run_delay: known.run_delay,
                // The whole machine's: another program must not shrink this pool.
                pressure: if allowance.own { known.pressure } else { Err(Unavailable::Missing) },
                utilisation: known.utilisation,
                memory_short: known.memory_short,
                alarmed: known.alarmed,
                queued: pool.queued(),
            };
            let decision = self.scaling.decide(now, &elasticity, &load);
            if decision.seats != pool.seats.count() {
                let order = self.members.iter().map(|member| member.index);
                pool.resize(decision.seats, order);
            }
            pool.strains(decision.strain);
            slack = decision.slack;
        } else if elasticity.policy == ScalingPolicy::HillClimb {
            let seats = self.climb.observe(now, pool, elasticity.bounds);
            if seats != pool.seats.count() {
                pool.resize(seats, self.members.iter().map(|member| member.index));
            }
        }
        let sheds = known.memory_short || known.sheds;
        let leaves = self.part(pool, clock, &elasticity, min, (slack, sheds));
        let climbs = elasticity.policy == ScalingPolicy::HillClimb;
        drop(elasticity);
        // While nothing runs no quota counts.
        let every = if climbs { CLIMBS } else { EVERY };
        let rest = if at_rest { next } else { now.saturating_add(every) };
        self.due.at = now.saturating_add(leaves.max(SHORTEST)).min(rest);
        pool.governor_rests(at_rest);
    }

    fn usable(&self, elasticity: &Elasticity, allowance: Allowance) -> usize {
        if !elasticity.by_cpus {
            return elasticity.bounds.max;
        }
        let mask = kernel::usable_cpus().unwrap_or(self.cpus);
        mask.min(allowance.cpus.unwrap_or(usize::MAX)).max(1)
    }

    /// Looks who may leave, and ranks them. Returns whether nobody runs.
    fn survey(&mut self, pool: &Shared, now: Duration) -> bool {
        self.members.clear();
        let mut at_rest = true;
        for (index, worker) in pool.roster() {
            at_rest &= matches!(worker.seen(now).status, Status::Parked | Status::Stopped);
            if worker.regular && pool.guest.get() != Some(&index) && !worker.presence.is_lent() {
                let health = self.health.get(index).copied().unwrap_or_default().score;
                self.members.push(Member { index, health, idle: worker.idle(now) });
            }
        }
        rank(&mut self.members);
        at_rest
    }

    /// Parts with those who have nothing to do: from their seats first, then from their threads; and with
    /// those who are ill. Returns after how long the next one has had nothing to do for long enough.
    fn part(
        &mut self,
        pool: &Shared,
        now: Duration,
        elasticity: &Elasticity,
        min: usize,
        (mut slack, sheds): (bool, bool),
    ) -> Duration {
        let timeout = elasticity.idle_timeout;
        let elastic = elasticity.policy != ScalingPolicy::Fixed;
        let guest = pool.guest.get().filter(|&&guest| !pool.worker(guest).presence.is_gone());
        let mut settled = self.members.len() + guest.iter().len();
        let mut next = Duration::MAX;
        for member in &self.members {
            let ill = self.health.get(member.index).is_some_and(Health::is_bad);
            let idle = elastic && member.idle >= timeout || slack && member.idle > Duration::ZERO;
            if ill || idle && settled > min {
                pool.let_go(member.index);
                settled -= 1;
                slack = false;
            } else if elastic && settled > min {
                next = next.min(timeout.saturating_sub(member.idle));
            }
        }
        for (index, worker) in pool.roster() {
            let seen = worker.seen(now);
            if seen.status != Status::Parked || !worker.presence.is_lent() {
                continue;
            }
            let idle = now.saturating_sub(seen.since);
            let health = self.health.get_mut(index);
            let ill = health.as_ref().is_some_and(|health| health.is_bad());
            if !ill && !sheds && idle < timeout {
                next = next.min(timeout - idle);
            } else if pool.dismiss(index) {
                // Who comes in its place starts anew.
                health.into_iter().for_each(|health| *health = Health::default());
            } else {
                // It is on its way to the bench.
                next = SHORTEST;
            }
        }
        next
    }
}

#[cfg(all(test, not(loom), not(miri)))]
mod tests {
    use super::{CHECKS, Known, Staffing};
    use crate::governor::watched::Watched;
    use crate::monitor::cpu_group::Allowance;
    use crate::monitor::fixture::Tree;
    use crate::policy::scaling::{Bounds, Elasticity, ScalingPolicy};
    use crate::telemetry::activity::Status;
    use crate::telemetry::health::Vitals;
    use crate::telemetry::history::Key;
    use crate::telemetry::record::Record;
    use crate::telemetry::strain::Strain;
    use crate::telemetry::unavailable::Unavailable;
    use crate::worker::bare;
    use crate::worker::local::Deques;
    use crate::worker::shared::{Insight, Shared};
    use std::sync::Arc;
    use std::time::Duration;

    const SECOND: Duration = Duration::from_secs(1);
    const TIMEOUT: Duration = Duration::from_secs(300);

    /// Four workers without threads, one of which stays.
    fn pool(by_cpus: bool) -> Arc<Shared> {
        let deques: [Deques; 4] = std::array::from_fn(|_| Deques::default());
        let shared = bare::shared(&deques, 6, None, Insight::default());
        let bounds = Bounds { min: 1, max: 4 };
        let policy = ScalingPolicy::Adaptive;
        *shared.elasticity() = Elasticity { policy, bounds, by_cpus, ..Elasticity::none(4) };
        assert!(shared.hire.set(Box::new(|_| Ok(()))).is_ok());
        shared
    }

    fn settled(pool: &Shared) -> Vec<usize> {
        let workers = pool.regulars.iter().enumerate();
        workers.filter(|(_, worker)| !worker.presence.is_lent()).map(|(index, _)| index).collect()
    }

    const UNLIMITED: Allowance =
        Allowance { cpus: None, throttled: Err(Unavailable::Unlimited), own: false };

    fn step(staffing: &mut Staffing, pool: &Shared, at: Duration) {
        staffing.step([at, at, Duration::MAX], pool, || UNLIMITED, Known::default());
    }

    /// Everybody runs from the start.
    fn all_run(pool: &Shared) {
        pool.regulars.iter().for_each(|worker| {
            worker.activity.enter(Status::Running, Duration::ZERO);
        });
    }

    #[test]
    fn a_version_2_group_is_followed_from_quota_to_quota() {
        let tree = Tree::new()
            .file("/proc/self/cgroup", "0::/a\n")
            .file("/proc/self/mountinfo", "1 0 0:1 / /cg rw - cgroup2 none rw\n")
            .file("/cg/a/cpu.max", "max 100000\n")
            .file("/cg/a/cpu.stat", "nr_periods 0\nnr_throttled 0\nthrottled_usec 0\n");
        let Watched { mut governor, readings } = Watched::new(&tree);
        let pool = pool(true);
        all_run(&pool);
        let mut second = 0;
        let mut tick = || {
            second += 1;
            governor.tick(SECOND * second, Some(&pool), &readings);
            pool.seats.count()
        };
        let cpus = tick();
        assert!((1..=4).contains(&cpus));
        let tree = tree.file("/cg/a/cpu.max", "100000 100000\n");
        assert_eq!(tick(), 1);
        assert_eq!(settled(&pool).len(), 1);
        let tree = tree.file("/cg/a/cpu.max", "max 100000\n");
        assert_eq!(tick(), cpus);
        assert_eq!(settled(&pool).len(), cpus);
        let _tree = tree.file("/cg/a/cpu.max", "garbled\n");
        assert_eq!(tick(), cpus);
    }

    #[test]
    fn who_has_had_nothing_to_do_for_long_leaves_up_to_the_minimum() {
        let (mut staffing, pool) = (Staffing::new(4), pool(false));
        all_run(&pool);
        for (index, second) in [(3, 10), (1, 20), (2, 30), (0, 40)] {
            pool.worker(index).activity.enter(Status::Parked, SECOND * second);
        }
        step(&mut staffing, &pool, SECOND * 100);
        assert_eq!((settled(&pool), staffing.due.at), (vec![0, 1, 2, 3], TIMEOUT + SECOND * 10));
        step(&mut staffing, &pool, TIMEOUT + SECOND * 20);
        assert_eq!(settled(&pool), [0, 2]);
        step(&mut staffing, &pool, TIMEOUT * 100);
        assert_eq!(settled(&pool), [0]);
    }

    #[test]
    fn who_is_ill_three_times_in_a_row_gets_a_new_thread() {
        let (mut staffing, pool) = (Staffing::new(4), pool(false));
        all_run(&pool);
        let mut check = |scores: [f64; 2]| {
            let vitals = scores.map(|score| Vitals {
                score: Ok(score),
                ..Vitals::unavailable(Unavailable::NotYet)
            });
            let rows = [(Key::number(1), vitals[0]), (Key::number(2), vitals[1])];
            staffing.checked(&rows);
            step(&mut staffing, &pool, SECOND);
            settled(&pool)
        };
        for _ in 1..CHECKS {
            assert_eq!(check([0.4, 0.4]), [0, 1, 2, 3]);
        }
        assert_eq!(check([0.4, 0.5]), [0, 2, 3]);
        // It has left.
        pool.seats.sit_out(1);
        pool.worker(1).activity.enter(Status::Parked, SECOND);
        assert_eq!(check([0.4, 0.4]), [0, 2, 3]);
        assert!(!pool.is_benched(1), "dismissed");
        assert_eq!(staffing.health[1].ill, 0);
    }

    #[test]
    fn only_the_pressure_of_a_group_of_ones_own_counts() {
        for (own, seats) in [(false, 4), (true, 3)] {
            let (mut staffing, pool) = (Staffing::new(4), pool(false));
            all_run(&pool);
            step(&mut staffing, &pool, SECOND);
            let known = Known { pressure: Ok(0.9), ..Known::default() };
            let times = [SECOND * 10, SECOND * 10, Duration::MAX];
            staffing.step(times, &pool, || Allowance { own, ..UNLIMITED }, known);
            assert_eq!(pool.seats.count(), seats);
        }
    }

    #[test]
    fn strain_takes_the_least_healthy_and_is_told() {
        let (mut staffing, pool) = (Staffing::new(4), pool(false));
        all_run(&pool);
        let ill = Vitals { score: Ok(0.6), ..Vitals::unavailable(Unavailable::NotYet) };
        staffing.checked(&[(Key::number(2), ill)]);
        step(&mut staffing, &pool, SECOND);
        let known = Known { run_delay: Ok(0.9), ..Known::default() };
        staffing.step([SECOND * 10, SECOND * 10, Duration::MAX], &pool, || UNLIMITED, known);
        assert_eq!((settled(&pool), pool.seats.count()), (vec![0, 1, 3], 3));
        assert_eq!(pool.strain(), Some(Strain::RunDelay));
    }
}
