//! Which tasks a pool accepts from outside, when, and what becomes of the others.
#![cfg(not(loom))]

mod common;

use common::*;
use filch::{
    AdmissionPolicy, JoinHandle, Rejection, Shed, SpawnAsync, TaskBuilder, ThreadPoolBuilder,
};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

type Count = Arc<AtomicU64>;

fn with(workers: usize, max_queued: usize) -> Pool {
    builder(workers).max_queued(max_queued).into()
}

/// Workers that are busy until the gate is opened.
fn hold(pool: &Pool, workers: u64) -> Arc<Gate> {
    let (gate, begun) = (Arc::new(Gate::default()), Count::default());
    for _ in 0..workers {
        let (gate, begun) = (gate.clone(), begun.clone());
        pool.spawn(move || {
            begun.fetch_add(1, SeqCst);
            gate.wait();
        });
    }
    wait_until(|| begun.load(SeqCst) == workers);
    gate
}

fn counting(count: &Count) -> impl FnOnce() + Send + use<> {
    let count = count.clone();
    move || _ = count.fetch_add(1, SeqCst)
}

/// The reason why a task is given back, which it is without having been run.
fn refused(pool: &Pool) -> Option<Rejection> {
    let ran = Count::default();
    let rejected = pool.try_spawn(counting(&ran)).err()?;
    assert_eq!(ran.load(SeqCst), 0);
    (rejected.task)();
    assert_eq!(ran.load(SeqCst), 1);
    Some(rejected.reason)
}

fn poll<F: FnOnce() + Send + 'static>(
    spawn: &mut SpawnAsync<F>,
    waker: &Waker,
) -> Poll<Result<(), Rejection>> {
    let polled = Pin::new(spawn).poll(&mut Context::from_waker(waker));
    polled.map(|outcome| outcome.map_err(|rejected| rejected.reason))
}

/// Threads that have to wait are counted before they do.
fn wait_for_waiting(pool: &Pool, threads: u64) {
    wait_until(|| pool.counters().saturated == threads);
}

#[test]
fn a_task_for_which_there_is_no_room_is_given_back() {
    let (pool, ran) = (with(1, 2), Count::default());
    let gate = hold(&pool, 1);
    for _ in 0..2 {
        pool.try_spawn(counting(&ran)).unwrap();
    }
    assert_eq!(refused(&pool), Some(Rejection::Saturated));
    let text = pool.try_spawn(|| ()).unwrap_err().to_string();
    assert!(text.contains("max_queued") && text.contains("spawn_async"), "{text}");
    assert_eq!(pool.counters().saturated, 2);
    gate.open();
    wait_until(|| ran.load(SeqCst) == 2);
    assert_eq!(refused(&pool), None);
    pool.shutdown().unwrap();
    assert_eq!(refused(&pool), Some(Rejection::ShutDown));
}

#[test]
fn a_bound_that_makes_no_sense_is_an_error() {
    let text = builder(1).max_queued(0).build().unwrap_err().to_string();
    assert!(text.contains("max_queued is 0") && text.contains("give 1 or more"), "{text}");
    let (target, interval) = (Duration::from_secs(1), Duration::from_millis(1));
    let policy = AdmissionPolicy::Adaptive { target, interval };
    let text = builder(1).admission(policy).build().unwrap_err().to_string();
    assert!(text.contains("interval of 1ms"), "{text}");
}

#[test]
fn no_more_are_accepted_than_the_bound_says_while_none_is_begun() {
    let (pool, ran) = (with(2, 10), Count::default());
    let attempts = if cfg!(miri) { 10 } else { 1000 };
    for round in 1..=3 {
        let (gate, accepted) = (hold(&pool, 2), Count::default());
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..attempts {
                        if pool.try_spawn(counting(&ran)).is_ok() {
                            accepted.fetch_add(1, SeqCst);
                        }
                    }
                });
            }
        });
        assert_eq!((accepted.load(SeqCst), ran.load(SeqCst)), (10, 10 * (round - 1)));
        gate.open();
        wait_until(|| ran.load(SeqCst) == 10 * round);
    }
}

