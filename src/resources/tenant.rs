//! Whose requests they are: tenants share a budget fairly.

use crate::policy::amounts::{Amounts, Resource};
use crate::policy::fairness::{Holding, MOST_WEIGHT};
use crate::sync::statistic::{AtomicU64, Ordering};
use std::fmt;
use std::sync::Arc;

/// One of those among whom a pool's budget is shared: see [`ThreadPool::tenant`](crate::ThreadPool::tenant). A clone is the
/// same tenant. It is forgotten when all clones and its leases are gone.
#[derive(Clone)]
pub struct Tenant(Arc<Account>);

struct Account {
    budget: Arc<()>,
    index: usize,
    weight: u32,
    has: [AtomicU64; Resource::ALL.len()],
}

impl Tenant {
    /// Of the budget with this id.
    pub(super) fn new(budget: &Arc<()>, index: usize, weight: u32) -> Self {
        let (weight, has) = (weight.clamp(1, MOST_WEIGHT), Default::default());
        Self(Arc::new(Account { budget: Arc::clone(budget), index, weight, has }))
    }

    pub(super) fn index(&self) -> usize {
        self.0.index
    }

    /// Whether nobody else knows it: so it has nothing.
    pub(super) fn is_forgotten(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    pub(super) fn is_of(&self, budget: &Arc<()>) -> bool {
        Arc::ptr_eq(&self.0.budget, budget)
    }

    pub(super) fn holding(&self) -> Holding {
        let has = Amounts::NONE.each(|resource, _| self.has(resource));
        Holding { weight: self.0.weight, has }
    }

    pub(super) fn take(&self, amounts: Amounts) {
        for (resource, amount) in amounts.some() {
            self.0.has[resource as usize].fetch_add(amount, Ordering::Relaxed);
        }
    }

    pub(super) fn give_back(&self, amounts: Amounts) {
        for (resource, amount) in amounts.some() {
            self.0.has[resource as usize].fetch_sub(amount, Ordering::Relaxed);
        }
    }

    /// How much of it this tenant has leased now.
    pub fn has(&self, resource: Resource) -> u64 {
        self.0.has[resource as usize].load(Ordering::Relaxed)
    }

    /// Its weight: one that weighs twice as much has twice as large a share where all want more.
    pub fn weight(&self) -> u32 {
        self.0.weight
    }
}

impl fmt::Debug for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tenant").field("weight", &self.0.weight).finish_non_exhaustive()
    }
}
