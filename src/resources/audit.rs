//! A look at all leases, by the governor: what is overdue, what is to be taken back, and what stretches or shrinks.

use crate::policy::amounts::{Amounts, Resource};
use crate::policy::elastic::{grow, shrink};
use crate::resources::budget::Budget;
use crate::resources::elastic::{Call, Elastic};
use crate::resources::ledger::{Entry, LeaseInfo, Terms};
use crate::resources::tenant::Tenant;
use crate::telemetry::leases::{Leases, ResourceBudget};
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
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
    /// Tells holders of elastic leases what they are to be told, if there is anything.
    pub call: Option<Call>,
}

impl Budget {
    /// Takes back what is overdue and forgotten, and stretches what is elastic, or has it shrink.
    pub fn audit(&self) -> Audit {
        let whose = |tenant: usize| self.queue().tenants[tenant].clone();
        let take_back = |tenant: Tenant, amounts| self.give_back(&tenant, amounts);
        let leak = self.ledger.reclaim(self.reclaim_running, whose, take_back);
        let call = if self.elastics.are_none() { None } else { adjust(self) };
        let (overdue, next) = self.ledger.look();
        let waits = self.longest_wait();
        Audit { overdue: overdue.or(leak), waits, next, call }
    }

    fn longest_wait(&self) -> Option<(Instant, &'static Location<'static>)> {
        let queue = self.queue();
        queue.waiters.values().map(|waits| (waits.since, waits.place)).min_by_key(|wait| wait.0)
    }

    pub fn of(&self, resource: Resource) -> ResourceBudget {
        let all = [self.total(), self.free(), self.overcommitted()];
        let [total, free, overcommitted] = all.map(|amounts| amounts.of(resource));
        ResourceBudget::new(total, free, overcommitted)
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
}

/// Shrinks all as others want something, or grows them as nobody does.
fn adjust(budget: &Budget) -> Option<Call> {
    let there = budget.elastics.there();
    let wanted = budget.queue().fairness.all_wanted();
    for elastic in &there {
        let rest = elastic.end_if(|entry| budget.ledger.look_at(entry).is_none());
        if !rest.is_none() {
            budget.give_back(&elastic.tenant, rest);
        }
    }
    Resource::ALL.into_iter().for_each(|resource| adjust_one(budget, &there, resource, wanted));
    let has_all = |elastic: &Arc<Elastic>| {
        let stretches = Resource::ALL.map(|resource| elastic.stretch(resource));
        stretches.iter().all(|stretch| stretch.granted == stretch.most)
    };
    budget.elastics.are_content(wanted.is_none() && there.iter().all(has_all));
    // Who has been told of nothing, as too many were to be told of something, is told after the next look.
    if !there.iter().any(|elastic| elastic.is_untold()) {
        return None;
    }
    Some(Box::new(move || {
        let mut panicked = None;
        for elastic in &there {
            let told = catch_unwind(AssertUnwindSafe(|| elastic.tell_changes()));
            panicked = told.err().or(panicked);
        }
        // Not before: the others are to be told all the same.
        if let Some(payload) = panicked {
            resume_unwind(payload);
        }
    }))
}

fn adjust_one(budget: &Budget, all: &[Arc<Elastic>], resource: Resource, wanted: Amounts) {
    let mut stretches: Vec<_> = all.iter().map(|elastic| elastic.stretch(resource)).collect();
    let booked = all.iter().map(|elastic| elastic.booked(resource)).sum::<u64>();
    // On its way back already.
    let pending = booked.saturating_sub(stretches.iter().map(|stretch| stretch.granted).sum());
    let there = budget.of(resource);
    let (free, wanted) = (there.free + pending, wanted.of(resource) + there.overcommitted);
    match wanted.checked_sub(free) {
        Some(lack) if lack > 0 => shrink(&mut stretches, lack),
        _ if wanted == 0 => grow(&mut stretches, free),
        _ => return,
    }
    for (elastic, to) in all.iter().zip(stretches) {
        let book = |tenant: &Tenant, more| budget.book(tenant, more);
        let give_back = |tenant: &Tenant, more| budget.give_back(tenant, more);
        elastic.change(resource, to.granted, book, give_back);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use crate::policy::amounts::{Means, Resource};
    use crate::resources::acquire::{Acquire, try_acquire};
    use crate::resources::budget::Budget;
    use crate::resources::config::BudgetConfig;
    use crate::resources::lessee::Lessee;
    use crate::resources::request::Request;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn what_comes_free_is_looked_at_while_an_elastic_lease_could_be_larger() {
        let (calls, config) = (Arc::new(AtomicUsize::new(0)), BudgetConfig::default());
        let counted = Arc::clone(&calls);
        let call = Arc::new(move || _ = counted.fetch_add(1, Ordering::Relaxed));
        let budget = Budget::new(&config, |_| Ok(Means::unused(1000)), call);
        let lease = |units| try_acquire(&budget, &Request::new().memory(units)).unwrap();
        let others = [lease(200), lease(100)];
        let stretches = Request::new().memory(200).up_to(Resource::Memory, 700);
        let elastic = try_acquire(&budget, &stretches).unwrap();
        // Of 800.
        budget.audit();
        assert_eq!(elastic.granted(Resource::Memory), 500);
        let before = calls.load(Ordering::Relaxed);
        for other in others {
            drop(other);
            let calls = calls.load(Ordering::Relaxed);
            assert_eq!(calls, before + 1, "who has been called need not be again");
        }
        budget.audit();
        assert_eq!(elastic.granted(Resource::Memory), 700);
        drop(lease(50));
        assert_eq!(calls.load(Ordering::Relaxed), before + 1, "it has all that it wants");
    }

    #[test]
    fn none_grows_by_what_somebody_wants_who_waits_for_something_else_too() {
        let config = BudgetConfig::default();
        let budget = Budget::new(&config, |_| Ok(Means::unused(1000)), Arc::new(|| ()));
        let _network = try_acquire(&budget, &Request::new().network(800)).unwrap();
        let stretches = Request::new().memory(200).up_to(Resource::Memory, 700);
        let elastic = try_acquire(&budget, &stretches).unwrap();
        let waits = Acquire::new(&budget, &Request::new().memory(500).network(1)).unwrap();
        budget.audit();
        assert_eq!(elastic.granted(Resource::Memory), 200);
        drop(waits);
        budget.audit();
        assert_eq!(elastic.granted(Resource::Memory), 700);
    }

    #[test]
    fn whoever_had_more_of_the_cpus_for_a_while_has_none_at_its_end() {
        let config = BudgetConfig::default();
        let budget = Budget::new(&config, |_| Ok(Means::unused(1000)), Arc::new(|| ()));
        // As long as it has this, it is somebody.
        let _memory = try_acquire(&budget, &Request::new().memory(1)).unwrap();
        let lessee = Lessee::current();
        let stretches = Request::new().cpu(100).up_to(Resource::Cpu, 300);
        let elastic = try_acquire(&budget, &stretches).unwrap();
        assert!(budget.audit().call.is_none(), "it hasn't asked to be told");
        assert_eq!((elastic.granted(Resource::Cpu), lessee.bound()), (300, Some(lessee)));
        drop(elastic);
        assert_eq!(lessee.bound(), None);
        budget.audit();
        assert!(budget.elastics.are_none());
    }
}
