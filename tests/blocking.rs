//! Workers that block in the kernel without saying so are found and replaced.

#![cfg(target_os = "linux")]

mod common;

use common::{builder, pool, wait_until};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

#[test]
fn a_task_does_not_wait_for_tasks_that_sleep() {
    let pool = pool(2);
    let awake = Arc::new(AtomicUsize::new(0));
    let (begun, begin) = mpsc::channel();
    for _ in 0..2 {
        let (awake, begun) = (Arc::clone(&awake), begun.clone());
        pool.spawn(move || {
            begun.send(()).unwrap();
            // Long beside the 20 ms in which a sleeper is to be found.
            thread::sleep(Duration::from_secs(2));
            awake.fetch_add(1, SeqCst);
        });
    }
    (0..2).for_each(|_| begin.recv().unwrap());
    let awake_then = pool.spawn_handle(move || awake.load(SeqCst)).join().unwrap();
    assert_eq!(awake_then, 0, "the third task waited for one of the first two");
    assert!(pool.counters().stalls > 0);
}

#[test]
fn the_arms_of_a_join_may_wait_for_each_other() {
    for workers in [1, 2] {
        let pool = pool(workers);
        for _ in 0..3 {
            let (sender, receiver) = mpsc::channel();
            let got = pool.join(move || receiver.recv(), move || sender.send(workers).unwrap());
            assert_eq!(got.0, Ok(workers));
        }
    }
}

#[test]
fn spares_retire_when_those_who_slept_are_back() {
    let pool = pool(1);
    for _ in 0..3 {
        let (sender, receiver) = mpsc::channel::<()>();
        let sleeper = pool.spawn_handle(move || receiver.recv().unwrap());
        pool.spawn(move || sender.send(()).unwrap());
        sleeper.join().unwrap();
        // One runs again, and one at a time: two would meet within tasks as long as these.
        let (running, met) = (AtomicUsize::new(0), AtomicUsize::new(0));
        wait_until(|| {
            met.store(0, SeqCst);
            pool.scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|_| {
                        met.fetch_max(running.fetch_add(1, SeqCst), SeqCst);
                        compute(Duration::from_millis(5));
                        running.fetch_sub(1, SeqCst);
                    });
                }
            });
            met.load(SeqCst) == 0
        });
    }
    // Not once a round: a spare that is searching when the next one begins needs no watch.
    assert!(pool.counters().stalls > 0);
}

fn compute(time: Duration) {
    let begin = std::time::Instant::now();
    spin_while(|| begin.elapsed() < time);
}

#[test]
fn nobody_is_taken_for_blocked_who_computes() {
    let pool = pool(2);
    let task = || compute(Duration::from_millis(60));
    pool.scope(|scope| (0..6).for_each(|_| scope.spawn(move |_| task())));
    assert_eq!(pool.counters().stalls, 0);
}

#[test]
fn detection_can_be_switched_off() {
    let pool: common::Pool = builder(1).detect_blocking(None).into();
    let (sender, receiver) = mpsc::channel();
    let sleeper = pool.spawn_handle(move || receiver.recv().unwrap());
    pool.spawn(|| ());
    thread::sleep(Duration::from_millis(100));
    assert_eq!(pool.counters().stalls, 0);
    sender.send(7).unwrap();
    assert_eq!(sleeper.join().unwrap(), 7);
}

/// An idle pool has no use for its watch, and it doesn't tick. In a process of its own: the
/// watch is known by its name.
#[test]
fn the_watch_goes_off_duty() {
    common::child_succeeds("the_watch_goes_off_duty", &[], || {
        let pool = pool(1);
        let (sender, receiver) = mpsc::channel::<()>();
        let sleeper = pool.spawn_handle(move || receiver.recv().unwrap());
        pool.spawn(move || sender.send(()).unwrap());
        sleeper.join().unwrap();
        let watch = thread_named("filch-watch");
        let switches = || {
            let status = std::fs::read_to_string(watch.join("status")).unwrap();
            let line = status.lines().find(|line| line.starts_with("voluntary_ctxt")).unwrap();
            line.split_whitespace().last().unwrap().parse::<u64>().unwrap()
        };
        wait_until(|| {
            let before = switches();
            // Ten ticks, were it on duty.
            thread::sleep(Duration::from_millis(100));
            switches() == before
        });
    });
}

