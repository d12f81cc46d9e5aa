//! How pools begin and end.

mod common;

use common::*;
use filch::{ThreadPool, ThreadPoolBuilder, Yield};
use std::cell::RefCell;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

/// Counts across threads.
#[derive(Clone, Default)]
struct Count(Arc<AtomicUsize>);

impl Count {
    fn bump(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// For a builder's exit_handler.
    fn bumper(&self) -> impl Fn(usize) + Send + Sync + 'static {
        let count = self.clone();
        move |_| count.bump()
    }
}

#[test]
fn ten_pools_work_at_once() {
    let pools: Vec<_> = (0..10).map(|i| pool(1 + i % 3)).collect();
    thread::scope(|threads| {
        for pool in &pools {
            threads.spawn(move || assert_eq!(pool.install(|| fib(15)), 610));
        }
    });
    let nested = pools.iter().fold(0, |sum, pool| sum + pool.install(|| fib(10)));
    assert_eq!(nested, 550);
}

#[test]
fn a_pool_built_in_a_task_works_and_ends() {
    for outer in pools() {
        let sum = outer.install(|| {
            let inner = builder(2).build().unwrap();
            let (a, b) = filch::join(|| inner.install(|| fib(10)), || inner.install(|| fib(11)));
            inner.shutdown().unwrap();
            a + b
        });
        assert_eq!(sum, 144);
    }
}

/// With one worker each and no spares: while a worker waits for the other pool it takes calls from there.
#[test]
fn two_pools_may_install_into_each_other() {
    fn ping<'p>(here: &'p ThreadPool, there: &'p ThreadPool, depth: usize) -> usize {
        assert_eq!(here.current_thread_index(), Some(0));
        if depth == 0 { 0 } else { 1 + there.install(|| ping(there, here, depth - 1)) }
    }
    let [a, b] = [1, 1].map(|workers| Pool::from(builder(workers).max_threads(workers)));
    assert_eq!(a.install(|| ping(&a, &b, 20)), 20);
    thread::scope(|threads| {
        threads.spawn(|| a.install(|| ping(&a, &b, 50)));
        assert_eq!(b.install(|| ping(&b, &a, 50)), 50);
    });
}

#[test]
fn shutdown_waits_for_tasks_that_tasks_spawn() {
    fn chain(left: usize, ran: Count) {
        ran.bump();
        if left > 0 {
            filch::spawn(move || chain(left - 1, ran));
        }
    }
    for pool in pools() {
        let (ran, all) = (Count::default(), Count::default());
        let too = ran.clone();
        pool.spawn(move || chain(999, too));
        for _ in 0..100 {
            let all = all.clone();
            pool.spawn(move || filch::scope(|scope| scope.spawn(|_| all.bump())));
        }
        pool.shutdown().unwrap();
        assert_eq!((ran.get(), all.get()), (1000, 100));
    }
}

#[test]
fn thread_locals_are_gone_when_shutdown_returns() {
    struct Late(Count);

    impl Drop for Late {
        fn drop(&mut self) {
            thread::sleep(std::time::Duration::from_millis(10));
            self.0.bump();
        }
    }

    thread_local! {
        static LATE: RefCell<Option<Late>> = const { RefCell::new(None) };
    }
    for pool in pools() {
        let dropped = Count::default();
        pool.broadcast(|_| LATE.set(Some(Late(dropped.clone()))));
        pool.shutdown().unwrap();
        assert_eq!(dropped.get(), pool.current_num_threads());
    }
}

#[test]
fn a_second_shutdown_is_fine() {
    let pool = pool(2);
    assert_eq!(pool.install(|| fib(5)), 5);
    for _ in 0..3 {
        pool.shutdown().unwrap();
    }
    assert!(pool.try_spawn(|| ()).is_err());
}

