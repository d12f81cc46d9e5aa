//! `spawn_async`: tasks that are handed in by somebody who waits for room without a thread.

use crate::construct::admit::admit_later;
use crate::construct::push::Order;
use crate::construct::spawn::{spawn_admitted, spawn_freely};
use crate::pool::thread_pool::ThreadPool;
use crate::resources::admission::Asked;
use crate::resources::rejected::{Rejected, Rejection};
use crate::worker::shared::Shared;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// A task that waits for room: a future; see [`ThreadPool::spawn_async`]. Dropped, it waits no more, and the task is
/// dropped.
#[must_use = "dropped, it drops the task"]
pub struct SpawnAsync<F> {
    shared: Arc<Shared>,
    task: Option<F>,
    /// `None` in a pool that accepts everything.
    asked: Result<Option<Asked>, Rejection>,
}

/// No part of it is pinned.
impl<F> Unpin for SpawnAsync<F> {}

impl ThreadPool {
    /// As [`spawn`](Self::spawn), as a future, which is ready when there is room for the task and it has been accepted. It
    /// waits from now on, polled or not, in one queue with the threads that wait in `spawn`; the task starts no sooner than
    /// the future is polled. Costs an allocation if it has to wait.
    ///
    /// # Errors
    /// The future's: the task, if the pool has been shut down, or an [`AdmissionPolicy`](crate::AdmissionPolicy) sheds it.
    /// Not for want of room.
    ///
    /// # Examples
    ///
    /// ```
    /// # async fn serve(pool: &filch::ThreadPool) {
    /// if let Err(rejected) = pool.spawn_async(|| println!("hello")).await {
    ///     eprintln!("{rejected}");
    /// }
    /// # }
    /// # let pool = filch::ThreadPoolBuilder::new().num_threads(1).max_queued(1).build()?;
    /// # let served = std::pin::pin!(serve(&pool));
    /// # let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    /// # assert!(std::future::Future::poll(served, &mut context).is_ready());
    /// # Ok::<(), filch::Error>(())
    /// ```
    pub fn spawn_async<F>(&self, task: F) -> SpawnAsync<F>
    where
        F: FnOnce() + Send + 'static,
    {
        let shared = Arc::clone(self.shared());
        let asked = shared.admission.get().map(|admission| admit_later(&shared, admission));
        let asked = asked.transpose();
        SpawnAsync { shared, task: Some(task), asked }
    }
}

impl<F> Future for SpawnAsync<F>
where
    F: FnOnce() + Send + 'static,
{
    type Output = Result<(), Rejected<F>>;

    /// # Panics
    /// If polled again after it was ready.
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let Ok(Some(Asked::Waits(ticket))) = &this.asked
            && !ticket.waiter.poll(context)
        {
            return Poll::Pending;
        }
        let task = this.task.take().expect("polled after it was ready");
        let asked = std::mem::replace(&mut this.asked, Ok(None));
        let place = match asked {
            Ok(None) => return Poll::Ready(spawn_freely(&this.shared, Order::Lifo, None, task)),
            Ok(Some(Asked::Granted(place))) => place,
            Ok(Some(Asked::Waits(ticket))) => ticket.into_place(),
            Err(reason) => return Poll::Ready(Err(Rejected { task, reason })),
        };
        Poll::Ready(spawn_admitted(&this.shared, Order::Lifo, None, place, task))
    }
}

impl<F> fmt::Debug for SpawnAsync<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpawnAsync").finish_non_exhaustive()
    }
}
