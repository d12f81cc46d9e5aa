//! Leases: who waits, is refused, gives up or starts with one.

use crate::{Guard, count_in, poll, pool, wait_until};
use filch::{Lease, Monitoring, Refusal, Request, Resource, ThreadPool, ThreadPoolBuilder};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// Which grants none more, as there is nobody to do that: so under Miri in any case.
fn ten() -> ThreadPool {
    let builder = ThreadPoolBuilder::new().num_threads(2).monitoring(Monitoring::off());
    builder.budget(Resource::Memory, 10).build().unwrap()
}

fn units(units: u64) -> Request {
    Request::new().memory(units)
}

fn free(pool: &ThreadPool) -> u64 {
    pool.budget(Resource::Memory).free
}

#[test]
fn no_more_is_leased_than_there_is_whoever_asks_how() {
    let (pool, leased) = (ten(), AtomicU64::new(0));
    let hold = |lease: Lease| {
        let amount = lease.amount(Resource::Memory);
        assert!(leased.fetch_add(amount, Ordering::SeqCst) + amount <= 10);
        leased.fetch_sub(amount, Ordering::SeqCst);
        1
    };
    let ask = |request: &Request| {
        let short = pool.acquire_timeout(request, Duration::from_micros(50));
        let mut later = pool.acquire_async(request).unwrap();
        // What it is granted between these two lines goes back.
        let later = poll(&mut later);
        let now = pool.try_acquire(request).map_or(0, hold);
        short.map_or(0, hold) + later.map_or(0, hold) + now
    };
    thread::scope(|scope| {
        for amount in [6, 7] {
            let request = units(amount).tenant(&pool.tenant(amount as u32));
            let (pool, ask, hold) = (&pool, &ask, &hold);
            scope.spawn(move || {
                assert_eq!(pool.acquire(&request).map(hold), Ok(1));
                ask(&request);
                assert_eq!(pool.install(|| filch::acquire(&request).map(hold)), Ok(1));
            });
        }
    });
    assert_eq!((free(&pool), pool.leases().len()), (10, 0));
}

#[test]
fn tenants_are_served_by_weight_and_each_in_order() {
    let pool = ten();
    let [heavy, light] = [3, 1].map(|weight| pool.tenant(weight));
    let (rest, all) = (pool.acquire(&units(2)).unwrap(), pool.acquire(&units(8)).unwrap());
    let ask = |tenant| pool.acquire_async(&units(2).tenant(tenant)).unwrap();
    let mut waiting: Vec<_> =
        [&light, &light, &light, &heavy, &heavy, &heavy, &heavy].map(ask).into();
    assert!(waiting.iter_mut().all(|waits| poll(waits).is_none()));
    assert_eq!(pool.try_acquire(&units(1)).unwrap_err(), Refusal::Busy);
    thread::spawn(move || drop(all)).join().unwrap();
    let granted: Vec<_> = waiting.iter_mut().map(poll).collect();
    let got: Vec<_> = granted.iter().map(Option::is_some).collect();
    assert_eq!(got, [true, false, false, true, true, true, false]);
    assert_eq!((heavy.has(Resource::Memory), light.has(Resource::Memory)), (6, 2));
    thread::spawn(move || drop(granted)).join().unwrap();
    let later = waiting.iter_mut().zip(got).filter(|(_, had)| !had);
    assert!(later.map(|(waits, _)| poll(waits)).all(|lease| lease.is_some()));
    drop((waiting, rest));
    assert_eq!(free(&pool), 10);
}

/// By the thread that gives it back, or the time.
#[test]
fn who_waits_for_a_time_has_a_lease_or_none_but_never_half_of_one() {
    let pool = ten();
    let mut granted = 0;
    for micros in [0, 100, 1_000_000] {
        let lease = pool.acquire(&units(10)).unwrap();
        let outcome = thread::scope(|scope| {
            let time = Duration::from_micros(micros);
            let pool = &pool;
            let waits = scope.spawn(move || pool.acquire_timeout(&units(4), time).map(|_| ()));
            drop(lease);
            waits.join().unwrap()
        });
        match outcome {
            Ok(()) => granted += 1,
            Err(refusal) => assert_eq!(refusal, Refusal::TimedOut),
        }
        assert_eq!(free(&pool), 10);
    }
    assert!(granted >= 1, "not even within a second");
}

#[test]
fn tasks_start_with_their_leases_or_are_refused_one() {
    let (pool, sum) = (ten(), Arc::new(AtomicU64::new(0)));
    let lease = pool.acquire(&units(7)).unwrap();
    for amount in [4, 2, 6] {
        let sum = Arc::clone(&sum);
        let task = move |lease: &Lease| {
            sum.fetch_add(lease.amount(Resource::Memory), Ordering::Relaxed);
        };
        pool.spawn_with(&units(amount), task).unwrap();
    }
    assert!(pool.spawn_with(&units(11), |_| unreachable!()).is_err());
    drop(lease);
    pool.shutdown().unwrap();
    assert_eq!((sum.load(Ordering::Relaxed), free(&pool)), (12, 10));
    assert_eq!(pool.spawn_with(&units(1), |_| unreachable!()), Err(Refusal::ShutDown));
}

