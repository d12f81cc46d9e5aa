//! A worker's thread, from its first to its last line.
//!
//! This file is `unsafe` because the thread-local refers to the worker's frame, and for
//! latches that may be freed once they are set.

use crate::monitor::thread::current_tid;
use crate::pool::affinity;
use crate::primitive::latch::Latch;
use crate::sync::{Ordering, ThreadHandle, ThreadSpawner};
use crate::telemetry::activity::Status;
use crate::worker::handlers::ThreadHandler;
use crate::worker::local::{Deques, Local, Origin};
use crate::worker::shared::Shared;
use crate::worker::span;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// A worker that has yet to be given a thread: what a
/// [`spawn_handler`](crate::ThreadPoolBuilder::spawn_handler) receives.
///
/// The thread that is to become the worker calls [`run`](Self::run).
///
/// # Examples
///
/// ```
/// let pool = filch::ThreadPoolBuilder::new()
///     .num_threads(2)
///     .spawn_handler(|thread| {
///         std::thread::Builder::new().spawn(|| thread.run())?;
///         Ok(())
///     })
///     .build()?;
/// assert_eq!(pool.install(|| 6 * 7), 42);
/// # Ok::<(), filch::Error>(())
/// ```
pub struct ThreadBuilder {
    pub(crate) seat: Seat,
    pub(crate) deques: Deques,
    pub(crate) name: Option<String>,
    pub(crate) stack_size: Option<usize>,
    pub(crate) cpu: Option<usize>,
}

impl ThreadBuilder {
    /// The index of the worker, from 0 up to the number of threads.
    pub fn index(&self) -> usize {
        self.seat.index
    }

    /// The name the thread is to have, if the pool was given one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The stack size the thread is to have, in bytes, if the pool was given one.
    pub fn stack_size(&self) -> Option<usize> {
        self.stack_size
    }

    /// Is the worker: returns when the pool has come to its end.
    ///
    /// # Panics
    /// On a thread that is a worker already.
    pub fn run(self) {
        let Self { mut seat, deques, cpu, .. } = self;
        let (shared, index) = (Arc::clone(&seat.shared), seat.index);
        pin(cpu);
        let local = Local::new(shared, index, deques, Origin::Built);
        live(local, || seat.taken = true);
    }

    /// Starts a thread of the standard library's for it.
    pub(crate) fn start(self) -> io::Result<ThreadHandle<()>> {
        let mut spawner = ThreadSpawner::new();
        if let Some(name) = &self.name {
            spawner = spawner.name(name.clone());
        }
        if let Some(size) = self.stack_size {
            spawner = spawner.stack_size(size);
        }
        // Not on the CPU of whoever builds the pool, should that be a pinned worker.
        affinity::unpinned(|| spawner.spawn(|| self.run()))
    }
}

/// A worker's place in the pool. If nobody takes it, those who wait for the worker are told.
pub struct Seat {
    shared: Arc<Shared>,
    index: usize,
    taken: bool,
}

impl Seat {
    /// Counts the worker among those who must sleep before the pool ends.
    pub fn new(shared: &Arc<Shared>, index: usize) -> Self {
        shared.staffed.fetch_add(1, Ordering::Relaxed);
        Self { shared: Arc::clone(shared), index, taken: false }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.taken {
            return;
        }
        let Self { shared, index, .. } = self;
        shared.vacant.store(true, Ordering::Relaxed);
        let worker = shared.worker(*index);
        // SAFETY: `shared` keeps the latches alive, and there is no worker to set them.
        unsafe { Latch::set(&raw const worker.started) };
        // SAFETY: as above.
        unsafe { Latch::set(&raw const worker.stopped) };
        shared.lose(*index);
        // It may have been the last one that anybody waited for.
        shared.unstaff();
    }
}

/// On a CPU that has been taken away meanwhile it floats.
fn pin(cpu: Option<usize>) {
    if let Some(cpu) = cpu {
        affinity::pin(cpu);
    }
}

