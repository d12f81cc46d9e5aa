//! What only a worker's own thread touches, and how that thread finds it.
//!
//! This file is `unsafe` for the pointer in the thread-local, which lets a join reach its
//! worker without a lock or a count.
//!
//! Tests: tests/memory.rs.

use crate::job::{Counts, FrameRef, JobRef, ScopeJobRef};
use crate::policy::idleness::Idleness;
use crate::policy::wait::WaitPolicy;
use crate::primitive::count_latch::CountLatch;
use crate::primitive::credits::Credits;
use crate::primitive::rng::Rng;
use crate::queue::deque::Deque;
use crate::queue::lane::Lane;
use crate::sync::stack::Stack;
use crate::sync::statistic;
use crate::sync::thread_local;
use crate::telemetry::activity::Status;
use crate::telemetry::allocator::Balance;
use crate::telemetry::counters::WorkerCounters;
use crate::telemetry::event::Event;
use crate::worker::remote::Remote;
use crate::worker::shared::Shared;
use crate::worker::stamp::{Countdown, LastEnd};
use crate::worker::turn::Turn;
use std::cell::Cell;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::Duration;

/// A worker's own ends of its deques.
pub struct Deques {
    pub frames: Deque<FrameRef<Local>>,
    pub scoped: Deque<ScopeJobRef<Local>>,
    /// Tasks that nobody waits for; where a wait may run anything, those of scopes, too.
    pub detached: Deque<JobRef<Local>>,
    /// Tasks from outside that it has fetched with others.
    pub arrivals: Deque<JobRef<Local>>,
}

impl Default for Deques {
    fn default() -> Self {
        Self {
            frames: Deque::new(),
            scoped: Deque::new(),
            detached: Deque::new(),
            arrivals: Deque::queue(),
        }
    }
}

pub struct Local {
    pub shared: Arc<Shared>,
    /// The part of this worker in `shared`, one load away. Valid as long as `shared`.
    remote: NonNull<Remote>,
    pub index: usize,
    pub deques: Deques,
    pub rng: Rng,
    /// Whose queues it looks at first, next time, if all are alike.
    pub next_victim: Cell<usize>,
    /// Its thread's.
    pub stack: Stack,
    pub turn: Turn,
    /// How often it has looked for tasks from outside.
    pub looks_outside: Cell<u32>,
    /// Its stock of counts of the scope whose tasks it runs.
    pub credits: Credits,
    /// Whether it has found a quick call, and still counts as searching.
    pub still_searching: Cell<bool>,
    /// What came of its last idle phases.
    pub idleness: Cell<Idleness>,
    /// Jobs it is in the midst of, one inside the other.
    pub nesting: Cell<usize>,
    /// Up to its next task to be timed.
    pub countdown: Countdown,
    /// Whether its thread runs jobs and does nothing else: not that of a guest, nor yet in a start handler.
    pub loops: Cell<bool>,
    /// Whether what it runs is a lessee.
    pub runs_lessee: Cell<bool>,
    /// Until what it does next can't be told from the task before.
    pub last_end: Cell<Option<LastEnd>>,
    /// How often it had been asked to tidy up when it last did.
    pub tidied: Cell<u64>,
    /// Whose its thread is.
    pub origin: Origin,
    /// Whether it [returns](Self::returns) in any case, and its pool has no bound: one look at its spawns for both.
    pub spawns_freely: bool,
}

/// How a worker came by its thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The pool was built with it.
    Built,
    /// It was hired for work that waits, and counts as searching from the start.
    Hired,
    /// It is a guest's (`use_current_thread`).
    Guest,
}

impl Counts for Local {
    fn started(&self, scope: &CountLatch) {
        self.credits.started(scope);
        if self.deques.scoped.is_empty() {
            self.credits.give_back_unstarted();
        }
    }

