//! Calls what users want called when something has happened, on a thread of its own: the governor waits for
//! nobody.
//!
//! The thread is started for the first call, and ends when there has been none for a while, or the pool
//! ends. A call that takes too long is given up: it is counted, another thread takes over the rest, and
//! the first one ends when its call does, if ever. Nobody joins it, so the end of a pool isn't held up
//! either.

use crate::sync::ThreadSpawner;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// More calls than that would tell of what is long over.
const MOST: usize = 256;
/// A thread that has nothing to do ends after that.
const PATIENCE: Duration = Duration::from_secs(10);

/// To be called.
pub type Call = Box<dyn FnOnce() + Send>;

pub struct Herald {
    /// How long a call may take.
    limit: Duration,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    calls: VecDeque<Call>,
    /// Counts the threads: only the last one goes on.
    thread: u64,
    /// Whether that one is there.
    alive: bool,
    /// Since when it has been in a call.
    busy_since: Option<Instant>,
    closed: bool,
    troubles: Troubles,
}

/// What has gone wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Troubles {
    /// Calls that were given up.
    pub overdue: u64,
    pub panics: u64,
    /// Calls that were never made: there were too many, or no thread could be had.
    pub lost: u64,
}

impl Herald {
    pub fn new(limit: Duration) -> Arc<Self> {
        Arc::new(Self { limit, state: Mutex::default(), changed: Condvar::new() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No call is made while it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has it called soon, after those before it. Costs a lock, and a thread for the first one.
    pub fn post(self: &Arc<Self>, call: Call) {
        let mut state = self.state();
        if state.calls.len() >= MOST || state.closed {
            state.troubles.lost += 1;
            return;
        }
        state.calls.push_back(call);
        self.see_to_a_thread(&mut state);
        self.changed.notify_one();
    }

    fn see_to_a_thread(self: &Arc<Self>, state: &mut State) {
        if state.alive || state.calls.is_empty() {
            return;
        }
        state.thread += 1;
        let (herald, thread) = (Arc::clone(self), state.thread);
        let spawner = ThreadSpawner::new().name("filch-herald".into());
        state.alive = spawner.spawn(move || herald.run(thread)).is_ok();
        if !state.alive {
            state.troubles.lost += state.calls.len() as u64;
            state.calls.clear();
        }
    }

    fn run(&self, thread: u64) {
        let mut state = self.state();
        while state.thread == thread && !state.closed {
            if let Some(call) = state.calls.pop_front() {
                state.busy_since = Some(Instant::now());
                drop(state);
                let outcome = catch_unwind(AssertUnwindSafe(call));
                state = self.state();
                state.troubles.panics += u64::from(outcome.is_err());
                if state.thread == thread {
                    state.busy_since = None;
                }
                continue;
            }
            let (next, wait) =
                self.changed.wait_timeout(state, PATIENCE).unwrap_or_else(PoisonError::into_inner);
            state = next;
            if wait.timed_out() && state.calls.is_empty() {
                break;
            }
        }
        if state.thread == thread {
            state.alive = false;
        }
    }

    /// Gives up a call that takes too long. Returns what has gone wrong so far.
    pub fn check(self: &Arc<Self>) -> Troubles {
        let mut state = self.state();
        if state.busy_since.is_some_and(|since| since.elapsed() >= self.limit) {
            state.troubles.overdue += 1;
            (state.busy_since, state.alive) = (None, false);
            // It isn't the last one any more, even if there is nothing to be done by another.
            state.thread += 1;
            self.see_to_a_thread(&mut state);
        }
        state.troubles
    }

    /// After how long the present call is to be given up; `None` if there is none.
    pub fn overdue_in(&self) -> Option<Duration> {
        let since = self.state().busy_since?;
        Some(self.limit.saturating_sub(since.elapsed()))
    }

    /// Nothing more is called.
    pub fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
    }
}

#[cfg(all(test, not(loom), not(miri)))]
mod tests {
    use super::{Herald, MOST, Troubles};
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::thread;
    use std::time::Duration;

    const LONG: Duration = Duration::from_secs(3600);

    fn say(sender: &Sender<u32>, number: u32) -> super::Call {
        let sender = sender.clone();
        Box::new(move || sender.send(number).unwrap())
    }

    fn hear(receiver: &Receiver<u32>) -> u32 {
        receiver.recv_timeout(Duration::from_secs(60)).unwrap()
    }

    #[test]
    fn calls_are_made_in_their_order_by_one_thread_that_panics_do_not_end() {
        let (herald, (sender, receiver)) = (Herald::new(LONG), channel());
        for number in 0..10 {
            herald.post(say(&sender, number));
            herald.post(Box::new(|| std::panic::resume_unwind(Box::new("quietly"))));
        }
        herald.post(say(&sender, 10));
        assert!((0..=10).all(|number| hear(&receiver) == number));
        assert_eq!(herald.check(), Troubles { panics: 10, ..Troubles::default() });
        assert_eq!(herald.state().thread, 1);
    }

    #[test]
    fn one_that_hangs_is_given_up_and_the_others_are_called() {
        let (herald, (sender, receiver)) = (Herald::new(Duration::ZERO), channel());
        let (release, held) = channel::<()>();
        let told = sender.clone();
        herald.post(Box::new(move || {
            told.send(0).unwrap();
            let _ = held.recv();
            told.send(2).unwrap();
        }));
        assert_eq!(hear(&receiver), 0);
        herald.post(say(&sender, 1));
        assert_eq!(herald.check().overdue, 1);
        assert_eq!(hear(&receiver), 1);
        release.send(()).unwrap();
        assert_eq!(hear(&receiver), 2);
        // The one that was given up makes no more calls, and is not counted again.
        herald.post(say(&sender, 3));
        assert_eq!(hear(&receiver), 3);
    }

    #[test]
    fn too_many_are_counted_and_none_is_made_after_the_end() {
        let (herald, (sender, receiver)) = (Herald::new(LONG), channel());
        let (release, held) = channel::<()>();
        let told = sender.clone();
        herald.post(Box::new(move || {
            told.send(0).unwrap();
            let _ = held.recv();
        }));
        assert_eq!(hear(&receiver), 0);
        (0..MOST + 5).for_each(|_| herald.post(say(&sender, 1)));
        assert_eq!(herald.check(), Troubles { lost: 5, ..Troubles::default() });
        herald.close();
        release.send(()).unwrap();
        while herald.state().alive {
            thread::yield_now();
        }
        herald.post(say(&sender, 2));
        assert!(receiver.try_recv().is_err());
        assert_eq!(herald.check().lost, 6);
    }
}