/// While they are begun, too. A task says so only after its place has been given back: so what it counts may be above the
/// bound by those that are between the two, one for each worker.
#[test]
fn no_more_wait_than_the_bound_says_whoever_submits_how() {
    const MOST: i64 = 4;
    let tasks = if cfg!(miri) { 20 } else { 3000 };
    for workers in [1, 3] {
        let pool = with(workers, MOST as usize);
        let (waiting, most) = (Arc::new(AtomicI64::new(0)), AtomicI64::new(0));
        let (ran, refused) = (Count::default(), Count::default());
        let task = || {
            let (waiting, ran) = (waiting.clone(), ran.clone());
            move || {
                waiting.fetch_sub(1, SeqCst);
                ran.fetch_add(1, SeqCst);
            }
        };
        thread::scope(|scope| {
            for submitter in 0..4 {
                let (pool, task, refused) = (&pool, &task, &refused);
                let (waiting, most) = (&waiting, &most);
                scope.spawn(move || {
                    for nth in 0..tasks {
                        match (submitter + nth) % 7 {
                            0 => pool.spawn(task()),
                            1 => pool.spawn_fifo(task()),
                            2 => drop(pool.spawn_handle(task())),
                            3 => pool.spawn_named("named", task()),
                            4 => _ = pool.spawn_placed(task()),
                            5 => TaskBuilder::new().pool(pool).spawn(task()),
                            _ => {
                                if pool.try_spawn(task()).is_err() {
                                    refused.fetch_add(1, SeqCst);
                                    continue;
                                }
                            }
                        }
                        most.fetch_max(waiting.fetch_add(1, SeqCst) + 1, SeqCst);
                    }
                });
            }
        });
        let (refused, counters) = (refused.load(SeqCst), pool.counters());
        assert!(counters.saturated >= refused && counters.shed == 0);
        pool.shutdown().unwrap();
        assert_eq!(ran.load(SeqCst), 4 * tasks - refused, "each of them once");
        let most = most.into_inner();
        assert!(most <= MOST + workers as i64, "{most} were accepted and not begun");
    }
}

#[test]
fn a_spawn_waits_for_room_and_who_has_waited_for_longest_is_next() {
    let (pool, order) = (with(1, 1), Arc::new(Mutex::new(vec![])));
    let gate = hold(&pool, 1);
    pool.spawn(|| ());
    let returned = Count::default();
    thread::scope(|scope| {
        for nth in 0..6 {
            let (pool, order, returned) = (&pool, order.clone(), &returned);
            scope.spawn(move || {
                let task = move || order.lock().unwrap().push(nth);
                match nth % 3 {
                    0 => pool.spawn(task),
                    1 => drop(pool.spawn_handle(task)),
                    _ => pool.spawn_fifo(task),
                }
                returned.fetch_add(1, SeqCst);
            });
            wait_for_waiting(pool, nth + 1);
        }
        assert_eq!(returned.load(SeqCst), 0);
        gate.open();
    });
    pool.shutdown().unwrap();
    assert_eq!(order.lock().unwrap().len(), 6);
    assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn nobody_goes_before_one_who_waits() {
    let (pool, ran) = (with(1, 1), Count::default());
    let gate = hold(&pool, 1);
    let (begun, go_on) = (Arc::new(Gate::default()), Arc::new(Gate::default()));
    let (has_begun, may_go_on) = (begun.clone(), go_on.clone());
    pool.spawn(move || {
        has_begun.open();
        may_go_on.wait();
    });
    let mut waits = pool.spawn_async(counting(&ran));
    assert!(poll(&mut waits, Waker::noop()).is_pending());
    gate.open();
    begun.wait();
    // There is room now, which is the other's.
    assert_eq!(refused(&pool), Some(Rejection::Saturated));
    let mut second = pool.spawn_async(counting(&ran));
    assert!(poll(&mut second, Waker::noop()).is_pending());
    assert!(poll(&mut waits, Waker::noop()).is_ready());
    assert!(poll(&mut second, Waker::noop()).is_pending());
    go_on.open();
    wait_until(|| poll(&mut second, Waker::noop()).is_ready());
    wait_until(|| ran.load(SeqCst) == 2);
}

struct Bell(AtomicBool);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.store(true, SeqCst);
    }
}

