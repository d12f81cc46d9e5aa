//! What a pool says of itself: read while its workers go on, so never all of one moment.
//!
//! Tests: tests/{memory,threads}.rs.

use crate::telemetry::activity::{Seen, Status};
use crate::telemetry::counters::Counters;
use crate::telemetry::unavailable::Fact;
use crate::worker::remote::Remote;
use crate::worker::shared::Shared;
use std::time::Duration;

impl Remote {
    /// What it is about, as others see it.
    pub fn seen(&self, now: Duration) -> Seen {
        let mut seen = self.activity.read(now);
        if self.presence.is_stalled() {
            seen.status = Status::Blocked;
        }
        let at_work = matches!(seen.status, Status::Running | Status::Searching);
        if at_work && self.regular && self.presence.is_lent() {
            seen.status = Status::Retiring;
        }
        seen
    }

    /// For how long it has had nothing to do.
    pub fn idle(&self, now: Duration) -> Duration {
        let seen = self.seen(now);
        let parked = seen.status == Status::Parked;
        if parked { now.saturating_sub(seen.since) } else { Duration::ZERO }
    }

    /// What it has done.
    pub fn counted(&self) -> Counters {
        let mut counters = Counters { joins: self.lane.joins(), ..Counters::default() };
        counters.add(&self.counters);
        counters
    }

    /// How many jobs lie in its queues.
    pub fn queued(&self) -> usize {
        self.stealable() + self.inbox.len()
    }

    fn stealable(&self) -> usize {
        self.frames.len() + self.scoped.len() + self.detached.len() + self.arrivals.len()
    }

    /// Bytes that it holds, if they are counted.
    pub fn memory(&self) -> Fact<u64> {
        self.counters.balance.read().map(not_negative)
    }
}

impl Shared {
    /// How many jobs lie in queues: at one time or another while they are counted.
    pub fn queued(&self) -> usize {
        self.waiting() + self.workers().map(|worker| worker.inbox.len()).sum::<usize>()
    }

    /// How many of them any worker may take.
    pub fn waiting(&self) -> usize {
        let common = self.injected.len() + self.calls.len() + self.misfits.len();
        common + self.workers().map(Remote::stealable).sum::<usize>()
    }

    /// Bytes that the workers hold, those that have ended included, if they are counted.
    pub fn memory(&self) -> Fact<u64> {
        self.workers()
            .map(|worker| worker.counters.balance.read())
            .sum::<Fact<i64>>()
            .map(not_negative)
    }

    pub fn counters(&self) -> Counters {
        let mut sum = Counters::default();
        for worker in self.workers() {
            sum.add(&worker.counters);
            sum.joins += worker.lane.joins();
        }
        sum.add(&self.common);
        sum
    }
}

/// Who frees what others have allocated is below zero.
fn not_negative(balance: i64) -> u64 {
    u64::try_from(balance).unwrap_or(0)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::not_negative;
    use crate::telemetry::activity::Status;
    use crate::worker::bare::{run, task, workers};
    use crate::worker::shared::Job;
    use std::time::Duration;

    #[test]
    fn what_lies_in_the_pools_queues_counts_too() {
        let [local] = workers(1, None);
        let shared = &local.shared;
        shared.injected.push(task());
        (0..2).for_each(|_| shared.calls.push(Job::Task(task())));
        (0..4).for_each(|_| shared.misfits.push(Job::Task(task())));
        local.deques.detached.push(task());
        assert_eq!((shared.waiting(), shared.queued()), (8, 8));
        run(&local);
        assert_eq!((shared.waiting(), shared.queued()), (0, 0));
        assert_eq!((local.remote().counted().tasks, shared.counters().tasks), (8, 8));
        (0..3).for_each(|_| local.lane().count());
        assert_eq!((local.remote().counted().joins, shared.counters().joins), (3, 3));
        shared.common.wakes.bump_shared();
        assert_eq!((local.remote().counted().wakes, shared.counters().wakes), (0, 1));
    }

    #[test]
    fn a_worker_is_seen_to_be_blocked_or_to_retire_by_its_seat() {
        let [local] = workers(2, None);
        let remote = local.remote();
        let now = Duration::from_secs(5);
        let seen = || remote.seen(now).status;
        remote.activity.enter(Status::Parked, Duration::from_secs(3));
        assert_eq!((seen(), remote.idle(now)), (Status::Parked, Duration::from_secs(2)));
        remote.presence.lend(true);
        assert_eq!(seen(), Status::Parked, "it sleeps");
        for at_work in [Status::Searching, Status::Running] {
            remote.activity.enter(at_work, Duration::from_secs(3));
            assert_eq!((seen(), remote.idle(now)), (Status::Retiring, Duration::ZERO));
            remote.presence.lend(false);
            assert_eq!(seen(), at_work);
            remote.presence.lend(true);
        }
        let _ = remote.presence.stall();
        assert_eq!(seen(), Status::Blocked);
        let _spare = local.shared.move_in(1);
        let spare = local.shared.worker(1);
        spare.activity.enter(Status::Running, now);
        assert!(spare.presence.is_lent() && spare.seen(now).status == Status::Running);
    }

    #[test]
    fn who_has_freed_more_than_it_has_allocated_holds_nothing() {
        assert_eq!([-1, 0, 7].map(not_negative), [0, 0, 7]);
    }
}