    unsafe fn done(&self, scope: *const CountLatch) {
        // SAFETY: by the caller's promise.
        unsafe { self.credits.done(scope) }
    }
}

thread_local! {
    /// The worker that this thread is, or null. Const and without a destructor, so that
    /// reading it is one load.
    static CURRENT: Cell<*const Local> = const { Cell::new(ptr::null()) };
    /// Its lane, or null: all that most joins need of their worker.
    static LANE: Cell<*const Lane<Local>> = const { Cell::new(ptr::null()) };
    /// As that, for joins that begin; null, too, while it runs a lessee, whose joins have more to do.
    static JOINS: Cell<*const Lane<Local>> = const { Cell::new(ptr::null()) };
}

impl Local {
    /// For the thread that is to be the worker.
    pub fn new(shared: Arc<Shared>, index: usize, deques: Deques, origin: Origin) -> Self {
        let tidied = Cell::new(shared.tidy.load(statistic::Ordering::Relaxed));
        let rng = Rng::new(index as u64);
        let remote = NonNull::from(shared.worker(index));
        let spawns_freely = origin != Origin::Guest && shared.admission.get().is_none();
        let countdown = Countdown::new(shared.one_in, shared.clock.ticks());
        Self {
            shared,
            remote,
            index,
            deques,
            rng,
            next_victim: Cell::new(index + 1),
            stack: Stack::current(),
            turn: Turn::new(),
            looks_outside: Cell::new(0),
            credits: Credits::new(),
            still_searching: Cell::new(false),
            idleness: Cell::default(),
            nesting: Cell::new(0),
            countdown,
            loops: Cell::new(false),
            runs_lessee: Cell::new(false),
            last_end: Cell::new(None),
            tidied,
            origin,
            spawns_freely,
        }
    }

    /// Makes this thread the worker, until [`leave`](Self::leave).
    ///
    /// # Safety
    /// `this` stays valid until then, and the caller leaves on this thread.
    ///
    /// # Panics
    /// If the thread is a worker already.
    pub unsafe fn enter(this: *const Self) {
        assert!(CURRENT.get().is_null(), "filch: this thread is a worker of a pool already");
        CURRENT.set(this);
        // SAFETY: valid, by the caller's promise.
        let local = unsafe { &*this };
        LANE.set(local.lane());
        local.mind_leases();
        // SAFETY: valid as long as the worker, which has one thread.
        unsafe { local.counters().balance.enter() };
    }

    pub fn leave() {
        CURRENT.set(ptr::null());
        LANE.set(ptr::null());
        JOINS.set(ptr::null());
        Balance::leave();
    }

    /// The worker that this thread is.
    ///
    /// # Safety
    /// The reference is used only on this thread, and only during a verb of filch: a
    /// worker's thread doesn't end, nor is what a guest left behind freed, while a verb is
    /// on its stack.
    #[inline(always)]
    pub unsafe fn current<'a>() -> Option<&'a Self> {
        // SAFETY: valid while it is set, by the promise of `enter`, and longer, by ours.
        unsafe { CURRENT.get().as_ref() }
    }

    /// The lane of the worker that this thread is, unless what it runs has leases.
    ///
    /// # Safety
    /// As for [`current`](Self::current).
    #[inline(always)]
    pub unsafe fn current_lane<'a>() -> Option<&'a Lane<Self>> {
        // SAFETY: as for `current`: it is a part of that worker.
        unsafe { JOINS.get().as_ref() }
    }

    /// Whether joins that begin go by the lane and nothing else.
    pub fn joins_plainly(&self, plainly: bool) {
        JOINS.set(if plainly { self.lane() } else { ptr::null() });
    }

    /// The lane of the worker that this thread is, for one that is sure to be one.
    ///
    /// # Safety
    /// As for [`current`](Self::current); and this thread is a worker.
    #[inline(always)]
    pub unsafe fn lane_of_current<'a>() -> &'a Lane<Self> {
        debug_assert!(!LANE.get().is_null());
        // SAFETY: by the caller's promise.
        unsafe { &*LANE.get() }
    }