#[test]
fn of_concurrent_shutdowns_none_returns_early() {
    for pool in pools() {
        let ran = Count::default();
        for _ in 0..100 {
            let ran = ran.clone();
            pool.spawn(move || {
                fib(5);
                ran.bump();
            });
        }
        thread::scope(|threads| {
            for _ in 0..4 {
                threads.spawn(|| {
                    pool.shutdown().unwrap();
                    assert_eq!(ran.get(), 100);
                });
            }
        });
    }
}

#[test]
fn what_outside_threads_submit_during_a_shutdown_is_run_or_refused() {
    for round in 0..200 {
        let pool = pool(1 + round % 3);
        let (ran, accepted) = (Count::default(), Count::default());
        thread::scope(|threads| {
            for _ in 0..2 {
                threads.spawn(|| {
                    for _ in 0..50 {
                        let ran = ran.clone();
                        match pool.try_spawn(move || ran.bump()) {
                            Ok(()) => accepted.bump(),
                            Err(_) => break,
                        }
                    }
                });
            }
            threads.spawn(|| pool.shutdown().unwrap());
        });
        assert_eq!(ran.get(), accepted.get());
    }
}

#[test]
fn shutdown_from_inside_is_an_error_and_shuts_nothing_down() {
    for pool in pools() {
        for error in [
            pool.install(|| pool.shutdown()).unwrap_err(),
            pool.scope(|_| pool.join(|| (), || pool.shutdown()).1).unwrap_err(),
        ] {
            assert!(error.to_string().contains("own workers"), "{error}");
        }
        assert_eq!(pool.install(|| fib(10)), 55);
    }
}

#[test]
fn a_drop_on_an_own_worker_begins_the_shutdown() {
    let _dog = Dog::alone();
    for workers in [1, 2, 4] {
        let (ran, exits) = (Count::default(), Count::default());
        let pool = Arc::new(builder(workers).exit_handler(exits.bumper()).build().unwrap());
        let (inner, go, count) = (pool.clone(), Arc::new(Gate::default()), ran.clone());
        let dropping = go.clone();
        pool.spawn(move || {
            dropping.wait();
            drop(Arc::into_inner(inner).expect("the last reference"));
            // What comes after still belongs to the pool.
            filch::spawn(move || count.bump());
        });
        drop(pool);
        go.open();
        wait_until(|| exits.get() == workers);
        assert_eq!(ran.get(), 1);
    }
}

#[test]
fn a_detached_pool_finishes_alone() {
    let _dog = Dog::alone();
    for workers in [1, 2, 4] {
        let (ran, exits, go) = (Count::default(), Count::default(), Arc::new(Gate::default()));
        let pool = builder(workers).exit_handler(exits.bumper()).build().unwrap();
        let wait = go.clone();
        pool.spawn(move || wait.wait());
        for _ in 0..100 {
            let ran = ran.clone();
            pool.spawn(move || filch::spawn(move || ran.bump()));
        }
        pool.detach();
        assert_eq!(exits.get(), 0, "it has not waited");
        go.open();
        wait_until(|| exits.get() == workers);
        assert_eq!(ran.get(), 100);
    }
}

#[test]
fn handlers_run_once_on_each_worker() {
    let (started, exited) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
    let log = |list: &Arc<Mutex<Vec<_>>>| {
        let list = list.clone();
        move |index| list.lock().unwrap().push((index, thread::current().id()))
    };
    let pool = Pool::from(builder(4).start_handler(log(&started)).exit_handler(log(&exited)));
    let mut ids: Vec<_> = pool.broadcast(|part| (part.index(), thread::current().id()));
    started.lock().unwrap().sort_unstable_by_key(|entry| entry.0);
    assert_eq!(*started.lock().unwrap(), ids);
    assert!(exited.lock().unwrap().is_empty());
    pool.shutdown().unwrap();
    exited.lock().unwrap().sort_unstable_by_key(|entry| entry.0);
    ids.sort_unstable_by_key(|entry| entry.0);
    assert_eq!(*exited.lock().unwrap(), ids);
}

