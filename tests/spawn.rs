//! `spawn` and `spawn_fifo`.

mod common;

use common::*;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const TASKS: usize = 100_000;

/// How often each task has run.
#[derive(Clone)]
struct Runs(Arc<[AtomicU8]>);

impl Runs {
    fn new() -> Self {
        Self((0..TASKS).map(|_| AtomicU8::new(0)).collect())
    }

    fn task(&self, index: usize) -> impl FnOnce() + Send + 'static {
        let runs = self.clone();
        move || {
            runs.0[index].fetch_add(1, Ordering::Relaxed);
        }
    }

    fn assert_once_each(&self) {
        assert!(self.0.iter().all(|runs| runs.load(Ordering::Relaxed) == 1));
    }
}

#[test]
fn tasks_from_several_outside_threads_run_once_each() {
    for pool in pools() {
        let runs = Runs::new();
        thread::scope(|threads| {
            for first in 0..4 {
                let (pool, runs) = (&pool, &runs);
                threads.spawn(move || {
                    (first..TASKS).step_by(4).for_each(|task| pool.spawn(runs.task(task)));
                });
            }
        });
        pool.shutdown().unwrap();
        runs.assert_once_each();
    }
}

#[test]
fn tasks_from_inside_run_once_each() {
    fn spawn_half(tasks: std::ops::Range<usize>, runs: Runs) {
        if tasks.len() == 1 {
            return runs.task(tasks.start)();
        }
        let middle = tasks.start + tasks.len() / 2;
        let right = runs.clone();
        filch::spawn(move || spawn_half(middle..tasks.end, right));
        filch::spawn_fifo(move || spawn_half(tasks.start..middle, runs));
    }
    for pool in pools() {
        let runs = Runs::new();
        let all = runs.clone();
        pool.spawn(move || spawn_half(0..TASKS, all));
        pool.shutdown().unwrap();
        runs.assert_once_each();
        assert_eq!(pool.counters().tasks as usize, 2 * TASKS - 1);
    }
}

/// The order in which a lone worker runs six tasks, of which those whose index `fifo`
/// picks are spawned by `spawn_fifo`.
fn order(fifo: fn(usize) -> bool) -> Vec<usize> {
    let (pool, log) = (pool(1), Arc::new(Mutex::new(Vec::new())));
    pool.install(|| {
        for i in 0..6 {
            let log = log.clone();
            let task = move || log.lock().unwrap().push(i);
            if fifo(i) { filch::spawn_fifo(task) } else { filch::spawn(task) }
        }
    });
    pool.shutdown().unwrap();
    log.lock().unwrap().clone()
}

#[test]
fn a_lone_worker_runs_the_youngest_task_first() {
    assert_eq!(order(|_| false), [5, 4, 3, 2, 1, 0]);
}

#[test]
fn tasks_of_spawn_fifo_run_in_the_order_of_their_spawning() {
    assert_eq!(order(|_| true), [0, 1, 2, 3, 4, 5]);
}

/// As in rayon: a fifo task's place is that of a ticket among the others, and each ticket
/// stands for the oldest fifo task.
#[test]
fn tickets_stand_among_lifo_tasks() {
    assert_eq!(order(|i| i % 2 == 0), [5, 0, 3, 2, 1, 4]);
    assert_eq!(order(|i| i % 2 == 1), [1, 4, 3, 2, 5, 0]);
}

#[test]
fn tasks_from_outside_run_in_the_order_of_their_arrival() {
    let (pool, log) = (pool(1), Arc::new(Mutex::new(Vec::new())));
    for i in 0..100 {
        let log = log.clone();
        let task = move || log.lock().unwrap().push(i);
        if i % 2 == 0 { pool.spawn(task) } else { pool.spawn_fifo(task) }
    }
    pool.shutdown().unwrap();
    assert!(log.lock().unwrap().iter().copied().eq(0..100));
}

