//! How many workers there are: what `policy/scaling.rs` decides is done here.

use crate::governor::due::Due;
use crate::monitor::cpu_group::Allowance;
use crate::monitor::kernel;
use crate::policy::scaling::{Elasticity, Load, Member, Scaling, ScalingPolicy, rank};
use crate::telemetry::activity::Status;
use crate::telemetry::health::Vitals;
use crate::telemetry::history::Key;
use crate::telemetry::unavailable::{Fact, Unavailable};
use crate::worker::shared::Shared;
use std::time::Duration;

/// While anything runs.
const EVERY: Duration = Duration::from_secs(1);
/// The least time between two looks, however short the pool's idle timeout is.
const SHORTEST: Duration = Duration::from_millis(10);
/// Below that a worker is ill.
const ILL: f64 = 0.5;
/// It gets a new thread when it has been ill at so many checks in a row.
const CHECKS: u32 = 3;

/// What was read with the last reading of the CPUs.
#[derive(Clone, Copy, Debug)]
pub struct Lately {
    pub run_delay: Fact<f64>,
    pub pressure: Fact<f64>,
    pub utilisation: Fact<f64>,
}

impl Default for Lately {
    fn default() -> Self {
        let not_yet = Err(Unavailable::NotYet);
        Self { run_delay: not_yet, pressure: not_yet, utilisation: not_yet }
    }
}

pub struct Staffing {
    scaling: Scaling,
    /// CPUs that the process could use when the pool was built.
    cpus: usize,
    pub due: Due,
    /// By index.
    health: Vec<Health>,
    members: Vec<Member>,
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

    /// Sees to it that there are as many workers as there are to be. The governor reads something `next`.
    pub fn step(
        &mut self,
        now: Duration,
        pool: &Shared,
        allowance: Allowance,
        lately: Lately,
        memory_short: bool,
        next: Duration,
    ) {
        let elasticity = pool.elasticity();
        let at_rest = self.survey(pool);
        let (mut min, mut slack) = (elasticity.bounds.min, false);
        if elasticity.policy == ScalingPolicy::Adaptive {
            let usable = self.usable(&elasticity, allowance);
            min = elasticity.bounds.within(usable).min;
            let load = Load {
                usable,
                throttled: allowance.throttled,
                run_delay: lately.run_delay,
                pressure: lately.pressure,
                utilisation: lately.utilisation,
                memory_short,
                queued: pool.queued(),
            };
            let decision = self.scaling.decide(now, &elasticity, &load);
            if decision.seats != pool.seats.count() {
                let order = self.members.iter().map(|member| member.index);
                pool.resize(decision.seats, order);
            }
            pool.strains(decision.strain);
            slack = decision.slack;
        }
        let leaves = self.part(pool, &elasticity, min, slack);
        drop(elasticity);
        // While nothing runs no quota counts.
        let rest = if at_rest { next } else { now.saturating_add(EVERY) };
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
    fn survey(&mut self, pool: &Shared) -> bool {
        self.members.clear();
        let (now, mut at_rest) = (pool.clock.elapsed(), true);
        for (index, worker) in pool.roster() {
            let seen = worker.seen(now);
            let parked = seen.status == Status::Parked;
            at_rest &= parked || seen.status == Status::Stopped;
            if worker.regular && pool.guest.get() != Some(&index) && !worker.presence.is_lent() {
                let idle = if parked { now.saturating_sub(seen.since) } else { Duration::ZERO };
                let health = self.health.get(index).copied().unwrap_or_default().score;
                self.members.push(Member { index, health, idle });
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
        elasticity: &Elasticity,
        min: usize,
        mut slack: bool,
    ) -> Duration {
        let timeout = elasticity.idle_timeout;
        let elastic = elasticity.policy != ScalingPolicy::Fixed;
        let mut settled = self.members.len() + pool.guest.get().map_or(0, |_| 1);
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
        let now = pool.clock.elapsed();
        for (index, worker) in pool.roster() {
            let seen = worker.seen(now);
            if seen.status != Status::Parked || !worker.presence.is_lent() {
                continue;
            }
            let idle = now.saturating_sub(seen.since);
            let health = self.health.get_mut(index);
            let ill = health.as_ref().is_some_and(|health| health.is_bad());
            if !ill && idle < timeout {
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
