//! What all workers of a pool may touch.

use crate::job::{FrameRef, JobRef, ScopeJobRef};
use crate::policy::health::HealthRules;
use crate::policy::scaling::Elasticity;
use crate::policy::victim::VictimPolicy;
use crate::policy::wait::WaitPolicy;
use crate::primitive::event_count::EventCount;
use crate::primitive::gate::Gate;
use crate::primitive::seats::Seats;
use crate::queue::injector::Injector;
use crate::queue::misfits::Misfits;
use crate::resources::admission::Admission;
use crate::resources::purse::Purse;
use crate::sync::clock::Clock;
use crate::sync::fork;
use crate::sync::lock::{Mutex, MutexGuard};
use crate::sync::{AtomicBool, AtomicUsize, Ordering, Thread};
use crate::sync::{global, statistic};
use crate::telemetry::counters::WorkerCounters;
use crate::telemetry::labels::Labels;
use crate::telemetry::readings::Readings;
use crate::telemetry::unavailable::{Fact, Unavailable};
use crate::worker::alarm::Alarm;
use crate::worker::handlers::{Handlers, Recording};
use crate::worker::local::{Deques, Local};
use crate::worker::remote::Remote;
use crate::worker::victims::Victims;
use crate::worker::watch::Watch;
use crate::worker::whereabouts::Whereabouts;
use crossbeam_utils::CachePadded;
use std::io;
use std::sync::{Arc, OnceLock, PoisonError};

/// Something to run.
#[derive(Clone, Copy)]
pub enum Job {
    /// Another worker's join waits for it.
    Frame(FrameRef<Local>),
    /// A thread outside the pool waits for it.
    Call(FrameRef<Local>),
    /// As a call, and that thread spins: see primitive/loan.rs.
    QuickCall(FrameRef<Local>),
    /// A scope waits for it.
    Scoped(ScopeJobRef<Local>),
    /// Nobody waits for it, or it is a part of a broadcast.
    Task(JobRef<Local>),
}

/// What a pool is to know of itself, and what it makes of it.
pub struct Insight {
    pub readings: Fact<Readings>,
    /// One task in so many is timed; 0: none.
    pub one_in: u32,
    pub rules: HealthRules,
    pub victims: VictimPolicy,
}

impl Default for Insight {
    /// Nothing.
    fn default() -> Self {
        Self {
            readings: Err(Unavailable::Off),
            one_in: 0,
            rules: HealthRules::default(),
            victims: VictimPolicy::default(),
        }
    }
}

/// What a pool starts threads for when it has been built.
#[derive(Clone, Copy, Debug)]
pub enum Post {
    /// The worker with this index.
    Worker(usize),
    Watch,
}

/// Starts a thread.
pub type Hire = dyn Fn(Post) -> io::Result<()> + Send + Sync;

pub struct Shared {
    /// The workers that are there from the start, one for each seat.
    pub regulars: Box<[Remote]>,
    /// Those that take the seats of blocked workers. Their indices go on from the regulars'.
    pub(super) spares: Box<[OnceLock<Remote>]>,
    /// How many of the spares have ever been there.
    pub(super) opened: AtomicUsize,
    pub seats: Seats,
    /// Held while the number of seats changes.
    elasticity: Mutex<Elasticity>,
    /// Why the seats aren't more: a [`Strain`](crate::telemetry::strain::Strain), or 0.
    pub(super) strain: statistic::AtomicU64,
    /// The worker that is a guest's, if there is one.
    pub guest: OnceLock<usize>,
    pub watch: Watch,
    /// How a spare, or the watch, gets a thread. Not set in a pool that can have neither.
    pub hire: OnceLock<Box<Hire>>,
    /// Whether it gave none, lately.
    pub(super) unhired: statistic::AtomicU32,
    pub wait_policy: WaitPolicy,
    pub victims: Victims,
    /// Detached tasks from outside.
    pub injected: Injector<JobRef<Local>>,
    /// Calls from outside, and tasks of scopes that nobody in the pool waits for: a thread
    /// elsewhere does.
    pub calls: Injector<Job>,
    /// Jobs that a waiting worker has stolen but may not run, and tasks that come from
    /// outside for a scope that a worker waits for.
    pub misfits: Misfits<Job>,
    pub idle: EventCount,
    pub whereabouts: Whereabouts,
    /// Written with every task from outside: not beside what workers read.
    pub gate: CachePadded<Gate>,
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
    /// Since it was built.
    pub clock: Clock,
    /// One task in so many is timed; 0: none.
    pub one_in: u32,
    /// By what the workers' health is judged.
    pub rules: HealthRules,
    pub labels: Labels,
    pub alarm: Alarm,
    /// Set before the first worker begins, if what they do is recorded.
    pub recording: OnceLock<Recording>,
    pub readings: Fact<Readings>,
    /// Whether the health of the workers is to be looked at out of turn.
    pub(super) check_wanted: statistic::AtomicU64,
    /// How often the workers have been asked to tidy up.
    pub(super) tidy: statistic::AtomicU64,
    /// Whether the governor takes its time, as nobody runs; or has been called since.
    pub(super) rest: statistic::AtomicU32,
    /// What its tasks share.
    pub purse: Purse,
    /// Set before the first worker begins, if not every task is accepted.
    pub admission: OnceLock<Arc<Admission>>,
    /// The thread that takes readings, if there is one: to be woken at the end.
    pub governor: OnceLock<Thread>,
    pub id: usize,
    /// How often the process had been forked by then.
    pub born: usize,
}

