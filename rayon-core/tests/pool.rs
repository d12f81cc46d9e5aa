//! What programs rely on in rayon-core, where its own tests are weak: that sleepers are woken and
//! work is stolen, that variables count, and how a pool ends.

use rayon_core::{ThreadPool, ThreadPoolBuilder};
use std::collections::HashSet;
use std::panic::catch_unwind;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

fn pool(threads: usize) -> ThreadPool {
    ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

/// Long enough that all threads of a pool sleep.
fn let_sleep() {
    thread::sleep(Duration::from_millis(50));
}

/// After which a test gives up: a pool that stops is to fail, not to hang.
const LONG: Duration = Duration::from_secs(30);

fn wait_until(condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < LONG, "waited in vain");
        thread::yield_now();
    }
}

/// A barrier for one use, at which nobody waits for ever.
struct Meeting {
    missing: Mutex<usize>,
    all_there: Condvar,
}

impl Meeting {
    fn of(parties: usize) -> Self {
        Self { missing: Mutex::new(parties), all_there: Condvar::new() }
    }

    fn wait(&self) {
        let mut missing = self.missing.lock().unwrap();
        *missing -= 1;
        self.all_there.notify_all();
        let (_missing, waited) =
            self.all_there.wait_timeout_while(missing, LONG, |missing| *missing > 0).unwrap();
        assert!(!waited.timed_out(), "met nobody");
    }
}

#[test]
fn sleeping_threads_are_woken_for_tasks_from_outside() {
    let pool = pool(4);
    for _ in 0..3 {
        let_sleep();
        let all = Arc::new(Meeting::of(5));
        for _ in 0..4 {
            let all = Arc::clone(&all);
            pool.spawn(move || all.wait());
        }
        all.wait();
    }
}

#[test]
fn sleeping_threads_are_woken_for_tasks_from_inside() {
    let pool = pool(4);
    let_sleep();
    let all = Meeting::of(4);
    pool.scope(|scope| (0..4).for_each(|_| scope.spawn(|_| all.wait())));
}

#[test]
fn either_half_of_a_join_may_wait_for_the_other() {
    let pool = pool(2);
    for _ in 0..3 {
        let_sleep();
        let (tell, told) = mpsc::channel();
        pool.join(move || told.recv_timeout(LONG).unwrap(), move || tell.send(()).unwrap());
    }
}

#[test]
fn a_join_deep_below_others_is_stolen_too() {
    fn deep(level: usize, threads: &Mutex<HashSet<usize>>) {
        if level == 0 {
            let both = Meeting::of(2);
            let meet = || {
                threads.lock().unwrap().insert(rayon_core::current_thread_index().unwrap());
                both.wait();
            };
            rayon_core::join(meet, meet);
        } else {
            rayon_core::join(|| deep(level - 1, threads), || ());
        }
    }
    let threads = Mutex::default();
    pool(2).install(|| deep(20, &threads));
    assert_eq!(threads.into_inner().unwrap().len(), 2);
}

/// rayon's deadlocks here: while its thread waits for the join, it runs the task, which waits for
/// the lock that this very thread holds.
#[test]
fn a_lock_may_be_held_across_a_join() {
    let (done, all_done) = mpsc::channel();
    // Not joined: should it stop, the test fails all the same.
    thread::spawn(move || {
        let (lock, both) = (Mutex::new(0), Meeting::of(2));
        pool(2).scope(|scope| {
            let mut held = lock.lock().unwrap();
            rayon_core::join(
                || {
                    both.wait();
                    scope.spawn(|_| *lock.lock().unwrap() += 1);
                },
                || {
                    both.wait();
                    let_sleep();
                },
            );
            *held += 1;
        });
        done.send(lock.into_inner().unwrap()).unwrap();
    });
    assert_eq!(all_done.recv_timeout(LONG), Ok(2));
}

#[test]
fn indices_stay_below_the_number_of_threads_while_threads_block() {
    let pool = pool(2);
    let seen = Arc::new(Mutex::new(HashSet::new()));
    let (done, all_done) = mpsc::channel();
    for _ in 0..20 {
        let (seen, done) = (Arc::clone(&seen), done.clone());
        pool.spawn(move || {
            seen.lock().unwrap().insert(rayon_core::current_thread_index().unwrap());
            thread::sleep(Duration::from_millis(15));
            done.send(rayon_core::current_num_threads()).unwrap();
        });
    }
    drop(done);
    assert_eq!(all_done.iter().collect::<Vec<_>>(), [2; 20]);
    assert!(seen.lock().unwrap().iter().all(|&index| index < 2));
}

