//! A pool from its beginning to its end.

use crate::board::BOARD;
use crate::books::{Books, Work, one};
use crate::calls::Caller;
use crate::common::OnDrop;
use crate::leases::RESOURCES;
use crate::program::{Choose, Rng};
use filch::{
    AdmissionPolicy, AlertAction, AlertKind, AlertRules, AllocationStrategy, Counters, Monitoring,
    Pinning, Rejection, ScalingPolicy, Severity, ThreadPool, ThreadPoolBuilder, VictimPolicy,
    WaitPolicy,
};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// What is done wrong, to see whether it is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    #[default]
    None,
    Leak,
    File,
    Thread,
    Lose,
    Keep,
    Hang,
}

impl FromStr for Fault {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        use Fault::*;
        let all = [None, Leak, File, Thread, Lose, Keep, Hang];
        let of_name = |fault: &Fault| format!("{fault:?}").to_lowercase() == text;
        all.into_iter().find(of_name).ok_or(())
    }
}

/// What all pools together have done.
#[derive(Default)]
pub struct Sum {
    pub pools: u64,
    calls: BTreeMap<&'static str, u64>,
    counters: BTreeMap<&'static str, u64>,
}

impl Sum {
    fn add(&mut self, pool: &ThreadPool, books: &Books, calls: BTreeMap<&'static str, u64>) {
        self.pools += 1;
        calls.into_iter().for_each(|(name, count)| *self.calls.entry(name).or_default() += count);
        let own: [(_, &AtomicU64); 5] = [
            ("(handed in)", &books.made),
            ("(run)", &books.ran),
            ("(dropped)", &books.dropped),
            ("(never accepted)", &books.refused),
            ("(threads)", &books.began),
        ];
        let own = own.map(|(name, count)| (name, count.load(SeqCst)));
        let counters = pool.counters();
        let counted = Counters::FIELDS.iter().map(|field| field.name).zip(counters.values());
        let reclaimed = ("(leases taken back)", pool.snapshot().leases.reclaimed);
        for (name, count) in counted.chain(own).chain([reclaimed]) {
            *self.counters.entry(name).or_default() += count;
        }
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} pools. Calls:", self.pools)?;
        self.calls.iter().try_for_each(|(name, count)| writeln!(f, "  {name:22} {count:12}"))?;
        writeln!(f, "What the pools counted, and (what their callers did):")?;
        self.counters.iter().try_for_each(|(name, count)| writeln!(f, "  {name:22} {count:12}"))
    }
}

pub struct Life {
    seed: u64,
    rng: Rng,
    fault: Fault,
    /// Whether its tasks are given leases.
    leases: bool,
    /// Whether its size is changed.
    resizes: bool,
    recorded: bool,
    /// Only such a pool tells its workers to tidy up.
    monitored: bool,
}

impl Life {
    pub fn new(seed: u64, fault: Fault) -> Self {
        let mut rng = Rng(seed);
        let (leases, resizes, recorded) = (rng.below(2) == 0, rng.below(2) == 0, rng.below(3) == 0);
        let monitored = rng.below(4) > 0;
        Self { seed, rng, fault, leases, resizes, recorded, monitored }
    }

    /// Where what is written goes.
    fn scratch(&self) -> PathBuf {
        std::env::temp_dir().join(format!("filch-soak-{}-{:x}.json", std::process::id(), self.seed))
    }

    fn monitoring(&mut self) -> Monitoring {
        if !self.monitored {
            return Monitoring::off();
        }
        let (millis, scratch) = (Duration::from_millis, self.scratch());
        let rng = &mut self.rng;
        let mut rules = AlertRules::new()
            .rule(AlertKind::QueueLength, 1.0, 10.0)
            .rule(AlertKind::QueueWait, 0.0005, 0.01)
            .rule(AlertKind::Lease, 0.001, 0.5)
            .rule(AlertKind::Starvation, 0.001, 0.5)
            .keep_firing_for(millis(20))
            .cooldown(millis(100))
            .action(AlertKind::QueueLength, Severity::Critical, AlertAction::Shed)
            .action(AlertKind::QueueWait, Severity::Critical, AlertAction::Shrink);
        if self.recorded {
            let trace = AlertAction::WriteTrace(scratch);
            rules = rules.action(AlertKind::QueueLength, Severity::Warning, trace);
        }
        Monitoring::new()
            .latency([0, 1, 8, 64][rng.below(4) as usize])
            .cpu(millis(10 + rng.below(100)), 20)
            .memory(millis(10 + rng.below(100)), 20)
            .network(millis(20 + rng.below(100)), 20)
            .disk(millis(20 + rng.below(100)), 20)
            .health_checks(millis(20 + rng.below(100)))
            .load_checks(millis(20 + rng.below(100)))
            .evaluations(millis(20 + rng.below(100)))
            // Of which a machine always has more in use: it is short of memory, then.
            .max_memory([0.0001, 1.0][rng.below(2) as usize])
            .alerts(rules)
    }

