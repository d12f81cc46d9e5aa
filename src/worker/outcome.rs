//! Tasks that fail or don't begin, and what comes of that.
//!
//! Tests: tests/{admission,cancel}.rs.

use crate::job::Payload;
use crate::policy::admission::Shed;
use crate::sync::statistic::Ordering;
use crate::telemetry::counters::{Count, WorkerCounters};
use crate::worker::local::Local;
use crate::worker::shared::Shared;
use crate::worker::span;
use std::panic::{AssertUnwindSafe, catch_unwind};

impl Shared {
    /// A task of this pool has panicked, on this thread.
    pub fn task_panicked(&self, payload: &Payload) {
        self.count_failure();
        span::panicked(payload);
        self.ask_for_check();
    }

    /// A task of this pool has returned an error, on this thread.
    pub fn task_failed(&self) {
        self.count_failure();
        span::failed();
    }

    /// A task of this pool is dropped, on this thread, since it is no longer wanted.
    #[cold]
    pub fn task_cancelled(&self) {
        self.count(|counters| &counters.cancelled);
    }

    /// A task of this pool is dropped, on this thread, since it is too late for it.
    #[cold]
    pub fn task_expired(&self) {
        self.count(|counters| &counters.expired);
    }

    /// A task of this pool is not run, as it has waited for too long.
    pub fn task_shed(&self, shed: Shed) {
        self.common.shed.bump_shared();
        if let Some(hook) = &self.handlers.shed
            && catch_unwind(AssertUnwindSafe(|| hook(shed))).is_err()
        {
            self.common.lost_hooks.bump_shared();
        }
    }

    /// Something has happened that says of workers' health.
    pub(super) fn ask_for_check(&self) {
        // One call for many, until it is answered.
        if self.check_wanted.swap(1, Ordering::Relaxed) == 0 {
            self.governor.get().inspect(|governor| governor.unpark());
        }
    }

    /// For the governor.
    pub fn wants_check(&self) -> bool {
        self.check_wanted.load(Ordering::Relaxed) > 0
    }

    /// For the governor, before it looks: what happens from here on asks again.
    pub fn check_begins(&self) {
        self.check_wanted.store(0, Ordering::Relaxed);
    }

    fn count_failure(&self) {
        self.count(|counters| &counters.failures);
    }

    fn count(&self, count: impl FnOnce(&WorkerCounters) -> &Count) {
        match Local::current_in(self) {
            Some(local) => count(local.counters()).bump(),
            None => count(&self.common).bump_shared(),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use crate::policy::admission::Shed;
    use crate::telemetry::counters::Counters;
    use crate::worker::bare::workers;
    use std::thread;
    use std::time::Duration;

    #[test]
    fn a_failure_asks_for_a_check_until_one_begins() {
        let [local] = workers(1, None);
        let shared = &local.shared;
        assert!(shared.governor.set(thread::current()).is_ok());
        for _ in 0..2 {
            assert!(!shared.wants_check());
            shared.task_failed();
            assert!(!shared.wants_check(), "what a task returns says nothing of its worker");
            shared.task_panicked(&(Box::new(()) as _));
            // The governor has been woken.
            thread::park();
            shared.task_panicked(&(Box::new(()) as _));
            assert!(shared.wants_check());
            shared.check_begins();
        }
        assert_eq!(shared.counters().failures, 6);
    }

    #[test]
    fn tasks_that_do_not_begin_are_counted_by_reason_on_the_thread_that_drops_them() {
        let [local] = workers(1, None);
        let shared = &local.shared;
        shared.task_cancelled();
        shared.task_expired();
        shared.task_expired();
        (0..3).for_each(|_| shared.task_shed(Shed { waited: Duration::ZERO }));
        let Counters { cancelled, expired, shed, .. } = shared.counters();
        assert_eq!((cancelled, expired, shed), (1, 2, 3));
    }
}
