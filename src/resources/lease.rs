//! A lease: a part of a budget, for as long as somebody has it.

use crate::policy::amounts::{Amounts, Resource};
use crate::resources::budget::{Budget, Grant};
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
    amounts: Amounts,
    /// Nobody if it was waited for by a future: whichever thread polled that doesn't matter.
    lessee: Lessee,
    /// In the ledger; none if there are too many leases for anybody to watch.
    number: Mutex<Option<usize>>,
    lasts: Option<Duration>,
    place: &'static Location<'static>,
}

impl Lease {
    pub(super) fn new(
        budget: &Arc<Budget>,
        Grant { tenant, amounts }: Grant,
        lessee: Lessee,
        (lasts, place): (Option<Duration>, &'static Location<'static>),
    ) -> Self {
        let number = Mutex::new(budget.ledger.begin(lasts, place));
        Self { budget: Arc::clone(budget), tenant, amounts, lessee, number, lasts, place }
    }

    /// How much it is of this resource, in its [unit](Resource::unit).
    pub fn amount(&self, resource: Resource) -> u64 {
        self.amounts.of(resource)
    }

    /// Whose it is.
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// Whether it has not been held for longer than it was [meant](crate::Request::time_to_live). It counts all the
    /// same until it is given back: what it stands for may be in use.
    pub fn is_valid(&self) -> bool {
        let info = self.number().and_then(|number| self.budget.ledger.look_at(number));
        info.is_none_or(|info| info.overdue().is_zero())
    }

    /// It is meant for as long again, from now on.
    pub fn renew(&self) {
        let mut held = self.number();
        held.take().into_iter().for_each(|number| self.budget.ledger.end(number));
        *held = self.budget.ledger.begin(self.lasts, self.place);
    }

    fn number(&self) -> MutexGuard<'_, Option<usize>> {
        self.number.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives it back.
    pub fn release(self) {}

    /// Keeps this much of a resource, and gives the rest back; all stays if that is more.
    pub fn shrink_to(&mut self, resource: Resource, amount: u64) {
        let rest = self.amounts.of(resource).saturating_sub(amount);
        let rest = Amounts::NONE.with(resource, rest);
        self.amounts = self.amounts.minus(rest);
        self.budget.give_back(&self.tenant, rest);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.lessee.give_back_one();
        let number = self.number.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        number.into_iter().for_each(|number| self.budget.ledger.end(number));
        self.budget.give_back(&self.tenant, self.amounts);
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("Lease");
        for (resource, amount) in self.amounts.some() {
            text.field(&format!("{resource:?}"), &amount);
        }
        text.finish()
    }
}
