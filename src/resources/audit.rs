//! A look at all leases, by the governor: what is overdue, what is to be taken back, and what stretches or shrinks.

use crate::policy::amounts::{Amounts, Resource};
use crate::policy::elastic::{grow, shrink};
use crate::resources::budget::Budget;
use crate::resources::elastic::{Call, Elastic};
use crate::resources::ledger::{Entry, LeaseInfo, Terms};
use crate::resources::tenant::Tenant;
use crate::telemetry::leases::Leases;
use std::panic::Location;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What came of a look at all leases.
pub struct Audit {
    /// The one that is overdue for longest, or has been taken back.
    pub overdue: Option<LeaseInfo>,
    /// The request that waits for longest: since when, and where in the program.
    pub waits: Option<(Instant, &'static Location<'static>)>,
    /// When to look again.
    pub next: Duration,
    /// What holders of elastic leases are to be told.
    pub calls: Vec<Call>,
}

impl Budget {
    /// Takes back what is overdue and forgotten, and stretches what is elastic, or has it shrink.
    pub fn audit(&self) -> Audit {
        let whose = |tenant: usize| self.queue().tenants[tenant].clone();
        let take_back = |tenant: Tenant, amounts| self.give_back(&tenant, amounts);
        let leak = self.ledger.reclaim(self.reclaim_running, whose, take_back);
        let calls = if self.elastics.are_none() {
            Vec::new()
        } else {
            let wanted = self.queue().fairness.all_wanted();
            adjust(self, wanted)
        };
        let (overdue, next) = self.ledger.look();
        let waits = self.longest_wait();
        Audit { overdue: overdue.or(leak), waits, next, calls }
    }

    fn longest_wait(&self) -> Option<(Instant, &'static Location<'static>)> {
        let queue = self.queue();
        queue.waiters.values().map(|waits| (waits.since, waits.place)).min_by_key(|wait| wait.0)
    }

    /// For people, and programs that look on.
    pub fn seen(&self) -> Leases {
        let waiting = self.queue().waiters.len();
        let mut seen = Leases {
            waiting,
            longest_wait: self.longest_wait().map_or(Duration::ZERO, |(since, _)| since.elapsed()),
            reclaimed: self.ledger.reclaimed(),
            budgets: Resource::ALL.map(|resource| (resource.to_string(), self.of(resource))).into(),
            ..Leases::default()
        };
        for info in self.ledger.all() {
            seen.out += 1;
            seen.overdue += usize::from(!info.overdue().is_zero());
            seen.longest_held = seen.longest_held.max(info.held);
        }
        seen
    }

    /// An elastic lease of this tenant.
    pub(super) fn stretch(
        &self,
        tenant: &Tenant,
        terms: &Terms,
        most: Amounts,
        entry: Option<Entry>,
    ) -> Arc<Elastic> {
        let elastic = Elastic::new(tenant, terms, most, entry);
        self.elastics.add(&elastic);
        self.ledger.call();
        elastic
    }

    /// Somebody waits who didn't, or something is free that wasn't.
    pub(super) fn call_for_elastics(&self) {
        if !self.elastics.are_none() {
            self.ledger.call();
        }
    }
}

/// Shrinks all as others want something, or grows them as nobody does. `wanted`: what all want who wait.
fn adjust(budget: &Budget, wanted: Amounts) -> Vec<Call> {
    let there = budget.elastics.there();
    for elastic in &there {
        let rest = elastic.end_if(|entry| budget.ledger.look_at(entry).is_none());
        if !rest.is_none() {
            budget.give_back(&elastic.tenant, rest);
        }
    }
    Resource::ALL.into_iter().flat_map(|r| adjust_one(budget, &there, r, wanted)).collect()
}

fn adjust_one(
    budget: &Budget,
    all: &[Arc<Elastic>],
    resource: Resource,
    wanted: Amounts,
) -> Vec<Call> {
    let mut stretches: Vec<_> = all.iter().map(|elastic| elastic.stretch(resource)).collect();
    let booked = all.iter().map(|elastic| elastic.booked(resource)).sum::<u64>();
    // On its way back already.
    let pending = booked.saturating_sub(stretches.iter().map(|stretch| stretch.granted).sum());
    let (free, wanted) = (budget.free().of(resource) + pending, wanted.of(resource));
    match wanted.checked_sub(free) {
        Some(lack) if lack > 0 => shrink(&mut stretches, lack),
        _ if wanted == 0 => grow(&mut stretches, free),
        _ => return Vec::new(),
    }
    let changes = all.iter().zip(stretches);
    changes
        .filter_map(|(elastic, to)| {
            elastic.change(resource, to.granted, |tenant, more| budget.book(tenant, more))
        })
        .collect()
}
