//! Leases that grow while nobody else wants what there is, and shrink when somebody does.
#![cfg(all(not(loom), not(miri), target_os = "linux"))]

mod common;

use common::*;
use filch::{Lease, Request, Resource};
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

fn hundred() -> Pool {
    Pool::from(builder(2).budget(Resource::Memory, 100))
}

fn units(units: u64) -> Request {
    Request::new().memory(units)
}

/// A look at elastic leases may have some for a moment that is given back at once, as one has ended meanwhile.
fn free(pool: &Pool) -> u64 {
    pool.budget(Resource::Memory).free
}

fn granted(lease: &Lease) -> u64 {
    lease.granted(Resource::Memory)
}

#[test]
fn an_elastic_lease_has_what_nobody_else_wants_and_gives_it_back_when_its_holder_says_so() {
    let pool = hundred();
    let lease = pool.acquire(&units(10).up_to(Resource::Memory, 80)).unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&told);
    lease.on_change(move |resource, amount| {
        assert_eq!(resource, Resource::Memory);
        tell.lock().unwrap().push(amount);
    });
    wait_until(|| granted(&lease) == 80);
    assert_eq!((free(&pool), lease.amount(Resource::Memory)), (20, 80));
    let got = AtomicU64::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            let other = pool.acquire(&units(50)).unwrap();
            got.store(other.amount(Resource::Memory), Ordering::SeqCst);
            wait_until(|| got.load(Ordering::SeqCst) == 0);
        });
        wait_until(|| granted(&lease) == 50);
        // What is in use still is nobody else's.
        assert_eq!((lease.amount(Resource::Memory), got.load(Ordering::SeqCst)), (80, 0));
        // Who is told late is told of the last change only.
        wait_until(|| told.lock().unwrap().last() == Some(&50));
        lease.settle();
        wait_until(|| got.load(Ordering::SeqCst) == 50);
        assert_eq!((granted(&lease), free(&pool)), (50, 0));
        got.store(0, Ordering::SeqCst);
        wait_until(|| granted(&lease) == 80);
    });
    // It may have been told of the first time before it wanted to be.
    wait_until(|| told.lock().unwrap().ends_with(&[50, 80]));
    drop(lease);
    wait_until(|| free(&pool) == 100);
}

#[test]
fn what_is_free_is_shared_and_no_more_is_taken_than_wanted() {
    let pool = hundred();
    let stretch = |most| pool.acquire(&units(10).up_to(Resource::Memory, most)).unwrap();
    let (small, large) = (stretch(20), stretch(1000));
    wait_until(|| (granted(&small), granted(&large)) == (20, 80));
    let plain = pool.acquire_timeout(&units(60), Duration::from_millis(200));
    assert!(plain.is_err(), "nobody has settled");
    wait_until(|| granted(&large) == 80);
    drop(large);
    wait_until(|| free(&pool) == 80);
    let mut large = stretch(1000);
    wait_until(|| granted(&large) == 80);
    large.shrink_to(Resource::Memory, 30);
    assert_eq!((granted(&large), free(&pool)), (30, 50));
    // Nor does it grow again.
    drop(small);
    let small = stretch(1000);
    wait_until(|| granted(&small) == 70);
    assert_eq!((granted(&large), free(&pool)), (30, 0));
    large.shrink_to(Resource::Memory, 5);
    wait_until(|| granted(&small) == 95);
    drop((small, large));
    wait_until(|| free(&pool) == 100);
}

#[test]
fn a_forgotten_one_is_taken_back_with_all_that_it_had() {
    let pool = hundred();
    pool.install(|| {
        let request = units(10).time_to_live(Duration::from_millis(50));
        let lease = pool.acquire(&request.up_to(Resource::Memory, 100)).unwrap();
        wait_until(|| granted(&lease) == 100);
        forget(lease);
    });
    assert_eq!(pool.acquire(&units(100)).unwrap().amount(Resource::Memory), 100);
}

#[test]
fn whatever_happens_no_more_is_booked_than_there_is() {
    let pool = hundred();
    thread::scope(|scope| {
        for seed in 1..4_u64 {
            let pool = &pool;
            scope.spawn(move || {
                for round in 0..200 {
                    let request = units(1 + (seed * 7 + round) % 20);
                    let lease = pool.acquire(&request.up_to(Resource::Memory, 60)).unwrap();
                    assert!(granted(&lease) >= 1 && lease.amount(Resource::Memory) <= 60);
                    if round % 3 == 0 {
                        thread::sleep(Duration::from_micros(200));
                    }
                    lease.settle();
                }
            });
        }
        for _ in 0..1000 {
            let budget = pool.budget(Resource::Memory);
            assert!(budget.overcommitted == 0 && budget.free <= 100, "{budget:?}");
        }
    });
    assert_eq!(free(&pool), 100);
}

#[test]
fn all_are_told_though_there_are_many() {
    let pool = Pool::from(builder(1).budget(Resource::Memory, 10_000));
    let take = || pool.try_acquire(&units(1).up_to(Resource::Memory, 10)).unwrap();
    let leases: Arc<Vec<_>> = Arc::new((0..1000).map(|_| take()).collect());
    wait_until(|| leases.iter().all(|lease| granted(lease) == 10));
    for (at, lease) in leases.iter().enumerate() {
        let leases = Arc::downgrade(&leases);
        lease.on_change(move |_, _| {
            if let Some(leases) = leases.upgrade() {
                leases[at].settle();
            }
        });
    }
    // A thread that holds none may wait.
    thread::scope(|scope| {
        let large =
            scope.spawn(|| pool.acquire(&units(9_000)).map(|lease| lease.amount(Resource::Memory)));
        assert_eq!(large.join().unwrap(), Ok(9_000));
    });
}

#[test]
fn as_much_is_asked_back_at_once_as_is_missing() {
    let pool = hundred();
    let lease = pool.acquire(&units(10).up_to(Resource::Memory, 100)).unwrap();
    wait_until(|| granted(&lease) == 100);
    pool.set_budget(Resource::Memory, 50);
    let mut waits = pool.acquire_async(&units(5)).unwrap();
    wait_until(|| granted(&lease) == 45);
    lease.settle();
    let poll = std::pin::pin!(&mut waits).poll(&mut Context::from_waker(Waker::noop()));
    assert!(poll.is_ready());
}

#[test]
fn a_holder_that_panics_when_told_is_told_of_the_next_change() {
    let pool = hundred();
    let lease = pool.acquire(&units(10).up_to(Resource::Memory, 80)).unwrap();
    wait_until(|| granted(&lease) == 80);
    lease.on_change(|_, _| explode("told"));
    let told = || pool.counters().lost_hooks;
    let other = pool.acquire_async(&units(30)).unwrap();
    wait_until(|| granted(&lease) == 70 && told() >= 1);
    lease.settle();
    let before = told();
    drop(other);
    wait_until(|| granted(&lease) == 80 && told() > before);
    drop(lease);
    wait_until(|| free(&pool) == 100);
}
