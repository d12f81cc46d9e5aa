//! `spawn_handle` and `JoinHandle`.

mod common;

use common::*;
use filch::{Cancelled, JoinHandle};
use std::future::Future;
use std::panic::resume_unwind;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

/// A waker that counts its calls and unparks the thread that made it.
struct Wakes {
    count: AtomicUsize,
    thread: Thread,
}

impl Wakes {
    fn new() -> Arc<Self> {
        Arc::new(Self { count: AtomicUsize::new(0), thread: thread::current() })
    }

    fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.count.fetch_add(1, Ordering::Release);
        self.thread.unpark();
    }
}

fn poll<F: Future + Unpin>(future: &mut F, wakes: &Arc<Wakes>) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(&Waker::from(wakes.clone())))
}

fn block_on<F: Future>(future: F) -> F::Output {
    let (mut future, wakes) = (pin!(future), Wakes::new());
    loop {
        match poll(&mut future, &wakes) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// A task that runs until the gate is opened.
fn gated<T: Send + 'static>(pool: &filch::ThreadPool, result: T) -> (JoinHandle<T>, Arc<Gate>) {
    let gate = Arc::new(Gate::default());
    let wait = gate.clone();
    let task = pool.spawn_handle(move || {
        wait.wait();
        result
    });
    (task, gate)
}

#[test]
fn join_returns_the_result() {
    for pool in pools() {
        let tasks: Vec<_> = (0..100).map(|i| pool.spawn_handle(move || i)).collect();
        assert!(tasks.into_iter().map(|task| task.join().unwrap()).eq(0..100));
        let inside = pool.install(|| {
            let tasks: Vec<_> = (0..100).map(|i| filch::spawn_handle(move || i)).collect();
            tasks.into_iter().map(|task| task.join().unwrap()).sum::<u32>()
        });
        assert_eq!(inside, 4950);
    }
}

#[test]
fn join_returns_the_payload_of_a_panic() {
    let pool = pool(2);
    let outside = pool.spawn_handle(|| explode("oh no")).join();
    assert_eq!(text(&*outside.unwrap_err()), "oh no");
    let inside = pool.install(|| filch::spawn_handle(|| explode("oh no")).join());
    assert_eq!(text(&*inside.unwrap_err()), "oh no");
    assert_eq!(pool.counters().panics, 0, "somebody was told");
}

#[test]
fn is_finished_tells_without_waiting() {
    let pool = pool(1);
    let (task, gate) = gated(&pool, "done");
    assert!(!task.is_finished());
    gate.open();
    wait_until(|| task.is_finished());
    assert!(!task.cancel(), "too late");
    assert_eq!(task.join().unwrap(), "done");
}

#[test]
fn a_dropped_handle_lets_its_task_run() {
    for pool in pools() {
        let ran = Arc::new(AtomicUsize::new(0));
        for _ in 0..100 {
            let ran = ran.clone();
            drop(pool.spawn_handle(move || ran.fetch_add(1, Ordering::Relaxed)));
        }
        pool.shutdown().unwrap();
        assert_eq!(ran.load(Ordering::Relaxed), 100);
    }
}

#[test]
fn a_panic_that_no_handle_tells_of_is_counted() {
    let pool = pool(2);
    let (first, gate) = gated(&pool, ());
    let wait = gate.clone();
    drop(pool.spawn_handle(move || {
        wait.wait();
        explode("after its handle is gone")
    }));
    gate.open();
    first.join().unwrap();
    let early = pool.spawn_handle(|| explode("before its handle is gone"));
    wait_until(|| early.is_finished());
    drop(early);
    let told = pool.spawn_handle(|| explode("told"));
    assert_eq!(text(&*told.join().unwrap_err()), "told");
    let (second, gate) = gated(&pool, ());
    let (third, too) = gated(&pool, ());
    let cancelled = pool.spawn_handle(|| ());
    assert!(cancelled.cancel());
    drop(cancelled);
    gate.open();
    too.open();
    drop((second, third));
    pool.shutdown().unwrap();
    assert_eq!(pool.counters().panics, 2);
}

#[test]
fn cancel_drops_the_task_here_and_now() {
    let pool = pool(1);
    let (first, gate) = gated(&pool, ());
    let captured = Arc::new(());
    let task = {
        let captured = captured.clone();
        pool.spawn_handle(move || drop(captured))
    };
    assert_eq!(Arc::strong_count(&captured), 2);
    assert!(task.cancel());
    assert_eq!(Arc::strong_count(&captured), 1);
    assert!(!task.cancel(), "once");
    assert!(task.is_finished());
    assert!(task.join().unwrap_err().is::<Cancelled>());
    gate.open();
    first.join().unwrap();
}

/// Each task is run or dropped, never both, never neither; and what it captures is dropped
/// once.
#[test]
fn a_task_is_either_run_or_cancelled() {
    for pool in pools() {
        let (ran, dropped) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (mut cancelled, rounds) = (0, 5000);
        for round in 0..rounds {
            let (ran_too, dropped_too) = (ran.clone(), dropped.clone());
            let guard = OnDrop(move || {
                dropped_too.fetch_add(1, Ordering::Relaxed);
            });
            let task = pool.spawn_handle(move || {
                ran_too.fetch_add(1, Ordering::Relaxed);
                drop(guard);
            });
            for _ in 0..round % 100 {
                std::hint::spin_loop();
            }
            let success = task.cancel();
            cancelled += usize::from(success);
            assert_eq!(task.join().is_err_and(|payload| payload.is::<Cancelled>()), success);
            assert_eq!(ran.load(Ordering::Relaxed) + cancelled, round + 1);
            assert_eq!(dropped.load(Ordering::Relaxed), round + 1);
        }
    }
}

#[test]
fn of_several_cancellers_one_succeeds() {
    let pool = pool(1);
    for _ in 0..100 {
        let (first, gate) = gated(&pool, ());
        let (task, successes) = (pool.spawn_handle(|| ()), AtomicUsize::new(0));
        thread::scope(|threads| {
            for _ in 0..3 {
                threads.spawn(|| successes.fetch_add(task.cancel().into(), Ordering::Relaxed));
            }
        });
        assert_eq!(successes.into_inner(), 1);
        gate.open();
        first.join().unwrap();
    }
}

#[test]
fn on_a_worker_join_runs_a_task_that_has_not_started() {
    let ran_here = pool(1).install(|| {
        let here = thread::current().id();
        filch::spawn_handle(move || thread::current().id() == here).join().unwrap()
    });
    assert!(ran_here);
}

#[test]
fn on_a_worker_join_waits_for_a_task_that_has_started() {
    let pool = sleeping_pool(2);
    pool.install(|| {
        let here = filch::current_thread_index();
        let (begun, go) = (Arc::new(Gate::default()), Arc::new(Gate::default()));
        let task = {
            let (begun, go) = (begun.clone(), go.clone());
            filch::spawn_handle(move || {
                begun.open();
                go.wait();
                filch::current_thread_index()
            })
        };
        begun.wait();
        thread::scope(|threads| {
            let parks = pool.counters().parks;
            let (pool, go) = (&pool, &go);
            // Opened by nobody before the waiter sleeps.
            threads.spawn(move || {
                wait_until(|| pool.counters().parks > parks);
                go.open();
            });
            assert_ne!(task.join().unwrap(), here);
        });
    });
}

#[test]
fn join_on_a_worker_runs_nothing_else() {
    let other = Arc::new(Gate::default());
    let open = other.clone();
    pool(1).install(|| {
        let task = filch::spawn_handle(|| 1);
        filch::spawn(move || open.open());
        assert_eq!(task.join().unwrap(), 1);
        assert!(!other.is_open());
    });
    other.wait();
}

#[test]
fn a_worker_may_join_a_task_of_another_pool() {
    let (ours, theirs) = (sleeping_pool(1), pool(1));
    let (task, gate) = gated(&theirs, "theirs");
    thread::scope(|threads| {
        threads.spawn(|| {
            wait_until(|| ours.counters().parks == 2);
            gate.open();
        });
        assert_eq!(ours.install(|| task.join().unwrap()), "theirs");
    });
    assert_eq!(ours.install(|| theirs.spawn_handle(|| 1).join().unwrap()), 1);
}

#[test]
fn a_handle_is_a_future() {
    for pool in pools() {
        let sum = block_on(async {
            let (a, b) = (pool.spawn_handle(|| fib(10)), pool.spawn_handle(|| fib(11)));
            a.await.unwrap() + b.await.unwrap()
        });
        assert_eq!(sum, 144);
        let payload = block_on(pool.spawn_handle(|| explode("oh no"))).unwrap_err();
        assert_eq!(text(&*payload), "oh no");
    }
}

#[test]
fn completion_wakes_the_last_waker_once() {
    let pool = pool(1);
    let (mut task, gate) = gated(&pool, 7);
    let (old, new) = (Wakes::new(), Wakes::new());
    for wakes in [&old, &new, &old, &new] {
        assert!(poll(&mut task, wakes).is_pending());
    }
    assert_eq!(Arc::strong_count(&old), 1, "the latch has let go of it");
    gate.open();
    wait_until(|| new.count() == 1);
    assert!(matches!(poll(&mut task, &new), Poll::Ready(Ok(7))));
    assert_eq!((old.count(), new.count()), (0, 1));
    wait_until(|| Arc::strong_count(&new) == 1);
}

#[test]
fn cancelling_wakes_whoever_polled() {
    let pool = pool(1);
    let (first, gate) = gated(&pool, ());
    let (mut task, wakes) = (pool.spawn_handle(|| ()), Wakes::new());
    assert!(poll(&mut task, &wakes).is_pending());
    assert!(task.cancel());
    assert_eq!(wakes.count(), 1);
    assert!(block_on(task).unwrap_err().is::<Cancelled>());
    gate.open();
    first.join().unwrap();
}

#[test]
fn a_handle_may_be_dropped_or_joined_after_a_poll() {
    let pool = pool(1);
    for joins in [false, true] {
        let (mut task, gate) = gated(&pool, "late");
        let wakes = Wakes::new();
        assert!(poll(&mut task, &wakes).is_pending());
        if joins {
            let open = gate.clone();
            let opener = thread::spawn(move || open.open());
            assert_eq!(task.join().unwrap(), "late");
            opener.join().unwrap();
        } else {
            drop(task);
            gate.open();
        }
        wait_until(|| Arc::strong_count(&wakes) == 1);
    }
}

#[test]
fn wakers_race_with_completion_and_lose_no_wake() {
    let pool = pool(2);
    for i in 0..5000 {
        assert_eq!(block_on(pool.spawn_handle(move || i)).unwrap(), i);
    }
}

#[test]
fn a_worker_survives_a_waker_that_panics() {
    struct Bomb;
    impl Wake for Bomb {
        fn wake(self: Arc<Self>) {
            resume_unwind(Box::new("bomb"));
        }
    }
    child_succeeds("a_worker_survives_a_waker_that_panics", &[], || {
        let pool = Pool::from(builder(1).panic_handler(|_| ()));
        let (mut task, gate) = gated(&pool, ());
        let bomb = Waker::from(Arc::new(Bomb));
        assert!(Pin::new(&mut task).poll(&mut Context::from_waker(&bomb)).is_pending());
        gate.open();
        assert_eq!(pool.install(|| 1), 1);
    });
}

#[test]
fn failures_are_counted_however_a_task_fails() {
    let pool = pool(2);
    let failures = || pool.counters().failures;
    let ok = pool.try_spawn_handle(|| Ok::<_, String>(1));
    assert_eq!(ok.join().unwrap(), Ok(1));
    assert_eq!(failures(), 0);
    let error = pool.try_spawn_handle(|| Err::<u32, _>("no".to_owned()));
    assert_eq!(error.join().unwrap(), Err("no".to_owned()));
    assert_eq!(failures(), 1);
    // From a worker, which runs the task itself.
    let inside = pool.install(|| filch::try_spawn_handle(|| Err::<u32, _>("no")).join());
    assert_eq!((inside.unwrap(), failures()), (Err("no"), 2));
    assert!(pool.spawn_handle(|| explode("handle")).join().is_err());
    assert_eq!(failures(), 3);
    panic_of(|| pool.scope(|scope| scope.spawn(|_| explode("scope"))));
    assert_eq!(failures(), 4);
    assert_eq!(pool.try_spawn_handle(|| Ok::<_, ()>(())).join().unwrap(), Ok(()));
    assert_eq!(failures(), 4);
    let workers = pool.snapshot().workers;
    assert_eq!(workers.iter().map(|worker| worker.counters.failures).sum::<u64>(), 4);
    let failed = workers.iter().find(|worker| worker.counters.failures > 0).unwrap();
    assert!(failed.error_rate() > 0.0 && failed.error_rate() <= 1.0);
}