#[test]
fn a_task_that_is_fetched_with_one_that_waits_for_it_is_stolen() {
    let pool = pool(2);
    for _ in rounds(20) {
        let [held, waited_for] = [(); 2].map(|()| Arc::new(Gate::default()));
        for _ in 0..2 {
            let held = held.clone();
            pool.spawn(move || held.wait());
        }
        let [waits, opens] = [(); 2].map(|()| waited_for.clone());
        // Among short ones, of which several are fetched at once.
        (0..200).for_each(|_| pool.spawn(|| ()));
        pool.spawn(move || waits.wait());
        pool.spawn(move || opens.open());
        (0..200).for_each(|_| pool.spawn(|| ()));
        held.open();
        waited_for.wait();
    }
}

#[test]
fn tasks_that_spawn_themselves_again_do_not_keep_others_out() {
    fn again(stop: Arc<Gate>) {
        if !stop.is_open() {
            filch::spawn(move || again(stop));
        }
    }
    for pool in pools() {
        let stop = Arc::new(Gate::default());
        for _ in 0..pool.current_num_threads() {
            let stop = stop.clone();
            pool.spawn(move || again(stop));
        }
        assert_eq!(pool.install(|| 6 * 7), 42);
        let open = stop.clone();
        pool.spawn(move || open.open());
        stop.wait();
        pool.shutdown().unwrap();
        assert!(pool.counters().tasks > pool.current_num_threads() as u64);
    }
}

#[test]
fn tasks_from_outside_share_a_worker_with_long_ones_that_spawn_themselves_again() {
    fn again(runs: Arc<AtomicUsize>, stop: Arc<Gate>) {
        runs.fetch_add(1, Ordering::Relaxed);
        work();
        if !stop.is_open() {
            filch::spawn(move || again(runs, stop));
        }
    }
    fn work() {
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(1) {
            std::hint::spin_loop();
        }
    }
    const OUTSIDERS: usize = 20;
    let (pool, stop, runs) = (pool(1), Arc::new(Gate::default()), Arc::new(AtomicUsize::new(0)));
    let (ours, theirs) = (runs.clone(), stop.clone());
    pool.spawn(move || again(ours, theirs));
    while runs.load(Ordering::Relaxed) < 2 {
        thread::yield_now();
    }
    let before = runs.load(Ordering::Relaxed);
    let left = Arc::new(AtomicUsize::new(OUTSIDERS));
    for _ in 0..OUTSIDERS {
        let (left, stop) = (left.clone(), stop.clone());
        pool.spawn(move || {
            work();
            if left.fetch_sub(1, Ordering::Relaxed) == 1 {
                stop.open();
            }
        });
    }
    stop.wait();
    // One of ours for one of theirs; a stray one for each that came in while we looked.
    let passed = runs.load(Ordering::Relaxed) - before;
    assert!(passed <= 3 * OUTSIDERS, "{passed}");
    pool.shutdown().unwrap();
}

/// Calls come first, but not for ever.
#[test]
fn a_task_does_not_wait_behind_all_calls_there_are() {
    const CALLS: usize = 32;
    let (pool, go) = (pool(1), Arc::new(Gate::default()));
    let (calling, called) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    thread::scope(|callers| {
        let busy = go.clone();
        pool.spawn(move || busy.wait());
        for _ in 0..CALLS {
            callers.spawn(|| {
                calling.fetch_add(1, Ordering::Relaxed);
                pool.install(|| {
                    let start = Instant::now();
                    while start.elapsed() < Duration::from_millis(1) {
                        std::hint::spin_loop();
                    }
                    called.fetch_add(1, Ordering::Relaxed);
                });
            });
        }
        wait_until(|| calling.load(Ordering::Relaxed) == CALLS);
        // Most of them are in the queue by then, if not all.
        thread::sleep(Duration::from_millis(50));
        let (before, counted) = (Arc::new(AtomicUsize::new(CALLS)), called.clone());
        let seen = before.clone();
        pool.spawn(move || seen.store(counted.load(Ordering::Relaxed), Ordering::Relaxed));
        go.open();
        wait_until(|| called.load(Ordering::Relaxed) == CALLS);
        let before = before.load(Ordering::Relaxed);
        assert!(before < CALLS / 2, "{before} calls before a task");
    });
}