/// The whole life of a worker that is hired. It is called by a thread of its own.
pub fn run_hired(shared: Arc<Shared>, index: usize, cpu: Option<usize>) {
    pin(cpu);
    let deques = shared.move_in(index);
    live(Local::new(shared, index, deques, Origin::Hired), || ());
}

/// Is this worker, and says so by `entered`. Doesn't unwind after that: `execute` and `guarded` see to
/// it.
fn live(local: Local, entered: impl FnOnce()) {
    // SAFETY: valid until `serve` leaves, on this thread.
    unsafe { Local::enter(&local) };
    entered();
    serve(&local);
    let Local { shared, index, deques, .. } = local;
    if !shared.is_over() {
        shared.move_out(index, deques);
    }
}

fn serve(local: &Local) {
    let Local { shared, index, .. } = local;
    local.begin_recording();
    local.is_now(Status::Running);
    span::started(*index);
    if (shared.watch.after.is_some() || shared.readings.is_ok())
        && let Some(tid) = current_tid()
    {
        local.remote().tid.set(tid);
    }
    // One that is hired counts as searching, but who knows how long the handler takes.
    let relied_upon = local.origin == Origin::Hired && shared.handlers.start.is_some();
    if relied_upon {
        shared.stop_searching();
    }
    guarded(shared, shared.handlers.start.as_deref(), *index);
    if relied_upon {
        shared.idle.start_searching();
    }
    set(&local.remote().started);
    local.run();
    local.is_now(Status::Stopped);
    span::stopped(*index);
    // Before the exit handler: what that spawns would never run here.
    Local::leave();
    guarded(shared, shared.handlers.exit.as_deref(), *index);
    set(&local.remote().stopped);
}

/// A latch of a worker's, which may have had a thread before.
fn set(latch: &Latch) {
    if !latch.is_set() {
        // SAFETY: it is a part of what all share, and only this thread sets it now.
        unsafe { Latch::set(latch) };
    }
}

/// A start or exit handler's panic is nobody's business but the panic handler's.
fn guarded(shared: &Shared, handler: Option<&ThreadHandler>, index: usize) {
    if let Some(handler) = handler
        && let Err(payload) = catch_unwind(AssertUnwindSafe(|| handler(index)))
    {
        shared.report_panic(payload);
    }
}

impl fmt::Debug for ThreadBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadBuilder")
            .field("pool", &self.seat.shared.id)
            .field("index", &self.seat.index)
            .field("name", &self.name)
            .field("stack_size", &self.stack_size)
            .finish()
    }
}

#[cfg(all(test, not(loom), not(miri)))]
mod tests {
    use crate::pool::builder::ThreadPoolBuilder;
    use crate::primitive::seats::Place;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use std::thread::yield_now;

    /// As when the governor finds all of them ill.
    #[test]
    fn a_pool_that_nobody_has_a_seat_in_ends_with_all_its_threads_and_runs_what_it_has() {
        for dismissed in 0..=3 {
            let [began, ended, ran]: [Arc<AtomicUsize>; 3] = Default::default();
            let count = |which: &Arc<AtomicUsize>| {
                let which = Arc::clone(which);
                move || _ = which.fetch_add(1, SeqCst)
            };
            let (one_began, one_ended) = (count(&began), count(&ended));
            let pool = ThreadPoolBuilder::new()
                .num_threads(3)
                .start_handler(move |_| one_began())
                .exit_handler(move |_| one_ended())
                .build()
                .unwrap();
            let shared = Arc::clone(pool.shared());
            while began.load(SeqCst) < 3 {
                yield_now();
            }
            (0..3).for_each(|worker| shared.let_go(worker));
            let is_at = |worker, place| shared.seats.place(worker, |_| ()) == place;
            while !(0..3).all(|worker| is_at(worker, Place::Benched)) || shared.num_threads() > 0 {
                yield_now();
            }
            assert!((0..dismissed).all(|worker| shared.dismiss(worker)));
            if dismissed == 2 {
                pool.spawn(count(&ran));
            }
            drop(pool);
            assert_eq!(ran.load(SeqCst), usize::from(dismissed == 2));
            assert_eq!(began.load(SeqCst), ended.load(SeqCst));
            assert!(shared.is_over());
        }
    }
}
