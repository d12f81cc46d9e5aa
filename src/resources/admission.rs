//! Admission: how many tasks wait to be begun, and who waits to hand in another one.
//!
//! A task holds a place from when it is accepted until it is begun or dropped. Places are what an account is of
//! (primitive/account.rs), and those who wait for one are served in the order of their coming, under a lock, as in
//! budget.rs. A worker's own task takes a place away instead, as if there were one less, so that it is accepted however
//! few there are: then fewer than none are left. Rejected: to leave those tasks uncounted, and look at the lengths of the
//! workers' deques when somebody comes from outside. It spares them the count, but nobody would wake who waits when a
//! deque gets shorter.
//!
//! Whom an adaptive policy would shed waits in the same queue, if it wants to wait. It lets in one more when the queue has
//! got shorter, or has been judged anew: so when a task is begun, which gives back a place after both.

use crate::policy::admission::{AdmissionPolicy, Shed};
use crate::policy::standing::{Sight, StandingQueue};
use crate::primitive::account::{Account, Attempt};
use crate::resources::rejected::Rejection;
use crate::resources::waiter::{Waiter, wake_all};
use crate::sync::clock::Clock;
use crate::sync::lock::{Mutex, MutexGuard};
use crate::sync::statistic::{AtomicU64, Ordering};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// As good as no bound, and far from where the account's numbers end.
const MOST: u64 = 1 << 52;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AdmissionConfig {
    pub max_queued: Option<usize>,
    pub policy: AdmissionPolicy,
}

pub struct Admission {
    places: Account<1>,
    /// How many there are.
    most: u64,
    queue: Mutex<Queue>,
    adaptive: Option<Adaptive>,
}

#[derive(Default)]
struct Queue {
    /// By ticket.
    waiters: BTreeMap<u64, Arc<Waiter>>,
    tickets: u64,
    /// Whether the pool has been shut down.
    over: bool,
}

struct Adaptive {
    clock: Clock,
    /// Of tasks.
    starts: AtomicU64,
    queue: Mutex<StandingQueue>,
}

impl Adaptive {
    fn queue(&self) -> MutexGuard<'_, StandingQueue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sight(&self, now: Duration, queued: u64) -> Sight {
        Sight { now, starts: self.starts.load(Ordering::Relaxed), queued }
    }
}

impl Admission {
    /// None if everything is accepted.
    pub fn new(config: AdmissionConfig) -> Option<Arc<Self>> {
        let adaptive = match config.policy {
            AdmissionPolicy::Room => None,
            AdmissionPolicy::Adaptive { target, interval } => Some(Adaptive {
                clock: Clock::new(),
                starts: AtomicU64::new(0),
                queue: Mutex::new(StandingQueue::new(target, interval)),
            }),
        };
        if config.max_queued.is_none() && adaptive.is_none() {
            return None;
        }
        let most = config.max_queued.map_or(MOST, |most| MOST.min(most as u64));
        let (places, queue) = (Account::new([most]), Mutex::default());
        Some(Arc::new(Self { places, most, queue, adaptive }))
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Nothing of a user's is called while it is held.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many tasks wait to be begun.
    fn queued(&self) -> u64 {
        // Never below 0: no more are ever free than there are.
        self.most.saturating_add_signed(-self.places.free()[0])
    }

    fn sheds(&self) -> bool {
        self.adaptive.as_ref().is_some_and(|adaptive| {
            let sight = adaptive.sight(adaptive.clock.elapsed(), self.queued());
            adaptive.queue().sheds(sight)
        })
    }

    /// For a task that one of the pool's own workers spawns.
    pub fn enter(self: &Arc<Self>) -> Place {
        let _ = self.places.change(0, -1);
        Place { admission: Arc::clone(self), since: None }
    }

    /// For a task from outside, if there is room and nobody waits for it.
    pub fn try_enter(self: &Arc<Self>) -> Result<Place, Rejection> {
        if self.sheds() {
            return Err(Rejection::Shed);
        }
        match self.places.try_take(&[1]) {
            Attempt::Taken => return Ok(self.entered()),
            Attempt::Refused => {}
            Attempt::Returned => self.serve(self.queue()),
        }
        Err(Rejection::Saturated)
    }

    /// As [`try_enter`](Self::try_enter), but waits in the queue if it has to.
    pub fn ask(self: &Arc<Self>) -> Asked {
        if let Ok(place) = self.try_enter() {
            return Asked::Granted(place);
        }
        let mut queue = self.queue();
        queue.tickets += 1;
        let (number, waiter) = (queue.tickets, Arc::new(Waiter::default()));
        queue.waiters.insert(number, Arc::clone(&waiter));
        let ticket = Ticket { admission: Arc::clone(self), waiter, number };
        self.serve(queue);
        Asked::Waits(ticket)
    }

    fn entered(self: &Arc<Self>) -> Place {
        let since = self.adaptive.as_ref().map(|adaptive| adaptive.clock.elapsed());
        Place { admission: Arc::clone(self), since }
    }

    /// The pool takes no more: all who wait go in and are turned back there.
    pub fn close(&self) {
        let mut queue = self.queue();
        queue.over = true;
        self.serve(queue);
    }

    /// Lets those in who are next, as far as there is room.
    fn serve(&self, mut queue: MutexGuard<'_, Queue>) {
        self.places.want(u32::from(!queue.waiters.is_empty()));
        let (over, mut notices) = (queue.over, Vec::new());
        while let Some(next) = queue.waiters.first_entry() {
            if over {
                let _ = self.places.change(0, -1);
            } else if self.sheds() || self.places.take(&[1]) != Attempt::Taken {
                // Or somebody took it who hadn't seen yet that others wait: it gives it back, and serves them.
                break;
            }
            // While the lock is held, or one that waits no more could miss it.
            notices.extend(next.remove().grant());
        }
        self.places.want(u32::from(!queue.waiters.is_empty()));
        drop(queue);
        wake_all(notices);
    }

    fn give_back(&self) {
        if self.places.give(&[1]) {
            self.serve(self.queue());
        }
    }
}

/// What a task holds that has been accepted, until it is begun or dropped.
pub struct Place {
    admission: Arc<Admission>,
    /// When a task from outside was accepted, if that matters.
    since: Option<Duration>,
}

impl Place {
    /// The task begins.
    pub fn begin(self) {
        let Some(adaptive) = &self.admission.adaptive else { return };
        if let Some(since) = self.since {
            let now = adaptive.clock.elapsed();
            // Its own place is still among them.
            let sight = adaptive.sight(now, self.admission.queued().saturating_sub(1));
            adaptive.queue().begun(sight, now.saturating_sub(since));
        }
        adaptive.starts.fetch_add(1, Ordering::Relaxed);
    }

