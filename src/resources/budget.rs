//! A budget: what there is, who has it, and who waits for it.
//!
//! Whoever finds enough takes it without a lock (primitive/account.rs). Whoever doesn't, waits in a queue under a lock,
//! and whoever gives back what somebody may wait for takes that lock to serve the queue, in the order of policy/fairness.rs.

use crate::policy::amounts::{Amounts, MOST, Means, Resource};
use crate::policy::fairness::{Fairness, Turn};
use crate::primitive::account::{Account, Attempt};
use crate::resources::config::BudgetConfig;
use crate::resources::elastic::Elastics;
use crate::resources::ledger::Ledger;
use crate::resources::refusal::Refusal;
use crate::resources::request::Request;
use crate::resources::tenant::Tenant;
use crate::resources::unused::{UNMEASURED, Unused};
use crate::resources::waiter::{Waiter, wake_all};
use crate::sync::lock::{Mutex, MutexGuard};
use crate::sync::statistic::{AtomicU64, Ordering};
use crate::telemetry::unavailable::{Fact, Unavailable};
use std::collections::HashMap;
use std::panic::Location;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

const RESOURCES: usize = Resource::ALL.len();

pub struct Budget {
    account: Account<RESOURCES>,
    total: [AtomicU64; RESOURCES],
    /// No grant is for more.
    unused: Unused,
    shares: [f64; RESOURCES],
    queue: Mutex<Queue>,
    /// Of all who name none.
    anybody: Tenant,
    pub ledger: Ledger,
    pub(super) reclaim_running: bool,
    pub(super) elastics: Elastics,
    /// Tells its tenants from others'.
    id: Arc<()>,
}

/// One who waits: since when, and where in the program.
pub(super) struct Waits {
    pub waiter: Arc<Waiter>,
    pub since: Instant,
    pub place: &'static Location<'static>,
}

pub(super) struct Queue {
    pub fairness: Fairness,
    /// By ticket.
    pub waiters: HashMap<u64, Waits>,
    pub tickets: u64,
    pub tenants: Vec<Tenant>,
    /// Whether a total was given, so that it doesn't follow the machine.
    given: [bool; RESOURCES],
}

impl Budget {
    pub fn new(
        config: &BudgetConfig,
        look: impl Fn(Resource) -> Fact<Means>,
        call: Arc<dyn Fn() + Send + Sync>,
    ) -> Arc<Self> {
        let of = |resource: Resource| {
            let at = resource as usize;
            match config.totals[at].map_or_else(|| look(resource), |_| Err(Unavailable::Off)) {
                Ok(means) => means.share(config.shares[at]),
                // What nobody can tell has no bound.
                Err(_) => given(config.totals[at].unwrap_or(MOST)),
            }
        };
        let means = Resource::ALL.map(of);
        let total = means.map(|means| means.total);
        let id = Arc::new(());
        let anybody = Tenant::new(&id, 0, 1);
        let queue = Queue {
            fairness: Fairness::new(config.strategy, Amounts::new(total)),
            waiters: HashMap::new(),
            tickets: 0,
            tenants: vec![anybody.clone()],
            given: config.totals.map(|total| total.is_some()),
        };
        Arc::new(Self {
            account: Account::new(total),
            total: total.map(AtomicU64::new),
            unused: Unused::new(means.map(|means| means.free)),
            shares: config.shares,
            queue: Mutex::new(queue),
            anybody,
            ledger: Ledger::new(config.time_to_live, config.checks, call),
            reclaim_running: config.reclaim_running,
            elastics: Elastics::default(),
            id,
        })
    }