#[test]
fn pools_may_install_into_each_other() {
    let (one, other) = (Arc::new(pool(1)), Arc::new(pool(1)));
    let (back, there) = (Arc::clone(&one), Arc::clone(&other));
    assert_eq!(one.install(move || there.install(move || back.install(|| 42))), 42);
    let both = Meeting::of(2);
    thread::scope(|threads| {
        for (this, that) in [(&one, &other), (&other, &one)] {
            let both = &both;
            threads.spawn(move || {
                this.install(|| {
                    both.wait();
                    that.install(|| ());
                });
            });
        }
    });
}

#[test]
fn pending_tasks_are_those_that_nobody_has_begun() {
    pool(1).install(|| {
        let pending = rayon_core::current_thread_has_pending_tasks;
        assert_eq!(pending(), Some(false));
        rayon_core::join(
            || assert_eq!(pending(), Some(true)),
            || assert_eq!(pending(), Some(false)),
        );
        rayon_core::spawn(|| ());
        assert_eq!(pending(), Some(true));
        assert_eq!(rayon_core::yield_local(), Some(rayon_core::Yield::Executed));
        assert_eq!(pending(), Some(false));
    });
    assert_eq!(rayon_core::current_thread_has_pending_tasks(), None);
}

#[test]
fn a_thread_builder_says_what_was_asked_for() {
    let seen = Mutex::new(Vec::new());
    let pool = ThreadPoolBuilder::new()
        .num_threads(2)
        .thread_name(|index| format!("named-{index}"))
        .stack_size(123_456)
        .spawn_handler(|thread| {
            let name = thread.name().map(str::to_owned);
            seen.lock().unwrap().push((thread.index(), name, thread.stack_size()));
            thread::spawn(|| thread.run());
            Ok(())
        })
        .build()
        .unwrap();
    let named = |index| (index, Some(format!("named-{index}")), Some(123_456));
    assert_eq!(pool.install(rayon_core::current_num_threads), 2);
    assert_eq!(*seen.lock().unwrap(), [named(0), named(1)]);
}

#[test]
fn more_threads_than_there_may_be_are_reduced() {
    let asked = Arc::new(AtomicUsize::new(0));
    let refuse = |_| {
        asked.fetch_add(1, Ordering::Relaxed);
        Err(std::io::Error::other("no more"))
    };
    let error = ThreadPoolBuilder::new().num_threads(usize::MAX).spawn_handler(refuse).build();
    assert!(error.unwrap_err().to_string().contains("no more"));
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    assert!(rayon_core::max_num_threads() >= 255);
}

#[test]
fn a_build_that_fails_stops_the_threads_that_have_begun() {
    let (begun, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (start, exit) = (Arc::clone(&begun), Arc::clone(&ended));
    let count = |counter: Arc<AtomicUsize>| move |_| _ = counter.fetch_add(1, Ordering::SeqCst);
    let result = ThreadPoolBuilder::new()
        .num_threads(3)
        .start_handler(count(start))
        .exit_handler(count(exit))
        .spawn_handler(|thread| match thread.index() {
            2 => Err(std::io::Error::other("no more")),
            _ => {
                thread::spawn(|| thread.run());
                Ok(())
            }
        })
        .build();
    let error = result.unwrap_err();
    assert!(std::error::Error::source(&error).is_some());
    wait_until(|| ended.load(Ordering::SeqCst) == 2);
    assert_eq!(begun.load(Ordering::SeqCst), 2);
}

#[test]
fn start_handlers_may_wait_for_whoever_builds_the_pool() {
    let all = Arc::new(Meeting::of(3));
    let theirs = Arc::clone(&all);
    let start = move |_| theirs.wait();
    let _pool = ThreadPoolBuilder::new().num_threads(2).start_handler(start).build().unwrap();
    all.wait();
}

#[test]
fn dropping_a_pool_waits_for_nothing_and_loses_nothing() {
    let state = Arc::new(());
    let (theirs, exits) = (Arc::clone(&state), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&exits);
    let pool = ThreadPoolBuilder::new()
        .num_threads(2)
        .exit_handler(move |_| {
            let _state = &theirs;
            count.fetch_add(1, Ordering::SeqCst);
        })
        .build()
        .unwrap();
    let (open, gate) = mpsc::channel::<()>();
    let ran = Arc::new(AtomicUsize::new(0));
    let (gate, first) = (Mutex::new(gate), Arc::clone(&ran));
    pool.spawn(move || {
        gate.lock().unwrap().recv_timeout(LONG).unwrap();
        first.fetch_add(1, Ordering::SeqCst);
        // Accepted from inside, though the pool has been dropped.
        rayon_core::spawn(move || _ = first.fetch_add(1, Ordering::SeqCst));
    });
    drop(pool);
    assert_eq!((ran.load(Ordering::SeqCst), exits.load(Ordering::SeqCst)), (0, 0));
    open.send(()).unwrap();
    wait_until(|| exits.load(Ordering::SeqCst) == 2);
    assert_eq!(ran.load(Ordering::SeqCst), 2);
    wait_until(|| Arc::strong_count(&state) == 1);
}

#[test]
fn a_pool_of_the_current_thread_dropped_elsewhere_ends_with_that_thread() {
    let exits = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&exits);
    let (give, given) = mpsc::channel();
    let (end, may_end) = mpsc::channel();
    let builder = thread::spawn(move || {
        let pool = ThreadPoolBuilder::new()
            .num_threads(2)
            .use_current_thread()
            .exit_handler(move |_| _ = count.fetch_add(1, Ordering::SeqCst))
            .build()
            .unwrap();
        give.send(pool).unwrap();
        may_end.recv_timeout(LONG).unwrap();
        // Still a thread of the pool, and the other one still works for it.
        assert_eq!(rayon_core::current_thread_index(), Some(0));
        let both = Meeting::of(2);
        rayon_core::join(|| both.wait(), || both.wait());
        // In rayon's, it would never run, and nobody would say so.
        assert!(catch_unwind(|| rayon_core::spawn(|| ())).is_err());
    });
    drop(given.recv_timeout(LONG).unwrap());
    let_sleep();
    assert_eq!(exits.load(Ordering::SeqCst), 0);
    end.send(()).unwrap();
    builder.join().unwrap();
    wait_until(|| exits.load(Ordering::SeqCst) == 1);
}