impl Shared {
    /// A pool with room for a worker for each of `deques`, and for spares up to `max` in all;
    /// none is staffed yet.
    pub fn new(
        deques: &[Deques],
        max: usize,
        wait_policy: WaitPolicy,
        watch: Watch,
        handlers: Handlers,
        insight: Insight,
    ) -> Self {
        let Insight { readings, one_in, rules, victims } = insight;
        static NEXT_ID: global::AtomicUsize = global::AtomicUsize::new(0);
        let seats = Seats::new(deques.len(), max);
        seats.exceptions.store(usize::from(!watch.is_armed()), Ordering::Relaxed);
        let remotes = deques.iter().enumerate();
        let remotes = remotes.map(|(index, local)| Remote::new(local, index, deques.len()));
        Self {
            regulars: remotes.collect(),
            spares: (deques.len()..max).map(|_| OnceLock::new()).collect(),
            opened: AtomicUsize::new(0),
            seats,
            elasticity: Mutex::new(Elasticity::none(deques.len())),
            strain: statistic::AtomicU64::new(0),
            guest: OnceLock::new(),
            watch,
            hire: OnceLock::new(),
            unhired: statistic::AtomicU32::new(0),
            wait_policy,
            victims: Victims::new(victims),
            injected: Injector::new(),
            calls: Injector::new(),
            misfits: Misfits::new(),
            idle: EventCount::new(deques.len()),
            whereabouts: Whereabouts::new(deques.len()),
            gate: CachePadded::new(Gate::new()),
            pulling: AtomicBool::new(false),
            staffed: AtomicUsize::new(0),
            vacant: AtomicBool::new(false),
            handlers,
            common: CachePadded::default(),
            clock: Clock::new(),
            one_in,
            rules,
            labels: Labels::new(),
            alarm: Alarm::default(),
            recording: OnceLock::new(),
            readings,
            check_wanted: statistic::AtomicU64::new(0),
            tidy: statistic::AtomicU64::new(0),
            rest: statistic::AtomicU32::new(0),
            purse: Purse::default(),
            admission: OnceLock::new(),
            governor: OnceLock::new(),
            id: NEXT_ID.fetch_add(1, global::Ordering::Relaxed),
            born: fork::count(),
        }
    }
}

impl Shared {
    pub fn elasticity(&self) -> MutexGuard<'_, Elasticity> {
        // No invariant spans it.
        self.elasticity.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All workers that there are or have been, with their indices.
    pub fn roster(&self) -> impl Iterator<Item = (usize, &Remote)> {
        // Relaxed: while one opens that others don't see yet, it is searching.
        let opened = self.opened.load(Ordering::Relaxed);
        let spares = self.spares[..opened].iter().map(OnceLock::get);
        self.regulars
            .iter()
            .map(Some)
            .chain(spares)
            .enumerate()
            .filter_map(|(index, worker)| Some((index, worker?)))
    }

    pub fn workers(&self) -> impl Iterator<Item = &Remote> {
        self.roster().map(|(_, worker)| worker)
    }

    /// The spares that there are or have been.
    pub fn spares(&self) -> impl Iterator<Item = &Remote> {
        let opened = self.opened.load(Ordering::Relaxed);
        self.spares[..opened].iter().filter_map(OnceLock::get)
    }

