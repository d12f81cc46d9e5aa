//! A process that is forked has copies of its pools, and none of their threads: the child is told so, and never waits for them.
#![cfg(all(target_os = "linux", not(miri), not(loom)))]

mod common;

use common::*;
use filch::{Refusal, Rejection, Request, TaskBuilder, ThreadPoolBuilder};
use std::future::Future;
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

/// How a child ends that does this. One that hangs is killed.
fn fork(body: impl FnOnce()) -> ExitStatus {
    // SAFETY: whatever the child calls is what these tests are about; glibc's allocator works there.
    let child = unsafe { libc::fork() };
    assert!(child >= 0);
    if child == 0 {
        // SAFETY: both are for signal handlers even.
        unsafe { libc::alarm(60) };
        let code = i32::from(catch_unwind(AssertUnwindSafe(body)).is_err());
        // SAFETY: as above.
        unsafe { libc::_exit(code) };
    }
    wait(child)
}

fn wait(child: libc::pid_t) -> ExitStatus {
    let mut status = 0;
    // SAFETY: the status has a place.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    ExitStatus::from_raw(status)
}

fn ends_well(body: impl FnOnce()) {
    let status = fork(body);
    assert!(status.success(), "{status}");
}

fn aborts(body: impl FnOnce()) {
    let status = fork(body);
    assert_eq!(status.signal(), Some(libc::SIGABRT), "{status}");
}

/// A process of its own that forks: this one's other tests have threads, too. What it writes in the end has to contain that.
fn forks(test: &str, says: &str, body: impl FnOnce()) {
    if let Some(output) = in_child(test, &[], body) {
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && stderr.contains(says), "{}\n{stderr}", output.status);
    }
}

const NOT_OURS: &str = "the thread pool is the parent process's";
const NO_THREADS: &str = "a forked child waits for threads of a pool";

/// It says so by a panic.
fn is_refused<R>(verb: impl FnOnce() -> R) {
    let message = panic_of(verb);
    assert!(message.contains(NOT_OURS), "{message}");
}

#[test]
fn every_verb_says_that_the_pool_is_the_parents() {
    forks("every_verb_says_that_the_pool_is_the_parents", "", || {
        let pool = pool(2);
        assert_eq!(pool.install(|| fib(10)), 55);
        ends_well(|| {
            is_refused(|| pool.install(|| ()));
            // Whose last call was short, so it would spin for the next.
            is_refused(|| pool.install(|| ()));
            is_refused(|| pool.join(|| (), || ()));
            is_refused(|| pool.scope(|_| ()));
            is_refused(|| pool.in_place_scope(|scope| scope.spawn(|_| ())));
            is_refused(|| pool.in_place_scope_fifo(|scope| scope.spawn_fifo(|_| ())));
            is_refused(|| pool.spawn(|| ()));
            is_refused(|| pool.spawn_fifo(|| ()));
            is_refused(|| drop(pool.spawn_handle(|| ())));
            is_refused(|| TaskBuilder::new().pool(&pool).spawn(|| ()));
            is_refused(|| pool.spawn_placed(|| ()));
            is_refused(|| pool.broadcast(|_| ()));
            is_refused(|| pool.spawn_broadcast(|_| ()));
            assert_eq!(pool.try_spawn(|| ()).unwrap_err().reason, Rejection::Forked);
            let request = Request::new().memory(1);
            let refused = [
                pool.acquire(&request).err(),
                pool.try_acquire(&request).err(),
                pool.acquire_async(&request).err(),
            ];
            assert_eq!(refused, [Some(Refusal::Forked); 3]);
            assert_eq!(pool.spawn_with(&request, |_| ()).unwrap_err(), Refusal::Forked);
            let error = pool.shutdown().unwrap_err().to_string();
            assert!(error.contains(NOT_OURS), "{error}");
            // Nobody has to be asked for that.
            assert_eq!((pool.current_num_threads(), pool.current_thread_index()), (2, None));
        });
        assert_eq!(pool.install(|| fib(10)), 55, "the parent goes on");
    });
}

