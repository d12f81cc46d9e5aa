//! What may keep a task from beginning when its turn has come.

use crate::construct::cancel::CancelToken;
use crate::construct::task::{Cancelled, Expired};
use crate::resources::admission::Place;
use crate::worker::shared::Shared;
use std::thread::Result;
use std::time::Instant;

#[derive(Default)]
pub struct Limits {
    token: Option<CancelToken>,
    deadline: Option<Instant>,
    /// In a queue that is bounded, for a task with a handle.
    place: Option<Place>,
}

impl Limits {
    /// None if nothing limits the task, which then has nothing to ask.
    pub fn new(token: Option<&CancelToken>, deadline: Option<Instant>) -> Option<Self> {
        let place = None;
        (token.is_some() || deadline.is_some()).then(|| Self {
            token: token.cloned(),
            deadline,
            place,
        })
    }

    /// These, if there are any, and that place, if there is one.
    pub fn and_place(limits: Option<Self>, place: Option<Place>) -> Option<Self> {
        match place {
            None => limits,
            place => Some(Self { place, ..limits.unwrap_or_default() }),
        }
    }

    /// Runs a task of this pool; or counts and drops it, and returns what its handle is to return.
    pub fn begin<T>(self, pool: &Shared, task: impl FnOnce() -> T) -> Result<T> {
        if let Some(place) = self.place
            && let Err(shed) = place.begin_or_shed()
        {
            pool.task_shed(shed);
            drop(task);
            return Err(Box::new(shed));
        }
        let is_past = |deadline| Instant::now() >= deadline;
        // The token first: to look at it is cheaper than to look at the clock.
        if self.token.is_some_and(|token| token.is_cancelled()) {
            pool.task_cancelled();
            drop(task);
            Err(Box::new(Cancelled))
        } else if self.deadline.is_some_and(is_past) {
            pool.task_expired();
            drop(task);
            Err(Box::new(Expired))
        } else {
            Ok(task())
        }
    }
}