    /// Calls `f` with the worker that this thread is.
    #[inline(always)]
    pub fn with_current<R>(f: impl FnOnce(Option<&Self>) -> R) -> R {
        // SAFETY: `f` is part of a verb, and its argument's lifetime keeps it on the thread.
        f(unsafe { Self::current() })
    }

    /// The worker that this thread is, if it is one of this very pool.
    pub fn current_in(shared: &Shared) -> Option<&Self> {
        // SAFETY: as in with_current. The result borrows from `shared`, which the worker
        // itself keeps alive, and callers don't hold it across a user's closure.
        let local = unsafe { CURRENT.get().as_ref() }?;
        ptr::eq(&*local.shared, shared).then_some(local)
    }

    #[inline(always)]
    pub fn remote(&self) -> &Remote {
        // SAFETY: the field invariant.
        unsafe { self.remote.as_ref() }
    }

    #[inline(always)]
    pub fn lane(&self) -> &Lane<Self> {
        &self.remote().lane
    }

    /// From now on. Returns how long it has been about the last thing. A model has no clock.
    pub fn is_now(&self, status: Status) -> Duration {
        if cfg!(loom) {
            return Duration::ZERO;
        }
        self.record(Event::Is(status));
        self.remote().activity.enter(status, self.shared.clock.elapsed())
    }

    #[inline(always)]
    pub fn counters(&self) -> &WorkerCounters {
        &self.remote().counters
    }

    /// Queues a task of a scope. Where waits don't choose, all tasks lie on one deque, so that they
    /// run in one order, as under rayon.
    #[inline]
    pub fn push_scoped(&self, task: ScopeJobRef<Self>) {
        match self.shared.wait_policy {
            WaitPolicy::Descendants => self.deques.scoped.push(task),
            WaitPolicy::Any => self.deques.detached.push(task.into()),
        }
    }

    /// Whether anything of its own waits to be run: the frames of its open joins, too, but not
    /// what it has fetched from outside.
    pub fn has_pending(&self) -> bool {
        let Deques { frames, scoped, detached, arrivals: _ } = &self.deques;
        self.lane().has_hidden() || !(frames.is_empty() && scoped.is_empty() && detached.is_empty())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use crate::job::{ScopeJob, StackJob};
    use crate::primitive::count_latch::CountLatch;
    use crate::worker::bare::{hide, take_back, task, workers};
    use crate::worker::shared::Job;

    #[test]
    fn what_is_its_own_waits_to_be_run_and_what_it_has_fetched_is_not() {
        let [local, thief] = workers(2, None);
        let deques = &local.deques;
        deques.arrivals.push(task());
        assert!(!local.has_pending());
        local.execute(Job::Task(deques.arrivals.pop().unwrap()));
        deques.detached.push(task());
        assert!(local.has_pending());
        local.execute(Job::Task(deques.detached.pop().unwrap()));
        let scope = CountLatch::new(1);
        scope.spawned(1, 1);
        // SAFETY: run below, and the scope is there.
        local.push_scoped(unsafe { ScopeJob::boxed(&raw const scope, |_| ()) });
        assert!(local.has_pending() && thief.remote().scoped.is_empty());
        local.execute(Job::Scoped(local.pop_scoped().unwrap()));
        local.credits.give_back();
        // SAFETY: the body counts, and is over.
        unsafe { CountLatch::done(&raw const scope, 0, 1) };
        assert!(scope.latch().is_set() && !local.has_pending());
        let frame = StackJob::new(|_| (), local.lane().top());
        // SAFETY: taken back below.
        hide(&local, unsafe { frame.as_frame() });
        assert!(local.has_pending());
        local.expose();
        assert!(local.has_pending());
        assert!(take_back(&local, &frame) && !local.has_pending());
    }
}
