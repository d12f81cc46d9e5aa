//! Who is told of new work, and of the end: workers themselves, as they are in worker/, put
//! together without threads of their own and without a pool around them.
//!
//! A worker that is told of nothing is a deadlock, which loom reports.

#![cfg(loom)]

use filch::protocols::bare::{count_hired, hide, take_back, task, workers};
use filch::protocols::blocked::Blocked;
use filch::protocols::count_latch::CountLatch;
use filch::protocols::fence::without_light_fences;
use filch::protocols::ladder::Ladder;
use filch::protocols::latch::Latch;
use filch::protocols::loan::Loan;
use filch::protocols::local::{Deques, Local, Origin};
use filch::protocols::parker::Parker;
use filch::protocols::seats::Place;
use filch::protocols::shared::{Job, Shared};
use filch::protocols::{ScopeJob, StackJob};
use loom::thread::{self, JoinHandle};
use loom_tests::check;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

/// A worker on a thread of its own.
fn go(local: Local, work: impl FnOnce(&Local) + Send + 'static) -> JoinHandle<()> {
    /// A worker is its thread's; models make it elsewhere.
    struct Sent(Local);

    // SAFETY: not used any more where it was made.
    unsafe impl Send for Sent {}

    let sent = Sent(local);
    thread::spawn(move || {
        let whole = sent;
        work(&whole.0);
    })
}

/// Somebody outside the pool.
fn beside(shared: &Arc<Shared>, work: impl FnOnce(&Shared) + Send + 'static) -> JoinHandle<()> {
    let shared = Arc::clone(shared);
    thread::spawn(move || work(&shared))
}

/// As `spawn` does it.
fn submit(shared: &Shared) {
    shared.injected.push(task());
    shared.notify(|_, why| why == Blocked::Guest);
}

/// As `spawn` does it outside.
fn submit_from_outside(shared: &Shared) {
    shared.injected.push(task());
    shared.notify_from_outside(|_, why| why == Blocked::Guest);
}

/// As a scope's `spawn` does it outside, for a scope that worker 0 waits for.
fn submit_to(shared: &Shared, scope: &CountLatch) {
    scope.spawned(1, 1);
    // SAFETY: the scope outlives the model's threads.
    let task = unsafe { ScopeJob::boxed(scope, |_: &Local| ()) };
    shared.misfits.push(Job::Scoped(task));
    shared.notify(|index, why| index == 0 && why == Blocked::Latch);
}

/// A scope whose body is one task to come.
fn scope() -> Arc<CountLatch> {
    Arc::new(CountLatch::new(1))
}

/// The end of the scope's body.
fn close(scope: &CountLatch) {
    // SAFETY: the body counts, and is over.
    unsafe { CountLatch::done(scope, 0, 1) };
}

#[test]
fn a_worker_that_waits_for_a_scope_is_told_of_its_tasks() {
    check(|| {
        let [local] = workers(1, None);
        let scope = scope();
        let theirs = Arc::clone(&scope);
        let publisher = beside(&local.shared, move |shared| {
            submit_to(shared, &theirs);
            close(&theirs);
        });
        local.wait_for_scope(&scope);
        publisher.join().unwrap();
    });
}

#[test]
fn a_worker_that_blocks_is_replaced_for_work_that_comes_meanwhile() {
    check(|| {
        let [local] = workers(2, None);
        let hired = count_hired(&local.shared);
        let publisher = beside(&local.shared, submit);
        let left = local.be_away();
        publisher.join().unwrap();
        assert_eq!((left, hired.load(SeqCst)), (true, 1));
        assert!(!local.shared.seats.is_deserted(), "nobody has its seat");
    });
}

/// The publisher of the scope's task sees a searcher, who finds something else.
#[test]
fn the_last_searcher_tells_a_worker_that_waits() {
    check(|| {
        let [local, searcher] = workers(2, None);
        local.shared.idle.start_searching();
        let scope = scope();
        let theirs = Arc::clone(&scope);
        let publisher = beside(&local.shared, move |shared| {
            submit_to(shared, &theirs);
            close(&theirs);
        });
        // It is busy with what it has found for as long as the model lasts.
        let searcher = go(searcher, |local| local.shared.leave_search(local.index));
        local.wait_for_scope(&scope);
        publisher.join().unwrap();
        searcher.join().unwrap();
    });
}