#[test]
fn a_future_that_waits_for_room_is_woken_when_there_is_some() {
    let (pool, ran, bell) = (with(1, 1), Count::default(), Arc::new(Bell(false.into())));
    let waker = Waker::from(bell.clone());
    let mut at_once = pool.spawn_async(counting(&ran));
    assert_eq!(poll(&mut at_once, &waker), Poll::Ready(Ok(())));
    wait_until(|| ran.load(SeqCst) == 1);
    let gate = hold(&pool, 1);
    pool.spawn(|| ());
    let mut waits = pool.spawn_async(counting(&ran));
    assert!(poll(&mut waits, &waker).is_pending() && !bell.0.load(SeqCst));
    gate.open();
    wait_until(|| bell.0.load(SeqCst));
    assert_eq!(poll(&mut waits, &waker), Poll::Ready(Ok(())));
    wait_until(|| ran.load(SeqCst) == 2);
    // Without a bound there is always room.
    let free = common::pool(1);
    assert_eq!(poll(&mut free.spawn_async(counting(&ran)), &waker), Poll::Ready(Ok(())));
    free.shutdown().unwrap();
    assert_eq!(ran.load(SeqCst), 3);
    let late = &mut free.spawn_async(counting(&ran));
    assert_eq!(poll(late, &waker), Poll::Ready(Err(Rejection::ShutDown)));
}

#[test]
fn a_future_that_is_dropped_gives_its_place_back_and_drops_its_task() {
    let (pool, dropped) = (with(1, 1), Count::default());
    let held = || {
        let dropped = dropped.clone();
        let on_drop = OnDrop(move || _ = dropped.fetch_add(1, SeqCst));
        pool.spawn_async(move || drop(on_drop))
    };
    // With a place, before it is polled.
    let granted = held();
    assert_eq!(refused(&pool), Some(Rejection::Saturated));
    drop(granted);
    assert_eq!(dropped.load(SeqCst), 1);
    // While it waits, before others.
    let gate = hold(&pool, 1);
    pool.spawn(|| ());
    let (first, mut second) = (held(), held());
    assert!(poll(&mut second, Waker::noop()).is_pending());
    drop(first);
    assert_eq!(dropped.load(SeqCst), 2);
    gate.open();
    wait_until(|| poll(&mut second, Waker::noop()).is_ready());
    wait_until(|| dropped.load(SeqCst) == 3);
    // With a place that it was given when others already waited behind it.
    let (gate, ran) = (hold(&pool, 1), Count::default());
    pool.spawn(counting(&ran));
    let (first, mut second) = (held(), held());
    gate.open();
    // It is first's now.
    wait_until(|| ran.load(SeqCst) == 1);
    assert!(poll(&mut second, Waker::noop()).is_pending());
    drop(first);
    assert!(poll(&mut second, Waker::noop()).is_ready());
    wait_until(|| dropped.load(SeqCst) == 5);
    wait_until(|| refused(&pool).is_none());
}

#[test]
fn what_workers_spawn_is_accepted_in_any_case_and_counts() {
    let (pool, ran, gate) = (with(1, 3), Count::default(), Arc::new(Gate::default()));
    let (counted, go_on) = (ran.clone(), gate.clone());
    let (spawned, has_spawned) = channel();
    pool.spawn(move || {
        for nth in 0..100 {
            match nth % 5 {
                0 => filch::spawn(counting(&counted)),
                1 => filch::spawn_fifo(counting(&counted)),
                2 => drop(filch::spawn_handle(counting(&counted))),
                3 => filch::spawn_named("named", counting(&counted)),
                _ => filch::spawn(counting(&counted)),
            }
        }
        spawned.send(()).unwrap();
        go_on.wait();
    });
    has_spawned.recv().unwrap();
    assert_eq!(refused(&pool), Some(Rejection::Saturated), "100 wait");
    // It waits until most of those have been begun, and nobody else tells it so.
    thread::scope(|scope| {
        let waits = scope.spawn(|| pool.spawn(counting(&ran)));
        wait_for_waiting(&pool, 2);
        gate.open();
        waits.join().unwrap();
        assert!(ran.load(SeqCst) > 90);
    });
    wait_until(|| ran.load(SeqCst) == 101);
    // All that was taken has been given back.
    let gate = hold(&pool, 1);
    assert_eq!((0..9).filter(|_| pool.try_spawn(counting(&ran)).is_ok()).count(), 3);
    gate.open();
}

