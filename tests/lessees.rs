//! Who may wait for a lease, and who would wait for itself.
#![cfg(not(loom))]

mod common;

use common::*;
use filch::{Lease, Refusal, Request, Resource, Scope, ThreadPoolBuilder};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

const MOMENT: Duration = Duration::from_millis(1);

fn ten(workers: usize) -> ThreadPoolBuilder {
    builder(workers).budget(Resource::Memory, 10)
}

fn units(units: u64) -> Request {
    Request::new().memory(units)
}

/// Says why there is no lease for it.
fn refused(pool: &Pool, amount: u64) -> Refusal {
    pool.acquire_timeout(&units(amount), MOMENT).unwrap_err()
}

/// Runs `b` on another worker than `a`, at the same time.
fn apart<RA: Send, RB: Send>(
    a: impl FnOnce() -> RA + Send,
    b: impl FnOnce() -> RB + Send,
) -> (RA, RB) {
    let begun = AtomicUsize::new(0);
    let meet = || {
        begun.fetch_add(1, Ordering::SeqCst);
        wait_until(|| begun.load(Ordering::SeqCst) == 2);
    };
    filch::join(
        || {
            meet();
            a()
        },
        || {
            meet();
            b()
        },
    )
}

#[test]
fn a_stolen_part_of_a_join_does_not_wait_for_what_its_whole_holds() {
    let pool = Pool::from(ten(2));
    pool.install(|| {
        let lease = pool.acquire(&units(6)).unwrap();
        let ((), (large, fits)) = apart(
            || (),
            || {
                let large = pool.acquire(&units(5)).unwrap_err();
                // A part of the part, which may be stolen back.
                let inner = apart(|| (), || pool.acquire(&units(5)).unwrap_err()).1;
                assert_eq!(large, inner);
                (large, pool.acquire(&units(4)).is_ok())
            },
        );
        assert_eq!((large, fits), (Refusal::WouldDeadlock, true));
        drop(lease);
        // Nobody holds anything now.
        let held = pool.spawn_handle(|| 0);
        assert_eq!(apart(|| (), || pool.acquire(&units(10)).is_ok()).1, held.join().is_ok());
    });
}

#[test]
fn one_half_of_a_join_may_wait_for_the_other_s_lease() {
    let pool = Pool::from(ten(2));
    let (first, second) = pool.install(|| {
        let tries = AtomicUsize::new(0);
        let half = || {
            let lease = pool.acquire(&units(6)).unwrap();
            // The other one is waiting for this, or has had its own.
            let tried = tries.fetch_add(1, Ordering::SeqCst);
            thread::sleep(MOMENT);
            drop(lease);
            tried
        };
        apart(half, half)
    });
    assert_eq!(first + second, 1);
}

#[test]
fn tasks_of_a_scope_do_not_wait_for_what_its_owner_holds() {
    let pool = Pool::from(ten(2));
    let refusals = |spawn: &(dyn Fn(&(dyn Fn() + Sync)) + Sync)| {
        let refusals = AtomicUsize::new(0);
        spawn(&|| {
            assert_eq!(pool.acquire(&units(5)).unwrap_err(), Refusal::WouldDeadlock);
            refusals.fetch_add(1, Ordering::SeqCst);
        });
        assert_eq!(refusals.into_inner(), 4);
    };
    // By a worker, by a thread outside, and by a task that an outside thread waits for.
    pool.install(|| {
        let _lease = pool.acquire(&units(6)).unwrap();
        refusals(&|task| pool.scope(|scope| (0..4).for_each(|_| scope.spawn(|_| task()))));
    });
    let _lease = pool.acquire(&units(6)).unwrap();
    refusals(&|task| pool.in_place_scope(|scope| (0..4).for_each(|_| scope.spawn(|_| task()))));
    refusals(&|task| pool.scope_fifo(|scope| (0..4).for_each(|_| scope.spawn_fifo(|_| task()))));
    refusals(&|task| (0..4).for_each(|_| pool.install(task)));
}

/// Tries again in another task, as the owner may not have come to its wait yet.
fn until_refused<'s>(scope: &Scope<'s>, pool: &'s Pool, tries: usize) {
    assert!(tries > 0, "its owner waits with a lease, and nobody says so");
    match refused(pool, 5) {
        Refusal::WouldDeadlock => {}
        _ => scope.spawn(move |scope| until_refused(scope, pool, tries - 1)),
    }
}

#[test]
fn what_a_scope_s_body_keeps_is_its_owner_s_too() {
    let pool = Pool::from(ten(2));
    let kept = pool.install(|| {
        let mut kept = None;
        filch::scope(|scope| {
            let lease = pool.acquire(&units(6)).unwrap();
            scope.spawn(|scope| until_refused(scope, &pool, 10_000));
            kept = Some(lease);
        });
        kept
    });
    assert_eq!(kept.unwrap().amount(Resource::Memory), 6);
}