    pub(super) fn queue(&self) -> MutexGuard<'_, Queue> {
        // Nothing of a user's is called while it is held.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn total(&self) -> Amounts {
        Amounts::NONE.each(|resource, _| self.total[resource as usize].load(Ordering::Relaxed))
    }

    /// None of those of which more is taken than there is by now.
    pub fn free(&self) -> Amounts {
        let free = self.account.free();
        self.unused
            .read()
            .each(|resource, unused| unused.min(free[resource as usize].max(0) as u64))
    }

    /// By how much more is taken than there is by now.
    pub fn overcommitted(&self) -> Amounts {
        let free = self.account.free();
        Amounts::NONE.each(|resource, _| free[resource as usize].min(0).unsigned_abs())
    }

    /// There is so much of it from now on, whatever the machine has. What is taken stays taken.
    pub fn set_total(&self, resource: Resource, total: u64) {
        let mut queue = self.queue();
        queue.given[resource as usize] = true;
        self.change(queue, resource, given(total));
    }

    /// The machine has so much of it now.
    pub fn follow(&self, resource: Resource, means: Means) {
        let queue = self.queue();
        if !queue.given[resource as usize] {
            self.change(queue, resource, means.share(self.shares[resource as usize]));
        }
    }

    fn change(&self, mut queue: MutexGuard<'_, Queue>, resource: Resource, means: Means) {
        let at = resource as usize;
        let before = self.total[at].swap(means.total, Ordering::Relaxed);
        if before != means.total {
            queue.fairness.resize(self.total());
        }
        self.unused.measured(resource, means.free);
        // Both are below 2^52.
        let _ = self.account.change(at, means.total as i64 - before as i64);
        if queue.waiters.is_empty() {
            drop(queue);
        } else {
            self.serve(queue);
        }
        if self.elastics.want_a_look() {
            self.ledger.call();
        }
    }

    pub fn tenant(&self, weight: u32) -> Tenant {
        let mut queue = self.queue();
        // Whoever waits in its name would know it.
        let left = queue.tenants.iter().position(Tenant::is_forgotten);
        let index = left.unwrap_or(queue.tenants.len());
        let tenant = Tenant::new(&self.id, index, weight);
        match queue.tenants.get_mut(index) {
            Some(place) => *place = tenant.clone(),
            None => queue.tenants.push(tenant.clone()),
        }
        tenant
    }

    pub(super) fn tenant_of<'a>(&'a self, whose: &'a Whose) -> &'a Tenant {
        whose.as_ref().unwrap_or(&self.anybody)
    }

    /// Whose it is, if it makes sense.
    pub(super) fn check(&self, request: &Request) -> Result<Whose, Refusal> {
        if request.amounts.is_none() {
            return Err(Refusal::Nothing);
        }
        let total = self.total();
        if let Some((resource, asked)) =
            request.amounts.some().find(|&(resource, asked)| asked > total.of(resource))
        {
            return Err(Refusal::TooMuch { resource, asked, total: total.of(resource) });
        }
        match &request.tenant {
            Some(tenant) if !tenant.is_of(&self.id) => Err(Refusal::Stranger),
            tenant => Ok(tenant.clone()),
        }
    }

    /// Takes it if it is free now, and nobody waits for any of it.
    #[inline]
    pub fn try_take(&self, request: &Request) -> Result<Grant, Refusal> {
        let (whose, amounts) = (self.check(request)?, request.amounts);
        if !amounts.fits(&self.unused.read()) {
            return Err(Refusal::Busy);
        }
        let booked = self.book(self.tenant_of(&whose), amounts);
        if booked { Ok(Grant { whose, amounts }) } else { Err(Refusal::Busy) }
    }

    /// Takes some more for a lease. Returns whether there was enough, and nobody waits for any of it.
    pub(super) fn book(&self, tenant: &Tenant, amounts: Amounts) -> bool {
        match self.account.try_take(amounts.all()) {
            Attempt::Taken => {
                tenant.take(amounts);
                self.unused.granted(amounts);
                return true;
            }
            Attempt::Refused => {}
            Attempt::Returned => self.serve(self.queue()),
        }
        false
    }

    pub(super) fn give_back(&self, tenant: &Tenant, amounts: Amounts) {
        tenant.give_back(amounts);
        self.unused.given_back(amounts);
        if self.account.give(amounts.all()) {
            self.serve(self.queue());
        }
        if !amounts.is_none() && self.elastics.want_more() {
            self.ledger.call();
        }
    }

    /// Gives what is free to those who are next, or offers it to those who are to come for it.
    pub(super) fn serve(&self, mut queue: MutexGuard<'_, Queue>) {
        let Queue { fairness, waiters, tenants, .. } = &mut *queue;
        self.account.want(fairness.wanted());
        let (mut woken, mut offered) = (Vec::new(), Vec::new());
        while let Some(next) = fairness.next(
            self.free(),
            |tenant| tenants[tenant].holding(),
            |ticket| waiters.get(&ticket).map_or(Turn::Taken, |waits| waits.waiter.turn()),
        ) {
            let waits = waiters.get(&next.ticket);
            if let Some(Waits { waiter, .. }) =
                waits.filter(|waits| waits.waiter.turn() == Turn::Fetched)
            {
                fairness.join(next);
                waiter.set_offered(true);
                offered.push(Arc::clone(waiter));
                continue;
            }
            if self.account.take(next.wants.all()) != Attempt::Taken {
                // Somebody took it who hadn't seen yet that others wait: it gives it back, and serves them.
                fairness.join(next);
                break;
            }
            tenants[next.tenant].take(next.wants);
            self.unused.granted(next.wants);
            // While the lock is held, or one that waits no more could miss it.
            woken.extend(waiters.remove(&next.ticket).and_then(|waits| waits.waiter.grant()));
        }
        self.account.want(fairness.wanted());
        drop(queue);
        wake_all(woken);
        offered.into_iter().for_each(|waiter| waiter.offer());
    }

    /// Gives what has been offered to who has come for it, if it is there still.
    pub(super) fn fetch(&self, ticket: u64, grant: &Grant) -> bool {
        let (tenant, amounts) = (self.tenant_of(&grant.whose), &grant.amounts);
        let mut queue = self.queue();
        let taken =
            amounts.fits(&self.free()) && self.account.take(amounts.all()) == Attempt::Taken;
        if let Some(waits) = queue.waiters.get(&ticket) {
            waits.waiter.set_offered(false);
        }
        if taken {
            tenant.take(*amounts);
            self.unused.granted(*amounts);
            queue.waiters.remove(&ticket);
            queue.fairness.leave(tenant.index(), ticket);
        }
        // The next one is offered, or this one again.
        self.serve(queue);
        taken
    }
}

/// By somebody who knows: nothing is measured.
fn given(total: u64) -> Means {
    Means { total: total.min(MOST), free: UNMEASURED }
}

/// In whose name: that of all who name none, if it is none. Not a clone of that one: a clone costs as much as the rest of a
/// lease's bookkeeping.
pub type Whose = Option<Tenant>;

/// What has been taken, and in whose name. Not given back by itself.
#[derive(Clone)]
pub struct Grant {
    pub whose: Whose,
    pub amounts: Amounts,
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Budget;
    use crate::policy::amounts::Means;
    use crate::resources::config::BudgetConfig;
    use std::sync::Arc;

    #[test]
    fn a_tenant_that_is_forgotten_leaves_its_place_to_the_next() {
        let look = |_| Ok(Means::unused(1000));
        let budget = Budget::new(&BudgetConfig::default(), look, Arc::new(|| ()));
        let [first, second] = [1, 2].map(|weight| budget.tenant(weight));
        let index = first.index();
        assert_ne!(index, second.index());
        drop(first);
        assert_eq!(budget.tenant(3).index(), index);
    }
}
