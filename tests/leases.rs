//! Leases of what a pool's tasks share.
#![cfg(not(loom))]

mod common;

use common::*;
use filch::{
    Acquire, AlertKind, AlertRules, AllocationStrategy, Lease, Monitoring, Refusal, Request,
    Resource, ThreadPoolBuilder,
};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

fn with(units: u64) -> ThreadPoolBuilder {
    builder(2).budget(Resource::Memory, units)
}

fn units(units: u64) -> Request {
    Request::new().memory(units)
}

fn free(pool: &Pool) -> u64 {
    pool.budget(Resource::Memory).free
}

fn poll(acquire: &mut Acquire) -> Option<Lease> {
    match pin!(acquire).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(lease) => Some(lease),
        Poll::Pending => None,
    }
}

#[test]
fn what_is_leased_is_given_back_once_and_by_whoever_drops_it() {
    let pool = Pool::from(with(10));
    let lease = pool.try_acquire(&units(6)).unwrap();
    assert_eq!((free(&pool), lease.amount(Resource::Memory)), (4, 6));
    assert_eq!(pool.try_acquire(&units(5)).unwrap_err(), Refusal::Busy);
    thread::spawn(move || drop(lease)).join().unwrap();
    assert_eq!(free(&pool), 10);
    let mut lease = pool.try_acquire(&units(10)).unwrap();
    lease.shrink_to(Resource::Memory, 7);
    lease.shrink_to(Resource::Memory, 9);
    assert_eq!((free(&pool), lease.amount(Resource::Memory)), (3, 7));
    let panicked = pool.spawn_handle(move || {
        let _lease = lease;
        std::panic::resume_unwind(Box::new("quietly"));
    });
    assert!(panicked.join().is_err());
    assert_eq!(free(&pool), 10);
    let unpolled = pool.acquire_async(&units(10)).unwrap();
    assert_eq!(free(&pool), 0);
    drop(unpolled);
    assert_eq!(free(&pool), 10);
}

#[test]
fn a_request_that_makes_no_sense_is_refused_at_once() {
    let (pool, other) = (Pool::from(with(10)), Pool::from(with(1)));
    let too_much = pool.acquire(&units(11)).unwrap_err();
    assert_eq!(too_much, Refusal::TooMuch { resource: Resource::Memory, asked: 11, total: 10 });
    let text = too_much.to_string();
    assert!(text.contains("11 bytes of memory") && text.contains("10"), "{text}");
    assert!(pool.acquire(&units(u64::MAX)).is_err());
    assert_eq!(pool.acquire(&Request::new()).unwrap_err(), Refusal::Nothing);
    let stranger = units(1).tenant(&other.tenant(1));
    assert_eq!(pool.try_acquire(&stranger).unwrap_err(), Refusal::Stranger);
    assert_eq!(pool.acquire(&stranger).unwrap_err(), Refusal::Stranger);
    assert_eq!(free(&pool), 10);
}

#[test]
fn no_more_tasks_run_at_a_time_than_there_is_memory_for() {
    let pool = Pool::from(builder(4).budget(Resource::Memory, 5));
    let (now, most) = (AtomicU64::new(0), AtomicU64::new(0));
    pool.scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|_| {
                let _lease = pool.acquire(&units(2)).unwrap();
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                thread::sleep(Duration::from_millis(1));
                now.fetch_sub(1, Ordering::SeqCst);
            });
        }
    });
    assert_eq!((most.into_inner(), free(&pool)), (2, 5));
}

#[test]
fn a_worker_that_waits_for_a_lease_is_replaced() {
    let pool = Pool::from(builder(1).budget(Resource::Memory, 1));
    let lease = pool.acquire(&units(1)).unwrap();
    let begun = AtomicU64::new(0);
    let wait = || {
        begun.store(1, Ordering::SeqCst);
        pool.acquire(&units(1)).unwrap()
    };
    thread::scope(|scope| {
        let waits = scope.spawn(|| pool.install(wait));
        wait_until(|| begun.load(Ordering::SeqCst) == 1);
        // The only worker has it in hand, and can't get the lease: without another this would never end.
        assert!(pool.install(|| true));
        drop(lease);
        assert_eq!(waits.join().unwrap().amount(Resource::Memory), 1);
    });
}