    /// As [`begin`](Self::begin), for one that may be shed.
    pub fn begin_or_shed(self) -> Result<(), Shed> {
        if let (Some(adaptive), Some(since)) = (&self.admission.adaptive, self.since) {
            adaptive.queue().drops(adaptive.clock.elapsed().saturating_sub(since))?;
        }
        self.begin();
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.admission.give_back();
    }
}

pub enum Asked {
    Granted(Place),
    Waits(Ticket),
}

/// A position in the queue. On drop it waits no more, and gives back what it was granted meanwhile.
pub struct Ticket {
    admission: Arc<Admission>,
    pub waiter: Arc<Waiter>,
    number: u64,
}

impl Ticket {
    /// What it waited for, once that has been granted.
    pub fn into_place(self) -> Place {
        assert!(self.waiter.take(), "filch: a place that was not granted");
        self.admission.entered()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut queue = self.admission.queue();
        if queue.waiters.remove(&self.number).is_some() {
            // It may have been the last one.
            self.admission.serve(queue);
            return;
        }
        drop(queue);
        if self.waiter.take() {
            self.admission.give_back();
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Admission, AdmissionConfig, AdmissionPolicy, Asked, Attempt, Place, Rejection};
    use std::sync::Arc;

    fn admission(max_queued: usize) -> Arc<Admission> {
        let policy = AdmissionPolicy::Room;
        Admission::new(AdmissionConfig { max_queued: Some(max_queued), policy }).unwrap()
    }

    #[test]
    fn nobody_goes_before_one_who_waits_though_there_is_room_for_a_moment() {
        let admission = admission(1);
        assert_eq!(admission.places.try_take(&[1]), Attempt::Taken);
        let Asked::Waits(ticket) = admission.ask() else { panic!("there is no room") };
        // As `give_back` does, before it serves.
        assert!(admission.places.give(&[1]));
        assert_eq!(admission.try_enter().err(), Some(Rejection::Saturated));
        admission.serve(admission.queue());
        let place = ticket.into_place();
        assert_eq!(admission.try_enter().err(), Some(Rejection::Saturated));
        drop(place);
        assert!(admission.try_enter().is_ok());
    }

    #[test]
    fn whoever_is_let_in_at_the_end_counts_as_long_as_it_is_in() {
        let admission = admission(1);
        let own = admission.enter();
        let Asked::Waits(ticket) = admission.ask() else { panic!("there is no room") };
        admission.close();
        let place = ticket.into_place();
        assert_eq!(admission.queued(), 2);
        drop(place);
        assert_eq!(admission.queued(), 1);
        drop(own);
    }

    #[test]
    fn what_is_in_places_is_what_waits_whoever_spawned_it() {
        let admission = admission(2);
        let own: Vec<_> = (0..5).map(|_| admission.enter()).collect();
        assert_eq!(admission.queued(), 5);
        let Asked::Waits(ticket) = admission.ask() else { panic!("there is no room") };
        let mut own = own.into_iter();
        own.by_ref().take(3).for_each(Place::begin);
        assert!(admission.queued() == 2 && !ticket.waiter.take());
        own.by_ref().take(1).for_each(Place::begin);
        let place = ticket.into_place();
        assert_eq!(admission.queued(), 2);
        drop(place);
        own.for_each(drop);
        assert_eq!(admission.queued(), 0);
    }

    #[test]
    fn a_pool_without_a_bound_has_no_admission() {
        assert!(Admission::new(AdmissionConfig::default()).is_none());
    }
}