#[test]
fn what_somebody_waits_for_is_accepted_in_any_case() {
    let (pool, ran) = (with(2, 1), Count::default());
    let gate = hold(&pool, 1);
    // The other worker is at our disposal. What fills the queue is not in it yet.
    let mut place = pool.spawn_async(|| ());
    assert_eq!(refused(&pool), Some(Rejection::Saturated));
    assert_eq!(pool.install(|| 1), 1);
    assert_eq!(pool.join(|| 1, || 2), (1, 2));
    pool.scope(|scope| (0..10).for_each(|_| scope.spawn(|_| counting(&ran)())));
    pool.in_place_scope(|scope| (0..10).for_each(|_| scope.spawn(|_| counting(&ran)())));
    assert_eq!(ran.load(SeqCst), 20);
    let request = filch::Request::new().cpu(1);
    let counted = ran.clone();
    pool.spawn_with(&request, move |_| counting(&counted)()).unwrap();
    wait_until(|| ran.load(SeqCst) == 21);
    let counted = ran.clone();
    pool.spawn_broadcast(move |_| counting(&counted)());
    gate.open();
    wait_until(|| ran.load(SeqCst) == 23);
    assert_eq!(pool.broadcast(|context| context.index()), [0, 1]);
    assert_eq!(refused(&pool), Some(Rejection::Saturated));
    assert!(poll(&mut place, Waker::noop()).is_ready());
}

#[test]
fn a_worker_of_another_pool_that_waits_for_room_is_replaced() {
    let (pool, ran) = (with(1, 1), Count::default());
    let other = Pool::from(builder(1).detect_blocking(None));
    let gate = hold(&pool, 1);
    pool.spawn(|| ());
    thread::scope(|scope| {
        let waits = scope.spawn(|| other.install(|| pool.spawn(counting(&ran))));
        wait_for_waiting(&pool, 1);
        // Somebody else runs this, as its only worker waits.
        assert_eq!(other.spawn_handle(|| 42).join().unwrap(), 42);
        assert!(!waits.is_finished());
        gate.open();
        waits.join().unwrap();
    });
    wait_until(|| ran.load(SeqCst) == 1);
}

#[test]
fn a_shutdown_ends_every_wait_for_room() {
    let (pool, ran) = (with(1, 1), Count::default());
    let gate = hold(&pool, 1);
    pool.spawn(counting(&ran));
    let mut waits = pool.spawn_async(counting(&ran));
    assert!(poll(&mut waits, Waker::noop()).is_pending());
    thread::scope(|scope| {
        let spawns = [0, 1].map(|nth| {
            let (pool, ran) = (&pool, &ran);
            let waits = scope.spawn(move || {
                panic_of(|| match nth {
                    0 => pool.spawn(counting(ran)),
                    _ => drop(pool.spawn_handle(counting(ran))),
                })
            });
            wait_for_waiting(pool, nth + 2);
            waits
        });
        let ends = scope.spawn(|| pool.shutdown().unwrap());
        // The pool itself can't end yet.
        for spawn in spawns {
            let text = spawn.join().unwrap();
            assert!(text.contains("has been shut down"), "{text}");
        }
        assert_eq!(poll(&mut waits, Waker::noop()), Poll::Ready(Err(Rejection::ShutDown)));
        assert_eq!(refused(&pool), Some(Rejection::ShutDown));
        assert!(!ends.is_finished());
        let late = panic_of(|| pool.spawn(counting(&ran)));
        assert!(late.contains("has been shut down"), "{late}");
        gate.open();
        ends.join().unwrap();
    });
    assert_eq!(ran.load(SeqCst), 1, "what was accepted, and nothing else");
}

#[test]
fn a_task_that_panics_or_is_cancelled_gives_its_place_back() {
    let panics = Count::default();
    let counted = panics.clone();
    let handler = move |_| _ = counted.fetch_add(1, SeqCst);
    let pool = Pool::from(builder(1).max_queued(2).panic_handler(handler));
    for round in 1..=10 {
        pool.spawn(|| explode("one"));
        assert!(pool.spawn_handle(|| explode("two")).join().is_err());
        wait_until(|| panics.load(SeqCst) == round);
    }
    let gate = hold(&pool, 1);
    let handles: [JoinHandle<_>; 2] = [(); 2].map(|()| pool.spawn_handle(|| ()));
    assert_eq!(refused(&pool), Some(Rejection::Saturated));
    assert!(handles.iter().all(JoinHandle::cancel));
    pool.spawn(|| ());
    gate.open();
}

/// With times that a busy machine can keep: a task of 2 ms, a target of 20 and an interval of 200.
fn interval() -> Duration {
    patient(Duration::from_millis(200))
}

fn adaptive() -> ThreadPoolBuilder {
    let [target, interval] = [interval() / 10, interval()];
    builder(1).admission(AdmissionPolicy::Adaptive { target, interval })
}

fn work() {
    thread::sleep(interval() / 100);
}

