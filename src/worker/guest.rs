//! Threads that are workers of a pool without being started by it (`use_current_thread`).
//!
//! This file is `unsafe` for the worker that such a thread leaves behind.

use crate::sync::thread_local;
use crate::telemetry::activity::Status;
use crate::worker::local::{Local, Origin};
use crate::worker::shared::Job;
use std::cell::RefCell;

/// What guests leave behind. It isn't freed before the thread ends: a shutdown may be
/// called from inside a verb, whose frame still refers to its worker.
/// Raw, since a box that moves would deny that others point into it.
struct Guests(Vec<*mut Local>);

thread_local! {
    static GUESTS: RefCell<Guests> = const { RefCell::new(Guests(Vec::new())) };
}

impl Drop for Guests {
    fn drop(&mut self) {
        Local::retire_guest();
        for guest in self.0.drain(..) {
            // SAFETY: it came out of a box, and nobody finds it any more.
            drop(unsafe { Box::from_raw(guest) });
        }
    }
}

impl Local {
    /// Ends this thread's time as a guest, if it is one: its pool goes on without it.
    pub fn retire_guest() {
        Self::with_current(|current| {
            if let Some(guest) = current {
                guest.run_the_rest();
                guest.credits.give_back();
                guest.shared.lose(guest.index);
                guest.is_now(Status::Stopped);
                guest.shared.unstaff();
            }
        });
        Self::leave();
    }

    /// Runs what is addressed to this worker; and all there is, if nobody else is left to do so.
    fn run_the_rest(&self) {
        let alone = self.shared.is_left_to(self.index);
        let next = || match alone {
            true => self.find(),
            false => self.remote().inbox.steal().map(Job::Task),
        };
        while let Some(job) = next() {
            self.execute(job);
        }
    }

    /// Makes this thread worker 0 of the pool it is building, until it leaves or ends.
    pub fn enter_as_guest(self) {
        let this = Box::into_raw(Box::new(self));
        // First, since it panics on a thread that is past having locals.
        GUESTS.with_borrow_mut(|guests| guests.0.push(this));
        // SAFETY: it lives until this thread's locals are destroyed, and that leaves.
        unsafe { Self::enter(this) };
    }

    pub fn is_guest(&self) -> bool {
        self.origin == Origin::Guest
    }

    /// Whether what it does now is part of a job, after which it looks for others: not so for a
    /// guest, unless it runs one.
    pub fn returns(&self) -> bool {
        !self.is_guest() || self.nesting.get() > 0
    }

    /// Whether this is a guest that is in the midst of no job and no join.
    pub fn is_at_leisure(&self) -> bool {
        self.is_guest() && self.nesting.get() == 0 && self.lane().is_bare()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use crate::job::StackJob;
    use crate::worker::bare::{hide, take_back, workers};
    use crate::worker::local::Origin;

    #[test]
    fn a_guest_is_at_leisure_in_the_midst_of_nothing() {
        let [mut local] = workers(1, None);
        for origin in [Origin::Built, Origin::Hired] {
            local.origin = origin;
            assert!(!local.is_guest() && !local.is_at_leisure() && local.returns());
        }
        local.origin = Origin::Guest;
        assert!(local.is_guest() && local.is_at_leisure() && !local.returns());
        local.nesting.set(1);
        assert!(local.is_guest() && !local.is_at_leisure() && local.returns());
        local.nesting.set(0);
        let frame = StackJob::new(|_| (), local.lane().top());
        // SAFETY: taken back below.
        hide(&local, unsafe { frame.as_frame() });
        assert!(!local.is_at_leisure() && !local.returns());
        assert!(take_back(&local, &frame) && local.is_at_leisure());
    }
}
