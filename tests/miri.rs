//! Small pools at full overlap, for Miri (which finds what models of single protocols
//! can't: aliasing, frees, and races of the real deques), and quick enough to run natively.

#[path = "common/block_on.rs"]
mod block_on;
#[path = "miri/leases.rs"]
mod leases;
#[path = "miri/life.rs"]
mod life;
#[path = "miri/limits.rs"]
mod limits;

use block_on::block_on;
use filch::{CountingAlloc, ThreadPool, ThreadPoolBuilder};
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;

/// So that each allocation of a worker's looks for its balance, as long as the thread lives.
#[global_allocator]
static ALLOCATOR: CountingAlloc = CountingAlloc::system();

fn pool(workers: usize) -> ThreadPool {
    ThreadPoolBuilder::new().num_threads(workers).build().unwrap()
}

/// Counts when it is dropped.
struct Guard<C: Deref<Target = AtomicUsize>>(C);

impl<C: Deref<Target = AtomicUsize>> Drop for Guard<C> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// How often the closure has been called, or a clone of it.
fn count_in() -> (Arc<AtomicUsize>, impl Fn() + Clone + Send + Sync + 'static) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    (count, move || _ = counted.fetch_add(1, Ordering::Relaxed))
}

fn wait_until(condition: impl Fn() -> bool) {
    while !condition() {
        thread::yield_now();
    }
}

/// What a future has by now, without a wake when it has more.
fn poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    match Pin::new(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

fn fib(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let (a, b) = filch::join(|| fib(n - 1), || fib(n - 2));
    a + b
}

#[test]
fn joins_are_shared_and_taken_back() {
    for workers in 1..=3 {
        let pool = pool(workers);
        assert_eq!(pool.install(|| fib(7)), 13);
        assert_eq!(pool.counters().joins, 20);
    }
}

#[test]
fn two_callers_share_a_pool() {
    let pool = pool(2);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| assert_eq!(pool.install(|| fib(7)), 13));
        }
    });
}

#[test]
fn tasks_of_scopes_borrow_and_nest() {
    let pool = pool(2);
    let count = AtomicUsize::new(0);
    let add = || {
        count.fetch_add(1, Ordering::Relaxed);
    };
    pool.scope(|outer| {
        for _ in 0..3 {
            outer.spawn(|outer| {
                filch::scope(|inner| {
                    inner.spawn(|_| add());
                    outer.spawn(|_| add());
                    inner.spawn(|_| add());
                });
                outer.spawn_broadcast(|_, _| add());
            });
        }
    });
    assert_eq!(count.into_inner(), 3 * (3 + 2));
}

#[test]
fn fifo_tickets_outlive_their_tasks() {
    let pool = pool(2);
    let count = AtomicUsize::new(0);
    pool.scope_fifo(|scope| {
        for _ in 0..6 {
            scope.spawn_fifo(|_| {
                count.fetch_add(1, Ordering::Relaxed);
            });
        }
    });
    assert_eq!(count.into_inner(), 6);
}

#[test]
fn handles_are_joined_cancelled_and_dropped() {
    let pool = pool(2);
    let handles: Vec<_> = (0..6).map(|i| pool.spawn_handle(move || i)).collect();
    for (i, handle) in handles.into_iter().enumerate() {
        if i % 3 == 0 {
            drop(handle);
        } else if i % 3 == 1 {
            let cancelled = handle.cancel();
            assert_eq!(handle.join().is_err(), cancelled);
        } else {
            assert_eq!(handle.join().unwrap(), i);
        }
    }
}

#[test]
fn cancelled_tasks_are_dropped_while_what_they_borrow_is_there() {
    let pool = pool(2);
    let (grown, dropped) = (AtomicUsize::new(0), AtomicUsize::new(0));
    pool.in_place_scope(|scope| {
        for i in 0..6 {
            let guard = Guard(&dropped);
            scope.spawn(|scope| {
                let _guard = guard;
                scope.spawn(|_| _ = grown.fetch_add(1, Ordering::Relaxed));
            });
            if i == 3 {
                scope.cancel();
            }
        }
    });
    assert_eq!(dropped.into_inner(), 6);
    // Each that has begun has spawned one more.
    assert_eq!(grown.into_inner() as u64 + pool.counters().cancelled, 6);
    let token = filch::CancelToken::new();
    let task = filch::TaskBuilder::new().pool(&pool).token(&token);
    let tasks: Vec<_> = (0..4).map(|i| task.spawn_handle(move || Box::new(i))).collect();
    token.cancel();
    for (i, task) in tasks.into_iter().enumerate() {
        match task.join() {
            Ok(result) => assert_eq!(*result, i),
            Err(payload) => assert!(payload.is::<filch::Cancelled>()),
        }
    }
}

#[test]
fn panics_cross_threads() {
    let pool = pool(2);
    let caught = std::panic::catch_unwind(|| {
        pool.install(|| filch::join(|| fib(5), || panic!("b")));
    });
    assert!(caught.is_err());
    assert!(pool.spawn_handle(|| panic!("task")).join().is_err());
}

#[test]
fn broadcasts_meet_in_the_arms_of_a_join() {
    let pool = pool(2);
    let (a, b) = pool.join(|| filch::broadcast(|c| c.index()), || filch::broadcast(|_| 7));
    assert_eq!((a, b), (vec![0, 1], vec![7, 7]));
}

#[test]
fn pools_call_each_other() {
    let (a, b) = (pool(1), pool(1));
    assert_eq!(a.install(|| b.install(|| a.install(|| 1))), 1);
}

#[test]
fn a_guest_does_all_the_work_alone() {
    let pool = ThreadPoolBuilder::new().num_threads(1).use_current_thread().build().unwrap();
    assert_eq!(pool.install(|| fib(5)), 5);
    let handle = pool.spawn_handle(|| filch::spawn_handle(|| 2).join().unwrap());
    assert_eq!(handle.join().unwrap(), 2);
    filch::spawn(|| ());
    pool.shutdown().unwrap();
    assert_eq!(filch::current_thread_index(), None);
}

#[test]
fn a_dropped_pool_finishes_its_tasks() {
    let (pool, (ran, count)) = (pool(2), count_in());
    for _ in 0..4 {
        let count = count.clone();
        pool.spawn(move || filch::spawn(count));
    }
    drop(pool);
    assert_eq!(ran.load(Ordering::Relaxed), 4);
}

#[test]
fn a_spare_takes_the_place_of_a_worker_that_blocks() {
    let pool = ThreadPoolBuilder::new().num_threads(1).max_threads(3).build().unwrap();
    for _ in 0..2 {
        let (sender, receiver) = std::sync::mpsc::channel();
        let received = pool.spawn_handle(move || filch::blocking(|| receiver.recv().unwrap()));
        pool.spawn(move || sender.send(42).unwrap());
        assert_eq!(received.join().unwrap(), 42);
    }
    let (sender, receiver) = std::sync::mpsc::channel();
    pool.join(
        move || filch::blocking(|| receiver.recv().unwrap()),
        || {
            filch::join(|| (), || ());
            sender.send(()).unwrap();
        },
    );
}
