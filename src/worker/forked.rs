//! A pool in a child of the process that built it: its threads are in the parent only, and so is who would wake a thread that
//! waits here. So it takes nothing from outside, and whoever would wait says so and aborts: below a wait there may be what
//! others borrow from, so nothing may unwind from there.
//!
//! A worker whose thread forked goes on in the child with what it is in the midst of, alone: its joins and scopes run here. No
//! thread is hired, and it doesn't get back to the loop, where it would run what the parent's workers run, too.
//!
//! Tests: tests/fork.rs.

use crate::sync::fork;
use crate::worker::local::Local;
use crate::worker::shared::Shared;
use std::io::{self, Write};
use std::process::abort;

impl Shared {
    /// Whether the pool is a parent's.
    #[inline(always)]
    pub fn is_inherited(&self) -> bool {
        self.born != fork::count()
    }

    /// For whoever is about to wait for one of its threads.
    #[inline]
    pub fn expect_threads(&self) {
        if self.is_inherited() {
            no_threads();
        }
    }
}

impl Local {
    /// Called in a child, on the thread that forked.
    pub fn forked() {
        Self::with_current(|current| {
            // It looks up between two jobs.
            current.inspect(|local| local.remote().presence.lend(true));
        });
    }
}

#[cold]
fn no_threads() -> ! {
    let _ = writeln!(
        io::stderr(),
        "filch: a forked child waits for threads of a pool that are in its parent only; aborting. In the child, use a pool \
         that it has built, or call exec or _exit, above all where a task has forked."
    );
    abort();
}