#[test]
fn a_full_pool_does_not_make_the_child_wait_for_room() {
    forks("a_full_pool_does_not_make_the_child_wait_for_room", "", || {
        let (pool, gate) = (Pool::from(builder(1).max_queued(1)), Arc::new(Gate::default()));
        let (begun, held) = (Arc::new(Gate::default()), Arc::clone(&gate));
        let told = Arc::clone(&begun);
        pool.spawn(move || {
            told.open();
            held.wait();
        });
        begun.wait();
        pool.spawn(|| ());
        ends_well(|| {
            is_refused(|| pool.spawn(|| ()));
            let mut context = Context::from_waker(Waker::noop());
            let polled = pin!(pool.spawn_async(|| ())).poll(&mut context);
            let reason = polled.map(|outcome| outcome.unwrap_err().reason);
            assert_eq!(reason, Poll::Ready(Rejection::Forked));
        });
        gate.open();
    });
}

#[test]
fn the_global_pool_is_the_parents_too() {
    forks("the_global_pool_is_the_parents_too", "", || {
        assert_eq!(fib(10), 55);
        ends_well(|| {
            is_refused(|| filch::join(|| (), || ()));
            is_refused(|| filch::scope(|_| ()));
            is_refused(|| filch::spawn(|| ()));
            is_refused(|| filch::broadcast(|_| ()));
            assert_eq!(filch::try_acquire(&Request::new().memory(1)).unwrap_err(), Refusal::Forked);
            assert!(filch::shutdown_global().is_err());
            let own = builder(2).build().unwrap();
            assert_eq!(own.install(|| fib(10)), 55, "in a pool of its own they work");
        });
        filch::shutdown_global().unwrap();
    });
}

#[test]
fn handles_of_the_parents_tasks_have_a_result_or_say_so() {
    forks("handles_of_the_parents_tasks_have_a_result_or_say_so", "", || {
        let (pool, gate) = (pool(1), Arc::new(Gate::default()));
        let done = pool.spawn_handle(|| 1);
        wait_until(|| done.is_finished());
        let held = Arc::clone(&gate);
        let runs = pool.spawn_handle(move || held.wait());
        let mut handles = Some((done, runs));
        ends_well(|| {
            let (done, mut runs) = handles.take().unwrap();
            assert_eq!(done.join().unwrap(), 1);
            let mut context = Context::from_waker(Waker::noop());
            is_refused(|| pin!(&mut runs).poll(&mut context));
            is_refused(|| runs.join());
        });
        gate.open();
        handles.unwrap().1.join().unwrap();
    });
}