#[test]
fn panics_in_handlers_go_to_the_panic_handler() {
    let caught = Arc::new(Mutex::new(Vec::new()));
    let list = caught.clone();
    let pool = builder(1)
        .start_handler(|_| explode("start"))
        .exit_handler(|_| explode("exit"))
        .panic_handler(move |payload| list.lock().unwrap().push(text(&*payload).to_owned()));
    let pool = Pool::from(pool);
    assert_eq!(pool.install(|| 1), 1);
    pool.shutdown().unwrap();
    assert_eq!(*caught.lock().unwrap(), ["start", "exit"]);
}

#[test]
fn threads_have_the_names_they_are_given() {
    let pool = Pool::from(builder(3).thread_name(|index| format!("number {index}")));
    let names = pool.broadcast(|_| thread::current().name().map(str::to_owned).unwrap());
    assert_eq!(names, ["number 0", "number 1", "number 2"]);
}

#[test]
fn threads_have_the_stack_they_are_given() {
    /// More than the default of 2 MiB, touched from end to end. Not inlined, or the frame
    /// might be the caller's.
    #[inline(never)]
    fn need_stack() -> usize {
        let mut large = [1_u8; 16 << 20];
        std::hint::black_box(&mut large).iter().map(|&byte| usize::from(byte)).sum()
    }
    let pool = Pool::from(builder(1).stack_size(64 << 20));
    assert_eq!(pool.install(need_stack), 16 << 20);
}

/// A stack of the size asked for here would overflow at once.
#[test]
fn a_pool_with_too_small_a_stack_has_a_larger_one() {
    for bytes in [0, 1, 16 << 10] {
        let pool = Pool::from(builder(2).stack_size(bytes));
        assert_eq!(pool.install(|| fib(10)), 55);
        let received = pool.install(|| {
            let task = filch::spawn_handle(|| fib(5));
            filch::blocking(|| wait_until(|| task.is_finished()));
            task.join().unwrap()
        });
        assert_eq!(received, 5, "on a spare or a worker");
    }
    let told = |worker: filch::ThreadBuilder| {
        assert_eq!(worker.stack_size(), Some(64 << 10));
        thread::spawn(|| worker.run());
        Ok(())
    };
    builder(1).stack_size(1).spawn_handler(told).build().unwrap();
}

#[test]
fn a_spawn_handler_starts_the_threads() {
    let (seen, exits) = (Arc::new(Mutex::new(Vec::new())), Count::default());
    let list = seen.clone();
    let pool = builder(3)
        .thread_name(|index| index.to_string())
        .stack_size(1 << 20)
        .exit_handler(exits.bumper())
        .spawn_handler(move |worker| {
            let name = worker.name().map(str::to_owned);
            list.lock().unwrap().push((worker.index(), name, worker.stack_size()));
            thread::Builder::new().name("mine".into()).spawn(|| worker.run())?;
            Ok(())
        })
        .build()
        .unwrap();
    let expected = |index: usize| (index, Some(index.to_string()), Some(1 << 20));
    assert!(seen.lock().unwrap().iter().cloned().eq((0..3).map(expected)));
    let names = pool.broadcast(|_| thread::current().name().map(str::to_owned));
    assert_eq!(names, vec![Some("mine".to_owned()); 3]);
    assert_eq!(pool.install(|| fib(10)), 55);
    pool.shutdown().unwrap();
    assert_eq!(exits.get(), 3);
}

#[test]
fn a_thread_that_cannot_be_started_fails_the_build_and_stops_the_others() {
    let _dog = Dog::alone();
    for failing in 0..4 {
        let (starts, exits) = (Count::default(), Count::default());
        let error = builder(4)
            .start_handler(starts.bumper())
            .exit_handler(exits.bumper())
            .spawn_handler(|worker| {
                if worker.index() == failing {
                    return Err(io::Error::other("no thread for you"));
                }
                thread::spawn(|| worker.run());
                Ok(())
            })
            .build()
            .unwrap_err();
        let text = error.to_string();
        assert!(text.contains(&format!("worker {failing} of 4")), "{text}");
        assert!(text.contains("no thread for you"), "{text}");
        assert!(std::error::Error::source(&error).is_some());
        assert_eq!((starts.get(), exits.get()), (failing, failing));
    }
}

