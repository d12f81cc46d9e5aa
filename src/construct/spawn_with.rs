//! `spawn_with`: tasks that start when what they need has been leased.

use crate::construct::spawn::detached;
use crate::pool::thread_pool::ThreadPool;
use crate::resources::acquire::{Entry, enter};
use crate::resources::lease::Lease;
use crate::resources::refusal::Refusal;
use crate::resources::request::Request;
use crate::worker::blocked::concerns_guests;
use crate::worker::local::Local;
use crate::worker::shared::Job;
use std::sync::Arc;

impl ThreadPool {
    /// Starts a task when the lease that it asks for has been granted, and gives that back when it has ended. Waiting
    /// for it costs no worker; once it is granted, the task goes before all others that have been spawned from outside.
    ///
    /// It is accepted at once: a pool that is shut down runs it still, and waits for the lease as long as that takes.
    ///
    /// # Errors
    /// Those of [`acquire`](Self::acquire) but for the one about the current thread, and [`Refusal::ShutDown`]. The task is
    /// dropped then.
    ///
    /// # Examples
    ///
    /// A hundred tasks that need 2 GiB each, as many at a time as there is memory for, whatever the number of CPUs:
    ///
    /// ```
    /// use filch::{Request, Resource};
    ///
    /// let gib = 1 << 30;
    /// let pool = filch::ThreadPoolBuilder::new().budget(Resource::Memory, 5 * gib).build()?;
    /// for file in 0..100 {
    ///     pool.spawn_with(&Request::new().memory(2 * gib), move |lease| {
    ///         assert_eq!(lease.amount(Resource::Memory), 2 << 30);
    ///         let _ = file; // ...
    ///     })?;
    /// }
    /// pool.shutdown()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn spawn_with<F>(&self, request: &Request, task: F) -> Result<(), Refusal>
    where
        F: FnOnce(&Lease) + Send + 'static,
    {
        let shared = self.shared();
        let pending = shared.pend().ok_or(Refusal::ShutDown)?;
        let start = move |entry: Entry| {
            let shared = Arc::clone(pending.pool());
            let run = move || {
                let lease = entry.lease();
                Local::with_current(|current| current.map(Local::mind_leases));
                task(&lease);
            };
            let job = detached(&shared, None, None, run);
            // Others have waited for less: what it has leased is idle until it runs.
            shared.misfits.push(Job::Task(job));
            shared.notify_from_outside(concerns_guests);
            drop(pending);
        };
        enter(self.shared().purse.budget(), request, start)
    }
}
