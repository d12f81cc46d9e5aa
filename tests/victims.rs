//! Who is chosen: the policy's choices show.

mod common;

use common::*;
use filch::{Candidate, ChooseVictim, VictimPolicy};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Always the same worker.
struct Only(usize);

impl ChooseVictim for Only {
    fn steal_from(&self, victims: &[Candidate]) -> usize {
        self.position(victims)
    }

    fn wake(&self, sleeper: &Candidate) -> u8 {
        u8::from(sleeper.worker != self.0)
    }

    fn place(&self, workers: &[Candidate]) -> usize {
        self.position(workers)
    }

    fn take(&self, worker: &Candidate) -> bool {
        worker.worker == self.0
    }
}

impl Only {
    fn position(&self, candidates: &[Candidate]) -> usize {
        // Out of range if it isn't there.
        candidates.iter().position(|candidate| candidate.worker == self.0).unwrap_or(usize::MAX)
    }
}

fn only(worker: usize) -> VictimPolicy {
    VictimPolicy::Custom(Arc::new(Only(worker)))
}

fn index() -> usize {
    filch::current_thread_index().unwrap()
}

/// Runs `task` on the worker that the policy places it at, and waits for it.
fn placed<R: Send + 'static>(pool: &Pool, task: impl FnOnce() -> R + Send + 'static) -> R {
    let (sender, receiver) = std::sync::mpsc::channel();
    pool.spawn_placed(move || sender.send(task()).unwrap());
    receiver.recv().unwrap()
}

#[test]
fn a_thief_looks_first_where_its_policy_says() {
    let pool = Pool::from(builder(4).victim_policy(only(2)));
    // Whoever looks for work now has looked at worker 2 more often than at any other.
    for _ in 0..100 {
        pool.install(|| ());
        thread::sleep(Duration::from_micros(100));
    }
    let mut looked = 0;
    for worker in pool.snapshot().workers.iter().filter(|worker| worker.index != 2) {
        let tried = |victim| {
            let from = worker.steals_from.iter().find(|from| from.victim == victim);
            from.map_or(0, |from| from.tried)
        };
        looked += tried(2);
        assert!((0..4).all(|victim| tried(victim) <= tried(2)), "{:?}", worker.steals_from);
    }
    assert!(looked > 0);
}

/// Workers 1 and 2 have full queues and are busy; worker 0 comes to help.
#[test]
fn whose_work_is_relieved_is_the_policy_s_to_say() {
    const TASKS: usize = 100;
    for relieved in [1, 2] {
        let pool = Pool::from(builder(3));
        let ready = Arc::new(AtomicUsize::new(0));
        let (help, rest) = (Arc::new(Gate::default()), Arc::new(Gate::default()));
        let order = Arc::new(Mutex::new(Vec::new()));
        for worker in 0..3 {
            let (ready, order) = (Arc::clone(&ready), Arc::clone(&order));
            let gate = Arc::clone(if worker == 0 { &help } else { &rest });
            pool.set_victim_policy(only(worker));
            pool.spawn_placed(move || {
                ready.fetch_add(1, Ordering::Relaxed);
                // Not before nobody else can steal them.
                while ready.load(Ordering::Relaxed) < 3 {
                    thread::yield_now();
                }
                for _ in 0..if worker == 0 { 0 } else { TASKS } {
                    let order = Arc::clone(&order);
                    filch::spawn(move || order.lock().unwrap().push(worker));
                }
                ready.fetch_add(1, Ordering::Relaxed);
                while !gate.is_open() {
                    thread::yield_now();
                }
            });
        }
        wait_until(|| ready.load(Ordering::Relaxed) == 6);
        pool.set_victim_policy(only(relieved));
        help.open();
        wait_until(|| order.lock().unwrap().len() == 2 * TASKS);
        let won = |victim| {
            let snapshot = pool.snapshot();
            let helper = snapshot.workers.iter().find(|worker| worker.index == 0).unwrap();
            let from = helper.steals_from.iter().find(|from| from.victim == victim);
            from.map_or(0, |from| from.won)
        };
        let counts = [won(1), won(2)];
        rest.open();
        assert_eq!(counts, [TASKS as u64; 2]);
        let order = order.lock().unwrap();
        assert!(order[..TASKS].iter().all(|&worker| worker == relieved), "{order:?}");
    }
}