#[test]
fn a_panic_in_a_spawn_handler_comes_out_of_the_build() {
    let _dog = Dog::alone();
    let exits = Count::default();
    let build = builder(2).exit_handler(exits.bumper()).spawn_handler(|worker| {
        if worker.index() == 1 {
            explode("handler");
        }
        thread::spawn(|| worker.run());
        Ok(())
    });
    assert_eq!(panic_of(|| build.build()), "handler");
    assert_eq!(exits.get(), 1);
}

#[test]
fn a_scoped_pools_threads_may_borrow() {
    let (ran, data) = (AtomicUsize::new(0), [1, 2, 3]);
    let result = builder(3).build_scoped(
        |worker| {
            ran.fetch_add(data.len(), Ordering::Relaxed);
            worker.run();
        },
        |pool| pool.install(|| fib(10)),
    );
    assert_eq!((result.unwrap(), ran.into_inner()), (55, 9));
    let error = builder(usize::MAX).build_scoped(|worker| worker.run(), |_| ()).unwrap_err();
    assert!(error.to_string().contains("max_num_threads"), "{error}");
    let panics = || builder(2).build_scoped(|worker| worker.run(), |_| explode("with_pool"));
    assert_eq!(panic_of(panics), "with_pool");
}

#[test]
fn too_many_threads_are_refused() {
    let error = builder(filch::max_num_threads() + 1).build().unwrap_err();
    assert!(error.to_string().contains("max_num_threads"), "{error}");
}

/// A pool whose worker 0 is the current thread.
fn guest(workers: usize) -> ThreadPool {
    builder(workers).use_current_thread().build().unwrap()
}

#[test]
fn one_thread_alone_makes_progress_as_a_guest() {
    on_new_thread(|| {
        let (pool, ran) = (guest(1), Count::default());
        assert_eq!(filch::current_thread_index(), Some(0));
        assert_eq!((pool.current_thread_index(), filch::current_num_threads()), (Some(0), 1));

        let task = || {
            let ran = ran.clone();
            move || ran.bump()
        };
        pool.spawn(task());
        assert_eq!(ran.get(), 0);
        assert_eq!(filch::yield_now(), Some(Yield::Executed));
        assert_eq!((ran.get(), filch::yield_now()), (1, Some(Yield::Idle)));

        // A task from elsewhere, that the one waited for depends on.
        thread::scope(|threads| {
            let handle = threads.spawn(|| pool.spawn_handle(task())).join().unwrap();
            handle.join().unwrap();
        });
        assert_eq!(ran.get(), 2);

        assert_eq!(pool.install(|| fib(10)), 55);
        assert_eq!(filch::join(|| 1, || 2), (1, 2));
        pool.scope(|scope| scope.spawn(|_| ran.bump()));
        assert_eq!(pool.broadcast(|part| part.index()), [0]);
        assert_eq!(ran.get(), 3);

        for _ in 0..10 {
            pool.spawn(task());
        }
        pool.shutdown().unwrap();
        assert_eq!((ran.get(), filch::current_thread_index()), (13, None));
        assert!(pool.try_spawn(|| ()).is_err());
    });
}

#[test]
fn a_guest_shares_work_with_the_others() {
    on_new_thread(|| {
        let pool = guest(3);
        assert_eq!(pool.install(|| fib(20)), 6765);
        assert_eq!(pool.broadcast(|part| part.index()), [0, 1, 2]);
        let b_runs = Gate::default();
        let on = filch::join(
            || b_runs.wait(),
            || {
                b_runs.open();
                filch::current_thread_index()
            },
        );
        assert_ne!(on.1, Some(0));
        pool.shutdown().unwrap();
    });
}

