//! `spawn_with`: tasks that start when what they need has been leased.

use crate::construct::detached::detached;
use crate::pool::thread_pool::ThreadPool;
use crate::resources::acquire::Errand;
use crate::resources::lease::Lease;
use crate::resources::refusal::Refusal;
use crate::resources::rejected::Rejection;
use crate::resources::request::Request;
use crate::worker::blocked::concerns_guests;
use crate::worker::local::Local;
use crate::worker::shared::Job;
use std::sync::{Arc, Mutex, PoisonError};

impl ThreadPool {
    /// Starts a task when the lease that it asks for has been granted, and gives that back when it has ended. Waiting
    /// for it costs no worker; once it is granted, the task goes before all others that have been spawned from outside.
    ///
    /// It is accepted at once: a pool that is shut down runs it still, and waits for the lease as long as that takes.
    ///
    /// # Errors
    /// Those of [`acquire`](Self::acquire) but for the one about the current thread, and [`Refusal::ShutDown`] and [`Refusal::Forked`]. The task is
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
        let pending = shared.pend().map_err(|reason| match reason {
            Rejection::Forked => Refusal::Forked,
            _ => Refusal::ShutDown,
        })?;
        let accepted = Arc::new(Mutex::new(Some((pending, task))));
        let pool = Arc::clone(shared);
        let come = move |errand: &Arc<Errand>| {
            let (errand, accepted) = (Arc::clone(errand), Arc::clone(&accepted));
            let job = detached(&pool, None, None, move || {
                let Some(lease) = errand.fetch() else { return };
                Local::with_current(|current| current.map(Local::mind_leases));
                let accepted = accepted.lock().unwrap_or_else(PoisonError::into_inner).take();
                // It is running: the pool won't end before it has.
                let (_, task) = accepted.expect("filch: a task has had two leases");
                task(&lease);
            });
            // Others have waited for less.
            pool.misfits.push(Job::Task(job));
            pool.notify_from_outside(concerns_guests);
        };
        Errand::begin(shared.purse.budget(), request, come)
    }
}