/// The searcher interrupts nobody, since all others sleep; the publisher sees it search, and it
/// finds something else.
#[test]
fn the_last_searcher_needs_no_help_of_outsiders_beside_those_who_sleep() {
    without_light_fences(|| {
        check(|| {
            let [searcher, asleep] = workers(2, None);
            let shared = Arc::clone(&searcher.shared);
            shared.injected.push(task());
            shared.idle.start_searching();
            shared.idle.sleep_begin(asleep.index);
            shared.idle.start_searching();
            let publisher = beside(&shared, submit_from_outside);
            let searcher = go(searcher, |local| {
                let found = local.search(Ladder::default()).expect("the pool hasn't ended");
                local.execute(found);
            });
            publisher.join().unwrap();
            searcher.join().unwrap();
            assert!(!shared.idle.anyone_asleep() || !shared.has_work(), "nobody knows of the task");
        });
    });
}

/// A lone worker falls asleep, and interrupts nobody.
#[test]
fn the_last_to_fall_asleep_needs_no_help_of_outsiders() {
    without_light_fences(|| {
        check(|| {
            let [local] = workers(1, None);
            let publisher = beside(&local.shared, submit_from_outside);
            let found = local.idle().expect("the pool hasn't ended");
            local.execute(found);
            publisher.join().unwrap();
        });
    });
}

/// As above, and there is no work, but the end.
#[test]
fn the_last_to_fall_asleep_needs_no_help_of_who_closes_the_pool() {
    without_light_fences(|| {
        check(|| {
            let [local] = workers(1, None);
            let closer = beside(&local.shared, |shared| shared.begin_shutdown());
            assert!(local.idle().is_none());
            closer.join().unwrap();
        });
    });
}

/// The owner of a frame that hides has answered the hunger of the one who sleeps, and seen a
/// searcher, who finds something else.
#[test]
fn the_last_searcher_tells_an_idle_worker_of_hidden_frames() {
    check(|| {
        let [local, searcher, asleep] = workers(3, None);
        let idle = &local.shared.idle;
        local.shared.injected.push(task());
        idle.start_searching();
        idle.start_searching();
        idle.sleep_begin(asleep.index);
        let searcher = go(searcher, |local| {
            let found = local.search(Ladder::default()).expect("the pool hasn't ended");
            local.execute(found);
        });
        let job = StackJob::new(|_| (), local.lane().top());
        // SAFETY: popped below, or run by the searcher.
        hide(&local, unsafe { job.as_frame() });
        searcher.join().unwrap();
        let taken = !take_back(&local, &job);
        assert!(taken || idle.searching() == 1, "nobody knows of the frame");
    });
}

/// The other one finds the first frame of what this one has found on the deque.
#[test]
fn whoever_leaves_the_search_beside_another_shows_the_first_frame() {
    check(|| {
        let [local, _other] = workers(2, None);
        local.shared.injected.push(task());
        local.shared.idle.start_searching();
        local.shared.idle.start_searching();
        let found = local.search(Ladder::default()).expect("the pool hasn't ended");
        local.execute(found);
        let job = StackJob::new(|_| (), local.lane().top());
        // SAFETY: popped below, and not run.
        assert!(unsafe { local.lane().push(job.as_frame()) }, "nobody was hungry");
        assert!(take_back(&local, &job));
    });
}

/// A worker that is busy fetches both, while the other one falls asleep.
#[test]
fn a_task_that_is_fetched_with_another_is_not_kept_from_those_who_sleep() {
    check(|| {
        let [busy, other] = workers(2, None);
        (0..2).for_each(|_| busy.shared.injected.push(task()));
        let busy = go(busy, |local| {
            if let Some(found) = local.find() {
                local.execute(found);
            }
        });
        let other = go(other, |local| {
            let found = local.idle().expect("the pool hasn't ended");
            local.execute(found);
        });
        busy.join().unwrap();
        other.join().unwrap();
    });
}