/// Submits three tasks for each that can be run until one is shed, and says what the pool says then.
fn overload(pool: &Pool) -> String {
    let start = Instant::now();
    while start.elapsed() < patient(Duration::from_secs(30)) {
        for _ in 0..3 {
            if let Err(rejected) = pool.try_spawn(work) {
                assert_eq!(rejected.reason, Rejection::Shed);
                return rejected.to_string();
            }
        }
        work();
    }
    panic!("nothing is shed");
}

#[test]
fn an_adaptive_pool_sheds_under_overload_and_takes_all_again_when_that_is_over() {
    let (pool, ran) = (Pool::from(adaptive().detect_blocking(None)), Count::default());
    let text = overload(&pool);
    assert!(text.contains("AdmissionPolicy"), "{text}");
    // More than once, each: there may be room again when they come.
    wait_until(|| {
        overload(&pool);
        let shed = &mut pool.spawn_async(work);
        poll(shed, Waker::noop()) == Poll::Ready(Err(Rejection::Shed))
    });
    assert!(pool.counters().shed >= 3 && pool.counters().saturated == 0);
    // This has no error for that.
    let mut spawned = 0;
    wait_until(|| {
        overload(&pool);
        pool.spawn(counting(&ran));
        spawned += 1;
        pool.counters().saturated > 0
    });
    wait_until(|| ran.load(SeqCst) == spawned);
    wait_until(|| pool.snapshot().pool.now.queued == Ok(0));
    thread::sleep(3 * interval());
    // No more than can be run within the target, should this thread be kept from pushing.
    for _ in 0..9 {
        pool.try_spawn(work).unwrap();
    }
}

#[test]
fn an_adaptive_pool_takes_all_of_a_burst() {
    let (pool, ran) = (Pool::from(adaptive()), Count::default());
    for burst in 1..=2 {
        for _ in 0..1000 {
            pool.try_spawn(counting(&ran)).unwrap();
        }
        wait_until(|| ran.load(SeqCst) == 1000 * burst);
    }
    assert_eq!(pool.counters().shed, 0);
}

#[test]
fn an_adaptive_pool_with_a_bound_has_that_too() {
    let pool = Pool::from(adaptive().max_queued(2));
    let gate = hold(&pool, 1);
    (0..2).for_each(|_| pool.try_spawn(|| ()).unwrap());
    assert_eq!(refused(&pool), Some(Rejection::Saturated));
    gate.open();
}

/// Handles of tasks, of which some are begun when they have waited for more than an interval and all before them, too.
fn wait_for_too_long(pool: &Pool, ran: &Count) -> Vec<JoinHandle<()>> {
    let handles: Vec<_> = (0..400)
        .map(|_| {
            let count = counting(ran);
            pool.spawn_handle(move || {
                work();
                count();
            })
        })
        .collect();
    // A detached one is run, however long it has waited.
    pool.spawn(counting(ran));
    handles
}

#[test]
fn tasks_with_a_handle_that_have_waited_for_too_long_are_not_run_and_the_hook_is_told() {
    let (told, ran) = (Arc::new(Mutex::new(vec![])), Count::default());
    let theirs = told.clone();
    let hook = move |shed: Shed| {
        theirs.lock().unwrap().push(shed.waited);
        explode("in the hook");
    };
    let pool = Pool::from(adaptive().detect_blocking(None).on_shed(hook));
    let handles = wait_for_too_long(&pool, &ran);
    let outcomes: Vec<_> = handles.into_iter().map(JoinHandle::join).collect();
    let shed: Vec<_> = outcomes.into_iter().filter_map(Result::err).collect();
    let all = shed.iter().all(|payload| payload.is::<Shed>());
    assert!(all && (1..400).contains(&shed.len()), "{} were shed", shed.len());
    pool.shutdown().unwrap();
    assert_eq!(ran.load(SeqCst) as usize, 401 - shed.len());
    let counters = pool.counters();
    assert_eq!((counters.shed, counters.failures, counters.panics), (shed.len() as u64, 0, 0));
    assert_eq!(counters.lost_hooks, shed.len() as u64);
    let told = told.lock().unwrap();
    assert!(told.len() == shed.len() && told.iter().all(|&waited| waited > interval()), "{told:?}");
}

#[test]
fn what_was_shed_when_nobody_wanted_it_is_no_panic() {
    let (pool, ran) = (Pool::from(adaptive().detect_blocking(None)), Count::default());
    drop(wait_for_too_long(&pool, &ran));
    pool.shutdown().unwrap();
    let counters = pool.counters();
    assert!(counters.shed > 0 && counters.panics == 0, "{counters:?}");
}