#[test]
fn a_task_that_a_guest_waits_for_may_wait_for_a_detached_one() {
    on_new_thread(|| {
        let pool = guest(2);
        let done = Arc::new(Gate::default());
        let (open, wait) = (done.clone(), done);
        let (waits, begun) = (Arc::new(Gate::default()), Arc::new(Gate::default()));
        let begins = begun.clone();
        let task = pool.spawn_handle(move || {
            begins.open();
            wait.wait();
            waits.open();
        });
        begun.wait();
        // The only other worker is busy with the task.
        pool.spawn(move || open.open());
        task.join().unwrap();
        pool.shutdown().unwrap();
    });
}

#[test]
fn tasks_that_a_guest_runs_in_a_shutdown_may_spawn() {
    on_new_thread(|| {
        let pool = guest(1);
        let ran = Arc::new(AtomicUsize::new(0));
        let counts = Arc::clone(&ran);
        pool.spawn(move || {
            let counts_too = Arc::clone(&counts);
            filch::spawn(move || _ = counts_too.fetch_add(1, Ordering::Relaxed));
            filch::broadcast(|_| counts.fetch_add(1, Ordering::Relaxed));
        });
        pool.shutdown().unwrap();
        assert_eq!(ran.load(Ordering::Relaxed), 2);
    });
}

#[test]
fn a_guest_that_detaches_its_pool_is_free() {
    on_new_thread(|| {
        let (tell, told) = mpsc::channel();
        let exits = move |index| tell.send(index).unwrap();
        let builder = builder(2).use_current_thread().exit_handler(exits);
        // No spare to take the seat that the guest leaves.
        let pool = builder.max_threads(2).build().unwrap();
        pool.spawn(|| ());
        pool.detach();
        assert_eq!(filch::current_thread_index(), None);
        assert_eq!(told.recv(), Ok(1), "the other one ends");
    });
}

#[test]
fn a_guest_that_detaches_its_pool_runs_its_parts_of_broadcasts_first() {
    for workers in [1, 2] {
        on_new_thread(|| {
            let builder = builder(workers).max_threads(workers).use_current_thread();
            let (pool, (tell, told)) = (builder.build().unwrap(), mpsc::channel());
            pool.spawn_broadcast(move |part| tell.send(part.index()).unwrap());
            pool.detach();
            let mut ran: Vec<_> = told.iter().collect();
            ran.sort_unstable();
            assert!(ran.into_iter().eq(0..workers));
        });
    }
}

#[test]
fn a_pool_ends_without_a_guest_whose_thread_has_ended() {
    let _dog = Dog::alone();
    let (tell, told) = mpsc::channel();
    let exits = move |index| tell.send(index).unwrap();
    let pool = on_new_thread(|| {
        let builder = builder(2).max_threads(2).exit_handler(exits);
        builder.use_current_thread().build().unwrap()
    });
    let (count, ran) = mpsc::channel();
    pool.spawn_broadcast(move |part| count.send(part.index()).unwrap());
    pool.detach();
    let mut ran: Vec<_> = ran.iter().collect();
    ran.sort_unstable();
    assert_eq!(ran, [0, 1]);
    assert_eq!(told.recv(), Ok(1));
}

#[test]
fn a_guest_alone_runs_all_there_is_before_it_is_gone() {
    let _dog = Dog::alone();
    let build = || builder(1).max_threads(1).use_current_thread().build().unwrap();
    let (tell, told) = mpsc::channel();
    let more = tell.clone();
    let pool = on_new_thread(move || {
        let pool = build();
        pool.spawn(move || filch::spawn(move || tell.send("it ends").unwrap()));
        pool
    });
    assert_eq!(told.recv(), Ok("it ends"));
    drop(pool);
    on_new_thread(move || {
        let pool = build();
        filch::scope(|scope| {
            scope.spawn(|_| more.send("it detaches").unwrap());
            pool.detach();
        });
    });
    assert_eq!(told.try_iter().collect::<Vec<_>>(), ["it detaches"]);
}

