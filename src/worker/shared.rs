//! What all workers of a pool may touch.

use crate::job::{FrameRef, JobRef, ScopeJobRef};
use crate::primitive::event_count::EventCount;
use crate::primitive::gate::Gate;
use crate::primitive::latch::Latch;
use crate::primitive::parker::Parker;
use crate::queue::deque::Stealer;
use crate::queue::fifo::Fifo;
use crate::queue::injector::Injector;
use crate::queue::lane::Lane;
use crate::queue::misfits::Misfits;
use crate::sync::fence::light_fence;
use crate::sync::global;
use crate::sync::{AtomicBool, AtomicUsize, Ordering};
use crate::telemetry::counters::{Counters, WorkerCounters};
use crate::worker::blocked::Blocked;
use crate::worker::handlers::Handlers;
use crate::worker::local::{Deques, Local};
use crossbeam_utils::CachePadded;
use std::sync::Arc;

/// The part of a worker that others may touch.
pub struct Remote {
    pub lane: CachePadded<Lane<Local>>,
    /// Exposed frames.
    pub frames: Stealer<FrameRef<Local>>,
    /// Tasks of scopes.
    pub scoped: Stealer<ScopeJobRef<Local>>,
    /// Tasks that nobody waits for.
    pub detached: Stealer<JobRef<Local>>,
    /// The order of `spawn_fifo`.
    pub fifo: Fifo<Local>,
    /// Jobs that only this worker may run: its parts of broadcasts.
    pub inbox: Injector<JobRef<Local>>,
    pub parker: Arc<Parker>,
    /// What it waits for while it sleeps in a wait: a [`Blocked`].
    blocked: AtomicUsize,
    /// How many jobs it runs that are no part of the taken frame it is in the midst of.
    pub foreign: AtomicUsize,
    pub counters: CachePadded<WorkerCounters>,
    /// Set when it has begun (start handler done), and when it has ended (all but its
    /// thread-locals gone).
    pub started: Latch,
    pub stopped: Latch,
}

/// Something to run.
#[derive(Clone, Copy)]
pub enum Job {
    /// Another worker's join waits for it.
    Frame(FrameRef<Local>),
    /// A thread outside the pool waits for it.
    Call(FrameRef<Local>),
    /// A scope waits for it.
    Scoped(ScopeJobRef<Local>),
    /// Nobody waits for it, or it is a part of a broadcast.
    Task(JobRef<Local>),
}

pub struct Shared {
    pub workers: Box<[Remote]>,
    /// Detached tasks from outside.
    pub injected: Injector<JobRef<Local>>,
    /// Calls from outside, and tasks of scopes that nobody in the pool waits for: a thread
    /// elsewhere does.
    pub calls: Injector<Job>,
    /// Jobs that a waiting worker has stolen but may not run, and tasks that come from
    /// outside for a scope that a worker waits for.
    pub misfits: Misfits<Job>,
    /// How many workers sleep in a wait.
    blocked: AtomicUsize,
    pub idle: EventCount,
    pub gate: Gate,
    /// A membarrier interrupts every CPU that runs the process: one pull at a time.
    pub pulling: AtomicBool,
    /// How many workers there are, and so must sleep before the pool may end. A guest counts
    /// until its thread ends or shuts the pool down: it may submit work at any time.
    pub staffed: AtomicUsize,
    /// Whether a worker's thread came to nothing before it began.
    pub vacant: AtomicBool,
    pub handlers: Handlers,
    /// What is counted for the pool as a whole.
    pub common: CachePadded<WorkerCounters>,
    pub id: usize,
}

impl Shared {
    /// A pool with room for a worker for each of `deques`; none is staffed yet.
    pub fn new(deques: &[Deques], handlers: Handlers) -> Self {
        static NEXT_ID: global::AtomicUsize = global::AtomicUsize::new(0);
        Self {
            workers: deques.iter().map(Remote::new).collect(),
            injected: Injector::new(),
            calls: Injector::new(),
            misfits: Misfits::new(),
            blocked: AtomicUsize::new(0),
            idle: EventCount::new(deques.len()),
            gate: Gate::new(),
            pulling: AtomicBool::new(false),
            staffed: AtomicUsize::new(0),
            vacant: AtomicBool::new(false),
            handlers,
            common: CachePadded::default(),
            id: NEXT_ID.fetch_add(1, global::Ordering::Relaxed),
        }
    }
}

impl Remote {
    pub fn new(local: &Deques) -> Self {
        Self {
            lane: CachePadded::new(Lane::new()),
            frames: local.frames.stealer(),
            scoped: local.scoped.stealer(),
            detached: local.detached.stealer(),
            fifo: Fifo::new(),
            inbox: Injector::new(),
            parker: Arc::new(Parker::new()),
            blocked: AtomicUsize::new(Blocked::No.into_word()),
            foreign: AtomicUsize::new(0),
            counters: CachePadded::default(),
            started: Latch::new(),
            stopped: Latch::new(),
        }
    }