/// Call after call, and a task behind them: whoever answers them without a look elsewhere counts as
/// busy.
#[test]
fn a_task_behind_quick_calls_is_not_kept_from_those_who_sleep() {
    check(|| {
        let [local, asleep] = workers(2, None);
        let idle = &local.shared.idle;
        let calls = [(); 2].map(|()| StackJob::new(|_| (), std::ptr::null_mut()));
        for call in &calls {
            // SAFETY: run below, or by nobody.
            let frame = unsafe { call.as_frame() };
            // SAFETY: nobody else knows of it.
            unsafe { frame.arm() };
            local.shared.calls.push(Job::QuickCall(frame));
        }
        idle.start_searching();
        idle.sleep_begin(asleep.index);
        idle.start_searching();
        let publisher = beside(&local.shared, submit);
        let call = local.search(Ladder::default()).expect("the pool hasn't ended");
        assert!(matches!(call, Job::QuickCall(_)));
        assert!(!local.still_searching.get());
        publisher.join().unwrap();
        assert!(!idle.anyone_asleep(), "nobody knows of the task");
    });
}

/// A quick call takes its time and makes work. Nobody is woken as long as its worker counts as
/// searching; when it doesn't any more, its caller has looked after the one who sleeps.
#[test]
fn the_caller_of_a_quick_call_looks_after_those_who_sleep() {
    check(|| {
        let [local, asleep] = workers(2, None);
        let idle = &local.shared.idle;
        idle.start_searching();
        idle.sleep_begin(asleep.index);
        idle.start_searching();
        local.still_searching.set(true);
        let loan = Arc::new(Loan::new());
        let theirs = Arc::clone(&loan);
        let caller = beside(&local.shared, move |shared| {
            if theirs.withdraw() {
                shared.stop_searching();
            }
        });
        let caller = std::cell::Cell::new(Some(caller));
        local.lend(&loan, || {
            submit(&local.shared);
            // The call doesn't end before its caller has gone.
            caller.take().unwrap().join().unwrap();
            assert!(!idle.anyone_asleep(), "nobody knows of the task");
        });
        assert!(!local.still_searching.get());
        assert_eq!(idle.searching(), 1, "the one who has been woken");
    });
}

/// The thief blocks with a frame that only the one who waits for it can run.
#[test]
fn a_worker_that_waits_for_a_frame_is_told_of_its_thief_s_frames() {
    check(|| {
        let [local, thief] = workers(2, None);
        let ours = StackJob::<Local, _, _>::new(|_| (), std::ptr::null_mut());
        // SAFETY: run before it goes.
        let frame = unsafe { ours.as_frame() };
        // SAFETY: the thief, who is to run it, doesn't know of it yet.
        unsafe { frame.arm() };
        // SAFETY: just made.
        unsafe { (*frame.latch()).take(thief.index) };
        let thief = go(thief, move |local| {
            let (done, parker) = (Arc::new(Latch::new()), Arc::new(Parker::new()));
            let set = Arc::clone(&done);
            // SAFETY: alive, and set once.
            let set = move |_| unsafe { Latch::set(&*set) };
            let part = StackJob::new(set, local.lane().top());
            // SAFETY: waited for below.
            hide(local, unsafe { part.as_frame() });
            while done.register(Arc::clone(&parker)) {
                parker.park();
            }
            assert!(!take_back(local, &part), "run, and still there");
            // SAFETY: nobody else runs it.
            unsafe { frame.run(local) };
        });
        // SAFETY: armed above.
        local.wait_for_frame(frame, unsafe { ours.latch() });
        thief.join().unwrap();
    });
}

const PERIOD: Option<Duration> = Some(Duration::from_millis(10));

/// A busy worker and a watch that is on duty, for no reason.
fn watched() -> Local {
    let [local] = workers(1, PERIOD);
    let hired = count_hired(&local.shared);
    submit(&local.shared);
    assert!(local.shared.watch.is_armed() && hired.load(SeqCst) == 1);
    assert!(local.find().is_some());
    local
}

#[test]
fn the_watch_is_on_duty_while_a_task_waits_for_a_busy_worker() {
    check(|| {
        let local = watched();
        let watch = beside(&local.shared, |shared| shared.go_off_watch());
        submit(&local.shared);
        watch.join().unwrap();
        assert!(local.shared.watch.is_armed());
    });
}

#[test]
fn the_watch_is_on_duty_while_a_frame_waits_beside_a_busy_worker() {
    check(|| {
        let local = watched();
        let watch = beside(&local.shared, |shared| shared.go_off_watch());
        let job = StackJob::new(|_| (), local.lane().top());
        // SAFETY: popped below.
        hide(&local, unsafe { job.as_frame() });
        watch.join().unwrap();
        assert!(local.shared.watch.is_armed());
        assert!(take_back(&local, &job));
    });
}

