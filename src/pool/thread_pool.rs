//! A pool, and how it ends. Its verbs are in `construct/`.

use crate::error::{Error, Kind};
use crate::pool::affinity::Placement;
use crate::pool::crew::Crew;
use crate::sync::lock::Mutex;
use crate::sync::{Ordering, ThreadHandle, ThreadId, current_thread};
use crate::telemetry::activity::Status;
use crate::worker::local::Local;
use crate::worker::outside::wait_outside;
use crate::worker::shared::Shared;
use std::fmt;
use std::mem;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::{Arc, PoisonError};

/// A pool of worker threads.
///
/// Dropping it waits until every accepted task has run and every thread has ended, unless
/// one of its own workers drops it: then the drop only begins the shutdown. So does, for a
/// pool with [`use_current_thread`](crate::ThreadPoolBuilder::use_current_thread), a drop
/// anywhere but on that thread, and the pool ends no sooner than that thread does.
/// [`detach`](Self::detach) lets the rest finish without waiting. In a [fork](crate#fork) of the process
/// a drop does nothing.
///
/// # Examples
///
/// ```
/// use filch::ThreadPoolBuilder;
///
/// let pool = ThreadPoolBuilder::new().num_threads(2).build()?;
/// let answer = pool.spawn_handle(|| 6 * 7);
/// assert_eq!(answer.join().unwrap(), 42);
/// pool.shutdown()?;
/// # Ok::<(), filch::Error>(())
/// ```
pub struct ThreadPool {
    shared: Arc<Shared>,
    placement: Placement,
    /// The threads to be joined. Locked for as long as that takes, so that a second
    /// shutdown returns no sooner than the first.
    threads: Mutex<Vec<Thread>>,
    crew: Arc<Crew>,
    /// The thread that built the pool, if it is worker 0.
    guest: Option<ThreadId>,
    detached: bool,
}

struct Thread {
    worker: usize,
    /// None for a thread that a spawn handler started.
    handle: Option<ThreadHandle<()>>,
}

/// A panic in a task leaves no part of the pool half done.
impl UnwindSafe for ThreadPool {}
impl RefUnwindSafe for ThreadPool {}

