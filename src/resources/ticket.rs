//! What comes of asking a budget: a grant, or a place in its queue.

use crate::policy::fairness::Waiting;
use crate::resources::budget::{Budget, Grant, Waits};
use crate::resources::refusal::Refusal;
use crate::resources::request::Request;
use crate::resources::waiter::{Expects, Offer, Waiter};
use std::panic::Location;
use std::sync::Arc;
use std::time::Instant;

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
    /// What it waited for, once that has been granted.
    pub fn into_grant(self) -> Grant {
        assert!(self.waiter.take(), "filch: a lease that was not granted");
        self.grant.clone()
    }

    /// For who comes for what is offered: that, if it is there still. If not, it will be offered again.
    pub fn fetch(&self) -> Option<Grant> {
        self.budget.fetch(self.ticket, &self.grant).then(|| self.grant.clone())
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let tenant = self.budget.tenant_of(&self.grant.whose);
        let mut queue = self.budget.queue();
        if queue.waiters.remove(&self.ticket).is_some() {
            queue.fairness.leave(tenant.index(), self.ticket);
            // Others may have been waiting behind it.
            self.budget.serve(queue);
            return;
        }
        drop(queue);
        if self.waiter.take() {
            self.budget.give_back(tenant, self.grant.amounts);
        }
    }
}

impl Budget {
    /// As [`try_take`](Self::try_take), but waits in the queue if it has to, unless the one who asks `holds` a lease.
    pub fn ask(
        self: &Arc<Self>,
        request: &Request,
        place: &'static Location<'static>,
        holds: bool,
        expects: impl FnOnce() -> Option<Expects>,
    ) -> Result<Asked, Refusal> {
        match self.try_take(request) {
            Err(Refusal::Busy) => {}
            outcome => return outcome.map(Asked::Granted),
        }
        let ticket = self.join_queue(request, place, Waiter::new(expects()))?;
        // Granted, if somebody only took part of it for a moment.
        if holds && !ticket.waiter.is_granted() {
            return Err(Refusal::WouldDeadlock);
        }
        Ok(Asked::Waits(ticket))
    }

    /// A place in the queue for one who is to come for what is offered.
    pub fn ask_to_fetch(
        self: &Arc<Self>,
        request: &Request,
        place: &'static Location<'static>,
        offer: Offer,
    ) -> Result<Ticket, Refusal> {
        self.join_queue(request, place, Waiter::fetching(offer))
    }

    fn join_queue(
        self: &Arc<Self>,
        request: &Request,
        place: &'static Location<'static>,
        waiter: Waiter,
    ) -> Result<Ticket, Refusal> {
        let (whose, amounts) = (self.check(request)?, request.amounts);
        let mut queue = self.queue();
        queue.tickets += 1;
        let (ticket, waiter) = (queue.tickets, Arc::new(waiter));
        let tenant = self.tenant_of(&whose).index();
        queue.fairness.join(Waiting::new(ticket, tenant, request.priority, amounts));
        let waits = Waits { waiter: Arc::clone(&waiter), since: Instant::now(), place };
        queue.waiters.insert(ticket, waits);
        let grant = Grant { whose, amounts };
        let ticket = Ticket { budget: Arc::clone(self), waiter, ticket, grant };
        self.serve(queue);
        if self.elastics.want_a_look() {
            self.ledger.call();
        }
        Ok(ticket)
    }
}
