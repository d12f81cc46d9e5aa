//! Elastic leases: at least so much, and more while nobody else wants it.
//!
//! What an elastic lease has been *granted* may become less at any time; what is *booked* for it stays until its holder says
//! that it has given up the difference: what others get must not be in use still.

use crate::policy::amounts::{Amounts, Resource};
use crate::policy::elastic::{Stretch, grow, shrink};
use crate::resources::budget::Budget;
use crate::resources::ledger::Entry;
use crate::resources::tenant::Tenant;
use crate::sync::statistic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Told of what it has been granted of a resource from now on.
type Tell = Arc<dyn Fn(Resource, u64) + Send + Sync>;

/// What its holder is to be told.
pub type Call = Box<dyn FnOnce() + Send>;

pub struct Elastic {
    tenant: Tenant,
    state: Mutex<State>,
}

struct State {
    least: Amounts,
    most: Amounts,
    granted: Amounts,
    booked: Amounts,
    entry: Option<Entry>,
    tell: Option<Tell>,
}

impl State {
    fn stretch(&self, resource: Resource) -> Stretch {
        let [least, most, granted] =
            [self.least, self.most, self.granted].map(|amounts| amounts.of(resource));
        Stretch { least, most: most.max(least), granted }
    }
}

impl Elastic {
    pub fn new(tenant: &Tenant, least: Amounts, most: Amounts, entry: Option<Entry>) -> Arc<Self> {
        let (granted, booked, tell) = (least, least, None);
        let state = Mutex::new(State { least, most, granted, booked, entry, tell });
        Arc::new(Self { tenant: tenant.clone(), state })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn granted(&self, resource: Resource) -> u64 {
        self.state().granted.of(resource)
    }

    pub fn booked(&self, resource: Resource) -> u64 {
        self.state().booked.of(resource)
    }

    /// Whatever is more than what it has been granted is to be given back: nobody uses it any more.
    pub fn settle(&self) -> Amounts {
        let state = &mut *self.state();
        let rest = state.booked.minus(state.granted);
        state.booked = state.granted;
        rest
    }

    /// From now on it is this much of a resource at most. What it has beyond that is to be given back, but for the rest of its
    /// least, which the lease sees to.
    pub fn limit(&self, resource: Resource, most: u64) -> Amounts {
        let state = &mut *self.state();
        let least = state.least.of(resource);
        let lowered =
            |amounts: Amounts, most| amounts.with(resource, amounts.of(resource).min(most));
        let beyond = state.booked.of(resource).saturating_sub(most.max(least));
        state.most = lowered(state.most, most);
        for amounts in [&mut state.least, &mut state.granted, &mut state.booked] {
            *amounts = lowered(*amounts, most);
        }
        Amounts::NONE.with(resource, beyond)
    }

    pub fn enter(&self, entry: Option<Entry>) {
        self.state().entry = entry;
    }

    pub fn tell(&self, tell: Tell) {
        self.state().tell = Some(tell);
    }

    /// At its end: what is beyond its least is to be given back, and nothing more is granted.
    pub fn end(&self) -> Amounts {
        let state = &mut *self.state();
        let rest = state.booked.minus(state.least);
        (state.granted, state.booked, state.most) = (state.least, state.least, state.least);
        rest
    }
}

/// All of a budget's that there are.
#[derive(Default)]
pub struct Elastics {
    all: Mutex<Vec<Weak<Elastic>>>,
    /// How many, to be read without the lock.
    count: AtomicU64,
}

impl Elastics {
    fn all(&self) -> MutexGuard<'_, Vec<Weak<Elastic>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn add(&self, elastic: &Arc<Elastic>) {
        let mut all = self.all();
        all.push(Arc::downgrade(elastic));
        self.count.store(all.len() as u64, Ordering::Relaxed);
    }

    pub fn are_none(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }

    /// Shrinks all as others want something, or grows them as nobody does. `wanted`: what all want who wait.
    pub fn adjust(&self, budget: &Budget, wanted: Amounts) -> Vec<Call> {
        let there: Vec<_> = {
            let mut all = self.all();
            all.retain(|elastic| elastic.strong_count() > 0);
            self.count.store(all.len() as u64, Ordering::Relaxed);
            all.iter().filter_map(Weak::upgrade).collect()
        };
        for elastic in &there {
            let entry = elastic.state().entry;
            if entry.is_some_and(|entry| budget.ledger.look_at(entry).is_none()) {
                // Struck out: whoever had it is gone, or has lost it.
                budget.give_back(&elastic.tenant, elastic.end());
            }
        }
        Resource::ALL.into_iter().flat_map(|r| adjust_one(budget, &there, r, wanted)).collect()
    }
}

fn adjust_one(
    budget: &Budget,
    all: &[Arc<Elastic>],
    resource: Resource,
    wanted: Amounts,
) -> Vec<Call> {
    let mut stretches: Vec<_> =
        all.iter().map(|elastic| elastic.state().stretch(resource)).collect();
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
    changes.filter_map(|(elastic, to)| elastic.change(budget, resource, to.granted)).collect()
}

impl Elastic {
    /// Grants it this much of a resource, if that can be had.
    fn change(&self, budget: &Budget, resource: Resource, granted: u64) -> Option<Call> {
        let state = &mut *self.state();
        let before = state.granted.of(resource);
        let more = Amounts::NONE.with(resource, granted.saturating_sub(state.booked.of(resource)));
        // It may have been limited meanwhile.
        let fits = state.least.of(resource) <= granted && granted <= state.most.of(resource);
        if !fits || granted == before || !more.is_none() && !budget.book(&self.tenant, more) {
            return None;
        }
        state.booked = state.booked.plus(more);
        state.granted = state.granted.with(resource, granted);
        let tell = Arc::clone(state.tell.as_ref()?);
        Some(Box::new(move || tell(resource, granted)))
    }
}
