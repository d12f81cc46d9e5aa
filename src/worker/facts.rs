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
