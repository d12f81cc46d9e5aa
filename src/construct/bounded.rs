//! The tasks of a scope whose owner has leased CPUs: no more of them run at once than those suffice for.
//!
//! They don't go to the workers' queues but to this one, which *runners* empty, tasks of the scope themselves, each with a
//! permit (resources/lessee.rs). The scope's owner, which has a CPU without, is one more when it comes to wait, and leaves that
//! CPU to a runner when it does. Rejected: a task that a worker puts back if it has no permit: idle workers would find it
//! again and again.
//!
//! Invariant: while the queue isn't empty there is a runner, or the owner has not come to wait.

use crate::resources::lessee::{Lessee, Permit};
use crate::sync::lock::{Mutex, MutexGuard};
use crate::worker::local::{Local, Origin};
use crate::worker::shared::Shared;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;

/// A task of the scope.
type Held<'scope> = Box<dyn FnOnce(&Local) + Send + 'scope>;

pub struct Bounded<'scope>(Mutex<State<'scope>>);

#[derive(Default)]
struct State<'scope> {
    held: VecDeque<Held<'scope>>,
    runners: usize,
    /// Whether the owner is no runner, or none any more.
    deserted: bool,
}

impl<'scope> Bounded<'scope> {
    /// For one whose owner this thread is. A guest may stop being a worker before it waits.
    pub fn new(pool: &Shared) -> Self {
        let local = Local::current_in(pool);
        let owned = local.is_some_and(|local| local.origin != Origin::Guest);
        Self(Mutex::new(State { deserted: !owned, ..State::default() }))
    }

    fn state(&self) -> MutexGuard<'_, State<'scope>> {
        // Nothing of a user's is called while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds a task back until it may run beside `bound`, which has leased the CPUs. Returns a permit if there is to be one
    /// more runner.
    pub fn hold(&self, task: Held<'scope>, bound: Lessee) -> Option<Permit> {
        let state = &mut *self.state();
        state.held.push_back(task);
        // Nobody else would come for it.
        let must = state.deserted && state.runners == 0;
        let permit = bound.permit((!state.deserted).into(), must)?;
        state.runners += 1;
        Some(permit)
    }

    /// What a runner does.
    pub fn run(&self, local: &Local) {
        self.empty(local, |state| state.runners -= 1);
    }

    /// What the owner does, before it waits.
    pub fn run_as_owner(&self, local: &Local) {
        if self.state().deserted {
            return;
        }
        // As in the loop: none of them is what a guest does at its leisure.
        local.nesting.set(local.nesting.get() + 1);
        self.empty(local, |state| state.deserted = true);
        local.nesting.set(local.nesting.get() - 1);
    }

    /// `leave` is called when there is nothing.
    fn empty(&self, local: &Local, leave: impl FnOnce(&mut State<'scope>)) {
        loop {
            let mut state = self.state();
            let Some(task) = state.held.pop_front() else { return leave(&mut state) };
            drop(state);
            // Nothing may unwind from here: it would leave a scope whose tasks run.
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| task(local))) {
                local.caught(payload);
            }
        }
    }
}