#[test]
fn who_holds_a_lease_does_not_wait_for_another() {
    let pool = Pool::from(with(10));
    let first = pool.acquire(&units(6)).unwrap();
    let second = pool.acquire(&units(4)).unwrap();
    assert_eq!(pool.acquire(&units(1)).unwrap_err(), Refusal::WouldDeadlock);
    assert_eq!(pool.acquire_timeout(&units(1), MINUTE).unwrap_err(), Refusal::WouldDeadlock);
    thread::spawn(move || drop(second)).join().unwrap();
    assert_eq!(pool.acquire(&units(5)).unwrap_err(), Refusal::WouldDeadlock);
    let second = pool.acquire(&units(4)).unwrap();
    drop((first, second));
    let kept = thread::scope(|scope| scope.spawn(|| pool.acquire(&units(10)).unwrap()).join());
    // It isn't this thread that holds it.
    let short = pool.acquire_timeout(&units(1), Duration::from_millis(1)).unwrap_err();
    assert_eq!(short, Refusal::TimedOut);
    drop(kept);
    assert_eq!(free(&pool), 10);
}

#[test]
fn nobody_goes_before_one_who_waits_for_the_same() {
    let pool = Pool::from(with(10).budget(Resource::Cpu, 10));
    let lease = pool.acquire(&units(5)).unwrap();
    let mut large = pool.acquire_async(&units(10)).unwrap();
    assert!(poll(&mut large).is_none());
    assert_eq!(pool.try_acquire(&units(1)).unwrap_err(), Refusal::Busy);
    assert!(pool.try_acquire(&Request::new().cpu(1)).is_ok(), "it wants none of that");
    drop(lease);
    let granted = poll(&mut large).unwrap();
    assert_eq!(free(&pool), 0);
    drop(granted);
    // One that waits no more is in nobody's way; one that was granted meanwhile is given back.
    let lease = pool.acquire(&units(5)).unwrap();
    let (large, small) = (pool.acquire_async(&units(10)).unwrap(), pool.acquire_async(&units(5)));
    drop(large);
    assert_eq!(free(&pool), 0);
    drop(small);
    assert_eq!(free(&pool), 5);
    assert!(pool.try_acquire(&units(5)).is_ok());
    drop(lease);
    assert_eq!(free(&pool), 10);
}

#[test]
fn a_budget_that_shrinks_takes_nothing_away_and_one_that_grows_serves_who_waits() {
    let pool = Pool::from(with(10));
    let [first, second] = [6, 4].map(|some| pool.try_acquire(&units(some)).unwrap());
    pool.set_budget(Resource::Memory, 5);
    let budget = pool.budget(Resource::Memory);
    assert_eq!((budget.total, budget.free, budget.overcommitted), (5, 0, 5));
    drop(first);
    assert_eq!((free(&pool), pool.budget(Resource::Memory).overcommitted), (1, 0));
    let mut waits = pool.acquire_async(&units(5)).unwrap();
    assert!(poll(&mut waits).is_none());
    pool.set_budget(Resource::Memory, 3);
    // For more than there is now: it is in nobody's way.
    let mut small = pool.acquire_async(&units(1)).unwrap();
    drop(second);
    assert!(poll(&mut small).is_some() && poll(&mut waits).is_none());
    pool.set_budget(Resource::Memory, 5);
    assert!(poll(&mut waits).is_some());
    assert_eq!(free(&pool), 5);
}

#[test]
fn tenants_share_by_their_weights_whoever_came_first() {
    let pool = Pool::from(with(8));
    let [heavy, light] = [3, 1].map(|weight| pool.tenant(weight));
    let all = pool.try_acquire(&units(8)).unwrap();
    let ask = |tenant| pool.acquire_async(&units(1).tenant(tenant)).unwrap();
    let mut waiting: Vec<_> = (0..10).map(|_| ask(&light)).collect();
    waiting.extend((0..10).map(|_| ask(&heavy)));
    drop(all);
    let granted: Vec<_> = waiting.iter_mut().filter_map(poll).collect();
    assert_eq!(granted.len(), 8);
    assert_eq!((heavy.has(Resource::Memory), light.has(Resource::Memory)), (6, 2));
    drop((granted, waiting));
    assert_eq!((heavy.has(Resource::Memory), free(&pool)), (0, 8));
    // One that is gone makes room for another.
    drop((heavy, light));
    for _ in 0..1000 {
        let tenant = pool.tenant(0);
        assert_eq!(tenant.weight(), 1);
        assert!(pool.acquire(&units(8).tenant(&tenant)).is_ok());
    }
}