#[test]
fn parts_do_not_wait_for_what_their_whole_holds() {
    let (pool, refused) = (ten(), AtomicUsize::new(0));
    let part = || {
        assert_eq!(pool.acquire(&units(5)).unwrap_err(), Refusal::WouldDeadlock);
        refused.fetch_add(1, Ordering::Relaxed);
    };
    pool.install(|| {
        let _lease = filch::acquire(&units(6)).unwrap();
        filch::join(part, part);
        filch::scope(|scope| {
            scope.spawn(|_| part());
            scope.spawn(|scope| scope.spawn(|_| part()));
        });
        filch::broadcast(|_| part());
    });
    assert_eq!((refused.into_inner(), free(&pool)), (6, 10));
}

#[test]
fn halves_of_a_join_wait_for_one_another_but_not_both() {
    let (pool, met) = (ten(), AtomicUsize::new(0));
    let meet = |all| {
        met.fetch_add(1, Ordering::SeqCst);
        wait_until(|| met.load(Ordering::SeqCst) >= all);
    };
    let half = || {
        // For the other half's, perhaps.
        drop(filch::acquire(&units(6)).unwrap());
        meet(2);
        let lease = filch::acquire(&units(5)).unwrap();
        meet(4);
        let refusal = filch::acquire(&units(1)).unwrap_err();
        meet(6);
        drop(lease);
        refusal
    };
    let both = pool.join(half, half);
    assert_eq!(both, (Refusal::WouldDeadlock, Refusal::WouldDeadlock));
    assert_eq!(free(&pool), 10);
}

#[test]
fn a_worker_that_waits_for_a_lease_is_replaced_by_a_spare() {
    let builder = ThreadPoolBuilder::new().num_threads(1).max_threads(2);
    let pool = builder.budget(Resource::Memory, 1).build().unwrap();
    let lease = thread::scope(|scope| scope.spawn(|| pool.acquire(&units(1))).join().unwrap());
    let waits = pool.spawn_handle(|| filch::acquire(&units(1)).map(|lease| lease.is_valid()));
    assert_eq!(pool.install(|| 7), 7);
    drop(lease);
    assert_eq!(waits.join().unwrap(), Ok(true));
    assert_eq!(free(&pool), 1);
}

#[test]
fn elastic_leases_shrink_settle_and_end_on_any_thread() {
    let (pool, dropped) = (ten(), Arc::new(AtomicUsize::new(0)));
    let request = units(4).up_to(Resource::Memory, 8);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut lease = pool.acquire(&request).unwrap();
                let guard = Guard(Arc::clone(&dropped));
                lease.on_change(move |_, _| {
                    let _ = &guard;
                });
                lease.on_change(|_, _| ());
                assert_eq!(lease.granted(Resource::Memory), 4);
                thread::scope(|scope| _ = scope.spawn(|| lease.settle()));
                lease.shrink_to(Resource::Memory, 3);
                assert_eq!(lease.amount(Resource::Memory), 3);
                pool.spawn(move || drop(lease));
            });
        }
    });
    pool.shutdown().unwrap();
    assert_eq!((free(&pool), dropped.load(Ordering::Relaxed)), (10, 2));
}

#[test]
fn budgets_change_while_some_wait() {
    let pool = ten();
    thread::scope(|scope| {
        let waits = scope.spawn(|| {
            let ask = || pool.acquire(&units(10)).map(|lease| lease.amount(Resource::Memory));
            [ask(), ask(), ask()]
        });
        for total in [9, 30, 20] {
            pool.set_budget(Resource::Memory, total);
        }
        for outcome in waits.join().unwrap() {
            // For one that asks while there are nine.
            let too_much = |refusal| matches!(refusal, Refusal::TooMuch { total: 9, .. });
            assert!(outcome.map_or_else(too_much, |amount| amount == 10));
        }
    });
    assert_eq!(free(&pool), 20);
}

#[test]
fn a_task_that_panics_with_a_lease_gives_it_back() {
    let (pool, other) = (ten(), pool(1));
    let panics = pool.spawn_handle(|| {
        let _lease = filch::acquire(&units(10)).unwrap();
        std::panic::resume_unwind(Box::new(1));
    });
    let (ran, count) = count_in();
    pool.spawn_with(&units(10), move |_| count()).unwrap();
    assert!(panics.join().is_err());
    assert!(other.install(|| pool.acquire(&units(10)).is_ok()));
    pool.shutdown().unwrap();
    assert_eq!((ran.load(Ordering::Relaxed), free(&pool)), (1, 10));
}
