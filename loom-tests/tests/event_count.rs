//! The event count: nobody sleeps while work waits that nobody knows of, and the end comes
//! when, and only when, none is left.
//!
//! Most models don't park. They let everybody come to rest and then ask whether somebody
//! sleeps who should not: so a lost wake-up shows without a deadlock, and with few steps.
//! Members without a thread of their own are asleep from the start.

#![cfg(loom)]

use filch::protocols::event_count::EventCount;
use filch::protocols::fence::heavy_fence;
use filch::protocols::injector::Injector;
use filch::protocols::parker::Parker;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread::{self, JoinHandle};
use loom_tests::{Times, check, check_deep};
use std::sync::atomic::AtomicBool as Fact;
use std::sync::atomic::AtomicUsize as Tally;
use std::sync::atomic::Ordering::SeqCst;

struct Pool<const MEMBERS: usize> {
    idle: EventCount,
    queue: Injector<()>,
    /// What happened in fact, whoever has heard of it.
    picked: [Fact; MEMBERS],
    ended: Fact,
    undone: Tally,
    effects: Times,
}

#[derive(PartialEq)]
enum Look {
    FoundWork,
    WouldPark,
}

impl<const MEMBERS: usize> Pool<MEMBERS> {
    /// Members from `searching` on sleep.
    fn new(searching: usize) -> Arc<Self> {
        let idle = EventCount::new(MEMBERS);
        (0..MEMBERS).for_each(|_| idle.start_searching());
        (searching..MEMBERS).for_each(|member| idle.sleep_begin(member));
        Arc::new(Self {
            idle,
            queue: Injector::new(),
            picked: std::array::from_fn(|_| Fact::new(false)),
            ended: Fact::new(false),
            undone: Tally::new(0),
            effects: Times::none(),
        })
    }

    fn publish(&self) {
        self.undone.fetch_add(1, SeqCst);
        self.queue.push(());
        self.wake(self.idle.notify(|| self.idle.wake_one()));
    }

    fn wake(&self, picked: Option<usize>) {
        if let Some(member) = picked {
            self.picked[member].store(true, SeqCst);
        }
    }

    fn is_picked(&self, member: usize) -> bool {
        self.picked[member].load(SeqCst)
    }

    /// As `leave_search` in worker/idle.rs.
    fn leave_search(&self) {
        if self.idle.stop_searching() && self.idle.anyone_asleep() {
            heavy_fence();
            if !self.queue.is_empty() {
                self.wake(self.idle.wake_one());
            }
        }
    }

    /// As `sleep` there, up to the point where it parks.
    fn last_look(&self, member: usize) -> Look {
        self.idle.sleep_begin(member);
        heavy_fence();
        if self.queue.is_empty() {
            return Look::WouldPark;
        }
        self.idle.wake_up(member);
        Look::FoundWork
    }

    /// As `end_if_last` there.
    fn end_if_last(&self) {
        let nothing_left = || {
            heavy_fence();
            self.queue.is_empty()
        };
        if self.idle.end(MEMBERS, nothing_left) {
            assert_eq!(self.undone.load(SeqCst), 0, "the end came with work left");
            assert!(!self.ended.swap(true, SeqCst), "the end came twice");
        }
    }
}

fn beside<const MEMBERS: usize, const N: usize>(
    pool: &Arc<Pool<MEMBERS>>,
    others: [fn(&Pool<MEMBERS>); N],
) -> [JoinHandle<()>; N] {
    others.map(|other| {
        let pool = Arc::clone(pool);
        thread::spawn(move || other(&pool))
    })
}