#[test]
fn a_drop_in_the_child_returns_and_leaves_the_tasks_to_the_parent() {
    forks("a_drop_in_the_child_returns_and_leaves_the_tasks_to_the_parent", "", || {
        let drops = Arc::new(AtomicUsize::new(0));
        let (dropped, gate) = (Arc::clone(&drops), Arc::new(Gate::default()));
        let held = Arc::clone(&gate);
        let mut pool = Some(builder(1).build().unwrap());
        pool.as_ref().unwrap().spawn(move || held.wait());
        let queued = OnDrop(move || _ = dropped.fetch_add(1, Ordering::Relaxed));
        pool.as_ref().unwrap().spawn(move || drop(queued));
        ends_well(|| {
            drop(pool.take());
            assert_eq!(drops.load(Ordering::Relaxed), 0);
            // Threads whose addresses are those of the ones that are gone are joined as they should be.
            for _ in 0..5 {
                assert_eq!(builder(3).build().unwrap().install(|| fib(10)), 55);
            }
        });
        ends_well(|| pool.take().unwrap().detach());
        gate.open();
        drop(pool);
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn pools_of_the_child_and_of_its_child_work() {
    forks("pools_of_the_child_and_of_its_child_work", "", || {
        let pool = pool(2);
        pool.install(|| fib(15));
        ends_well(|| {
            let own = builder(4).build().unwrap();
            assert_eq!(own.install(|| fib(15)), 610);
            ends_well(|| {
                is_refused(|| own.install(|| ()));
                is_refused(|| pool.install(|| ()));
                let own = builder(2).build().unwrap();
                assert_eq!(own.install(|| fib(15)), 610);
                own.shutdown().unwrap();
            });
            assert_eq!(own.install(|| fib(15)), 610);
            wait_until(|| own.snapshot().memory.current.utilisation.is_ok());
        });
        assert_eq!(pool.install(|| fib(15)), 610);
    });
}

#[test]
fn a_scope_that_waits_for_the_parents_tasks_aborts() {
    forks("a_scope_that_waits_for_the_parents_tasks_aborts", NO_THREADS, || {
        let (pool, gate) = (pool(1), Gate::default());
        let mut child = 0;
        pool.in_place_scope(|scope| {
            scope.spawn(|_| gate.wait());
            // SAFETY: the child does nothing but wait, and abort.
            child = unsafe { libc::fork() };
            if child > 0 {
                gate.open();
            }
        });
        assert_eq!(wait(child).signal(), Some(libc::SIGABRT));
    });
}

#[test]
fn a_task_that_forks_goes_on_alone_in_the_child() {
    forks("a_task_that_forks_goes_on_alone_in_the_child", "", || {
        let pool = pool(4);
        pool.install(|| {
            ends_well(|| {
                assert_eq!(fib(15), 610);
                let ran = AtomicUsize::new(0);
                filch::scope(|scope| {
                    (0..100).for_each(|_| scope.spawn(|_| _ = ran.fetch_add(1, Ordering::Relaxed)));
                });
                assert_eq!(ran.into_inner(), 100);
                assert_eq!(pool.spawn_handle(|| 1).join().unwrap(), 1);
                assert!(pool.shutdown().is_err());
                let own = builder(2).build().unwrap();
                assert_eq!(own.install(|| fib(15)), 610);
                assert_eq!(own.spawn_handle(|| 2).join().unwrap(), 2);
                let mut parts = [0; 3];
                own.in_place_scope(|scope| {
                    parts.iter_mut().for_each(|part| scope.spawn(move |_| *part = 1));
                });
                assert_eq!(parts, [1; 3]);
                own.shutdown().unwrap();
            });
        });
        assert_eq!(pool.install(|| fib(15)), 610);
    });
}

#[test]
fn a_task_that_forks_aborts_where_it_needs_others() {
    forks("a_task_that_forks_aborts_where_it_needs_others", NO_THREADS, || {
        let pool = pool(2);
        pool.install(|| aborts(|| _ = filch::broadcast(|_| ())));
        let begun = Gate::default();
        let over = Gate::default();
        pool.install(|| {
            filch::join(
                || {
                    // Another worker is at it.
                    begun.wait();
                    // SAFETY: the child goes back into the join.
                    let child = unsafe { libc::fork() };
                    if child > 0 {
                        let status = wait(child);
                        over.open();
                        assert_eq!(status.signal(), Some(libc::SIGABRT), "{status}");
                    }
                },
                || {
                    begun.open();
                    over.wait();
                },
            );
        });
    });
}

#[test]
fn a_task_that_comes_to_its_end_in_the_child_aborts_and_runs_no_other() {
    let test = "a_task_that_comes_to_its_end_in_the_child_aborts_and_runs_no_other";
    forks(test, NO_THREADS, || {
        let (pool, parent) = (pool(1), std::process::id());
        let status = pool.spawn_handle(move || {
            // The only worker, so it comes after this one.
            filch::spawn(move || {
                if std::process::id() != parent {
                    // SAFETY: never gets here.
                    unsafe { libc::_exit(7) };
                }
            });
            // SAFETY: the child returns into the loop.
            match unsafe { libc::fork() } {
                0 => None,
                child => Some(wait(child)),
            }
        });
        let status = status.join().unwrap().unwrap();
        assert_eq!(status.signal(), Some(libc::SIGABRT), "{status}");
    });
}

#[test]
fn a_guest_that_forks_goes_on_alone() {
    forks("a_guest_that_forks_goes_on_alone", "", || {
        on_new_thread(|| {
            let pool =
                ThreadPoolBuilder::new().num_threads(3).use_current_thread().build().unwrap();
            assert_eq!(fib(15), 610);
            let mut pool = Some(pool);
            ends_well(|| {
                assert_eq!(fib(15), 610);
                is_refused(|| filch::spawn(|| ()));
                drop(pool.take());
                let own = builder(2).build().unwrap();
                assert_eq!(own.install(|| fib(15)), 610);
            });
            assert_eq!(fib(15), 610);
            // Nor is it held up by the destructors of its thread's locals, by which a guest leaves.
            ends_well(|| std::process::exit(0));
            pool.unwrap().shutdown().unwrap();
        });
    });
}