#[test]
fn the_worker_that_the_policy_prefers_is_woken() {
    let pool = sleeping_pool(4);
    for worker in [3, 1, 2, 0] {
        pool.set_victim_policy(only(worker));
        let mut ran_by = (0..20).map(|_| {
            wait_until(|| asleep(&pool) == 4);
            pool.spawn_handle(index).join().unwrap()
        });
        // The worker of the policy before may come by on its way to sleep.
        ran_by.next();
        // Woken from outside while all sleep: nobody else comes by.
        assert!(ran_by.all(|index| index == worker));
    }
}

#[test]
fn a_placed_task_runs_where_the_policy_says_and_nowhere_else() {
    let pool = Pool::from(builder(3).victim_policy(only(2)));
    assert!((0..50).all(|_| placed(&pool, index) == 2));
    // In turn.
    pool.set_victim_policy(VictimPolicy::RoundRobin);
    let chosen: Vec<_> = (0..6).map(|_| pool.spawn_placed(|| ())).collect();
    assert!(chosen.windows(2).all(|pair| pair[1] == (pair[0] + 1) % 3), "{chosen:?}");
    // From inside, too, and to a worker that is idle rather than to those that are busy.
    pool.set_victim_policy(VictimPolicy::LeastLoaded);
    let go = Arc::new(Gate::default());
    let (busy, theirs) = (Arc::new(AtomicUsize::new(0)), Arc::clone(&go));
    let counted = Arc::clone(&busy);
    pool.spawn_broadcast(move |context| {
        if context.index() != 1 {
            counted.fetch_add(1, Ordering::Relaxed);
            while !theirs.is_open() {
                thread::yield_now();
            }
        }
    });
    wait_until(|| busy.load(Ordering::Relaxed) == 2);
    // Worker 1 may still be about its part.
    wait_until(|| pool.spawn_placed(|| ()) == 1);
    go.open();
}

/// Somebody else is idle, and gets it; nobody else is, and it is done all the same.
#[test]
fn a_worker_that_leaves_work_to_others_does_so_for_a_moment_only() {
    let pool = Pool::from(builder(2).victim_policy(only(1)));
    let tasks = (0..200).map(|_| pool.spawn_handle(index)).collect::<Vec<_>>();
    tasks.into_iter().for_each(|task| _ = task.join().unwrap());
    let (go, begun) = (Arc::new(Gate::default()), Arc::new(Gate::default()));
    let (theirs, told) = (Arc::clone(&go), Arc::clone(&begun));
    let busy = pool.spawn_placed(move || {
        told.open();
        while !theirs.is_open() {
            thread::yield_now();
        }
    });
    begun.wait();
    let start = Instant::now();
    let ran = pool.spawn_handle(index).join().unwrap();
    let time = start.elapsed();
    go.open();
    assert_eq!((busy, ran), (1, 0));
    // It leaves it for a millisecond at most.
    assert!(time < patient(Duration::from_secs(1)), "{time:?}");
}

#[test]
fn a_policy_that_panics_is_replaced_and_counted() {
    struct Broken;
    impl ChooseVictim for Broken {
        fn steal_from(&self, _: &[Candidate]) -> usize {
            std::panic::resume_unwind(Box::new("without a message"))
        }
    }
    let pool = Pool::from(builder(2).victim_policy(VictimPolicy::Custom(Arc::new(Broken))));
    wait_until(|| pool.counters().policy_panics > 0);
    assert_eq!(format!("{:?}", pool.victim_policy()), "RoundRobin");
    assert_eq!(pool.install(|| fib(15)), 610);
}

#[test]
fn policies_are_switched_while_all_work() {
    let pool = Pool::from(builder(4));
    let policies = [
        VictimPolicy::LeastLoaded,
        VictimPolicy::HealthWeighted,
        only(3),
        only(usize::MAX),
        VictimPolicy::RoundRobin,
    ];
    for policy in policies.iter().cycle().take(if cfg!(miri) { 5 } else { 200 }) {
        pool.set_victim_policy(policy.clone());
        assert_eq!(pool.install(|| fib(12)), 144);
        let sum = Arc::new(AtomicUsize::new(0));
        pool.scope(|scope| {
            for _ in 0..20 {
                let sum = Arc::clone(&sum);
                scope.spawn(move |_| _ = sum.fetch_add(1, Ordering::Relaxed));
            }
        });
        assert_eq!(sum.load(Ordering::Relaxed), 20);
    }
}

