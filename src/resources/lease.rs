//! A lease: a part of a budget, for as long as somebody has it.

use crate::policy::amounts::{Amounts, Resource};
use crate::resources::budget::{Budget, Grant, Whose};
use crate::resources::elastic::Elastic;
use crate::resources::ledger::{Entry, Terms};
use crate::resources::lessee::Lessee;
use crate::resources::meter::Meter;
use crate::resources::request::Request;
use crate::resources::tenant::Tenant;
use crate::sync::lock::Mutex;
use crate::sync::statistic::{AtomicU64, Ordering};
use std::fmt;
use std::panic::Location;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

/// What is said of it when it is asked for, and where.
#[derive(Clone)]
pub struct Term {
    lasts: Option<Duration>,
    pub place: &'static Location<'static>,
    /// If it is to be elastic; in a box, as few are.
    most: Option<Box<Amounts>>,
}

impl Term {
    #[track_caller]
    pub(super) fn of(request: &Request) -> Self {
        let place = Location::caller();
        Self { lasts: request.time_to_live, place, most: request.most.clone() }
    }
}

/// Of all leases: it is rare, and a lease with a lock of its own takes longer to move.
static RENEWALS: Mutex<()> = Mutex::new(());

/// A part of a pool's budget: see [`ThreadPool::acquire`](crate::ThreadPool::acquire). On drop it is given back.
#[must_use = "dropped, it is given back"]
pub struct Lease {
    budget: Arc<Budget>,
    whose: Whose,
    /// Of an elastic lease: of its least.
    terms: Terms,
    elastic: Option<Arc<Elastic>>,
    /// Where it stands in the ledger, and as what; nowhere if there are too many leases for anybody to watch. Two words and no
    /// lock: what has padding is moved about byte by byte, which takes as long as the rest.
    slot: Option<usize>,
    number: AtomicU64,
    /// Of the network and of disks, if it is for either.
    meters: Option<Box<Mutex<[Meter; 2]>>>,
}

impl Lease {
    /// For `lessee`: nobody if it was waited for by a future, as whichever thread polled that doesn't matter.
    #[inline(always)]
    pub(super) fn new(
        budget: &Arc<Budget>,
        Grant { whose, amounts }: Grant,
        lessee: Lessee,
        Term { lasts, place, most }: Term,
    ) -> Self {
        let tenant = budget.tenant_of(&whose);
        let terms = Terms { lasts, place, lessee, tenant: tenant.index(), amounts };
        let entry = budget.ledger.begin(&terms);
        let elastic = most.map(|most| budget.stretch(tenant, &terms, *most, entry));
        let (budget, slot) = (Arc::clone(budget), entry.map(|entry| entry.slot));
        let number = AtomicU64::new(entry.map_or(0, |entry| entry.number));
        let is_rate = |of: &Amounts| of.of(Resource::Network) > 0 || of.of(Resource::Io) > 0;
        let meters = (is_rate(&amounts) || elastic.is_some()).then(Box::default);
        lessee.add_cpu(amounts.of(Resource::Cpu) as i64);
        Self { budget, whose, terms, elastic, slot, number, meters }
    }

    /// How much is booked for it of this resource, in its [unit](Resource::unit): what it has been granted, and of an
    /// elastic lease what has not been [settled](Self::settle).
    pub fn amount(&self, resource: Resource) -> u64 {
        let least = self.terms.amounts.of(resource);
        self.elastic.as_ref().map_or(least, |elastic| elastic.booked(resource))
    }

    /// How much of this resource it is for now. That of an elastic lease ([`Request::up_to`](crate::Request::up_to)) becomes less when
    /// others want it, and more when nobody does. Whoever holds it follows as soon as that can be, and says so by
    /// [`settle`](Self::settle): others get nothing of it before.
    pub fn granted(&self, resource: Resource) -> u64 {
        let least = self.terms.amounts.of(resource);
        self.elastic.as_ref().map_or(least, |elastic| elastic.granted(resource))
    }