    /// # Panics
    /// If there has never been a worker of this index.
    pub fn worker(&self, index: usize) -> &Remote {
        let spare = || self.spares[index - self.regulars.len()].get();
        self.regulars.get(index).or_else(spare).expect("filch: no such worker")
    }

    pub fn is_spare(&self, index: usize) -> bool {
        index >= self.regulars.len()
    }

    /// The bound for the indices of workers.
    pub fn max_workers(&self) -> usize {
        self.regulars.len() + self.spares.len()
    }

    /// Asks every owner to expose its frames, one for each who sleeps: those who are woken for
    /// the first would come too late to ask for more.
    pub fn raise_hunger(&self) {
        let pushes = self.idle.asleep().max(1) as u32;
        self.workers().for_each(|worker| worker.lane.raise_hunger(pushes));
    }

    /// Whether there is work in plain sight that any worker may take.
    pub fn has_visible(&self) -> bool {
        !(self.injected.is_empty() && self.calls.is_empty() && self.misfits.is_empty())
            || self.workers().any(Remote::has_visible)
    }

    /// Whether there is work that some worker could take.
    pub fn has_work(&self) -> bool {
        self.has_visible() || self.has_hidden()
    }

    /// Whether frames hide in some lane.
    pub fn has_hidden(&self) -> bool {
        self.workers().any(|worker| worker.lane.has_hidden())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use crate::job::StackJob;
    use crate::sync::fence::asymmetric;
    use crate::worker::bare::{hide, run, sleep, take_back, task, workers};
    use crate::worker::local::Local;
    use crate::worker::shared::Job;

    #[test]
    fn work_is_in_plain_sight_wherever_it_is_queued_but_in_an_inbox() {
        let [local, other] = workers(2, None);
        let shared = &local.shared;
        for put in [
            |local: &Local| local.shared.injected.push(task()),
            |local: &Local| local.shared.calls.push(Job::Task(task())),
            |local: &Local| local.shared.misfits.push(Job::Task(task())),
            |local: &Local| local.deques.detached.push(task()),
        ] {
            assert!(!shared.has_visible() && !shared.has_work());
            put(&other);
            assert!(shared.has_visible() && shared.has_work() && !shared.has_hidden());
            run(&local);
        }
        other.remote().inbox.push(task());
        assert!(!shared.has_visible() && !shared.has_work());
        run(&other);
    }

    #[test]
    fn frames_hide_until_somebody_is_hungry() {
        let [local, other] = workers(2, None);
        let shared = &local.shared;
        let push = || {
            let frame = StackJob::new(|_| (), other.lane().top());
            // SAFETY: taken back below.
            hide(&other, unsafe { frame.as_frame() });
            assert!(shared.has_work() && shared.has_visible() != shared.has_hidden());
            let hidden = shared.has_hidden();
            assert!(take_back(&other, &frame) && !shared.has_work());
            hidden
        };
        assert_eq!(push(), asymmetric());
        for asleep in 0..3 {
            [&local, &other][..asleep].iter().for_each(|local| sleep(local));
            shared.raise_hunger();
            // One push for each who sleeps, or for the caller.
            (0..asleep.max(1)).for_each(|_| assert!(!push()));
            assert_eq!(push(), asymmetric());
            (0..asleep).for_each(|worker| shared.idle.wake_up(worker));
        }
    }

    #[test]
    fn spares_come_after_the_regulars_and_are_there_once_they_have_moved_in() {
        let [local, _other] = workers(4, None);
        let shared = &local.shared;
        let roster = || shared.roster().map(|(index, _)| index).collect::<Vec<_>>();
        assert_eq!((shared.max_workers(), roster(), shared.spares().count()), (4, vec![0, 1], 0));
        // The last one first.
        let _deques = shared.move_in(3);
        assert_eq!((roster(), shared.spares().count()), (vec![0, 1, 3], 1));
        let _deques = shared.move_in(2);
        assert_eq!((roster(), shared.spares().count()), (vec![0, 1, 2, 3], 2));
        assert!(shared.workers().map(|worker| worker.index).eq(0..4));
        assert!((0..4).all(|index| shared.worker(index).index == index));
        assert_eq!([1, 2, 3].map(|index| shared.is_spare(index)), [false, true, true]);
    }
}
