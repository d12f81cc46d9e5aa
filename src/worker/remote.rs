//! The part of a worker that others may touch.
//!
//! Model: loom-tests/tests/wake.rs.
//! Tests: tests/threads.rs.

use crate::job::{FrameRef, JobRef, ScopeJobRef};
use crate::primitive::latch::Latch;
use crate::primitive::parker::Parker;
use crate::queue::deque::Stealer;
use crate::queue::fifo::Fifo;
use crate::queue::injector::Injector;
use crate::queue::lane::Lane;
use crate::sync::{AtomicUsize, Mutex, statistic};
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

/// The number of a thread, or that of the last one.
#[derive(Debug, Default)]
pub struct Tid(statistic::AtomicU32);

impl Tid {
    pub fn set(&self, tid: u32) {
        self.0.store(tid, statistic::Ordering::Relaxed);
    }

    pub fn get(&self) -> Option<u32> {
        Some(self.0.load(statistic::Ordering::Relaxed)).filter(|&tid| tid > 0)
    }
}

pub struct Remote {
    pub index: usize,
    /// Whether it is none of the spares.
    pub regular: bool,
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
    /// Jobs that nobody else runs while this worker is there: its parts of broadcasts, tasks placed at it.
    pub inbox: Injector<JobRef<Local>>,
    pub parker: Arc<Parker>,
    /// What it waits for while it sleeps in a wait: a [`Blocked`].
    pub blocked: AtomicUsize,
    pub presence: Presence,
    /// Its thread, for those who look into `/proc`.
    pub tid: Tid,
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
    /// Its ends of its deques while it has no thread.
    pub vacated: Mutex<Option<Deques>>,
    /// Set when it has begun (start handler done), and when it has ended (all but its
    /// thread-locals gone), for the first time.
    pub started: Latch,
    pub stopped: Latch,
}

impl Remote {
    /// That of the worker with this index, of so many regular ones.
    pub fn new(local: &Deques, index: usize, regulars: usize) -> Self {
        Self {
            index,
            regular: index < regulars,
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
            tid: Tid::default(),
            foreign: AtomicUsize::new(0),
            counters: CachePadded::default(),
            activity: Activity::default(),
            thefts: Thefts::new(regulars),
            recorder: OnceLock::new(),
            latencies: Latencies::new(),
            current: Current::default(),
            woken_at: WokenAt::default(),
            vacated: Mutex::new(None),
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

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Tid;
    use crate::job::{ScopeJob, StackJob};
    use crate::primitive::count_latch::CountLatch;
    use crate::worker::bare::{hide, take_back, task, workers};
    use crate::worker::shared::Job;

    #[test]
    fn a_thread_has_a_number_once_it_is_known() {
        let tid = Tid::default();
        assert_eq!(tid.get(), None);
        tid.set(7);
        assert_eq!(tid.get(), Some(7));
    }

    #[test]
    fn thieves_see_what_is_on_any_of_its_deques_and_others_how_much() {
        let [local, thief] = workers(2, None);
        let (deques, remote) = (&local.deques, local.remote());
        let sees = |visible, queued| {
            assert_eq!((remote.has_visible(), thief.shared.has_visible()), (visible, visible));
            assert_eq!((remote.queued(), thief.shared.queued()), (queued, queued));
            assert_eq!(thief.shared.waiting(), queued - remote.inbox.len());
        };
        sees(false, 0);
        deques.arrivals.push(task());
        sees(true, 1);
        (0..3).for_each(|_| remote.inbox.push(task()));
        sees(true, 4);
        (0..2).for_each(|_| deques.detached.push(task()));
        sees(true, 6);
        let scope = CountLatch::new(4);
        scope.spawned(3, 0);
        for _ in 0..3 {
            // SAFETY: run below, and the scope is there.
            local.push_scoped(unsafe { ScopeJob::boxed(&raw const scope, |_| ()) });
        }
        sees(true, 9);
        local.execute(Job::Task(deques.arrivals.pop().unwrap()));
        (0..2).for_each(|_| local.execute(Job::Task(deques.detached.pop().unwrap())));
        sees(true, 6);
        (0..3).for_each(|_| local.execute(Job::Scoped(local.pop_scoped().unwrap())));
        sees(false, 3);
        local.credits.give_back();
        (0..3).for_each(|_| local.execute(Job::Task(remote.inbox.steal().unwrap())));
        // SAFETY: the body counts, and is over.
        unsafe { CountLatch::done(&raw const scope, 0, 1) };
        let frame = StackJob::new(|_| (), local.lane().top());
        // SAFETY: taken back below.
        hide(&local, unsafe { frame.as_frame() });
        local.expose();
        sees(true, 1);
        assert!(take_back(&local, &frame));
        sees(false, 0);
    }
}