#[test]
fn the_panic_handler_gets_each_payload_and_workers_survive() {
    let caught = Arc::new(Mutex::new(Vec::new()));
    let handler = {
        let caught = caught.clone();
        move |payload: Box<dyn std::any::Any + Send>| {
            caught.lock().unwrap().push(*payload.downcast::<usize>().unwrap());
        }
    };
    let pool = Pool::from(builder(4).panic_handler(handler));
    let ids = pool.broadcast(|_| thread::current().id());
    for i in 0..1000_usize {
        pool.spawn(move || std::panic::resume_unwind(Box::new(i)));
    }
    wait_until(|| caught.lock().unwrap().len() == 1000);
    assert_eq!(pool.broadcast(|_| thread::current().id()), ids, "the same threads are there");
    pool.shutdown().unwrap();
    assert_eq!(pool.counters().panics, 1000);
    caught.lock().unwrap().sort_unstable();
    assert!(caught.lock().unwrap().iter().copied().eq(0..1000));
}

#[test]
fn without_a_handler_a_panic_aborts() {
    child_aborts("without_a_handler_a_panic_aborts", "panic_handler", || {
        pool(1).spawn(|| panic!("nobody waits for this"));
    });
}

#[test]
fn a_panic_in_the_handler_aborts() {
    child_aborts("a_panic_in_the_handler_aborts", "the panic handler panicked", || {
        let pool = Pool::from(builder(1).panic_handler(|_| panic!("again")));
        pool.spawn(|| explode("first"));
    });
}

#[test]
fn after_a_shutdown_no_task_is_lost_in_silence() {
    let pool = pool(2);
    pool.shutdown().unwrap();
    for text in [
        panic_of(|| pool.spawn(|| ())),
        panic_of(|| pool.spawn_fifo(|| ())),
        panic_of(|| drop(pool.spawn_handle(|| ()))),
        panic_of(|| pool.spawn_broadcast(|_| ())),
        panic_of(|| pool.broadcast(|_| ())),
        panic_of(|| pool.install(|| ())),
        panic_of(|| pool.join(|| (), || ())),
        panic_of(|| pool.scope(|_| ())),
        panic_of(|| pool.in_place_scope(|scope| scope.spawn(|_| ()))),
    ] {
        assert!(text.contains("has been shut down"), "{text}");
    }
    let mut called = 0;
    let rejected = {
        let token = Box::new(7);
        pool.try_spawn(move || assert_eq!(*token, 7)).unwrap_err()
    };
    assert!(rejected.to_string().contains("has been shut down"), "{rejected}");
    (rejected.task)();
    called += 1;
    assert_eq!((called, pool.counters().tasks), (1, 0));
}

#[test]
fn dropping_a_pool_runs_its_million_queued_tasks() {
    const MILLION: usize = 1_000_000;
    for workers in [1, 4] {
        let (pool, go) = (pool(workers), Arc::new(Gate::default()));
        let (begun, ran) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        for _ in 0..workers {
            let (go, begun) = (go.clone(), begun.clone());
            pool.spawn(move || {
                begun.fetch_add(1, Ordering::Relaxed);
                go.wait();
            });
        }
        wait_until(|| begun.load(Ordering::Relaxed) == workers);
        for _ in 0..MILLION {
            let ran = ran.clone();
            pool.spawn(move || {
                ran.fetch_add(1, Ordering::Relaxed);
            });
        }
        assert_eq!(ran.load(Ordering::Relaxed), 0, "all are queued");
        go.open();
        drop(pool);
        assert_eq!(ran.load(Ordering::Relaxed), MILLION);
    }
}

#[test]
fn a_task_that_a_sleeping_pool_gets_is_run() {
    for workers in [1, 2, 16] {
        let pool = sleeping_pool(workers);
        for _ in 0..200 {
            let ran = Arc::new(Gate::default());
            let open = ran.clone();
            pool.spawn(move || open.open());
            ran.wait();
        }
        pool.shutdown().unwrap();
        assert_eq!(pool.counters().tasks, 200);
    }
}