    /// Takes so many bytes of what it is for of a rate, if it is for any. Returns when they may be used.
    pub(crate) fn take_at(&self, resource: Resource, now: Instant, bytes: u64) -> Option<Instant> {
        if !self.is_metered(resource) {
            return None;
        }
        let rate = self.granted(resource);
        let mut meters = self.meters.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        let meter = &mut meters[usize::from(resource == Resource::Io)];
        Some(meter.take(now, bytes, rate))
    }

    fn is_metered(&self, resource: Resource) -> bool {
        let may_grow = |elastic: &Arc<Elastic>| elastic.stretch(resource).most > 0;
        self.terms.amounts.of(resource) > 0 || self.elastic.as_ref().is_some_and(may_grow)
    }

    /// Whether nothing may go through for now: an elastic lease whose rate is none at present.
    pub(crate) fn is_choked(&self, resource: Resource) -> bool {
        self.is_metered(resource) && self.granted(resource) == 0
    }

    /// Says that no more is in use than has been [granted](Self::granted) by now.
    pub fn settle(&self) {
        if let Some(elastic) = &self.elastic {
            self.budget.give_back(self.tenant(), elastic.settle());
        }
    }

    /// Has `tell` called, on a thread of the pool's own for such things, when an elastic lease has been granted more or less
    /// of a resource: of which, and how much from now on. In place of the one before. It must not take long: see
    /// [`on_alert`](crate::ThreadPool::on_alert). It may come after another change, or the lease's end.
    pub fn on_change(&self, tell: impl Fn(Resource, u64) + Send + Sync + 'static) {
        if let Some(elastic) = &self.elastic {
            elastic.tell(Arc::new(tell));
        }
    }

    /// Whose it is.
    pub fn tenant(&self) -> &Tenant {
        self.budget.tenant_of(&self.whose)
    }

    /// Whether it has not been held for longer than it was [meant](crate::Request::time_to_live). It counts all the
    /// same until it is given back, as what it stands for may be in use; unless the task or thread that asked for it has ended,
    /// or the pool [reclaims](crate::ThreadPoolBuilder::reclaim_running) whatever is overdue.
    pub fn is_valid(&self) -> bool {
        let overdue = |entry| self.budget.ledger.look_at(entry).map(|info| info.overdue());
        let is_valid =
            || self.entry().is_none_or(|entry| overdue(entry).is_some_and(|time| time.is_zero()));
        // Or it is being renewed just now.
        is_valid() || {
            let _one_at_a_time = RENEWALS.lock().unwrap_or_else(PoisonError::into_inner);
            is_valid()
        }
    }

    /// It is meant for as long again, from now on. Returns whether it could be: not if it has been taken back.
    pub fn renew(&self) -> bool {
        self.enter_anew(&self.terms)
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry { slot: self.slot?, number: self.number.load(Ordering::Relaxed) })
    }

    /// Has other terms in the ledger, or the same ones from now on. False: it has been taken back.
    fn enter_anew(&self, terms: &Terms) -> bool {
        let one_at_a_time = RENEWALS.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(entry) = self.entry() else { return true };
        self.elastic.iter().for_each(|elastic| elastic.enter(None));
        let renewed = self.budget.ledger.renew(entry, terms);
        if let Some(Entry { number, .. }) = renewed {
            self.number.store(number, Ordering::Relaxed);
            self.elastic.iter().for_each(|elastic| elastic.enter(renewed));
            return true;
        }
        // What is given back may wake somebody who renews another one.
        drop(one_at_a_time);
        self.shrink_to_least();
        false
    }

    /// It has been taken back.
    fn shrink_to_least(&self) {
        if let Some(elastic) = &self.elastic {
            self.budget.give_back(self.tenant(), elastic.end());
        }
    }

    /// Gives it back.
    pub fn release(self) {}

    /// Keeps this much of a resource, and gives the rest back; all stays if that is more. An elastic lease doesn't grow
    /// beyond it any more.
    pub fn shrink_to(&mut self, resource: Resource, amount: u64) {
        let rest = self.terms.amounts.of(resource).saturating_sub(amount);
        let mut rest = Amounts::NONE.with(resource, rest);
        let terms = Terms { amounts: self.terms.amounts.minus(rest), ..self.terms };
        if !self.enter_anew(&terms) {
            return;
        }
        self.terms = terms;
        self.terms.lessee.add_cpu(-(rest.of(Resource::Cpu) as i64));
        if let Some(elastic) = &self.elastic {
            rest = rest.plus(elastic.limit(resource, amount));
        }
        self.budget.give_back(self.tenant(), rest);
    }

    /// Whether it is ours to give back: nobody has taken it back.
    fn strike_out(&self) -> bool {
        self.entry().is_none_or(|entry| self.budget.ledger.end(entry))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.terms.lessee.add_cpu(-(self.terms.amounts.of(Resource::Cpu) as i64));
        self.terms.lessee.give_back_one();
        let mut rest = self.elastic.as_ref().map_or(Amounts::NONE, |elastic| elastic.end());
        if self.strike_out() {
            rest = rest.plus(self.terms.amounts);
        }
        self.budget.give_back(self.tenant(), rest);
    }
}