#[test]
fn two_who_hold_what_the_other_one_wants_are_both_told() {
    let pool = Pool::from(ten(2));
    let both = pool.install(|| {
        let met = AtomicUsize::new(0);
        let meet = |times: usize| {
            met.fetch_add(1, Ordering::SeqCst);
            wait_until(|| met.load(Ordering::SeqCst) >= 2 * times);
        };
        let half = || {
            let lease = pool.acquire(&units(5)).unwrap();
            meet(1);
            let refusal = pool.acquire(&units(1)).unwrap_err();
            meet(2);
            drop(lease);
            refusal
        };
        filch::join(half, half)
    });
    assert_eq!(both, (Refusal::WouldDeadlock, Refusal::WouldDeadlock));
}

#[test]
fn a_worker_whose_task_has_given_its_lease_away_holds_nothing() {
    let pool = Pool::from(ten(1));
    let lease: Lease = pool.install(|| pool.acquire(&units(6)).unwrap());
    assert_eq!(pool.install(|| refused(&pool, 5)), Refusal::TimedOut);
    assert_eq!(refused(&pool, 5), Refusal::TimedOut, "nor does this thread");
    drop(lease);
    assert!(pool.install(|| pool.acquire(&units(10)).is_ok()));
}

#[test]
fn a_task_in_the_midst_of_another_one_has_nothing_of_that_one_s() {
    let pool = Pool::from(ten(1));
    let sum = AtomicU64::new(0);
    pool.install(|| {
        let _lease = pool.acquire(&units(6)).unwrap();
        filch::spawn(|| ());
        filch::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|_| {
                    // Of this one, which its brothers don't wait with.
                    let _own = pool.acquire(&units(4)).unwrap();
                    sum.fetch_add(1, Ordering::Relaxed);
                });
            }
        });
        assert_eq!(fib(20), 6765);
    });
    assert_eq!((sum.into_inner(), pool.budget(Resource::Memory).free), (3, 10));
}

#[test]
fn the_last_worker_does_not_wait() {
    let pool = Pool::from(ten(2).max_threads(2));
    let lease = pool.acquire(&units(6)).unwrap();
    let (sender, receiver) = channel();
    let waits = || {
        let sender = sender.clone();
        pool.spawn_handle(move || {
            let outcome = filch::acquire(&units(5)).map(|lease| lease.amount(Resource::Memory));
            sender.send(outcome).unwrap();
        })
    };
    let both = [waits(), waits()];
    let refused = receiver.recv().unwrap().unwrap_err();
    assert_eq!(refused, Refusal::Saturated);
    assert!(refused.to_string().contains("max_threads"), "{refused}");
    // The other one waits, and there is somebody to run this.
    assert!(pool.install(|| true));
    drop(lease);
    assert_eq!(receiver.recv().unwrap(), Ok(5));
    both.into_iter().for_each(|task| task.join().unwrap());
}

#[test]
fn a_holder_s_children_run_though_all_others_wait_for_it() {
    let pool = Pool::from(ten(2).max_threads(3));
    let count = AtomicUsize::new(0);
    let (sender, receiver) = channel();
    pool.install(|| {
        let lease = pool.acquire(&units(10)).unwrap();
        for _ in 0..4 {
            let sender = sender.clone();
            filch::spawn(move || sender.send(filch::acquire(&units(1)).is_ok()).unwrap());
        }
        filch::scope(|scope| {
            for _ in 0..100 {
                scope.spawn(|scope| {
                    scope.spawn(|_| _ = count.fetch_add(1, Ordering::Relaxed));
                    count.fetch_add(fib(5) as usize / 5, Ordering::Relaxed);
                });
            }
        });
        drop(lease);
    });
    assert_eq!(count.into_inner(), 200);
    drop(sender);
    // Those that were the last to run were refused, the others got it in the end.
    assert_eq!(receiver.iter().count(), 4);
}

#[test]
fn one_that_has_slept_is_the_last_worker_all_the_same() {
    let pool = Pool::from(ten(1).max_threads(2));
    // By a thread that has ended: no task waits with it.
    let take = || pool.acquire(&units(10)).unwrap();
    let lease = thread::scope(|scope| scope.spawn(take).join().unwrap());
    let phase = Arc::new(AtomicUsize::new(0));
    let (sender, receiver) = channel();
    let spawn = |before: fn(&AtomicUsize)| {
        let (phase, sender) = (Arc::clone(&phase), sender.clone());
        pool.spawn(move || {
            before(&phase);
            sender.send(filch::acquire(&units(1)).map(drop)).unwrap();
        });
    };
    spawn(|phase| {
        filch::blocking(|| wait_until(|| phase.load(Ordering::SeqCst) == 1));
        phase.store(2, Ordering::SeqCst);
        // Until the other one waits, and the watch has found this one asleep.
        thread::sleep(Duration::from_millis(1500));
    });
    spawn(|phase| {
        phase.store(1, Ordering::SeqCst);
        while phase.load(Ordering::SeqCst) != 2 {
            std::hint::spin_loop();
        }
    });
    assert_eq!(receiver.recv().unwrap().unwrap_err(), Refusal::Saturated);
    drop(lease);
    assert_eq!(receiver.recv().unwrap(), Ok(()));
}

#[test]
fn parts_of_a_broadcast_do_not_wait_for_what_its_caller_holds() {
    let pool = Pool::from(ten(2));
    let _lease = pool.acquire(&units(6)).unwrap();
    let refusals = pool.broadcast(|_| pool.acquire(&units(5)).unwrap_err());
    assert_eq!(refusals, [Refusal::WouldDeadlock; 2]);
}