    /// Whether it holds anything that a thief may steal.
    fn has_visible(&self) -> bool {
        !(self.frames.is_empty() && self.scoped.is_empty() && self.detached.is_empty())
    }
}

impl Shared {
    /// Publishes nothing itself: call it right after work was made visible to all. Wakes
    /// one sleeper unless somebody searches. Returns whether the work is in good hands.
    pub fn notify(&self) -> bool {
        match self.idle.notify() {
            Some(worker) => {
                self.unpark(worker);
                true
            }
            None => self.idle.searching() > 0,
        }
    }

    /// Wakes `worker`, whatever it sleeps for. Its token makes it look around once more.
    pub fn unpark(&self, worker: usize) {
        if self.workers[worker].parker.unpark() {
            // Beside the system call that it just cost, a shared count is nothing.
            self.common.wakes.bump_shared();
        }
    }

    /// For a worker that is about to sleep in a wait. A heavy_fence and a last look at what
    /// it may do follow.
    pub fn block(&self, worker: usize, why: Blocked) {
        self.workers[worker].blocked.store(why.into_word(), Ordering::Relaxed);
        self.blocked.fetch_add(1, Ordering::Relaxed);
    }

    /// For that worker, when it is awake again.
    pub fn unblock(&self, worker: usize) {
        self.blocked.fetch_sub(1, Ordering::Relaxed);
        self.workers[worker].blocked.store(Blocked::No.into_word(), Ordering::Relaxed);
    }

    /// Right after work was made visible that some who sleep in a wait may do: wakes those
    /// whose reason is `concerned`.
    pub fn nudge(&self, concerned: impl Fn(usize, Blocked) -> bool) {
        light_fence();
        if self.blocked.load(Ordering::Relaxed) == 0 {
            return;
        }
        for (index, worker) in self.workers.iter().enumerate() {
            let why = Blocked::from_word(worker.blocked.load(Ordering::Relaxed));
            if why != Blocked::No && concerned(index, why) {
                self.unpark(index);
            }
        }
    }

    /// Hands a stolen job that the thief may not run to whoever may.
    pub fn add_misfit(&self, misfit: Job) {
        self.misfits.push(misfit);
        self.notify();
        // The one that waits for it may sleep, and can't be told from the others: the job
        // is no longer ours to look into.
        self.nudge(|_, _| true);
    }

    /// Queues a call from outside: someone waits for it.
    pub fn call(&self, call: Job) {
        self.calls.push(call);
        if !self.notify() {
            self.nudge(|_, why| matches!(why, Blocked::Call | Blocked::Guest));
        }
    }

    /// Asks every owner to expose its frames.
    pub fn raise_hunger(&self) {
        for worker in &self.workers {
            worker.lane.raise_hunger();
        }
    }

    /// Whether there is work in plain sight that any worker may take.
    pub fn has_visible(&self) -> bool {
        !(self.injected.is_empty() && self.calls.is_empty() && self.misfits.is_empty())
            || self.workers.iter().any(Remote::has_visible)
    }

    /// Whether some worker sleeps in a wait.
    pub fn anyone_blocked(&self) -> bool {
        self.blocked.load(Ordering::Relaxed) > 0
    }

    /// Whether frames hide in some lane.
    pub fn has_hidden(&self) -> bool {
        self.workers.iter().any(|worker| worker.lane.has_hidden())
    }

    /// Queues work from a thread that isn't one of the pool's own, unless the pool is
    /// shutting down. Returns what `push` does.
    pub fn submit<R>(&self, push: impl FnOnce() -> R) -> Option<R> {
        if !self.gate.enter() {
            return None;
        }
        let pushed = push();
        self.leave_gate();
        Some(pushed)
    }

    /// One worker less that must sleep before the pool ends.
    pub fn unstaff(&self) {
        self.staffed.fetch_sub(1, Ordering::Relaxed);
        self.wake_for_the_end();
    }

    /// For whoever has entered the gate, once its work is queued.
    pub fn leave_gate(&self) {
        if self.gate.leave() {
            self.wake_for_the_end();
        }
    }

    /// Takes no more work from outside; the pool ends when what it has is done.
    pub fn begin_shutdown(&self) {
        self.gate.close();
        self.wake_for_the_end();
    }

    /// Wakes some worker, so that it looks whether the pool has come to its end. If none
    /// sleeps yet, the last to fall asleep looks anyway.
    fn wake_for_the_end(&self) {
        light_fence();
        if let Some(worker) = self.idle.wake_one() {
            self.unpark(worker);
        }
    }

    pub fn counters(&self) -> Counters {
        let mut sum = Counters::default();
        for worker in &self.workers {
            sum.add(&worker.counters);
            sum.joins += worker.lane.pushes();
        }
        sum.add(&self.common);
        sum
    }
}