    fn builder(&mut self, books: &Arc<Books>) -> ThreadPoolBuilder {
        let monitoring = self.monitoring();
        let rng = &mut self.rng;
        let count = |books: &Arc<Books>, which: fn(&Books) -> &AtomicU64| {
            let books = Arc::clone(books);
            move || one(which(&books))
        };
        let (panicked, shed) =
            (count(books, |books| &books.handled), count(books, |books| &books.shed));
        let (began, ended) =
            (count(books, |books| &books.began), count(books, |books| &books.ended));
        let mut builder = ThreadPoolBuilder::new()
            .panic_handler(move |_| panicked())
            .on_shed(move |_| shed())
            .start_handler(move |_| began())
            .exit_handler(move |_| ended())
            .on_memory_pressure(|_| ())
            .trim_on_memory_pressure(rng.below(16) == 0)
            .wait_until_started(rng.below(2) == 0)
            .idle_timeout(Duration::from_millis(1 + rng.below(100)))
            .pinning(if rng.below(2) == 0 { Pinning::Cores } else { Pinning::None })
            .wait_policy(WaitPolicy::Descendants)
            .monitoring(monitoring)
            .victim_policy(victim_policy(rng))
            .reclaim_running(rng.below(4) == 0)
            .allocation(match rng.below(3) {
                0 => AllocationStrategy::Fair,
                1 => AllocationStrategy::Fifo,
                _ => AllocationStrategy::Priority,
            });
        for (resource, total) in RESOURCES {
            builder = builder.budget(resource, total);
        }
        // As the machine says, now and then; else so many. Enough spares for all that may block at a time.
        let workers = rng.below(7) as usize;
        builder = builder.num_threads(workers).max_threads(workers.max(8) + 400);
        if workers > 1 && rng.below(2) == 0 {
            builder = builder.min_threads(1 + rng.below(workers as u64) as usize);
        }
        if rng.below(2) == 0 {
            builder = builder
                .scaling([ScalingPolicy::Fixed, ScalingPolicy::Adaptive][rng.below(2) as usize]);
        }
        if rng.below(3) == 0 {
            builder = builder.max_queued(1 + rng.below(50) as usize);
        }
        if rng.below(4) == 0 {
            let (target, interval) = (Duration::from_micros(500), Duration::from_millis(10));
            builder = builder.admission(AdmissionPolicy::Adaptive { target, interval });
        }
        if rng.below(4) == 0 {
            builder = builder.detect_blocking(None);
        }
        if self.recorded {
            builder = builder
                .flight_recorder(1 + rng.below(2000) as usize)
                .trace_on_panic(self.scratch());
        }
        builder
    }

    /// Until the time has come.
    pub fn live(mut self, end: Instant, sum: &Mutex<Sum>) {
        let books = Arc::new(Books::default());
        let pool = Arc::new(self.builder(&books).build().unwrap());
        let _shown = BOARD.hang(Arc::downgrade(&pool));
        let heard = Arc::new(AtomicU64::new(0));
        let listener = Arc::clone(&heard);
        pool.on_alert(move |_| one(&listener));
        // Which nobody empties.
        let _full = pool.alert_channel();
        let calls = Mutex::<BTreeMap<_, u64>>::default();
        let (scratch, what) = (self.scratch(), format!("pool {:x}", self.seed));
        let pick = self.rng.below(4);
        let callers = 1 + self.rng.below(4);
        thread::scope(|scope| {
            for _ in 0..callers {
                let (mut rng, pool, books, calls) = (Rng(self.rng.next()), &pool, &books, &calls);
                let (scratch, what, fault) = (&scratch, &what, self.fault);
                let (leases, resizes) = (self.leases, self.resizes);
                scope.spawn(move || {
                    // Threads that come and go.
                    while Instant::now() < end {
                        let mut choices = Rng(rng.next());
                        let mut caller = Caller {
                            rng: &mut choices,
                            pool,
                            books,
                            leases,
                            resizes,
                            hurries: false,
                            scratch,
                            fault,
                            what,
                        };
                        let count = 1 + rng.below(100);
                        thread::scope(|scope| {
                            scope.spawn(|| {
                                (0..count).take_while(|_| Instant::now() < end).for_each(|_| {
                                    let name = caller.call();
                                    *calls.lock().unwrap().entry(name).or_default() += 1;
                                });
                            });
                        });
                    }
                });
            }
        });
        BOARD
            .noting(format!("{what}: its end, in manner {pick}"), || self.end(&pool, &books, pick));
        let told = OnDrop(|| {
            if thread::panicking() {
                eprintln!(
                    "{what}: {:?}, resized: {}, ended in manner {pick}",
                    calls.lock().unwrap(),
                    self.resizes
                );
            }
        });
        books.check(&pool, self.leases, self.monitored);
        drop(told);
        sum.lock().unwrap().add(&pool, &books, calls.into_inner().unwrap());
        if pick == 3 {
            Arc::into_inner(pool).expect("a reference to the pool is left").detach();
        }
        let _ = std::fs::remove_file(scratch);
    }

    fn end(&self, pool: &ThreadPool, books: &Arc<Books>, manner: u64) {
        // With something left to do.
        for _ in 0..20 {
            let work = Work::new(books, 100);
            pool.spawn(move || _ = work.run());
        }
        let begun = AtomicBool::new(false);
        match manner {
            // While somebody still wants something of it.
            0 => thread::scope(|scope| {
                let begun = &begun;
                scope.spawn(move || {
                    loop {
                        let work = Work::new(books, 10);
                        let rejected = pool.try_spawn(move || _ = work.run()).err();
                        begun.store(true, SeqCst);
                        let Some(rejected) = rejected else { continue };
                        one(&books.refused);
                        match rejected.reason {
                            Rejection::ShutDown => break,
                            _ => thread::yield_now(),
                        }
                    }
                });
                while !begun.load(SeqCst) {
                    thread::yield_now();
                }
                pool.shutdown().unwrap();
            }),
            // By two at once.
            1 => thread::scope(|scope| {
                scope.spawn(|| pool.shutdown().unwrap());
                pool.shutdown().unwrap();
            }),
            _ => pool.shutdown().unwrap(),
        }
    }
}

pub fn victim_policy(rng: &mut dyn Choose) -> VictimPolicy {
    match rng.below(3) {
        0 => VictimPolicy::RoundRobin,
        1 => VictimPolicy::LeastLoaded,
        _ => VictimPolicy::HealthWeighted,
    }
}