impl ThreadPool {
    pub(crate) fn new(shared: Arc<Shared>, placement: Placement, crew: Arc<Crew>) -> Self {
        let threads = Mutex::default();
        Self { shared, placement, threads, crew, guest: None, detached: false }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(crate) fn crew(&self) -> &Crew {
        &self.crew
    }

    pub(crate) fn cpu_of(&self, worker: usize) -> Option<usize> {
        self.placement.cpu(worker)
    }

    pub(crate) fn add_worker(&mut self, worker: usize, handle: Option<ThreadHandle<()>>) {
        self.threads.get_mut().unwrap().push(Thread { worker, handle });
    }

    pub(crate) fn wait_until_started(&mut self) {
        for thread in self.threads.get_mut().unwrap() {
            wait_outside(&self.shared, &self.shared.worker(thread.worker).started);
        }
    }

    /// Makes the current thread worker 0.
    pub(crate) fn adopt(&mut self, guest: Local) {
        self.guest = Some(current_thread().id());
        self.placement.float(guest.index);
        self.shared.staffed.fetch_add(1, Ordering::Relaxed);
        guest.begin_recording();
        guest.is_now(Status::Running);
        guest.enter_as_guest();
    }

    /// Waits until every accepted task has run and every thread has ended, its
    /// thread-local destructors included (of threads that a
    /// [`spawn_handler`](crate::ThreadPoolBuilder::spawn_handler) started: until each has
    /// left [`ThreadBuilder::run`](crate::ThreadBuilder::run) but for its last lines).
    ///
    /// Tasks may go on spawning tasks meanwhile; from outside nothing is accepted any
    /// more: [`try_spawn`](Self::try_spawn) gives the task back, other verbs panic. A
    /// pool that is shut down already is left as it is.
    ///
    /// # Errors
    /// On one of the pool's own workers, which would wait for itself; and for a pool with
    /// [`use_current_thread`](crate::ThreadPoolBuilder::use_current_thread), anywhere but
    /// on that thread; and in a [fork](crate#fork) of the process that built the pool. Nothing has been shut down then.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = filch::ThreadPoolBuilder::new().num_threads(1).build()?;
    /// pool.spawn(|| println!("still runs"));
    /// pool.shutdown()?;
    /// assert!(pool.try_spawn(|| ()).is_err());
    /// # Ok::<(), filch::Error>(())
    /// ```
    pub fn shutdown(&self) -> Result<(), Error> {
        if self.shared.is_inherited() {
            return Err(Error::new(Kind::ShutdownInFork));
        }
        match Local::current_in(&self.shared) {
            Some(guest) if guest.is_at_leisure() => {
                self.shared.begin_shutdown();
                guest.run();
                guest.is_now(Status::Stopped);
                Local::leave();
            }
            Some(_) => return Err(Error::new(Kind::ShutdownFromInside)),
            None if self.guest.is_some() && !self.shared.idle.has_ended() => {
                return Err(Error::new(Kind::ShutdownFromOtherThread));
            }
            None => self.shared.begin_shutdown(),
        }
        // A panic while the lock was held leaves the rest of the list to be joined.
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        for thread in threads.drain(..) {
            match thread.handle {
                // A panic that reached the end of the thread came from the destructor of
                // a thread-local; it has been printed, and it is no task's.
                Some(handle) => drop(handle.join()),
                None => wait_outside(&self.shared, &self.shared.worker(thread.worker).stopped),
            }
        }
        self.crew.join();
        Ok(())
    }

    /// Lets go of the pool: it accepts nothing more from outside, finishes what it has,
    /// and its threads end, without anybody waiting for that. The thread of
    /// [`use_current_thread`](crate::ThreadPoolBuilder::use_current_thread), if it calls this in the
    /// midst of no task and no join, is no worker any more; otherwise the others end no sooner than
    /// it does.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = filch::ThreadPoolBuilder::new().num_threads(1).build()?;
    /// let task = pool.spawn_handle(|| 1 + 1);
    /// pool.detach();
    /// assert_eq!(task.join().unwrap(), 2);
    /// # Ok::<(), filch::Error>(())
    /// ```
    pub fn detach(mut self) {
        if let Some(guest) = Local::current_in(&self.shared)
            && guest.is_at_leisure()
        {
            Local::retire_guest();
        }
        self.detached = true;
    }

    /// In a fork: what the pool holds is the parent's to drop, and a handle of a thread may be that of another one by
    /// now, since a thread's address is used again.
    fn leak(&mut self) {
        mem::forget(mem::take(&mut self.threads));
        mem::forget((Arc::clone(&self.shared), Arc::clone(&self.crew)));
    }

    /// The CPU that each worker was given, by index; `None` for one that floats.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = filch::ThreadPoolBuilder::new()
    ///     .num_threads(2)
    ///     .pinning(filch::Pinning::None)
    ///     .build()?;
    /// assert_eq!(pool.worker_cpus(), [None, None]);
    /// # Ok::<(), filch::Error>(())
    /// ```
    pub fn worker_cpus(&self) -> Vec<Option<usize>> {
        (0..self.current_num_threads()).map(|worker| self.placement.cpu(worker)).collect()
    }

    /// The number of workers that run at a time. Spares, which stand in for workers that
    /// block, have indices from here up to [`max_thread_index`](Self::max_thread_index).
    pub fn current_num_threads(&self) -> usize {
        self.shared.regulars.len()
    }

    /// The number of threads that the pool may have: the bound for every index of a worker,
    /// spares included.
    pub fn max_thread_index(&self) -> usize {
        self.shared.max_workers()
    }

    /// The index of the current thread in this pool, if it is one of its workers.
    pub fn current_thread_index(&self) -> Option<usize> {
        Local::current_in(&self.shared).map(|local| local.index)
    }

    /// Whether the current worker of this pool has tasks or open joins of its own that
    /// nobody has started; `None` on any other thread.
    pub fn current_thread_has_pending_tasks(&self) -> Option<bool> {
        Local::current_in(&self.shared).map(Local::has_pending)
    }
}

impl Drop for ThreadPool {
    fn drop(&mut self) {
        if self.shared.is_inherited() {
            return self.leak();
        }
        // An error says that this thread must not wait: the shutdown only begins.
        if self.detached || self.shutdown().is_err() {
            self.shared.begin_shutdown();
        }
    }
}

impl fmt::Debug for ThreadPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPool")
            .field("id", &self.shared.id)
            .field("num_threads", &self.current_num_threads())
            .finish_non_exhaustive()
    }
}