#[test]
fn the_most_important_goes_first_if_that_is_asked_for() {
    let pool = Pool::from(with(1).allocation(AllocationStrategy::Priority));
    let all = pool.try_acquire(&units(1)).unwrap();
    let mut low = pool.acquire_async(&units(1).priority(1)).unwrap();
    let mut high = pool.acquire_async(&units(1).priority(2)).unwrap();
    drop(all);
    assert!(poll(&mut low).is_none());
    drop(poll(&mut high).unwrap());
    assert!(poll(&mut low).is_some());
}

#[test]
fn whatever_happens_no_more_is_leased_than_there_is_and_all_comes_back() {
    const TOTAL: u64 = 7;
    let pool = Pool::from(builder(4).budget(Resource::Memory, TOTAL).budget(Resource::Cpu, TOTAL));
    let (memory, cpu) = (AtomicU64::new(0), AtomicU64::new(0));
    let rounds = if cfg!(miri) { 10 } else { 3000 };
    thread::scope(|scope| {
        for seed in 1..=4_u64 {
            let (pool, memory, cpu) = (&pool, &memory, &cpu);
            scope.spawn(move || {
                let tenant = pool.tenant(seed as u32);
                let mut random = seed;
                for _ in 0..rounds {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let [some, other] = [40, 50].map(|bits| (random >> bits) % (TOTAL + 1));
                    let request = units(some).cpu(other).tenant(&tenant);
                    let lease = match random >> 62 {
                        0 => pool.acquire(&request).ok(),
                        1 => pool.acquire_timeout(&request, Duration::from_micros(50)).ok(),
                        2 => pool.acquire_async(&request).ok().and_then(|mut a| poll(&mut a)),
                        _ => pool.try_acquire(&request).ok(),
                    };
                    if lease.is_some() {
                        let add = |sum: &AtomicU64, by| sum.fetch_add(by, Ordering::SeqCst) + by;
                        assert!(add(memory, some) <= TOTAL && add(cpu, other) <= TOTAL);
                        cpu.fetch_sub(other, Ordering::SeqCst);
                        memory.fetch_sub(some, Ordering::SeqCst);
                    }
                }
            });
        }
    });
    assert_eq!((free(&pool), pool.budget(Resource::Cpu).free), (TOTAL, TOTAL));
}

#[test]
fn a_task_that_needs_a_lease_starts_with_it_and_holds_no_worker_before() {
    for workers in [1, 4] {
        let pool = Pool::from(builder(workers).budget(Resource::Memory, 5));
        let lease = pool.acquire(&units(4)).unwrap();
        let sums: Arc<[AtomicU64; 3]> = Arc::default();
        for _ in 0..20 {
            let sums = Arc::clone(&sums);
            let task = move |lease: &Lease| {
                let [now, most, done] = &*sums;
                let amount = lease.amount(Resource::Memory);
                most.fetch_max(now.fetch_add(amount, Ordering::SeqCst) + amount, Ordering::SeqCst);
                thread::sleep(Duration::from_millis(1));
                now.fetch_sub(amount, Ordering::SeqCst);
                done.fetch_add(1, Ordering::SeqCst);
            };
            pool.spawn_with(&units(2), task).unwrap();
        }
        let [_, most, done] = &*sums;
        assert_eq!(pool.install(|| 6 * 7), 42);
        // Nobody waits on a worker, so no spare has been called for.
        assert_eq!((done.load(Ordering::SeqCst), pool.snapshot().workers.len()), (0, workers));
        drop(lease);
        wait_until(|| done.load(Ordering::SeqCst) == 20);
        assert!(most.load(Ordering::SeqCst) <= 4);
        wait_until(|| free(&pool) == 5);
        assert!(pool.spawn_with(&units(6), |_| ()).is_err());
    }
}

