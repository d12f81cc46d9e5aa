//! How a task gets its place in a pool that doesn't accept all of them.

use crate::construct::blocking::blocking;
use crate::resources::admission::{Admission, Asked, Place};
use crate::resources::rejected::Rejection;
use crate::worker::local::Local;
use crate::worker::shared::Shared;
use std::sync::Arc;

/// What a submission does that finds no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Gives the task back.
    None,
    /// Waits for room.
    Endless,
}

/// Waits for a place, unless this is one of the pool's own workers.
pub fn admit(shared: &Shared, admission: &Arc<Admission>) -> Place {
    // A fork makes no room; the push that follows says so.
    if Local::current_in(shared).is_some() || shared.is_inherited() {
        return admission.enter();
    }
    match admission.ask() {
        Asked::Granted(place) => place,
        Asked::Waits(ticket) => {
            shared.common.saturated.bump_shared();
            // It may be a worker of another pool.
            blocking(|| ticket.waiter.wait(None));
            ticket.into_place()
        }
    }
}

pub fn try_admit(shared: &Shared, admission: &Arc<Admission>) -> Result<Place, Rejection> {
    if Local::current_in(shared).is_some() {
        return Ok(admission.enter());
    }
    admission.try_enter().map_err(|reason| {
        if let Err(reason) = shared.enter() {
            return reason;
        }
        let counters = &shared.common;
        let count = if reason == Rejection::Shed { &counters.shed } else { &counters.saturated };
        count.bump_shared();
        reason
    })
}

/// As [`admit`], for one who waits without a thread, and has an error for being shed.
pub fn admit_later(shared: &Shared, admission: &Arc<Admission>) -> Result<Asked, Rejection> {
    match try_admit(shared, admission) {
        Ok(place) => Ok(Asked::Granted(place)),
        Err(Rejection::Saturated) => Ok(admission.ask()),
        Err(reason) => Err(reason),
    }
}
