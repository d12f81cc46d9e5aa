//! The part of a worker that others may touch.

use crate::job::{FrameRef, JobRef, ScopeJobRef};
use crate::primitive::latch::Latch;
use crate::primitive::parker::Parker;
use crate::queue::deque::Stealer;
use crate::queue::fifo::Fifo;
use crate::queue::injector::Injector;
use crate::queue::lane::Lane;
use crate::sync::AtomicUsize;
use crate::telemetry::activity::Activity;
use crate::telemetry::counters::WorkerCounters;
use crate::telemetry::event::Recorder;
use crate::telemetry::latency::{Current, Latencies};
use crate::telemetry::thefts::Thefts;
use crate::worker::blocked::Blocked;
use crate::worker::local::{Deques, Local};
use crate::worker::presence::Presence;
use crate::worker::stamp::WokenAt;
use crossbeam_utils::CachePadded;
use std::sync::{Arc, OnceLock};

pub struct Remote {
    pub index: usize,
    pub lane: CachePadded<Lane<Local>>,
    /// Exposed frames.
    pub frames: Stealer<FrameRef<Local>>,
    /// Tasks of scopes.
    pub scoped: Stealer<ScopeJobRef<Local>>,
    /// Tasks that nobody waits for, or, where a wait may run anything, all tasks.
    pub detached: Stealer<JobRef<Local>>,
    /// Tasks from outside that it has fetched and not begun.
    pub arrivals: Stealer<JobRef<Local>>,
    /// The order of `spawn_fifo`.
    pub fifo: Fifo<Local>,
    /// Jobs that only this worker may run: its parts of broadcasts.
    pub inbox: Injector<JobRef<Local>>,
    pub parker: Arc<Parker>,
    /// What it waits for while it sleeps in a wait: a [`Blocked`].
    pub blocked: AtomicUsize,
    pub presence: Presence,
    /// Its thread, for the watch.
    pub tid: OnceLock<u32>,
    /// How many jobs it runs that are no part of the taken frame it is in the midst of.
    pub foreign: AtomicUsize,
    pub counters: CachePadded<WorkerCounters>,
    pub activity: Activity,
    pub thefts: Thefts,
    /// What it did last, if that is recorded.
    pub recorder: OnceLock<Recorder>,
    pub latencies: Latencies,
    pub current: Current,
    pub woken_at: WokenAt,
    /// Set when it has begun (start handler done), and when it has ended (all but its
    /// thread-locals gone).
    pub started: Latch,
    pub stopped: Latch,
}

impl Remote {
    /// That of the worker with this index, of so many regular ones.
    pub fn new(local: &Deques, index: usize, regulars: usize) -> Self {
        Self {
            index,
            lane: CachePadded::new(Lane::new()),
            frames: local.frames.stealer(),
            scoped: local.scoped.stealer(),
            detached: local.detached.stealer(),
            arrivals: local.arrivals.stealer(),
            fifo: Fifo::new(),
            inbox: Injector::new(),
            parker: Arc::new(Parker::new()),
            blocked: AtomicUsize::new(Blocked::No.into_word()),
            presence: Presence::new(index >= regulars),
            tid: OnceLock::new(),
            foreign: AtomicUsize::new(0),
            counters: CachePadded::default(),
            activity: Activity::default(),
            thefts: Thefts::new(regulars),
            recorder: OnceLock::new(),
            latencies: Latencies::new(),
            current: Current::default(),
            woken_at: WokenAt::default(),
            started: Latch::new(),
            stopped: Latch::new(),
        }
    }

    /// Whether it holds anything that a thief may steal.
    pub fn has_visible(&self) -> bool {
        !(self.frames.is_empty()
            && self.scoped.is_empty()
            && self.detached.is_empty()
            && self.arrivals.is_empty())
    }
}
