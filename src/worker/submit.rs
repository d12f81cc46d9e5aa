//! How work comes in from threads that are none of the pool's own, until it shuts down.

use crate::worker::blocked::Blocked;
use crate::worker::shared::{Job, Shared};

impl Shared {
    /// Queues a call from outside: someone waits for it.
    pub fn call(&self, call: Job) {
        self.calls.push(call);
        self.notify_from_outside(|_, why| matches!(why, Blocked::Call | Blocked::Guest));
    }

    /// Queues work from a thread that isn't one of the pool's own, unless the pool is
    /// shutting down. Returns what `push` does.
    pub fn submit<R>(&self, push: impl FnOnce() -> R) -> Option<R> {
        if !self.gate.enter() {
            return None;
        }
        let pushed = push();
        self.leave_gate();
        Some(pushed)
    }

    /// For whoever has entered the gate, once its work is queued.
    pub fn leave_gate(&self) {
        if self.gate.leave() {
            self.wake_for_the_end();
        }
    }

    /// Takes no more work from outside; the pool ends when what it has is done.
    pub fn begin_shutdown(&self) {
        self.gate.close();
        self.wake_for_the_end();
    }
}
