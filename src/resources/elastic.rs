//! Elastic leases: at least so much, and more while nobody else wants it.
//!
//! What an elastic lease has been *granted* may become less at any time; what is *booked* for it stays until its holder says
//! that it has given up the difference: what others get must not be in use still.

use crate::policy::amounts::{Amounts, Resource};
use crate::policy::elastic::Stretch;
use crate::resources::ledger::{Entry, Terms};
use crate::resources::lessee::Lessee;
use crate::resources::tenant::Tenant;
use crate::sync::lock::{Mutex, MutexGuard};
use crate::sync::statistic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, Weak};

/// Told of what it has been granted of a resource from now on.
type Tell = Arc<dyn Fn(Resource, u64) + Send + Sync>;

/// Tells holders what they are to be told.
pub type Call = Box<dyn FnOnce() + Send>;

pub struct Elastic {
    pub tenant: Tenant,
    state: Mutex<State>,
}

struct State {
    /// Whose parts run on what it is of the CPUs, beyond its least.
    lessee: Lessee,
    least: Amounts,
    most: Amounts,
    granted: Amounts,
    booked: Amounts,
    entry: Option<Entry>,
    tell: Option<Tell>,
    /// Of which resources its holder has not been told yet what is granted: not none.
    untold: Amounts,
}

impl State {
    fn grant(&mut self, granted: Amounts) {
        let cpu = |amounts: Amounts| amounts.of(Resource::Cpu) as i64;
        self.lessee.add_cpu(cpu(granted) - cpu(self.granted));
        self.granted = granted;
    }

    /// For one that has so much more booked for that. False: it has been limited, or settled, meanwhile.
    fn change(&mut self, resource: Resource, granted: u64, more: Amounts) -> bool {
        let booked = self.booked.plus(more);
        let fits = self.least.of(resource) <= granted && granted <= self.most.of(resource);
        if !fits || granted > booked.of(resource) {
            return false;
        }
        self.booked = booked;
        self.grant(self.granted.with(resource, granted));
        self.untold = self.untold.with(resource, 1);
        true
    }

    fn end(&mut self) -> Amounts {
        let rest = self.booked.minus(self.least);
        self.grant(self.least);
        (self.booked, self.most) = (self.least, self.least);
        rest
    }
}

impl Elastic {
    pub fn new(tenant: &Tenant, terms: &Terms, most: Amounts, entry: Option<Entry>) -> Arc<Self> {
        let (least, lessee) = (terms.amounts, terms.lessee);
        let (granted, booked, tell) = (least, least, None);
        let untold = Amounts::NONE;
        let state = Mutex::new(State { lessee, least, most, granted, booked, entry, tell, untold });
        Arc::new(Self { tenant: tenant.clone(), state })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn stretch(&self, resource: Resource) -> Stretch {
        let state = self.state();
        let [least, most, granted] =
            [state.least, state.most, state.granted].map(|amounts| amounts.of(resource));
        Stretch { least, most: most.max(least), granted }
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
        // Of its least the lease sees to the CPUs, too.
        state.grant(lowered(state.granted, most.max(least)));
        for amounts in [&mut state.least, &mut state.granted, &mut state.booked] {
            *amounts = lowered(*amounts, most);
        }
        Amounts::NONE.with(resource, beyond)
    }

    /// Where its least is written down. Nowhere, while that changes: or it would be taken for one that has been struck out.
    pub fn enter(&self, entry: Option<Entry>) {
        self.state().entry = entry;
    }

    /// [`end`](Self::end)s it if its entry has been struck out, so that nobody has it any more.
    pub fn end_if(&self, struck_out: impl FnOnce(Entry) -> bool) -> Amounts {
        let state = &mut *self.state();
        if state.entry.is_some_and(struck_out) { state.end() } else { Amounts::NONE }
    }

    pub fn tell(&self, tell: Tell) {
        let before = self.state().tell.replace(tell);
        // A user's code, which may ask for this very lease: not while that is locked.
        drop(before);
    }

    /// At its end: what is beyond its least is to be given back, and nothing more is granted.
    pub fn end(&self) -> Amounts {
        self.state().end()
    }
}

/// All of a budget's that there are.
#[derive(Default)]
pub struct Elastics {
    all: Mutex<Vec<Weak<Elastic>>>,
    /// How many, to be read without the lock.
    count: AtomicU64,
    /// Whether they are to be looked at, and somebody has been called to.
    called: AtomicU32,
    /// Whether all had as much as they may have when somebody looked last, and nobody waited.
    content: AtomicU32,
}

impl Elastics {
    fn all(&self) -> MutexGuard<'_, Vec<Weak<Elastic>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn add(&self, elastic: &Arc<Elastic>) {
        self.are_content(false);
        let mut all = self.all();
        all.push(Arc::downgrade(elastic));
        self.count.store(all.len() as u64, Ordering::Relaxed);
    }

    pub fn are_none(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }

    /// Whether somebody is to be called to look at them: there are some, and nobody has been called yet.
    pub fn want_a_look(&self) -> bool {
        !self.are_none() && self.called.swap(1, Ordering::Relaxed) == 0
    }

    /// As that, where something has come free.
    pub fn want_more(&self) -> bool {
        !self.are_none() && self.content.load(Ordering::Relaxed) == 0 && self.want_a_look()
    }

    pub fn are_content(&self, content: bool) {
        self.content.store(content.into(), Ordering::Relaxed);
    }

    /// Those that have not ended, for a look at them.
    pub fn there(&self) -> Vec<Arc<Elastic>> {
        self.called.store(0, Ordering::Relaxed);
        let mut all = self.all();
        all.retain(|elastic| elastic.strong_count() > 0);
        self.count.store(all.len() as u64, Ordering::Relaxed);
        all.iter().filter_map(Weak::upgrade).collect()
    }
}

impl Elastic {
    /// Grants it this much of a resource, if that can be had. Nothing is called while its state is locked: `book` may wake
    /// others, and those may ask for this very lease.
    pub fn change(
        &self,
        resource: Resource,
        granted: u64,
        book: impl FnOnce(&Tenant, Amounts) -> bool,
        give_back: impl FnOnce(&Tenant, Amounts),
    ) {
        if self.granted(resource) == granted {
            return;
        }
        let more = granted.saturating_sub(self.booked(resource));
        let more = Amounts::NONE.with(resource, more);
        if !more.is_none() && !book(&self.tenant, more) {
            return;
        }
        if !self.state().change(resource, granted, more) && !more.is_none() {
            give_back(&self.tenant, more);
        }
    }

    /// Whether its holder has not been told of a change yet.
    pub fn is_untold(&self) -> bool {
        let state = self.state();
        state.tell.is_some() && !state.untold.is_none()
    }

    /// Tells its holder of what has changed since it was told last.
    pub fn tell_changes(&self) {
        let (tell, untold, granted) = {
            let state = &mut *self.state();
            let Some(tell) = state.tell.clone() else { return };
            (tell, std::mem::replace(&mut state.untold, Amounts::NONE), state.granted)
        };
        untold.some().for_each(|(resource, _)| tell(resource, granted.of(resource)));
    }
}
