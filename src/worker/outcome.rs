//! Tasks that fail.

use crate::job::Payload;
use crate::worker::local::Local;
use crate::worker::shared::Shared;
use crate::worker::span;

impl Shared {
    /// A task of this pool has panicked, on this thread.
    pub fn task_panicked(&self, payload: &Payload) {
        self.count_failure();
        span::panicked(payload);
    }

    /// A task of this pool has returned an error, on this thread.
    pub fn task_failed(&self) {
        self.count_failure();
        span::failed();
    }

    fn count_failure(&self) {
        match Local::current_in(self) {
            Some(local) => local.counters().failures.bump(),
            None => self.common.failures.bump_shared(),
        }
    }
}