#[test]
fn a_lease_is_granted_when_a_worker_starts_the_task_and_not_before() {
    let pool = Pool::from(builder(1).max_threads(1).budget(Resource::Memory, 10));
    let (release, held) = channel::<()>();
    let (begun, begins) = channel();
    pool.spawn(move || {
        begun.send(()).unwrap();
        held.recv().unwrap();
    });
    begins.recv().unwrap();
    let (sender, receiver) = channel();
    for at in 0..3 {
        let sender = sender.clone();
        let task = move |lease: &Lease| sender.send((at, lease.amount(Resource::Memory))).unwrap();
        pool.spawn_with(&units(8), task).unwrap();
    }
    // The only worker is about something else: whoever can use it meanwhile has it.
    assert_eq!(free(&pool), 10);
    let tenant = pool.tenant(1);
    let lease = pool.acquire(&units(9).tenant(&tenant)).unwrap();
    release.send(()).unwrap();
    assert!(pool.install(|| true));
    assert!(receiver.try_recv().is_err(), "there is no room for one");
    drop(lease);
    for at in 0..3 {
        assert_eq!(receiver.recv().unwrap(), (at, 8));
    }
    wait_until(|| free(&pool) == 10);
}

#[test]
fn a_task_that_waits_for_its_lease_is_run_before_the_pool_ends() {
    for from_inside in [false, true] {
        let pool = Arc::new(with(1).build().unwrap());
        let lease = pool.acquire(&units(1)).unwrap();
        let (ran, told) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (theirs, inner) = (Arc::clone(&ran), Arc::clone(&pool));
        let spawn = move || {
            let task = move |_: &Lease| _ = theirs.fetch_add(1, Ordering::SeqCst);
            inner.spawn_with(&units(1), task).unwrap();
        };
        if from_inside {
            pool.install(spawn)
        } else {
            spawn()
        }
        thread::scope(|scope| {
            scope.spawn(|| {
                pool.shutdown().unwrap();
                told.store(1, Ordering::SeqCst);
            });
            wait_until(|| pool.try_spawn(|| ()).is_err());
            assert_eq!(pool.spawn_with(&units(1), |_| ()), Err(Refusal::ShutDown));
            thread::sleep(Duration::from_millis(20));
            assert_eq!((ran.load(Ordering::SeqCst), told.load(Ordering::SeqCst)), (0, 0));
            drop(lease);
        });
        assert_eq!((ran.load(Ordering::SeqCst), told.load(Ordering::SeqCst)), (1, 1));
    }
}

#[test]
fn a_long_queue_is_served_as_fast_as_a_short_one() {
    let count = if cfg!(miri) { 50 } else { 50_000 };
    let pool = Pool::from(with(1));
    let (lease, ran) = (pool.acquire(&units(1)).unwrap(), Arc::new(AtomicU64::new(0)));
    for _ in 0..count {
        let ran = Arc::clone(&ran);
        let task = move |_: &Lease| _ = ran.fetch_add(1, Ordering::Relaxed);
        pool.spawn_with(&units(1), task).unwrap();
    }
    drop(lease);
    // Were each of them looked at for each of them, it would take minutes.
    wait_until(|| ran.load(Ordering::Relaxed) == count);
}

#[test]
fn a_lease_that_is_held_for_too_long_is_told_of_and_counts_all_the_same() {
    let pool = Pool::from(with(10));
    let alerts = pool.alert_channel();
    let request = units(4).time_to_live(Duration::from_millis(50));
    let lease = pool.acquire(&request).unwrap();
    assert!(lease.is_valid() && pool.leases()[0].overdue().is_zero());
    let info = pool.leases()[0];
    assert_eq!(info.time_to_live, Duration::from_millis(50));
    assert!(info.place.unwrap().file().ends_with("leases.rs"));
    if cfg!(all(target_os = "linux", not(miri))) {
        let alert = std::iter::from_fn(|| alerts.recv_timeout(MINUTE).ok())
            .find(|alert| alert.kind == AlertKind::Lease)
            .expect("nobody tells of it");
        assert!(alert.message.contains("leases.rs"), "{alert}");
    }
    wait_until(|| !lease.is_valid());
    assert_eq!(free(&pool), 6);
    wait_until(|| lease.renew() && lease.is_valid());
    drop(lease);
    assert!(pool.leases().is_empty() && free(&pool) == 10);
    // One that its thread has forgotten shows.
    forget(pool.acquire(&request).unwrap());
    wait_until(|| pool.leases()[0].overdue() > Duration::ZERO);
    assert_eq!((free(&pool), pool.leases()[0].abandoned), (6, false));
}

