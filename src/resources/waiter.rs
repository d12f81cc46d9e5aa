//! One who waits in a budget's queue: a thread, or a task that is polled. Whoever gets here has left the fast path, so a
//! lock will do.

use std::panic::Location;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

/// Told by how many more who wait will be there soon, as they have been granted what they wait for.
pub type Expects = Box<dyn Fn(isize) + Send + Sync>;

pub struct Waiter {
    pub since: Instant,
    /// Where in the program.
    pub place: &'static Location<'static>,
    expects: Option<Expects>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    granted: bool,
    notice: Option<Notice>,
}

/// What happens when it is granted: never while a lock is held, as it may be a user's code.
pub enum Notice {
    Wake(Waker),
    Call(Box<dyn FnOnce() + Send>),
}

impl Notice {
    pub fn give(self) {
        match self {
            Self::Wake(waker) => waker.wake(),
            Self::Call(call) => call(),
        }
    }
}

impl Waiter {
    pub fn new(place: &'static Location<'static>, expects: Option<Expects>) -> Self {
        let (state, changed) = Default::default();
        Self { since: Instant::now(), place, expects, state, changed }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the notice that is to be given of it.
    #[must_use]
    pub fn grant(&self) -> Option<Notice> {
        // Before it can be seen: expected before it is there.
        self.expects.iter().for_each(|expects| expects(1));
        let mut state = self.state();
        state.granted = true;
        self.changed.notify_all();
        state.notice.take()
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
            state.notice = Some(Notice::Wake(context.waker().clone()));
        }
        state.granted
    }

    /// Has `call` called when it is granted; returns it if that is so already.
    #[must_use]
    pub fn notify(&self, call: Box<dyn FnOnce() + Send>) -> Option<Notice> {
        let mut state = self.state();
        let call = Some(Notice::Call(call));
        if state.granted {
            return call;
        }
        state.notice = call;
        None
    }
}
