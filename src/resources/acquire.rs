//! How a lease is come by: at once, by a thread that waits, or by a future.

use crate::resources::budget::Budget;
use crate::resources::lease::{Lease, Term};
use crate::resources::lessee::Lessee;
use crate::resources::refusal::Refusal;
use crate::resources::request::Request;
use crate::resources::ticket::{Asked, Ticket};
use crate::resources::waiter::Expects;
use crate::sync::lock::{Mutex, MutexGuard};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

#[inline(always)]
#[track_caller]
pub fn try_acquire(budget: &Arc<Budget>, request: &Request) -> Result<Lease, Refusal> {
    let grant = budget.try_take(request)?;
    let term = Term::of(request);
    Ok(Lease::new(budget, grant, Lessee::take_one(), term))
}

/// `blocking` calls what waits, if that is possible.
#[track_caller]
pub fn acquire(
    budget: &Arc<Budget>,
    request: &Request,
    timeout: Option<Duration>,
    expects: impl FnOnce() -> Option<Expects>,
    blocking: impl FnOnce(&dyn Fn() -> bool) -> Option<bool>,
) -> Result<Lease, Refusal> {
    let term = Term::of(request);
    let grant = match budget.ask(request, term.place, Lessee::current().has_any(), expects)? {
        Asked::Granted(grant) => grant,
        // Somebody took part of it for a moment, and has given it back.
        Asked::Waits(ticket) if ticket.waiter.is_granted() => ticket.into_grant(),
        Asked::Waits(ticket) => match blocking(&|| ticket.waiter.wait(timeout)) {
            Some(true) => ticket.into_grant(),
            None if ticket.waiter.is_granted() => ticket.into_grant(),
            Some(false) => return Err(Refusal::TimedOut),
            None => return Err(Refusal::Saturated),
        },
    };
    Ok(Lease::new(budget, grant, Lessee::take_one(), term))
}

/// Somebody's place in the queue, who is to come for a lease when it is offered.
pub struct Errand {
    budget: Arc<Budget>,
    /// None before it has joined the queue, and when it has come. Locked while it comes: it may be asked to again.
    ticket: Mutex<Option<Ticket>>,
    term: Term,
}

impl Errand {
    /// `come` is called whenever a lease is offered, perhaps on the thread that gives back what was missing.
    #[track_caller]
    pub fn begin(
        budget: &Arc<Budget>,
        request: &Request,
        come: impl Fn(&Arc<Self>) + Send + Sync + 'static,
    ) -> Result<(), Refusal> {
        let term = Term::of(request);
        let (budget, ticket, asked_at) = (Arc::clone(budget), Mutex::default(), term.place);
        let errand = Arc::new(Self { budget, ticket, term });
        let place = Arc::clone(&errand);
        // Not before it is known where the ticket is.
        let mut ticket = errand.ticket();
        let offer = Box::new(move || come(&place));
        *ticket = Some(errand.budget.ask_to_fetch(request, asked_at, offer)?);
        Ok(())
    }

    fn ticket(&self) -> MutexGuard<'_, Option<Ticket>> {
        self.ticket.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lease, for the thread that has come, if it is there still. If not, that is called to come again.
    pub fn fetch(&self) -> Option<Lease> {
        let mut ticket = self.ticket();
        let grant = ticket.as_ref()?.fetch()?;
        // It knows of us.
        *ticket = None;
        Some(Lease::new(&self.budget, grant, Lessee::take_one(), self.term.clone()))
    }
}

/// A lease that is waited for: a future; see [`ThreadPool::acquire_async`](crate::ThreadPool::acquire_async). Dropped, it waits no more.
#[must_use = "dropped, it waits no more"]
pub struct Acquire {
    budget: Arc<Budget>,
    asked: Option<Asked>,
    term: Term,
}

impl Acquire {
    #[track_caller]
    pub(crate) fn new(budget: &Arc<Budget>, request: &Request) -> Result<Self, Refusal> {
        let term = Term::of(request);
        let asked = Some(budget.ask(request, term.place, false, || None)?);
        Ok(Self { budget: Arc::clone(budget), asked, term })
    }
}

impl Future for Acquire {
    type Output = Lease;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Lease> {
        if let Some(Asked::Waits(ticket)) = &self.asked
            && !ticket.waiter.poll(context)
        {
            return Poll::Pending;
        }
        let grant = match self.asked.take().expect("polled after it was ready") {
            Asked::Granted(grant) => grant,
            Asked::Waits(ticket) => ticket.into_grant(),
        };
        // Whichever thread polls it holds nothing: the future may be polled elsewhere next time.
        Poll::Ready(Lease::new(&self.budget, grant, Lessee::NOBODY, self.term.clone()))
    }
}

impl Drop for Acquire {
    fn drop(&mut self) {
        if let Some(Asked::Granted(grant)) = self.asked.take() {
            self.budget.give_back(self.budget.tenant_of(&grant.whose), grant.amounts);
        }
    }
}

impl fmt::Debug for Acquire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acquire").finish_non_exhaustive()
    }
}