#[test]
#[cfg_attr(any(miri, not(target_os = "linux")), ignore = "nobody looks at leases there")]
fn what_a_task_has_forgotten_is_taken_back_when_it_is_overdue_and_once() {
    let pool = Pool::from(with(10));
    let alerts = pool.alert_channel();
    let short = units(4).time_to_live(Duration::from_millis(20));
    pool.install(|| forget(pool.acquire(&short).unwrap()));
    thread::scope(|scope| {
        scope.spawn(|| forget(pool.acquire(&short).unwrap()));
    });
    // One that outlives its task is no other: nobody can tell.
    let mut lease = pool.install(|| pool.acquire(&units(2).time_to_live(Duration::ZERO)).unwrap());
    assert_eq!(pool.acquire(&units(10)).unwrap().amount(Resource::Memory), 10);
    assert_eq!((free(&pool), pool.leases().len(), lease.is_valid()), (10, 0, false));
    let leaks = pool.leaks();
    assert_eq!((leaks.len(), pool.snapshot().leases.reclaimed), (3, 3));
    for leak in &leaks {
        assert!(leak.abandoned && leak.held >= leak.time_to_live && leak.place.is_some());
        assert!(leak.to_string().contains("leases.rs"), "{leak}");
    }
    let alert = std::iter::from_fn(|| alerts.recv_timeout(MINUTE).ok())
        .find(|alert| alert.kind == AlertKind::Lease)
        .expect("nobody tells of what has been forgotten");
    assert!(alert.resource.contains("leases.rs"), "{alert}");
    assert!(!lease.renew());
    lease.shrink_to(Resource::Memory, 1);
    drop(lease);
    assert_eq!(free(&pool), 10);
    // Nor one that is renewed, or not due.
    let lease = pool.install(|| pool.acquire(&units(3).time_to_live(MINUTE)).unwrap());
    assert_eq!(pool.acquire_timeout(&units(8), short_while()).unwrap_err(), Refusal::TimedOut);
    assert!(lease.is_valid() && lease.renew());
}

fn short_while() -> Duration {
    Duration::from_millis(50)
}

#[test]
#[cfg_attr(any(miri, not(target_os = "linux")), ignore = "nobody looks at leases there")]
fn whoever_is_late_loses_it_if_that_is_asked_for() {
    let request = units(10).time_to_live(Duration::from_millis(20));
    let pool = Pool::from(with(10).reclaim_running(true));
    let late = pool.acquire(&request).unwrap();
    let next = thread::scope(|scope| scope.spawn(|| pool.acquire(&units(10))).join().unwrap());
    assert!(!late.is_valid() && next.as_ref().unwrap().is_valid());
    drop(late);
    assert_eq!(free(&pool), 0);
    drop(next);
    assert_eq!(free(&pool), 10);
}

#[test]
fn by_default_there_is_what_the_machine_has() {
    let pool = Pool::from(builder(1));
    let cpu = pool.budget(Resource::Cpu);
    assert!(cpu.total >= 10 && cpu.free == cpu.total);
    if cfg!(all(target_os = "linux", not(miri))) {
        assert!((1 << 20..1 << 50).contains(&pool.budget(Resource::Memory).total));
    }
}

#[test]
fn who_wants_more_than_there_is_by_now_is_in_nobody_s_way() {
    let pool = Pool::from(with(10));
    let lease = pool.acquire(&units(10)).unwrap();
    let mut large = pool.acquire_async(&units(8)).unwrap();
    pool.set_budget(Resource::Memory, 5);
    drop(lease);
    let small = pool.try_acquire(&units(4)).unwrap();
    assert!(poll(&mut large).is_none());
    pool.set_budget(Resource::Memory, 20);
    assert_eq!(poll(&mut large).unwrap().amount(Resource::Memory), 8);
    drop(small);
}

#[test]
fn a_task_that_is_to_start_with_its_lease_is_not_in_the_way_of_others() {
    let pool = Pool::from(with(10).num_threads(1).max_threads(1));
    pool.install(|| {
        let ran = Arc::new(AtomicU64::new(0));
        let theirs = Arc::clone(&ran);
        pool.spawn_with(&units(4), move |_| _ = theirs.fetch_add(1, Ordering::SeqCst)).unwrap();
        // Its only worker is busy with us.
        assert_eq!(pool.acquire(&units(6)).unwrap().amount(Resource::Memory), 6);
        assert_eq!(ran.load(Ordering::SeqCst), 0);
    });
}