/// It is woken first, and looks at what comes from outside first: both are no reason to take it.
#[test]
fn a_worker_that_was_woken_leaves_work_to_others_all_the_same() {
    struct Lured;
    impl ChooseVictim for Lured {
        fn steal_from(&self, _: &[Candidate]) -> usize {
            0
        }

        fn wake(&self, sleeper: &Candidate) -> u8 {
            u8::from(sleeper.worker != 0)
        }

        fn take(&self, worker: &Candidate) -> bool {
            worker.worker != 0
        }
    }
    let pool = Pool::from(builder(2).victim_policy(VictimPolicy::Custom(Arc::new(Lured))));
    let ran_by = |_| {
        wait_until(|| asleep(&pool) == 2);
        pool.spawn_handle(index).join().unwrap()
    };
    let taken = (0..50).map(ran_by).filter(|&worker| worker == 0).count();
    // Some, where the other doesn't get a CPU for a moment.
    assert!(taken < 25, "{taken} of 50");
}

/// Of eight workers one helps and six have something to do for others; one of those has much more than the rest.
#[test]
fn of_eight_workers_the_one_with_the_most_to_do_is_relieved_first() {
    const WORKERS: usize = 8;
    const LOADED: usize = 3;
    // Tasks are taken by the batch: enough of them that the batches' number, some 600, tells a policy from luck.
    let tasks = if cfg!(miri) { 20 } else { 5_000 };
    let first = WORKERS * tasks / 2;
    // How many of the first tasks that the helper took were the loaded worker's.
    let relieved = |policy: VictimPolicy| {
        let pool = Pool::from(builder(WORKERS).detect_blocking(None));
        let (ready, help) = (Arc::new(AtomicUsize::new(0)), Arc::new(Gate::default()));
        let (rest, order) = (Arc::new(Gate::default()), Arc::new(Mutex::new(Vec::new())));
        for worker in 0..WORKERS {
            let (ready, order) = (Arc::clone(&ready), Arc::clone(&order));
            let gate = Arc::clone(if worker == 0 { &help } else { &rest });
            pool.set_victim_policy(only(worker));
            let queue = match worker {
                0 => 0,
                LOADED => 10 * tasks,
                _ => tasks,
            };
            pool.spawn_placed(move || {
                ready.fetch_add(1, Ordering::Relaxed);
                while ready.load(Ordering::Relaxed) < WORKERS {
                    thread::yield_now();
                }
                for _ in 0..queue {
                    let order = Arc::clone(&order);
                    filch::spawn(move || order.lock().unwrap().push(worker));
                }
                ready.fetch_add(1, Ordering::Relaxed);
                gate.wait();
            });
        }
        wait_until(|| ready.load(Ordering::Relaxed) == 2 * WORKERS);
        pool.set_victim_policy(policy);
        help.open();
        wait_until(|| order.lock().unwrap().len() >= first);
        rest.open();
        let order = order.lock().unwrap();
        order[..first].iter().filter(|&&worker| worker == LOADED).count()
    };
    // In turn it would be one of seven; twice that, if of any two the one with more to do is chosen.
    let in_turn = first / (WORKERS - 1);
    for policy in [VictimPolicy::LeastLoaded, VictimPolicy::HealthWeighted] {
        let chosen = relieved(policy.clone());
        println!("{policy:?}: {chosen} of {first}, and {in_turn} in turn");
        assert!(cfg!(miri) || 2 * chosen > 3 * in_turn, "{policy:?}: {chosen}, {in_turn}");
    }
}

/// Of five workers each looks at all others, and spares that begin at once are there in any order.
#[test]
fn a_spare_looks_at_no_more_than_there_are_others() {
    for _ in 0..300 {
        let pool = Pool::from(builder(4).max_threads(12).victim_policy(VictimPolicy::LeastLoaded));
        pool.scope(|scope| {
            for _ in 0..40 {
                scope.spawn(|_| filch::blocking(|| thread::sleep(Duration::from_micros(50))));
            }
        });
        assert_eq!(pool.counters().policy_panics, 0);
    }
}