fn join(threads: impl IntoIterator<Item = JoinHandle<()>>) {
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn the_publisher_sees_the_sleeper_or_the_sleeper_the_work() {
    check(|| {
        let pool = Pool::<1>::new(1);
        let publisher = beside(&pool, [Pool::publish]);
        let look = pool.last_look(0);
        join(publisher);
        assert!(look == Look::FoundWork || pool.is_picked(0));
    });
}

/// The same with a thread that really sleeps.
#[test]
fn a_sleeper_is_woken_for_every_job() {
    check(|| {
        let it = Arc::new((EventCount::new(1), Injector::new(), Parker::new()));
        it.0.start_searching();
        let publisher = Arc::clone(&it);
        let publisher = thread::spawn(move || {
            for job in 0..2 {
                publisher.1.push(job);
                if publisher.0.notify(|| publisher.0.wake_one()).is_some() {
                    publisher.2.unpark();
                }
            }
        });
        let (idle, queue, parker) = &*it;
        for expected in 0..2 {
            let job = loop {
                if let Some(job) = queue.steal() {
                    break job;
                }
                idle.sleep_begin(0);
                heavy_fence();
                if queue.is_empty() {
                    parker.park();
                }
                idle.wake_up(0);
            };
            assert_eq!(job, expected);
        }
        publisher.join().unwrap();
        assert_eq!(idle.searching(), 1);
    });
}

/// A publisher that saw somebody search wakes nobody. If that one goes away with other
/// work, it looks once more for those who sleep.
#[test]
fn the_last_to_leave_the_search_looks_for_the_sleepers() {
    check(|| {
        let pool = Pool::<2>::new(2);
        let others = beside(&pool, [Pool::publish, Pool::leave_search]);
        let look = pool.last_look(0);
        join(others);
        assert!(look == Look::FoundWork || pool.is_picked(0));
    });
}

/// A sleeper that changes its mind while it is being picked counts as searching no more
/// and no less than once, at any time: who publishes then must not rely on it.
#[test]
fn a_sleeper_that_withdraws_hides_no_other() {
    check_deep(3, || {
        let pool = Pool::<2>::new(1);
        let publisher = beside(&pool, [Pool::publish]);
        let withdrew = pool.last_look(0) == Look::FoundWork;
        if withdrew {
            pool.queue.steal();
            pool.leave_search();
            // What it runs publishes more, and goes on for long.
            pool.publish();
        }
        join(publisher);
        assert!(pool.is_picked(if withdrew { 1 } else { 0 }));
        let unpaid = if withdrew { 1..2 } else { 0..2 };
        let searching = unpaid.filter(|&member| pool.is_picked(member)).count();
        assert_eq!(pool.idle.searching(), searching);
    });
}

#[test]
fn two_publishers_pick_two_sleepers_or_one_for_both() {
    check(|| {
        let pool = Pool::<2>::new(0);
        let publisher = beside(&pool, [Pool::publish]);
        pool.publish();
        join(publisher);
        let picked = (0..2).filter(|&member| pool.is_picked(member)).count();
        assert!(picked >= 1);
        assert_eq!(pool.idle.searching(), picked);
    });
}

/// Members that all fall asleep at once: the last one sees that it is the last.
#[test]
fn the_end_comes_when_all_sleep() {
    check(|| {
        let pool = Pool::<2>::new(2);
        fn retire(pool: &Pool<2>, member: usize) {
            pool.last_look(member);
            pool.end_if_last();
        }
        let other = beside(&pool, [|pool| retire(pool, 1)]);
        retire(&pool, 0);
        join(other);
        assert!(pool.ended.load(SeqCst));
    });
}

/// Two who were woken for nothing, one of them by a third.
#[test]
fn the_end_comes_after_wakes_in_vain() {
    check(|| {
        let pool = Pool::<2>::new(0);
        fn wake_and_retire(pool: &Pool<2>, member: usize) {
            pool.idle.wake_up(member);
            pool.last_look(member);
            pool.end_if_last();
        }
        let other = beside(&pool, [|pool| wake_and_retire(pool, 1)]);
        wake_and_retire(&pool, 0);
        join(other);
        assert!(pool.ended.load(SeqCst));
    });
}

/// A member that queues work for another, who sleeps, and then falls asleep itself.
#[test]
fn the_end_does_not_come_before_what_a_sleeper_has_queued() {
    check(|| {
        let pool = Pool::<3>::new(2);
        // The last looks don't see this job: it is in the inbox of the third.
        let other = beside(
            &pool,
            [|pool| {
                pool.undone.fetch_add(1, SeqCst);
                pool.queue.push(());
                pool.idle.sleep_begin(0);
                heavy_fence();
                pool.end_if_last();
            }],
        );
        pool.idle.sleep_begin(1);
        heavy_fence();
        pool.end_if_last();
        join(other);
        assert!(!pool.ended.load(SeqCst));
    });
}

/// A member that wakes up, takes the last job and works on it.
#[test]
fn the_end_does_not_come_while_somebody_works() {
    check_deep(4, || {
        let pool = Pool::<2>::new(2);
        pool.undone.fetch_add(1, SeqCst);
        pool.queue.push(());
        fn sleep_or_work(pool: &Pool<2>, member: usize) {
            if pool.last_look(member) == Look::WouldPark {
                pool.end_if_last();
            } else if pool.queue.steal().is_some() {
                pool.leave_search();
            }
        }
        let other = beside(&pool, [|pool| sleep_or_work(pool, 1)]);
        sleep_or_work(&pool, 0);
        join(other);
        assert!(!pool.ended.load(SeqCst));
    });
}

/// A member that is woken, works for another who sleeps, and is asleep again before the
/// one that ends the game has looked at the rest.
#[test]
fn the_end_sees_who_woke_up_and_fell_asleep_again() {
    check_deep(3, || {
        let pool = Pool::<2>::new(0);
        let inboxes = Arc::new([AtomicBool::new(true), AtomicBool::new(false)]);
        let worker = {
            let (pool, inboxes) = (Arc::clone(&pool), Arc::clone(&inboxes));
            thread::spawn(move || {
                pool.idle.wake_up(0);
                inboxes[0].store(false, Ordering::Release);
                let _ = pool.idle.stop_searching();
                inboxes[1].store(true, Ordering::Release);
                pool.idle.start_searching();
                pool.idle.sleep_begin(0);
            })
        };
        let nothing_left = || {
            heavy_fence();
            !inboxes[1].load(Ordering::Acquire) && !inboxes[0].load(Ordering::Acquire)
        };
        assert!(!pool.idle.end(2, nothing_left), "the end came with work left");
        worker.join().unwrap();
    });
}

/// Whoever picks a sleeper counts it before it knows that it is the first to do so. A
/// publisher that relied on that count must not be forgotten if it wasn't.
fn a_lost_race_hides_no_sleeper(wake: fn(&Pool<2>)) {
    check_deep(3, move || {
        let pool = Pool::<2>::new(1);
        let others = beside(
            &pool,
            [
                wake,
                // Woken by a token of another kind.
                |pool| {
                    pool.idle.wake_up(1);
                    pool.leave_search();
                    pool.publish();
                },
            ],
        );
        let look = pool.last_look(0);
        join(others);
        assert!(look == Look::FoundWork || pool.is_picked(0) || pool.is_picked(1));
    });
}

#[test]
fn a_lost_race_for_anybody_hides_no_sleeper() {
    a_lost_race_hides_no_sleeper(|pool| pool.wake(pool.idle.wake_one()));
}

#[test]
fn a_lost_race_for_one_of_them_hides_no_other_sleeper() {
    a_lost_race_hides_no_sleeper(|pool| pool.wake(pool.idle.wake_one_of(|member| member == 1)));
}

/// A thread's exit handler may look at what any task has done.
#[test]
fn whoever_hears_of_the_end_sees_what_was_done_before() {
    check(|| {
        let pool = Pool::<2>::new(2);
        let others = beside(
            &pool,
            [
                |pool| {
                    pool.effects.once_more();
                    pool.idle.sleep_begin(0);
                },
                |pool| {
                    pool.idle.sleep_begin(1);
                    pool.end_if_last();
                },
            ],
        );
        if pool.idle.has_ended() {
            assert_eq!(pool.effects.get(), 1);
        }
        join(others);
    });
}

/// One wakes up, be it woken, and leaves the search; then the other leaves it, as the last one or to
/// sleep.
fn who_is_awake_is_seen(leave: fn(&EventCount) -> bool) {
    check(move || {
        let pool = Pool::<2>::new(1);
        let left = Arc::new(Fact::new(false));
        let waker = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || pool.idle.wake_up(1))
        };
        let awake = {
            let (pool, left) = (Arc::clone(&pool), Arc::clone(&left));
            thread::spawn(move || {
                pool.idle.wake_up(1);
                let _ = pool.idle.stop_searching();
                left.store(true, SeqCst);
            })
        };
        let alone = leave(&pool.idle);
        // Before the next step of anybody else.
        let has_left = left.load(SeqCst);
        if alone && has_left {
            assert_eq!(pool.idle.asleep_beside(0), 0, "taken for asleep");
        }
        waker.join().unwrap();
        awake.join().unwrap();
    });
}

#[test]
fn who_is_awake_is_seen_by_the_last_to_leave() {
    who_is_awake_is_seen(EventCount::stop_searching);
}

#[test]
fn who_is_awake_is_seen_by_who_falls_asleep() {
    who_is_awake_is_seen(|idle| {
        idle.sleep_begin(0);
        true
    });
}
