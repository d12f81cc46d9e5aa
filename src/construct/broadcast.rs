//! `broadcast`: a closure once on every worker.
//!
//! This file is `unsafe` because the parts of a `broadcast` borrow from its frame.

use crate::construct::spawn::{accepted, in_current_pool};
use crate::job::{HeapJob, JobRef, Payload, ScopeJob};
use crate::pool::thread_pool::ThreadPool;
use crate::primitive::count_latch::CountLatch;
use crate::resources::lessee::Lessee;
use crate::resources::rejected::Rejected;
use crate::worker::local::Local;
use crate::worker::outside::wait_outside;
use crate::worker::shared::Shared;
use std::fmt;
use std::iter;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, PoisonError};

/// What a part of a broadcast learns of the worker it runs on.
pub struct BroadcastContext<'a> {
    local: &'a Local,
    index: usize,
    /// Neither Send nor Sync: it speaks of the thread it is on.
    thread: PhantomData<&'a mut dyn Fn()>,
}

impl<'a> BroadcastContext<'a> {
    pub(crate) fn new(local: &'a Local, index: usize) -> Self {
        Self { local, index, thread: PhantomData }
    }

    /// The index of the worker that this part is for: this one, unless that one isn't there any more (see [`broadcast`]).
    pub fn index(&self) -> usize {
        self.index
    }

    /// The number of workers, which is the number of parts.
    pub fn num_threads(&self) -> usize {
        self.local.shared.regulars.len()
    }
}

impl fmt::Debug for BroadcastContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BroadcastContext")
            .field("pool", &self.local.shared.id)
            .field("index", &self.index())
            .field("num_threads", &self.num_threads())
            .finish()
    }
}