/// What upstream's workers_stop and sleeper_stop ask of private parts.
#[test]
fn threads_end_after_the_drop_be_they_busy_or_asleep() {
    for sleep in [false, true] {
        let ended = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&ended);
        let pool = ThreadPoolBuilder::new()
            .num_threads(22)
            .exit_handler(move |_| _ = count.fetch_add(1, Ordering::SeqCst))
            .build()
            .unwrap();
        if sleep {
            let_sleep();
        } else {
            pool.install(|| _ = rayon_core::join(|| 1, || 2));
        }
        drop(pool);
        wait_until(|| ended.load(Ordering::SeqCst) == 22);
    }
}

/// Runs the ignored test of this name in a process of its own.
fn child(name: &str, variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([name, "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
    for variable in ["RAYON_NUM_THREADS", "RAYON_RS_NUM_CPUS", "FILCH_NUM_THREADS"] {
        command.env_remove(variable);
    }
    command.envs(variables.iter().copied()).output().unwrap()
}

#[test]
#[ignore = "run by others, in a process of its own"]
fn says_how_many_threads() {
    println!("threads: {}.", rayon_core::current_num_threads());
    assert_eq!(rayon_core::current_thread_index(), None);
    let built = ThreadPoolBuilder::new().build().unwrap().current_num_threads();
    assert_eq!(built, rayon_core::current_num_threads());
    assert_eq!(rayon_core::join_context(|a| a.migrated(), |b| b.migrated()), (true, true));
}

#[test]
fn variables_say_how_many_threads_there_are() {
    let default = thread::available_parallelism().unwrap().get();
    for (variables, threads) in [
        (&[][..], default),
        (&[("RAYON_NUM_THREADS", "3")], 3),
        (&[("RAYON_RS_NUM_CPUS", "5")], 5),
        (&[("RAYON_NUM_THREADS", "3"), ("RAYON_RS_NUM_CPUS", "5")], 3),
        (&[("RAYON_NUM_THREADS", "0"), ("RAYON_RS_NUM_CPUS", "5")], default),
        (&[("RAYON_NUM_THREADS", "many"), ("RAYON_RS_NUM_CPUS", "5")], 5),
        (&[("RAYON_NUM_THREADS", "many")], default),
        (&[("FILCH_NUM_THREADS", "7")], default),
    ] {
        let output = child("says_how_many_threads", variables);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{variables:?}: {text}");
        assert!(text.contains(&format!("threads: {threads}.")), "{variables:?}: {text}");
    }
}

#[test]
#[ignore = "run by others, in a process of its own"]
fn spawns_a_panic() {
    pool(1).spawn(|| panic!("nobody handles this"));
    thread::sleep(Duration::from_secs(30));
}

#[test]
fn without_a_handler_a_panic_of_a_task_aborts() {
    let start = Instant::now();
    let output = child("spawns_a_panic", &[]);
    assert!(!output.status.success() && start.elapsed() < Duration::from_secs(20));
    #[cfg(unix)]
    assert_eq!(
        std::os::unix::process::ExitStatusExt::signal(&output.status),
        Some(6),
        "{output:?}"
    );
}
