//! Tasks for one worker alone, which the pool's policy chooses.

use crate::construct::admit::admit;
use crate::construct::broadcast::address;
use crate::construct::detached::detached;
use crate::construct::spawn::accepted;
use crate::pool::thread_pool::ThreadPool;
use crate::resources::rejected::Rejected;
use crate::worker::local::Local;
use crate::worker::shared::Shared;

impl ThreadPool {
    /// [`spawn`](Self::spawn), but the task runs on one worker and, while that is there, no other: the one that the
    /// pool's [policy](crate::VictimPolicy) chooses now, whose index is returned. For what is better done by one
    /// that has little to do, or is healthy, than by the first that comes by.
    ///
    /// As a part of a [`broadcast`](Self::broadcast) it runs when that worker has no local work left, or
    /// while it waits for anything: so it must not lock what may be held across a wait.
    ///
    /// # Panics
    /// As [`spawn`](crate::spawn()).
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = std::sync::mpsc::channel();
    /// let pool = filch::ThreadPoolBuilder::new().num_threads(2).build()?;
    /// let chosen = pool.spawn_placed(move || sender.send(filch::current_thread_index()).unwrap());
    /// assert_eq!(receiver.recv(), Ok(Some(chosen)));
    /// # Ok::<(), filch::Error>(())
    /// ```
    #[track_caller]
    pub fn spawn_placed<F>(&self, task: F) -> usize
    where
        F: FnOnce() + Send + 'static,
    {
        let shared = self.shared();
        match shared.admission.get() {
            None => send(shared, task),
            Some(admission) => {
                let place = admit(shared, admission);
                send(shared, move || {
                    place.begin();
                    task();
                })
            }
        }
    }
}

#[track_caller]
fn send<F>(shared: &Shared, task: F) -> usize
where
    F: FnOnce() + Send + 'static,
{
    let worker = shared.place();
    let current = Local::current_in(shared);
    let send = || address(shared, worker, detached(shared, current, None, task));
    match current {
        Some(local) if local.returns() => send(),
        _ => accepted(shared.submit(send).map_err(Rejected::without_task)),
    }
    worker
}
