//! How work comes in from threads that are none of the pool's own, until it shuts down.

use crate::resources::rejected::Rejection;
use crate::sync::Ordering;
use crate::worker::blocked::Blocked;
use crate::worker::local::Local;
use crate::worker::shared::{Job, Shared};
use std::sync::Arc;

/// A stay inside the gate. Ended on drop: those who are told of a task may panic.
pub struct Entered<'s>(&'s Shared);

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        if self.0.gate.leave() {
            self.0.wake_for_the_end();
        }
    }
}

/// Work that is still to be queued, by whatever thread: the pool doesn't end before this is dropped.
pub struct Pending(Arc<Shared>);

impl Drop for Pending {
    fn drop(&mut self) {
        self.0.unstaff();
    }
}

impl Shared {
    /// Keeps the pool from ending, shut down or not, until what is returned is dropped.
    pub fn pend(self: &Arc<Self>) -> Result<Pending, Rejection> {
        // Awake, or inside the gate: so the pool hasn't ended, and sees one more that doesn't sleep.
        let awake = Local::current_in(self).is_some_and(Local::returns);
        let _entered = if awake { None } else { Some(self.enter()?) };
        self.staffed.fetch_add(1, Ordering::Relaxed);
        Ok(Pending(Arc::clone(self)))
    }

    /// Queues a call from outside: someone waits for it.
    pub fn call(&self, call: Job) {
        self.calls.push(call);
        self.notify_from_outside(|_, why| matches!(why, Blocked::Call | Blocked::Guest));
    }

    /// Queues work from a thread that isn't one of the pool's own, if it takes any. Returns what `push` does.
    pub fn submit<R>(&self, push: impl FnOnce() -> R) -> Result<R, Rejection> {
        let _entered = self.enter()?;
        Ok(push())
    }

    /// Keeps the pool from ending until work is queued, unless it is shutting down, or is a parent's.
    pub fn enter(&self) -> Result<Entered<'_>, Rejection> {
        if self.is_inherited() {
            return Err(Rejection::Forked);
        }
        if self.gate.enter() { Ok(Entered(self)) } else { Err(Rejection::ShutDown) }
    }

    /// Takes no more work from outside; the pool ends when what it has is done.
    pub fn begin_shutdown(&self) {
        self.gate.close();
        // After that, so that the gate turns back those who waited.
        self.admission.get().inspect(|admission| admission.close());
        self.wake_for_the_end();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use crate::resources::rejected::Rejection;
    use crate::worker::bare::{is_told, sleep, task, workers};
    use crate::worker::blocked::Blocked;
    use crate::worker::shared::Job;

    #[test]
    fn nothing_comes_in_when_the_gate_is_closed_and_who_is_inside_keeps_the_pool_from_its_end() {
        let [local] = workers(1, None);
        let shared = &local.shared;
        assert_eq!(shared.submit(|| 7).ok(), Some(7));
        let entered = shared.enter().ok();
        sleep(&local);
        shared.begin_shutdown();
        assert!(entered.is_some() && !shared.end_if_last());
        let refused = |result: Result<(), Rejection>| matches!(result, Err(Rejection::ShutDown));
        assert!(refused(shared.submit(|| panic!("it is closed"))));
        assert!(refused(shared.enter().map(drop)) && refused(shared.pend().map(drop)));
        drop(entered);
        assert!(is_told(&local), "it looks whether the pool has ended");
        assert!(shared.idle.stop_searching());
        sleep(&local);
        assert!(shared.end_if_last());
    }

    #[test]
    fn what_is_still_to_be_queued_keeps_the_pool_from_its_end() {
        let [local] = workers(1, None);
        let shared = &local.shared;
        let pending = shared.pend().ok();
        assert_eq!(shared.num_threads(), 2);
        shared.gate.close();
        sleep(&local);
        assert!(!shared.end_if_last());
        drop(pending);
        assert!(is_told(&local) && shared.num_threads() == 1);
    }

    #[test]
    fn a_call_is_for_those_who_wait_for_another_pool_and_for_guests() {
        for (why, concerned) in
            [(Blocked::Latch, false), (Blocked::Call, true), (Blocked::Guest, true)]
        {
            let [local, _busy] = workers(2, None);
            local.shared.block(local.index, why);
            assert!(local.leave_seat());
            local.shared.call(Job::Task(task()));
            assert_eq!(is_told(&local), concerned);
            local.execute(local.shared.calls.steal().unwrap());
        }
    }
}