#[test]
fn a_pool_that_nobody_is_left_to_run_ends_and_says_what_it_leaves() {
    let name = "a_pool_that_nobody_is_left_to_run_ends_and_says_what_it_leaves";
    let child = in_child(name, &[], || {
        let build = || builder(1).max_threads(1).use_current_thread().build().unwrap();
        drop(on_new_thread(|| {
            let pool = build();
            // It runs it itself, and what has been run lies in a queue still.
            pool.spawn_handle(|| ()).join().unwrap();
            pool
        }));
        let vacant = builder(1).wait_until_started(false).spawn_handler(|_| Ok(()));
        for pool in [on_new_thread(build), vacant.build().unwrap()] {
            pool.spawn(|| unreachable!("nobody is left"));
            pool.spawn_broadcast(|_| unreachable!("nobody is left"));
        }
    });
    if let Some(output) = child {
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{:?}\n{stderr}", output.status);
        assert_eq!(stderr.matches("tasks that never ran").count(), 2, "{stderr}");
    }
}

#[test]
fn a_guest_that_is_gone_is_none_of_the_most() {
    let _dog = Dog::alone();
    let pool = on_new_thread(|| {
        let pool = builder(2).max_threads(2).use_current_thread().build().unwrap();
        pool.resize(1..=1).unwrap();
        while pool.num_threads() > 1 {
            thread::yield_now();
        }
        pool
    });
    assert_eq!(pool.spawn_handle(|| 1).join().unwrap(), 1);
}

#[test]
fn a_guest_that_detaches_its_pool_while_it_blocks_takes_no_seat() {
    on_new_thread(|| {
        let pool = builder(1).max_threads(2).use_current_thread().build().unwrap();
        let (tell, told) = mpsc::channel();
        filch::blocking(|| {
            pool.spawn(move || {
                for i in 0..3 {
                    let tell = tell.clone();
                    filch::spawn(move || tell.send(i).unwrap());
                }
            });
            pool.detach();
        });
        assert_eq!(told.iter().count(), 3);
    });
}

#[test]
fn a_guests_pool_is_shut_down_on_its_thread_only() {
    on_new_thread(|| {
        let pool = guest(2);
        thread::scope(|threads| {
            let elsewhere = threads.spawn(|| pool.shutdown()).join().unwrap().unwrap_err();
            assert!(elsewhere.to_string().contains("use_current_thread"), "{elsewhere}");
        });
        assert!(filch::join(|| pool.shutdown(), || ()).0.is_err(), "in the midst of a join");
        assert_eq!(pool.install(|| fib(10)), 55, "nothing has been shut down");
        pool.shutdown().unwrap();
        pool.shutdown().unwrap();
    });
}

#[test]
fn a_worker_can_be_no_other_pools_guest() {
    let refused = || {
        let error = builder(2).use_current_thread().build().unwrap_err();
        assert!(error.to_string().contains("already part of another"), "{error}");
    };
    pool(1).install(refused);
    on_new_thread(|| {
        let first = guest(1);
        refused();
        drop(first);
        drop(guest(1));
        assert_eq!(filch::current_thread_index(), None);
    });
}

#[test]
fn handlers_and_names_are_not_for_guests() {
    on_new_thread(|| {
        let (starts, exits) = (Count::default(), Count::default());
        let name = thread::current().name().map(str::to_owned);
        let pool = builder(3)
            .use_current_thread()
            .thread_name(|index| format!("worker {index}"))
            .start_handler(starts.bumper())
            .exit_handler(exits.bumper())
            .build()
            .unwrap();
        let names = pool.broadcast(|_| thread::current().name().map(str::to_owned));
        assert_eq!(names, [name, Some("worker 1".into()), Some("worker 2".into())]);
        pool.shutdown().unwrap();
        assert_eq!((starts.get(), exits.get()), (2, 2));
    });
}

/// The number of CPUs that a pool is built for by default.
fn default_workers() -> usize {
    ThreadPoolBuilder::new().build().unwrap().current_num_threads()
}

