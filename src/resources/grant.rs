//! What comes of asking: a grant, or a place in the queue.

use crate::policy::amounts::Amounts;
use crate::resources::budget::Budget;
use crate::resources::tenant::Tenant;
use crate::resources::waiter::Waiter;
use std::sync::Arc;

/// What has been taken, and in whose name. Not given back by itself.
#[derive(Clone)]
pub struct Grant {
    pub tenant: Tenant,
    pub amounts: Amounts,
}

pub enum Asked {
    Granted(Grant),
    Waits(Ticket),
}

/// A place in the queue. On drop it waits no more, and gives back what it was granted meanwhile.
pub struct Ticket {
    budget: Arc<Budget>,
    pub waiter: Arc<Waiter>,
    ticket: u64,
    grant: Grant,
}

impl Ticket {
    pub fn new(budget: &Arc<Budget>, waiter: Arc<Waiter>, ticket: u64, grant: Grant) -> Self {
        Self { budget: Arc::clone(budget), waiter, ticket, grant }
    }

    /// What it waited for, once that has been granted.
    pub fn into_grant(self) -> Grant {
        assert!(self.waiter.take(), "filch: a lease that was not granted");
        self.grant.clone()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let Grant { tenant, amounts } = &self.grant;
        let mut queue = self.budget.queue();
        if queue.waiters.remove(&self.ticket).is_some() {
            queue.fairness.leave(tenant.index(), self.ticket);
            // Others may have been waiting behind it.
            self.budget.serve(queue);
            return;
        }
        drop(queue);
        if self.waiter.take() {
            self.budget.give_back(tenant, *amounts);
        }
    }
}
