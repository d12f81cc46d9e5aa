//! A scope whose owner has leased CPUs: no more of its tasks run at once than those suffice for.
//!
//! Its tasks don't go to the workers' queues but to one of its own, which *runners* empty, tasks of the scope themselves, each
//! with a permit (resources/lessee.rs). Its owner, which has a CPU without, is one more when it comes to wait, and leaves
//! that CPU to a runner when it does. Rejected: a task
//! that a worker puts back if it has no permit: idle workers would find it again and again.
//!
//! Invariant: while the queue isn't empty there is a runner, or its owner has not come to wait.

use crate::construct::scope_core::Core;
use crate::job::Lent;
use crate::resources::lessee::Lessee;
use crate::worker::local::Local;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A task of the scope.
type Held<'scope> = Box<dyn FnOnce(&Local) + Send + 'scope>;

#[derive(Default)]
pub struct Bounded<'scope>(Mutex<State<'scope>>);

#[derive(Default)]
struct State<'scope> {
    held: VecDeque<Held<'scope>>,
    runners: usize,
    /// Whether its owner is no runner, or none any more.
    deserted: bool,
}

impl<'scope> Bounded<'scope> {
    fn state(&self) -> MutexGuard<'_, State<'scope>> {
        // Nothing of a user's is called while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'scope> Core<'scope> {
    /// Holds back a task of the scope until one more may run beside `bound`, which has leased the CPUs.
    #[cold]
    #[track_caller]
    pub(super) fn spawn_bounded(&self, bound: Lessee, task: Held<'scope>) {
        let permit = {
            let state = &mut *self.bounded.state();
            state.held.push_back(task);
            state.deserted |= !self.has_worker();
            // Nobody else would come for it.
            let must = state.deserted && state.runners == 0;
            let permit = bound.permit((!state.deserted).into(), must);
            state.runners += usize::from(permit.is_some());
            permit
        };
        let Some(permit) = permit else { return };
        let core = Lent(self);
        self.spawn_runner(move |local| {
            // SAFETY: the scope waits for the runner, which is a task of it.
            let core = unsafe { &*core.get() };
            core.run_held(local, |state| state.runners -= 1);
            drop(permit);
        });
    }

    /// Runs what is held back, for as long as there is something. `leave` is called when there is nothing.
    fn run_held(&self, local: &Local, leave: impl FnOnce(&mut State<'scope>)) {
        loop {
            let mut state = self.bounded.state();
            let Some(task) = state.held.pop_front() else { return leave(&mut state) };
            drop(state);
            task(local);
        }
    }

    /// For the worker that owns the scope, before it waits.
    pub(super) fn run_bounded(&self, local: &Local) {
        self.run_held(local, |state| state.deserted = true);
    }
}