#[test]
fn the_default_number_of_threads_is_at_most_that_of_the_mask() {
    child_succeeds("the_default_number_of_threads_is_at_most_that_of_the_mask", &[], || {
        let cpus = thread::available_parallelism().unwrap().get();
        assert_eq!(default_workers(), cpus, "available_parallelism looks at quotas, too");
    });
}

#[test]
fn a_variable_sets_the_default_number_of_threads() {
    let test = "a_variable_sets_the_default_number_of_threads";
    child_succeeds(test, &[("FILCH_NUM_THREADS", "3")], || {
        assert_eq!((default_workers(), filch::current_num_threads()), (3, 3));
        assert_eq!(pool(2).current_num_threads(), 2, "the builder's number goes first");
    });
}

#[test]
fn a_variable_of_zero_stands_for_the_default() {
    let test = "a_variable_of_zero_stands_for_the_default";
    child_succeeds(test, &[("FILCH_NUM_THREADS", "0")], || {
        assert_eq!(default_workers(), thread::available_parallelism().unwrap().get());
    });
}

#[test]
fn a_garbled_variable_is_an_error_that_names_it() {
    let test = "a_garbled_variable_is_an_error_that_names_it";
    child_succeeds(test, &[("FILCH_NUM_THREADS", "many")], || {
        let error = ThreadPoolBuilder::new().build().unwrap_err().to_string();
        assert!(error.contains("FILCH_NUM_THREADS") && error.contains("many"), "{error}");
        let text = panic_of(|| filch::join(|| (), || ()));
        assert!(text.contains("FILCH_NUM_THREADS"), "{text}");
        assert_eq!(pool(2).install(|| fib(5)), 5, "nobody asks for the default here");
    });
}

#[test]
fn the_global_pool_is_built_once() {
    child_succeeds("the_global_pool_is_built_once", &[], || {
        builder(3).build_global().unwrap();
        assert_eq!(filch::current_num_threads(), 3);
        let error = builder(2).build_global().unwrap_err();
        assert!(error.to_string().contains("already been initialized"), "{error}");
        assert_eq!(filch::join(filch::current_num_threads, || ()).0, 3);
    });
}

#[test]
fn the_first_use_builds_the_global_pool() {
    child_succeeds("the_first_use_builds_the_global_pool", &[], || {
        assert_eq!(filch::join(|| fib(10), || 1), (55, 1));
        assert!(builder(2).build_global().is_err());
    });
}

#[test]
fn the_global_pool_can_be_shut_down() {
    child_succeeds("the_global_pool_can_be_shut_down", &[], || {
        filch::shutdown_global().unwrap();
        let ran = Count::default();
        for _ in 0..1000 {
            let ran = ran.clone();
            filch::spawn(move || filch::spawn(move || ran.bump()));
        }
        let inside = filch::scope(|_| filch::shutdown_global());
        assert!(inside.is_err());
        filch::shutdown_global().unwrap();
        assert_eq!(ran.get(), 1000);
        for text in [panic_of(|| filch::spawn(|| ())), panic_of(|| filch::join(|| (), || ()))] {
            assert!(text.contains("has been shut down"), "{text}");
        }
        filch::shutdown_global().unwrap();
    });
}

#[test]
fn a_global_pool_with_a_guest_works() {
    child_succeeds("a_global_pool_with_a_guest_works", &[], || {
        on_new_thread(|| {
            builder(2).use_current_thread().build_global().unwrap();
            assert_eq!(filch::current_thread_index(), Some(0));
            assert_eq!(filch::join(|| fib(10), || fib(11)), (55, 89));
            filch::shutdown_global().unwrap();
        });
    });
}

#[test]
fn what_a_rejected_call_has_captured_is_dropped() {
    let pool = pool(1);
    pool.shutdown().unwrap();
    let dropped = Count::default();
    let captured = OnDrop(|| dropped.bump());
    panic_of(|| {
        pool.install(move || {
            let _captured = captured;
        });
    });
    assert_eq!(dropped.get(), 1);
}
