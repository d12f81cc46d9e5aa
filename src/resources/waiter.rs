//! One who waits in a budget's queue: a thread, or a task that is polled. Whoever gets here has left the fast path, so a
//! lock will do.

use crate::policy::fairness::Turn;
use crate::sync::lock::{Condvar, Mutex, MutexGuard};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

/// Told by how many more who wait will be there soon, as they have been granted what they wait for.
pub type Expects = Box<dyn Fn(isize) + Send + Sync>;

#[derive(Default)]
pub struct Waiter {
    expects: Option<Expects>,
    offer: Option<Offer>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    granted: bool,
    offered: bool,
    /// Woken when it is granted: never while a lock is held, as it may be a user's code.
    waker: Option<Waker>,
}

/// Sees to it that somebody comes for what has been [offered](Waiter::offer).
pub type Offer = Box<dyn Fn() + Send + Sync>;

/// Wakes all, though one may panic: nobody here could tell what to do about it, and the others wait.
pub fn wake_all(wakers: Vec<Waker>) {
    for waker in wakers {
        let _ = catch_unwind(AssertUnwindSafe(|| waker.wake()));
    }
}

impl Waiter {
    pub fn new(expects: Option<Expects>) -> Self {
        Self { expects, ..Self::default() }
    }

    /// One that is to come for what it is offered.
    pub fn fetching(offer: Offer) -> Self {
        Self { offer: Some(offer), ..Self::default() }
    }

    /// What becomes of it when it is next.
    pub fn turn(&self) -> Turn {
        match (&self.offer, self.state().offered) {
            (None, _) => Turn::Taken,
            (Some(_), false) => Turn::Fetched,
            (Some(_), true) => Turn::Offered,
        }
    }

    /// Notes whether somebody has been asked to come for it.
    pub fn set_offered(&self, offered: bool) {
        self.state().offered = offered;
    }

    /// Has somebody come for it. Not while a lock is held.
    pub fn offer(&self) {
        self.offer.iter().for_each(|offer| offer());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns who is to be woken then.
    #[must_use]
    pub fn grant(&self) -> Option<Waker> {
        // Before it can be seen: expected before it is there.
        self.expects.iter().for_each(|expects| expects(1));
        let mut state = self.state();
        state.granted = true;
        self.changed.notify_all();
        state.waker.take()
    }

    pub fn is_granted(&self) -> bool {
        self.state().granted
    }

    /// Whether it was granted; it isn't any more.
    pub fn take(&self) -> bool {
        let granted = std::mem::take(&mut self.state().granted);
        if granted {
            self.expects.iter().for_each(|expects| expects(-1));
        }
        granted
    }

    /// Waits until it is granted, or for so long. Returns whether it was.
    pub fn wait(&self, timeout: Option<Duration>) -> bool {
        let end = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut state = self.state();
        while !state.granted {
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            state = match left {
                Some(Duration::ZERO) => return false,
                Some(left) => {
                    let outcome = self.changed.wait_timeout(state, left);
                    outcome.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
        true
    }

    /// Whether it was granted; if not, whoever polls is woken then.
    pub fn poll(&self, context: &Context<'_>) -> bool {
        let mut state = self.state();
        if !state.granted {
            state.waker = Some(context.waker().clone());
        }
        state.granted
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Waiter;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicIsize, Ordering};

    #[test]
    fn whoever_has_been_granted_it_is_expected_until_it_takes_it_once() {
        let expected = Arc::new(AtomicIsize::new(0));
        let counted = Arc::clone(&expected);
        let waiter = Waiter::new(Some(Box::new(move |more| {
            counted.fetch_add(more, Ordering::Relaxed);
        })));
        let now = || (waiter.is_granted(), expected.load(Ordering::Relaxed));
        assert!(!waiter.take() && waiter.grant().is_none());
        assert_eq!(now(), (true, 1));
        assert!(waiter.take() && !waiter.take());
        assert_eq!(now(), (false, 0));
    }
}