fn thread_named(name: &str) -> std::path::PathBuf {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let named = |task: &std::path::PathBuf| {
        std::fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm.trim() == name)
    };
    tasks.map(|task| task.unwrap().path()).find(named).expect("a watch")
}

fn spin_while(condition: impl Fn() -> bool) {
    while condition() {
        std::hint::spin_loop();
    }
}

/// The watch has looked at a worker before that had a thread.
#[test]
fn a_worker_that_came_late_is_watched() {
    let begin = std::time::Instant::now();
    let is_early = move |ms| begin.elapsed() < Duration::from_millis(ms);
    let pool: common::Pool = builder(2)
        .thread_name(move |index| {
            spin_while(|| index == 1 && is_early(100));
            format!("late-{index}")
        })
        .start_handler(move |index| {
            // On duty at once: there is work, and nobody for it.
            let tasks = if index == 0 { 2 } else { 0 };
            (0..tasks).for_each(|_| filch::spawn(move || spin_while(|| is_early(150))));
        })
        .into();
    wait_until(|| pool.counters().tasks == 2);
    let (begun, begin) = mpsc::channel();
    let (sender, receiver) = mpsc::channel::<()>();
    let (receiver, over) = (Mutex::new(receiver), Arc::new(AtomicUsize::new(0)));
    let is_over = Arc::clone(&over);
    pool.spawn_broadcast(move |context| {
        begun.send(()).unwrap();
        match context.index() {
            0 => wait_until(|| is_over.load(SeqCst) == 1),
            _ => receiver.lock().unwrap().recv().unwrap(),
        }
    });
    (0..2).for_each(|_| begin.recv().unwrap());
    pool.spawn_handle(move || over.store(1, SeqCst)).join().unwrap();
    sender.send(()).unwrap();
    assert!(pool.counters().stalls > 0);
}

#[test]
fn pools_with_a_watch_end() {
    for _ in 0..20 {
        let pool = pool(1);
        let (sender, receiver) = mpsc::channel::<()>();
        pool.spawn(move || receiver.recv().unwrap());
        pool.spawn(move || sender.send(()).unwrap());
        pool.shutdown().unwrap();
    }
}

/// The owner of the scope is woken for the first task, and no searcher who would see to the
/// second; and both tasks then block without saying so.
#[test]
fn a_worker_that_is_woken_for_one_task_sees_to_the_next() {
    let pool = common::sleeping_pool(2);
    for _ in 0..3 {
        let (tell_first, first) = mpsc::channel::<()>();
        let (tell_body, body) = mpsc::channel::<()>();
        pool.scope(|scope| {
            scope.spawn(move |scope| {
                // Until the owner sleeps in its wait, most likely.
                thread::sleep(Duration::from_millis(20));
                scope.spawn(move |_| first.recv().unwrap());
                scope.spawn(move |_| {
                    tell_first.send(()).unwrap();
                    tell_body.send(()).unwrap();
                });
                body.recv().unwrap();
            });
            // Until the other worker has the task.
            thread::sleep(Duration::from_millis(5));
        });
    }
}

/// A spare counts as searching from its birth on; its handler must not count as a search.
#[test]
fn the_start_handler_of_a_spare_may_use_the_pool() {
    let (tell, told) = mpsc::channel();
    let tell = std::sync::Mutex::new(tell);
    let handler = move |index| {
        if index == 1 {
            // Until the worker is back and sleeps, most likely.
            thread::sleep(Duration::from_millis(200));
            let (done, wait) = mpsc::channel();
            filch::spawn(move || done.send(()).unwrap());
            wait.recv().unwrap();
            tell.lock().unwrap().send(()).unwrap();
        }
    };
    let pool: common::Pool = builder(1).max_threads(2).start_handler(handler).into();
    let (end, ended) = mpsc::channel::<()>();
    pool.spawn(move || {
        filch::spawn(|| ());
        // Somebody comes, and needs us; we are back before long.
        filch::blocking(|| _ = ended.recv_timeout(Duration::from_millis(50)));
    });
    told.recv().unwrap();
    drop(end);
}