/// How much it is of what.
impl fmt::Display for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a lease")?;
        let parts = Resource::ALL.into_iter().map(|resource| (resource, self.amount(resource)));
        let mut word = " of";
        for (resource, amount) in parts.filter(|&(_, amount)| amount > 0) {
            write!(f, "{word} {amount} {} ({resource})", resource.unit())?;
            word = ",";
        }
        Ok(())
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("Lease");
        for resource in Resource::ALL {
            let amount = self.amount(resource);
            if amount > 0 {
                text.field(&format!("{resource:?}"), &amount);
            }
        }
        text.finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Lease;
    use crate::policy::amounts::{Means, Resource};
    use crate::resources::acquire::{Acquire, try_acquire};
    use crate::resources::budget::Budget;
    use crate::resources::config::BudgetConfig;
    use crate::resources::request::Request;
    use std::pin::pin;
    use std::sync::mpsc::{SyncSender, sync_channel};
    use std::sync::{Arc, Mutex};
    use std::task::{Context, Wake};
    use std::thread;
    use std::time::Duration;

    /// Renews the lease that it has when it is woken, and says whether that could be.
    struct Renewer(Lease, Mutex<SyncSender<bool>>);

    impl Wake for Renewer {
        fn wake(self: Arc<Self>) {
            self.1.lock().unwrap().send(self.0.renew()).unwrap();
        }
    }

    #[test]
    fn who_gets_what_a_renewal_that_came_too_late_gives_back_may_renew_its_own() {
        let budget =
            Budget::new(&BudgetConfig::default(), |_| Ok(Means::unused(1000)), Arc::new(|| ()));
        budget.set_total(Resource::Memory, 100);
        let units = |units| Request::new().memory(units);
        let own = try_acquire(&budget, &units(10)).unwrap();
        let late = try_acquire(&budget, &units(10).up_to(Resource::Memory, 90)).unwrap();
        // As the governor does, which has come between the two steps of a renewal.
        let book = |tenant: &_, more| budget.book(tenant, more);
        late.elastic.as_ref().unwrap().change(Resource::Memory, 90, book, |_, _| ());
        assert!(late.amount(Resource::Memory) == 90 && late.strike_out());
        let mut waits = pin!(Acquire::new(&budget, &units(40)).unwrap());
        let (sender, receiver) = sync_channel(2);
        let waker = Arc::new(Renewer(own, Mutex::new(sender.clone()))).into();
        assert!(waits.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        // On a thread that may hang.
        thread::spawn(move || sender.send(late.renew()).unwrap());
        let said = || receiver.recv_timeout(Duration::from_secs(60)).expect("it doesn't hang");
        assert_eq!([said(), said()], [true, false]);
        assert!(waits.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
    }
}