#[test]
fn a_lease_may_be_renewed_by_several_at_a_time() {
    let pool = Pool::from(with(10));
    let lease = pool.acquire(&units(1)).unwrap();
    let times = if cfg!(miri) { 100 } else { 10_000 };
    let renews = || (0..times).for_each(|_| assert!(lease.renew() && lease.is_valid()));
    thread::scope(|scope| {
        let threads = [(); 3].map(|()| scope.spawn(renews));
        // Nor does it look invalid to those who look meanwhile.
        while !threads.iter().all(|thread| thread.is_finished()) {
            assert!(lease.is_valid());
        }
    });
    assert_eq!(pool.leases().len(), 1);
}

#[test]
fn what_is_leased_and_who_waits_is_there_to_be_seen() {
    let pool = Pool::from(with(10));
    assert_eq!(pool.snapshot().leases, filch::Leases::default());
    let lease = pool.acquire(&units(8).time_to_live(Duration::ZERO)).unwrap();
    assert!(lease.to_string().ends_with("a lease of 8 bytes (memory)"), "{lease}");
    let both = pool.try_acquire(&units(1).cpu(1)).unwrap().to_string();
    assert!(both.ends_with(" of 1 thousandths of a CPU (CPU), 1 bytes (memory)"), "{both}");
    let mut waits = pool.acquire_async(&units(5)).unwrap();
    thread::sleep(Duration::from_millis(1));
    pool.set_budget(Resource::Memory, 6);
    let leases = pool.snapshot().leases;
    assert_eq!((leases.out, leases.overdue, leases.waiting, leases.reclaimed), (1, 1, 1, 0));
    assert!(leases.longest_held > Duration::ZERO && leases.longest_wait > Duration::ZERO);
    let budget = pool.budget(Resource::Memory);
    assert!(leases.budgets.contains(&("memory".to_owned(), budget)), "{leases}");
    assert_eq!(budget.to_string(), "0 of 6 free, 2 overcommitted");
    let text = pool.snapshot().to_string();
    assert!(text.contains("leases: 1, 1 overdue") && text.contains("1 requests wait"), "{text}");
    drop(lease);
    assert_eq!(poll(&mut waits).unwrap().amount(Resource::Memory), 5);
}

#[test]
#[cfg_attr(any(miri, not(target_os = "linux")), ignore = "nobody looks at leases there")]
fn whoever_waits_for_long_is_told_of() {
    let rules = AlertRules::none().rule(AlertKind::Starvation, 0.001, 600.0);
    let monitoring = Monitoring::new().alerts(rules).evaluations(Duration::from_millis(10));
    let pool = Pool::from(with(10).monitoring(monitoring));
    let alerts = pool.alert_channel();
    let lease = pool.acquire(&units(8)).unwrap();
    let waits = pool.acquire_async(&units(5)).unwrap();
    let alert = std::iter::from_fn(|| alerts.recv_timeout(MINUTE).ok())
        .find(|alert| alert.kind == AlertKind::Starvation)
        .expect("nobody tells of it");
    assert!(alert.message.contains("leases.rs") && alert.message.contains("waited"), "{alert}");
    drop((lease, waits));
}

#[test]
fn who_gives_back_is_not_hurt_by_the_waker_of_whom_it_serves() {
    struct Bomb;
    impl Wake for Bomb {
        fn wake(self: Arc<Self>) {
            explode("woken");
        }
    }
    let pool = Pool::from(with(10));
    let all = pool.acquire(&units(10)).unwrap();
    let mut waits = pool.acquire_async(&units(6)).unwrap();
    let bomb = Waker::from(Arc::new(Bomb));
    assert!(pin!(&mut waits).poll(&mut Context::from_waker(&bomb)).is_pending());
    let mut next = pool.acquire_async(&units(4)).unwrap();
    assert!(poll(&mut next).is_none());
    drop(all);
    assert_eq!(poll(&mut waits).unwrap().amount(Resource::Memory), 6);
    assert_eq!(poll(&mut next).unwrap().amount(Resource::Memory), 4);
}