/// Runs `op` once on every worker of the current pool, and returns all results by index.
///
/// A worker runs its part when it has no local work left, or while it waits for anything, a
/// join included: so a part must not lock what may be held across a wait. The caller, if it is
/// one of these workers, runs nothing but parts of broadcasts meanwhile; one of another pool
/// waits as in [`ThreadPool::install`]. Costs an allocation a worker.
///
/// If a worker isn't there, others run its part as any task: its thread has ended, which was that of
/// [`use_current_thread`](crate::ThreadPoolBuilder::use_current_thread); or never ran; or has ended as nobody needed it
/// ([`idle_timeout`](crate::ThreadPoolBuilder::idle_timeout)), and no other can be had.
///
/// # Panics
/// If a part panics, after all have ended, with the payload of the lowest index; further ones
/// are counted in [`Counters::panics`](crate::Counters::panics). And if the pool has been shut
/// down and this isn't one of its workers, and, as [every verb](crate#panics), if the global pool
/// has to be built and can't be.
///
/// # Examples
///
/// ```
/// let pool = filch::ThreadPoolBuilder::new().num_threads(3).build()?;
/// let squares = pool.broadcast(|context| context.index() * context.index());
/// assert_eq!(squares, [0, 1, 4]);
/// # Ok::<(), filch::Error>(())
/// ```
#[track_caller]
pub fn broadcast<OP, R>(op: OP) -> Vec<R>
where
    OP: Fn(BroadcastContext<'_>) -> R + Sync,
    R: Send,
{
    accepted(in_current_pool(|shared| broadcast_in(shared, &op)))
}

/// Runs `op` once on every worker of the current pool, and doesn't wait. A panic is that of
/// a [`spawn`](crate::spawn()). When a worker runs its part: see [`broadcast`].
///
/// # Panics
/// If the pool has been shut down and this isn't one of its workers; and, as
/// [every verb](crate#panics), if the global pool has to be built and can't be.
///
/// # Examples
///
/// ```
/// let (sender, receiver) = std::sync::mpsc::channel();
/// let pool = filch::ThreadPoolBuilder::new().num_threads(2).build()?;
/// pool.spawn_broadcast(move |context| sender.send(context.index()).unwrap());
/// assert_eq!(receiver.iter().sum::<usize>(), 1);
/// # Ok::<(), filch::Error>(())
/// ```
#[track_caller]
pub fn spawn_broadcast<OP>(op: OP)
where
    OP: Fn(BroadcastContext<'_>) + Send + Sync + 'static,
{
    accepted(in_current_pool(|shared| spawn_broadcast_in(shared, op)));
}

impl ThreadPool {
    /// [`broadcast`] in this pool.
    ///
    /// # Panics
    /// As [`broadcast`].
    #[track_caller]
    pub fn broadcast<OP, R>(&self, op: OP) -> Vec<R>
    where
        OP: Fn(BroadcastContext<'_>) -> R + Sync,
        R: Send,
    {
        accepted(broadcast_in(self.shared(), &op))
    }

    /// [`spawn_broadcast`] in this pool.
    ///
    /// # Panics
    /// As [`spawn_broadcast`].
    #[track_caller]
    pub fn spawn_broadcast<OP>(&self, op: OP)
    where
        OP: Fn(BroadcastContext<'_>) + Send + Sync + 'static,
    {
        accepted(spawn_broadcast_in(self.shared(), op));
    }
}

/// Puts the job into that worker's inbox.
pub fn address(shared: &Shared, worker: usize, job: JobRef<Local>) {
    shared.worker(worker).inbox.push(job);
    // Whatever it sleeps for, idle or in a wait, it looks into its inbox.
    shared.unpark(worker);
    shared.summon(worker);
}

/// Puts a job made by `part` into every worker's inbox, in the order of their indices.
pub fn address_all(
    shared: &Shared,
    mut part: impl FnMut(usize) -> JobRef<Local>,
) -> Result<(), Rejected<()>> {
    let mut address_all = || {
        // A guest's last: if it is gone, whoever takes its part may be in the midst of that when its own comes.
        (0..shared.regulars.len()).rev().for_each(|index| address(shared, index, part(index)));
    };
    match Local::current_in(shared) {
        Some(local) if local.returns() => address_all(),
        _ => shared.submit(address_all).map_err(Rejected::without_task)?,
    }
    Ok(())
}

/// A share of it for each part, and none for who makes them: parts may be over sooner, and a destructor that panics is to
/// do so in one of them.
pub fn shares<T>(shared: &Shared, held: T) -> impl FnMut() -> Arc<T> {
    let mut shares = iter::repeat_n(Arc::new(held), shared.regulars.len());
    move || shares.next().expect("filch: a broadcast has more parts than workers")
}

fn broadcast_in<OP, R>(shared: &Shared, op: &OP) -> Result<Vec<R>, Rejected<()>>
where
    OP: Fn(BroadcastContext<'_>) -> R + Sync,
    R: Send,
{
    // A lock a part, never contended: filled by one worker, emptied here.
    let parts: Vec<Mutex<Option<Result<R, Payload>>>> =
        shared.regulars.iter().map(|_| Mutex::new(None)).collect();
    let (latch, lessee) = (CountLatch::new(parts.len()), Lessee::current());
    let part = |index: usize| {
        let parts = &parts;
        let work = move |local: &Local| {
            let context = BroadcastContext::new(local, index);
            let part = || match lessee.is_nobody() {
                true => op(context),
                false => Local::run_as_part_of(lessee, || op(context)),
            };
            let outcome = catch_unwind(AssertUnwindSafe(part));
            *parts[index].lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        };
        // SAFETY: we wait for it below.
        unsafe { ScopeJob::boxed_started(&latch, work) }
    };
    address_all(shared, part)?;
    Local::with_current(|current| match current {
        Some(local) if std::ptr::eq(&*local.shared, shared) => {
            local.wait_for_workers(latch.latch());
        }
        Some(local) => local.wait_for_other_pool(shared, latch.latch()),
        None => wait_outside(shared, latch.latch()),
    });
    let outcomes = parts.into_iter().map(|part| {
        let outcome = part.into_inner().unwrap_or_else(PoisonError::into_inner);
        outcome.expect("filch: the latch was set before a part was done")
    });
    let outcomes: Vec<_> = outcomes.collect();
    let panics = outcomes.iter().filter(|outcome| outcome.is_err()).count();
    (1..panics).for_each(|_| shared.common.panics.bump_shared());
    Ok(outcomes
        .into_iter()
        .collect::<Result<_, _>>()
        .unwrap_or_else(|payload| resume_unwind(payload)))
}

fn spawn_broadcast_in<OP>(shared: &Shared, op: OP) -> Result<(), Rejected<()>>
where
    OP: Fn(BroadcastContext<'_>) + Send + Sync + 'static,
{
    let mut shares = shares(shared, op);
    let part = |index: usize| {
        let op = shares();
        // SAFETY: it borrows nothing.
        unsafe { HeapJob::boxed(move |local: &Local| op(BroadcastContext::new(local, index))) }
    };
    address_all(shared, part)
}