/// As a guest whose thread ends, or a worker whose thread came to nothing.
#[test]
fn the_pool_ends_beside_a_worker_that_is_no_more() {
    check(|| {
        let [local, _gone] = workers(2, None);
        let gone = beside(&local.shared, |shared| shared.unstaff());
        let closer = beside(&local.shared, |shared| shared.begin_shutdown());
        assert!(local.idle().is_none());
        gone.join().unwrap();
        closer.join().unwrap();
    });
}

/// One spare too many, who looks for work and goes to the bench.
#[test]
fn the_pool_ends_beside_a_spare_that_goes_to_the_bench() {
    check(|| {
        let [local] = workers(2, None);
        let shared = &local.shared;
        let hired = count_hired(shared);
        let left = local.be_away();
        submit(shared);
        assert!(left && hired.load(SeqCst) == 1 && local.find().is_some());
        local.come_back(left);
        let deques = shared.move_in(1);
        let spare = Local::new(Arc::clone(shared), 1, deques, Origin::Hired);
        let spare = go(spare, |spare| assert!(spare.search(Ladder::default()).is_none()));
        shared.begin_shutdown();
        assert!(local.idle().is_none());
        spare.join().unwrap();
    });
}

/// The watch has taken the worker's seat, and can give it to nobody; meanwhile the worker is back,
/// does what there was to do, and finds no end as long as somebody counts as searching.
#[test]
fn the_pool_ends_beside_a_hire_that_fails() {
    check(|| {
        let [local] = workers(2, None);
        let shared = Arc::clone(&local.shared);
        assert!(shared.hire.set(Box::new(|_| Err(io::ErrorKind::WouldBlock.into()))).is_ok());
        shared.injected.push(task());
        shared.begin_shutdown();
        shared.seats.leave();
        let watch = beside(&shared, |shared| shared.hand_over_or_call());
        let worker = go(local, |local| {
            local.shared.seats.come_back();
            if let Some(found) = local.find() {
                local.execute(found);
            }
            assert!(local.idle().is_none());
        });
        watch.join().unwrap();
        worker.join().unwrap();
    });
}

/// Until it is clear that there is no thread, the spare counts as searching.
#[test]
fn whoever_relied_on_a_spare_that_has_no_thread_is_served() {
    check(|| {
        let [asleep, blocked, _busy] = workers(4, None);
        let shared = &asleep.shared;
        assert!(shared.hire.set(Box::new(|_| Err(io::ErrorKind::WouldBlock.into()))).is_ok());
        shared.block(asleep.index, Blocked::Latch);
        assert!(asleep.leave_seat() && blocked.leave_seat());
        let publisher = beside(shared, submit);
        let scope = scope();
        submit_to(shared, &scope);
        asleep.remote().parker.park();
        close(&scope);
        asleep.wait_for_scope(&scope);
        publisher.join().unwrap();
    });
}

/// It finds nothing and falls asleep meanwhile, or has done so.
#[test]
fn a_worker_that_is_let_go_leaves_its_seat() {
    check(|| {
        let [local, _busy] = workers(2, None);
        let shared = Arc::clone(&local.shared);
        let worker = go(local, |local| assert!(local.idle().is_none()));
        shared.let_go(0);
        while !shared.is_benched(0) {
            thread::yield_now();
        }
        shared.unstaff();
        shared.begin_shutdown();
        worker.join().unwrap();
    });
}

#[test]
fn work_that_comes_while_a_worker_leaves_for_good_is_done() {
    check(|| {
        let [local, _busy] = workers(2, None);
        let shared = Arc::clone(&local.shared);
        shared.let_go(0);
        let publisher = beside(&shared, submit);
        let worker = go(local, |local| {
            let found = local.idle().expect("the pool hasn't ended");
            local.execute(found);
        });
        publisher.join().unwrap();
        worker.join().unwrap();
        assert!(!shared.has_work());
    });
}

/// There is one seat less; the other worker has one of its own.
#[test]
fn a_worker_that_is_one_too_many_leaves_after_its_job() {
    check(|| {
        let [local, _busy] = workers(2, None);
        let shared = Arc::clone(&local.shared);
        shared.injected.push(task());
        let worker = go(local, |local| {
            local.run();
            assert_eq!(local.counters().tasks.read(), 1);
        });
        shared.resize(1, [0]);
        while !shared.is_benched(0) {
            thread::yield_now();
        }
        assert!(!shared.has_work());
        shared.unstaff();
        shared.begin_shutdown();
        worker.join().unwrap();
    });
}

