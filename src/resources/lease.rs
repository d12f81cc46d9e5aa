//! A lease: a part of a budget, for as long as somebody has it.

use crate::policy::amounts::{Amounts, Resource};
use crate::resources::budget::{Budget, Grant};
use crate::resources::ledger::{Entry, Terms};
use crate::resources::lessee::Lessee;
use crate::resources::tenant::Tenant;
use std::fmt;
use std::panic::Location;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A part of a pool's budget: see [`ThreadPool::acquire`](crate::ThreadPool::acquire). On drop it is given back.
#[must_use = "dropped, it is given back"]
pub struct Lease {
    budget: Arc<Budget>,
    tenant: Tenant,
    terms: Terms,
    /// In the ledger; none if there are too many leases for anybody to watch.
    entry: Mutex<Option<Entry>>,
}

impl Lease {
    /// For `lessee`: nobody if it was waited for by a future, as whichever thread polled that doesn't matter.
    pub(super) fn new(
        budget: &Arc<Budget>,
        Grant { tenant, amounts }: Grant,
        lessee: Lessee,
        (lasts, place): (Option<Duration>, &'static Location<'static>),
    ) -> Self {
        let terms = Terms { lasts, place, lessee, tenant: tenant.index(), amounts };
        let entry = Mutex::new(budget.ledger.begin(&terms));
        Self { budget: Arc::clone(budget), tenant, terms, entry }
    }

    /// How much it is of this resource, in its [unit](Resource::unit).
    pub fn amount(&self, resource: Resource) -> u64 {
        self.terms.amounts.of(resource)
    }

    /// Whose it is.
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// Whether it has not been held for longer than it was [meant](crate::Request::time_to_live). It counts all the
    /// same until it is given back, as what it stands for may be in use; unless the task or thread that asked for it has ended,
    /// or the pool [reclaims](crate::ThreadPoolBuilder::reclaim_running) whatever is overdue.
    pub fn is_valid(&self) -> bool {
        let overdue = |entry| self.budget.ledger.look_at(entry).map(|info| info.overdue());
        self.entry().is_none_or(|entry| overdue(entry).is_some_and(|time| time.is_zero()))
    }

    /// It is meant for as long again, from now on. Returns whether it could be: not if it has been taken back.
    pub fn renew(&self) -> bool {
        let mut entry = self.entry();
        match *entry {
            Some(old) if !self.budget.ledger.end(old) => return false,
            _ => *entry = self.budget.ledger.begin(&self.terms),
        }
        true
    }

    fn entry(&self) -> MutexGuard<'_, Option<Entry>> {
        self.entry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives it back.
    pub fn release(self) {}

    /// Keeps this much of a resource, and gives the rest back; all stays if that is more.
    pub fn shrink_to(&mut self, resource: Resource, amount: u64) {
        let rest = self.amount(resource).saturating_sub(amount);
        let rest = Amounts::NONE.with(resource, rest);
        if self.strike_out() {
            self.terms.amounts = self.terms.amounts.minus(rest);
            self.entry = Mutex::new(self.budget.ledger.begin(&self.terms));
            self.budget.give_back(&self.tenant, rest);
        }
    }

    /// Whether it is ours to give back: nobody has taken it back.
    fn strike_out(&mut self) -> bool {
        let entry = self.entry.get_mut().unwrap_or_else(PoisonError::into_inner);
        entry.is_none_or(|entry| self.budget.ledger.end(entry))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.terms.lessee.give_back_one();
        if self.strike_out() {
            self.budget.give_back(&self.tenant, self.terms.amounts);
        }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("Lease");
        for (resource, amount) in self.terms.amounts.some() {
            text.field(&format!("{resource:?}"), &amount);
        }
        text.finish()
    }
}
