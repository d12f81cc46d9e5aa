//! What the user wants to be told of.
//!
//! Tests: tests/messages.rs.

use crate::job::Payload;
use crate::policy::admission::Shed;
use crate::policy::shortage::MemoryPressure;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Called with the payload of a panic that no caller can be told of.
pub type PanicHandler = dyn Fn(Payload) + Send + Sync;
/// Called on a worker's thread with its index.
pub type ThreadHandler = dyn Fn(usize) + Send + Sync;
/// Called when free heap memory is to go back to the system.
pub type TrimHandler = dyn Fn() + Send + Sync;

/// Called when memory runs out.
pub type MemoryHandler = dyn Fn(MemoryPressure) + Send + Sync;

/// Called for each task that is not run, as it has waited for too long.
pub type ShedHandler = dyn Fn(Shed) + Send + Sync;

/// Called before a panic is reported that no caller can be told of.
pub type Save = dyn Fn() + Send + Sync;

/// How it is recorded what workers do.
pub struct Recording {
    pub events_per_worker: usize,
    pub on_panic: Option<Box<Save>>,
}

#[derive(Default)]
pub struct Handlers {
    pub panic: Option<Box<PanicHandler>>,
    pub start: Option<Box<ThreadHandler>>,
    pub exit: Option<Box<ThreadHandler>>,
    pub trim: Option<Box<TrimHandler>>,
    pub memory: Option<Arc<MemoryHandler>>,
    pub shed: Option<Box<ShedHandler>>,
    /// Whether free heap memory goes back to the system when memory runs out.
    pub trims: bool,
}

impl Handlers {
    /// Deals with a panic that no caller can be told of: the handler, else the end.
    pub fn report_panic(&self, payload: Payload) {
        let Some(handler) = &self.panic else {
            // Not eprintln, which panics if nobody reads it any more.
            let _ = writeln!(
                io::stderr(),
                "filch: a task that nobody waits for panicked, and the pool has no panic \
                 handler; aborting. Set ThreadPoolBuilder::panic_handler, or use \
                 spawn_handle, whose join() returns the panic."
            );
            std::process::abort();
        };
        if catch_unwind(AssertUnwindSafe(|| handler(payload))).is_err() {
            let _ = writeln!(io::stderr(), "filch: the panic handler panicked; aborting");
            std::process::abort();
        }
    }
}