/// With a pool that gets larger just then.
#[test]
fn work_that_comes_before_there_is_a_seat_for_it_is_done() {
    check(|| {
        let [busy] = workers(2, None);
        let shared = &busy.shared;
        let hired = count_hired(shared);
        let publisher = beside(shared, submit);
        shared.resize(2, []);
        publisher.join().unwrap();
        assert_eq!(hired.load(SeqCst), 1);
    });
}

/// Its part of a broadcast, say: it is on its way to the bench, on it, or told to end.
#[test]
fn a_worker_that_leaves_is_brought_back_for_what_only_it_may_do() {
    check(|| {
        let [local, _busy] = workers(2, None);
        let shared = Arc::clone(&local.shared);
        let hired = count_hired(&shared);
        shared.let_go(0);
        let worker = go(local, |local| {
            local.run();
            let (shared, tasks) = (Arc::clone(&local.shared), local.counters().tasks.read());
            if tasks == 0 {
                shared.move_out(0, Deques::default());
            }
        });
        let governor = beside(&shared, |shared| _ = shared.dismiss(0));
        shared.worker(0).inbox.push(task());
        shared.unpark(0);
        shared.summon(0);
        governor.join().unwrap();
        if shared.seats.place(0, |_| ()) != Place::Dismissed {
            while !shared.worker(0).inbox.is_empty() && hired.load(SeqCst) == 0 {
                thread::yield_now();
            }
        }
        shared.unstaff();
        shared.begin_shutdown();
        worker.join().unwrap();
        assert!(shared.worker(0).inbox.is_empty() != (hired.load(SeqCst) == 1));
    });
}

/// Its part of a broadcast, say: it may come before it has left, or after.
#[test]
fn what_is_for_a_worker_that_leaves_for_good_is_done_by_another() {
    check(|| {
        let [guest, local] = workers(2, None);
        let shared = Arc::clone(&local.shared);
        let worker = go(local, |local| {
            local.run();
            assert_eq!(local.counters().tasks.read(), 1);
        });
        let sender = beside(&shared, |shared| {
            let send = || {
                shared.worker(0).inbox.push(task());
                shared.unpark(0);
                shared.summon(0);
            };
            assert!(shared.submit(send).is_ok());
            shared.begin_shutdown();
        });
        shared.lose(guest.index);
        shared.unstaff();
        sender.join().unwrap();
        worker.join().unwrap();
    });
}

/// One that has ended: somebody else has chosen it for a seat meanwhile.
#[test]
fn what_is_for_a_worker_that_gets_no_thread_is_done_by_another() {
    check(|| {
        let [local, _ended] = workers(2, None);
        let shared = Arc::clone(&local.shared);
        assert!(shared.hire.set(Box::new(|_| Err(io::ErrorKind::WouldBlock.into()))).is_ok());
        shared.seats.sit_out(1);
        assert!(shared.dismiss(1));
        shared.seats.retire(1);
        shared.unstaff();
        let hirer = beside(&shared, |shared| _ = shared.start_spare());
        let worker = go(local, |local| {
            local.run();
            assert_eq!(local.counters().tasks.read(), 1);
        });
        let send = || {
            shared.worker(1).inbox.push(task());
            shared.summon(1);
        };
        assert!(shared.submit(send).is_ok());
        hirer.join().unwrap();
        shared.begin_shutdown();
        worker.join().unwrap();
    });
}

/// It has been told to end, and finds then that it would have been wanted; no thread is to be had.
#[test]
fn what_a_worker_leaves_as_it_ends_is_done_before_the_pool_ends() {
    check(|| {
        let [local, _ends] = workers(2, None);
        let shared = Arc::clone(&local.shared);
        assert!(shared.hire.set(Box::new(|_| Err(io::ErrorKind::WouldBlock.into()))).is_ok());
        shared.seats.sit_out(1);
        assert!(shared.dismiss(1));
        shared.unstaff();
        shared.worker(1).inbox.push(task());
        shared.begin_shutdown();
        let worker = go(local, |local| {
            local.run();
            assert_eq!(local.counters().tasks.read(), 1);
        });
        shared.move_out(1, Deques::default());
        worker.join().unwrap();
    });
}
