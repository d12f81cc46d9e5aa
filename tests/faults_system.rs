//! What the system takes away from a pool that is at work: threads, CPUs, time, files. What is promised is in docs/FAULTS.md.
#![cfg(all(target_os = "linux", not(miri), not(loom)))]

mod common;

use common::*;
use filch::{Monitoring, Status, ThreadPool, ThreadPoolBuilder, Unavailable, WorkerSnapshot};
use std::fs::{self, File};
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

const OFTEN: Duration = Duration::from_millis(10);

fn often() -> Monitoring {
    Monitoring::new().cpu(OFTEN, 10).memory(OFTEN, 10).network(OFTEN, 10).disk(OFTEN, 10)
}

fn tid() -> libc::pid_t {
    // SAFETY: it has no preconditions.
    unsafe { libc::gettid() }
}

/// The process may have so many threads more than it has now.
fn spare_threads(group: &ControlGroup, more: usize) {
    group.write("pids.max", threads() + more).unwrap();
}

fn unlimited(group: &ControlGroup) {
    group.write("pids.max", "max").unwrap();
}

#[test]
fn where_threads_run_out_a_build_says_which_and_leaves_none() {
    let test = "where_threads_run_out_a_build_says_which_and_leaves_none";
    child_with_group(test, "pids", |group| {
        group.join();
        let before = threads();
        for more in 0..=4 {
            let (started, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
            let (starts, ends) = (Arc::clone(&started), Arc::clone(&ended));
            spare_threads(group, more);
            let error = builder(4)
                .start_handler(move |_| _ = starts.fetch_add(1, Ordering::Relaxed))
                .exit_handler(move |_| _ = ends.fetch_add(1, Ordering::Relaxed))
                .build()
                .unwrap_err();
            let named = match more {
                4 => "could not start the thread that reads the machine".to_owned(),
                _ => format!("could not start worker {more} of 4"),
            };
            let text = error.to_string();
            assert!(text.contains(&named) && text.contains("pids.max"), "{text}");
            let counts = [started, ended].map(|count| count.load(Ordering::Relaxed));
            assert_eq!(counts, [more; 2]);
            // A thread that has been joined may be there for a moment still.
            wait_until(|| threads() == before);
        }
        spare_threads(group, 5);
        mix(&builder(4).build().unwrap(), 3);
        // The first use of the global pool has a panic only for it.
        wait_until(|| threads() == before);
        spare_threads(group, 0);
        assert!(panic_of(|| filch::join(|| (), || ())).contains("pids.max"));
        unlimited(group);
        assert_eq!(fib(10), 55);
    });
}

/// Its only worker blocks, in the way that `block` does, until a task has run that nobody can run but another thread.
fn grows_when_it_can(group: &ControlGroup, block: impl Fn(&dyn Fn()) + Send + Sync + 'static) {
    let pool = Pool::from(builder(1).max_threads(4).monitoring(often()));
    let ran = Arc::new(AtomicBool::new(false));
    let (sender, receiver) = channel();
    let (begun, begin) = channel();
    spare_threads(group, 0);
    let blocks = pool.spawn_handle(move || {
        begun.send(()).unwrap();
        block(&|| receiver.recv().unwrap());
    });
    begin.recv().unwrap();
    let task = Arc::clone(&ran);
    pool.spawn(move || {
        task.store(true, Ordering::Relaxed);
        sender.send(()).unwrap();
    });
    thread::sleep(Duration::from_millis(200));
    assert!(!ran.load(Ordering::Relaxed) && pool.install_is_needed());
    unlimited(group);
    // Nobody says anything to the pool.
    blocks.join().unwrap();
    assert!(pool.current_num_threads() == 1 && ran.load(Ordering::Relaxed));
    mix(&pool, 3);
}

trait Waits {
    fn install_is_needed(&self) -> bool;
}

impl Waits for ThreadPool {
    /// Whether something is queued.
    fn install_is_needed(&self) -> bool {
        self.snapshot().pool.now.queued == Ok(1)
    }
}

#[test]
fn where_threads_run_out_a_pool_grows_later() {
    child_with_group("where_threads_run_out_a_pool_grows_later", "pids", |group| {
        group.join();
        grows_when_it_can(group, |wait| filch::blocking(wait));
        // Without saying so, which the watch is to find: it has no thread either.
        grows_when_it_can(group, |wait| wait());
    });
}

/// As above, but without anybody who looks now and then.
#[test]
fn without_a_governor_the_next_push_asks_for_threads_again() {
    child_with_group("without_a_governor_the_next_push_asks_for_threads_again", "pids", |group| {
        group.join();
        let pool = Pool::from(builder(1).max_threads(4).monitoring(Monitoring::off()));
        let (sender, receiver) = channel::<()>();
        let (begun, begin) = channel();
        spare_threads(group, 0);
        let blocks = pool.spawn_handle(move || {
            begun.send(()).unwrap();
            receiver.recv().unwrap();
        });
        begin.recv().unwrap();
        let ran = Arc::new(AtomicUsize::new(0));
        let push = || {
            let ran = Arc::clone(&ran);
            pool.spawn(move || _ = ran.fetch_add(1, Ordering::Relaxed));
        };
        (0..100).for_each(|_| push());
        unlimited(group);
        let mut pushed = 100;
        wait_until(|| {
            push();
            pushed += 1;
            thread::sleep(OFTEN);
            ran.load(Ordering::Relaxed) > 0
        });
        wait_until(|| ran.load(Ordering::Relaxed) == pushed);
        sender.send(()).unwrap();
        blocks.join().unwrap();
    });
}

#[test]
fn without_memory_for_stacks_it_is_as_without_threads() {
    child_succeeds("without_memory_for_stacks_it_is_as_without_threads", &[], || {
        let size = 1 << 30;
        let pool = Pool::from(builder(1).max_threads(3).stack_size(size).monitoring(often()));
        let statm = fs::read_to_string("/proc/self/statm").unwrap();
        let pages: u64 = statm.split(' ').next().unwrap().parse().unwrap();
        // There is room for much, but not for a stack.
        let before =
            limit(libc::RLIMIT_AS, |limit| limit.rlim_cur = pages * 4096 + size as u64 / 2);
        let error = builder(2).stack_size(size).build().unwrap_err().to_string();
        assert!(error.contains("stack_size, 1073741824 bytes, first"), "{error}");
        let (sender, receiver) = channel();
        let blocks = pool.spawn_handle(move || filch::blocking(|| receiver.recv().unwrap()));
        pool.spawn(move || sender.send(1).unwrap());
        thread::sleep(Duration::from_millis(100));
        assert!(!blocks.is_finished());
        limit(libc::RLIMIT_AS, |limit| *limit = before);
        assert_eq!(blocks.join().unwrap(), 1);
    });
}

/// Changes this limit, and returns what it was.
fn limit(what: libc::__rlimit_resource_t, change: impl FnOnce(&mut libc::rlimit)) -> libc::rlimit {
    let mut limit = MaybeUninit::<libc::rlimit>::uninit();
    // SAFETY: there is room for it.
    assert_eq!(unsafe { libc::getrlimit(what, limit.as_mut_ptr()) }, 0);
    // SAFETY: filled, as it says.
    let before = unsafe { limit.assume_init() };
    let mut after = before;
    change(&mut after);
    // SAFETY: a limit that is there.
    assert_eq!(unsafe { libc::setrlimit(what, &after) }, 0);
    before
}

/// All threads of the process may run on these CPUs alone, as by `taskset -ap`.
fn run_all_on(cpus: &[usize]) {
    // SAFETY: no bit set is one.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: all are below the size, as the kernel has named them.
    cpus.iter().for_each(|&cpu| unsafe { libc::CPU_SET(cpu, &mut set) });
    for task in fs::read_dir("/proc/self/task").unwrap() {
        let tid = task.unwrap().file_name().to_str().unwrap().parse().unwrap();
        // It may have ended meanwhile.
        // SAFETY: the set is one.
        unsafe { libc::sched_setaffinity(tid, size_of::<libc::cpu_set_t>(), &set) };
    }
}

#[test]
fn a_pool_follows_the_process_to_fewer_cpus_and_back() {
    child_succeeds("a_pool_follows_the_process_to_fewer_cpus_and_back", &[], || {
        let cpus = mask();
        if cpus.len() < 2 || !PINS {
            return println!("SKIPPED: needs two CPUs");
        }
        let pool = ThreadPoolBuilder::new().min_threads(1).monitoring(often()).build().unwrap();
        let pinned = builder(cpus.len()).pinning(filch::Pinning::Cores).build().unwrap();
        if pool.current_num_threads() < cpus.len() {
            return println!("SKIPPED: the test runs under a CPU quota");
        }
        let seats = |wanted| {
            let over = Arc::new(AtomicBool::new(false));
            let busy = (0..2 * cpus.len()).map(|_| {
                let over = Arc::clone(&over);
                pool.spawn_handle(move || {
                    while !over.load(Ordering::Relaxed) {
                        filch::yield_now();
                    }
                })
            });
            let busy: Vec<_> = busy.collect();
            wait_until(|| pool.snapshot().pool.seats == wanted);
            over.store(true, Ordering::Relaxed);
            busy.into_iter().for_each(|task| task.join().unwrap());
        };
        run_all_on(&cpus[..1]);
        seats(1);
        mix(&pool, 5);
        mix(&pinned, 5);
        // On the CPU that they have been left, whatever they were pinned to.
        assert!(pinned.broadcast(|_| mask()).iter().all(|mask| mask == &cpus[..1]));
        run_all_on(&cpus);
        seats(cpus.len());
        mix(&pool, 5);
        mix(&pinned, 5);
    });
}

#[test]
fn with_a_tenth_of_a_cpu_all_takes_longer_and_nothing_is_lost() {
    let test = "with_a_tenth_of_a_cpu_all_takes_longer_and_nothing_is_lost";
    child_with_group(test, "cpu", |group| {
        group.join();
        let pool = Pool::from(ThreadPoolBuilder::new().min_threads(1).monitoring(often()));
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let works = scope.spawn(|| {
                let mut rounds = 0;
                while !over.load(Ordering::Relaxed) {
                    mix(&pool, 1);
                    rounds += 1;
                }
                rounds
            });
            group.set_quota(Some(PERIOD / 10)).unwrap();
            wait_until(|| pool.snapshot().cpu.current.quota.is_ok_and(|quota| quota < 0.11));
            thread::sleep(Duration::from_secs(2));
            assert!(pool.snapshot().pool.seats <= 1, "{}", pool.snapshot());
            group.set_quota(None).unwrap();
            over.store(true, Ordering::Relaxed);
            assert!(works.join().unwrap() > 0);
        });
        mix(&pool, 5);
    });
}

/// Stops threads one by one, as a debugger does.
struct Freezer<'g>(&'g ControlGroup);

impl Freezer<'_> {
    fn freeze(&self, tid: libc::pid_t) {
        self.0.write("tasks", tid).unwrap();
        self.0.write("freezer.state", "FROZEN").unwrap();
    }

    fn thaw(&self) {
        self.0.write("freezer.state", "THAWED").unwrap();
    }
}

/// A frozen thread can't end, and so can't its process, whatever has failed.
impl Drop for Freezer<'_> {
    fn drop(&mut self) {
        self.thaw();
    }
}

/// Runs in a process that can freeze its threads.
fn with_freezer(test: &str, body: impl FnOnce(Freezer)) {
    child_with_group(test, "freezer", |group| {
        if !group.has("freezer.state") {
            return println!("SKIPPED: control groups of version 2 freeze no single threads");
        }
        thread::spawn(|| {
            // The patience of `wait_until`, which is to be the first.
            thread::sleep(Duration::from_secs(60));
            eprintln!("frozen for too long");
            Freezer(&ControlGroup::inherited().unwrap()).thaw();
            std::process::abort();
        });
        body(Freezer(group));
    });
}

#[test]
fn a_worker_that_is_frozen_in_a_task_holds_up_what_it_has_begun_and_nothing_else() {
    let test = "a_worker_that_is_frozen_in_a_task_holds_up_what_it_has_begun_and_nothing_else";
    with_freezer(test, |freezer| {
        let pool = Pool::from(builder(2).max_threads(3).monitoring(often()));
        let (ran, held) = (Arc::new(AtomicUsize::new(0)), Arc::new(Gate::default()));
        let (begun, begin) = channel();
        let (count, go_on) = (Arc::clone(&ran), Arc::clone(&held));
        let frozen = pool.spawn_handle(move || {
            for _ in 0..100 {
                let count = Arc::clone(&count);
                filch::spawn(move || _ = count.fetch_add(1, Ordering::Relaxed));
            }
            // Its own, which no other worker takes from it before it says that it waits.
            let (a, b) = filch::join(
                || {
                    begun.send((tid(), filch::current_thread_index().unwrap())).unwrap();
                    while !go_on.is_open() {
                        std::hint::spin_loop();
                    }
                    1
                },
                || 2,
            );
            a + b
        });
        let (tid, index) = begin.recv().unwrap();
        freezer.freeze(tid);
        // All that it had queued, and whatever else there is: but a broadcast has a part for it.
        wait_until(|| ran.load(Ordering::Relaxed) == 100);
        for _ in 0..100 {
            assert_eq!(pool.install(|| fib(12)), 144);
            assert_eq!(pool.spawn_handle(|| 1).join().unwrap(), 1);
        }
        // It is taken for one that blocks: if there is more to do than others can, one stands in for it.
        let (sender, receiver) = channel();
        let busy = pool.spawn_handle(move || {
            while receiver.try_recv().is_err() {
                std::hint::spin_loop();
            }
        });
        pool.spawn(move || sender.send(()).unwrap());
        busy.join().unwrap();
        assert!(pool.counters().stalls > 0);
        let worker = |index| {
            let workers = pool.snapshot().workers;
            workers.into_iter().find(|worker| worker.index == index).unwrap()
        };
        assert_eq!(worker(index).status, Status::Blocked);
        held.open();
        thread::sleep(Duration::from_millis(100));
        assert!(!frozen.is_finished());
        freezer.thaw();
        assert_eq!(frozen.join().unwrap(), 3);
        mix(&pool, 5);
    });
}

#[test]
fn a_worker_that_is_frozen_in_its_sleep_holds_up_nothing_for_good() {
    let test = "a_worker_that_is_frozen_in_its_sleep_holds_up_nothing_for_good";
    with_freezer(test, |freezer| {
        // For each of them: who is woken first is up to the pool.
        for which in 0..3 {
            let pool = Pool::from(builder(3).monitoring(often()));
            let tids = pool.broadcast(|_| tid());
            let parked = |worker: &WorkerSnapshot| worker.status == Status::Parked;
            wait_until(|| pool.snapshot().workers.iter().filter(|w| parked(w)).count() == 3);
            freezer.freeze(tids[which]);
            for _ in 0..3 {
                // Perhaps it is the one that is woken.
                assert_eq!(pool.spawn_handle(|| fib(12)).join().unwrap(), 144);
                assert_eq!(pool.install(|| fib(12)), 144);
            }
            freezer.thaw();
            mix(&pool, 5);
        }
    });
}

extern "C" fn nothing(_: libc::c_int) {}

#[test]
fn signals_that_interrupt_every_wait_change_nothing() {
    child_succeeds("signals_that_interrupt_every_wait_change_nothing", &[], || {
        // SAFETY: no flags, above all not SA_RESTART; the handler does nothing.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as usize;
            assert_eq!(libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut()), 0);
        }
        let pool = Pool::from(builder(3).max_threads(6).max_queued(50).monitoring(often()));
        let (over, sent) = (AtomicBool::new(false), AtomicUsize::new(0));
        let request = filch::Request::new().memory(1);
        thread::scope(|scope| {
            let (pool, over, sent, request) = (&pool, &over, &sent, &request);
            scope.spawn(move || {
                let storm = tid();
                while !over.load(Ordering::Relaxed) {
                    for task in fs::read_dir("/proc/self/task").unwrap().flatten() {
                        let tid: libc::pid_t = task.file_name().to_str().unwrap().parse().unwrap();
                        let process = std::process::id();
                        for _ in 0..if tid == storm { 0 } else { 3 } {
                            // SAFETY: a thread of this process, or none any more.
                            unsafe { libc::syscall(libc::SYS_tgkill, process, tid, libc::SIGUSR1) };
                            sent.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                    thread::sleep(Duration::from_micros(200));
                }
            });
            let start = Instant::now();
            while start.elapsed() < Duration::from_secs(2) {
                mix(pool, 1);
                let slept = Instant::now();
                pool.install(|| filch::blocking(|| thread::sleep(OFTEN)));
                assert!(slept.elapsed() >= OFTEN);
            }
            // What is to time out does so no sooner for it.
            pool.set_budget(filch::Resource::Memory, 1);
            let lease = pool.acquire(request).unwrap();
            let waits = Instant::now();
            let timeout = Duration::from_millis(100);
            // On another thread: this one has a lease that it could wait for.
            let refused = scope.spawn(move || pool.acquire_timeout(request, timeout).unwrap_err());
            assert_eq!(refused.join().unwrap(), filch::Refusal::TimedOut);
            assert!(waits.elapsed() >= timeout);
            drop(lease);
            // Waits that end for a reason only.
            let (sender, receiver) = channel();
            let late = pool.spawn_handle(move || receiver.recv().unwrap());
            thread::sleep(timeout);
            assert!(!late.is_finished());
            sender.send(1).unwrap();
            assert_eq!(late.join().unwrap(), 1);
            over.store(true, Ordering::Relaxed);
            assert!(sent.load(Ordering::Relaxed) > 1000);
        });
        pool.shutdown().unwrap();
    });
}

/// From here on this process has no `/proc`, while others go on having it. False: it may not do that.
fn without_proc() -> bool {
    let root = c"/".as_ptr();
    // SAFETY: names that end, and calls that change nothing but what this process sees.
    unsafe {
        // The test's other threads share the old view, but what is opened by a worker is opened in its own: so this is
        // called before any of them, by the only thread there is, or on all.
        libc::unshare(libc::CLONE_FS | libc::CLONE_NEWNS) == 0
            && libc::mount(
                c"none".as_ptr(),
                root,
                std::ptr::null(),
                libc::MS_REC | libc::MS_PRIVATE,
                std::ptr::null(),
            ) == 0
            && libc::umount2(c"/proc".as_ptr(), libc::MNT_DETACH) == 0
    }
}

fn is_gone() -> bool {
    !fs::exists("/proc/self").unwrap()
}

#[test]
fn without_proc_a_pool_works_and_says_what_it_cannot_know() {
    child_succeeds("without_proc_a_pool_works_and_says_what_it_cannot_know", &[], || {
        on_new_thread(|| {
            if !without_proc() {
                return println!(
                    "SKIPPED: /proc can't be unmounted: {}",
                    std::io::Error::last_os_error()
                );
            }
            assert!(is_gone());
            let pool = Pool::from(ThreadPoolBuilder::new().monitoring(often()));
            assert!(pool.install(is_gone));
            mix(&pool, 5);
            wait_until(|| {
                pool.snapshot().cpu.current.system_utilisation == Err(Unavailable::Missing)
            });
            let snapshot = pool.snapshot();
            assert_eq!(snapshot.memory.current.total, Err(Unavailable::Missing));
            assert_eq!(pool.counters().lost_readings, 0);
            // Who blocks and doesn't say so is not found, but that costs time only.
            let (sender, receiver) = channel();
            let two =
                [pool.spawn_handle(move || receiver.recv().unwrap()), pool.spawn_handle(|| 2)];
            sender.send(1).unwrap();
            assert_eq!(two.map(|task| task.join().unwrap()), [1, 2]);
            pool.shutdown().unwrap();
        });
    });
}

#[test]
fn proc_may_go_while_a_pool_runs() {
    child_succeeds("proc_may_go_while_a_pool_runs", &[], || {
        on_new_thread(|| {
            // A view of its own for this thread and those it starts, which the pool's are.
            // SAFETY: changes only what this thread sees.
            if unsafe { libc::unshare(libc::CLONE_FS | libc::CLONE_NEWNS) } != 0 {
                return println!(
                    "SKIPPED: no view of its own: {}",
                    std::io::Error::last_os_error()
                );
            }
            let pool = Pool::from(ThreadPoolBuilder::new().monitoring(often()));
            mix(&pool, 2);
            wait_until(|| pool.snapshot().cpu.current.system_utilisation.is_ok());
            let namespace = (c"none".as_ptr(), c"/".as_ptr());
            // SAFETY: as in without_proc.
            let gone = unsafe {
                libc::mount(
                    namespace.0,
                    namespace.1,
                    std::ptr::null(),
                    libc::MS_REC | libc::MS_PRIVATE,
                    std::ptr::null(),
                ) == 0
                    && libc::umount2(c"/proc".as_ptr(), libc::MNT_DETACH) == 0
            };
            assert!(gone && pool.install(is_gone));
            mix(&pool, 5);
            // Files that are open are read on; whatever comes later isn't to be had, and says so.
            let start = Instant::now();
            wait_until(|| pool.snapshot().cpu.age.is_some_and(|age| age < start.elapsed()));
            assert_eq!(pool.counters().lost_readings, 0);
            let late = Pool::from(ThreadPoolBuilder::new().monitoring(often()));
            wait_until(|| {
                late.snapshot().cpu.current.system_utilisation == Err(Unavailable::Missing)
            });
        });
    });
}

/// Opens files until there can be no more.
fn all_files() -> Vec<File> {
    let mut files = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        files.push(file);
    }
    files
}

#[test]
fn without_file_descriptors_readings_are_missing_until_there_are_some() {
    let test = "without_file_descriptors_readings_are_missing_until_there_are_some";
    child_succeeds(test, &[], || {
        limit(libc::RLIMIT_NOFILE, |limit| limit.rlim_cur = 64);
        // What the standard library and filch know once and for all.
        drop(builder(1).build().unwrap());
        let files = all_files();
        let pool = Pool::from(builder(3).monitoring(often()));
        mix(&pool, 5);
        wait_until(|| {
            pool.snapshot().cpu.current.system_utilisation == Err(Unavailable::Unreadable)
        });
        assert_eq!(pool.snapshot().memory.current.total, Err(Unavailable::Unreadable));
        assert_eq!(pool.counters().lost_readings, 0);
        drop(files);
        wait_until(|| {
            let now = pool.snapshot();
            now.cpu.current.system_utilisation.is_ok() && now.memory.current.total.is_ok()
        });
        // Those that it has are its own.
        let files = all_files();
        mix(&pool, 5);
        assert!(pool.snapshot().memory.current.total.is_ok());
        drop(files);
    });
}

/// The least stack that docs/FAULTS.md speaks of.
const SMALL: usize = 64 << 10;

#[test]
fn small_stacks_suffice_for_small_tasks() {
    let pool = Pool::from(builder(2).max_threads(6).stack_size(SMALL).monitoring(often()));
    mix(&pool, 5);
    // With spares.
    let (sender, receiver) = channel();
    let blocks = pool.spawn_handle(move || filch::blocking(|| receiver.recv().unwrap()));
    let more = pool.spawn_handle(|| filch::blocking(|| thread::sleep(OFTEN)));
    mix_for_anybody(&pool, 5);
    sender.send(1).unwrap();
    assert_eq!(blocks.join().unwrap(), 1);
    more.join().unwrap();
    // A panic with a message, whose hook formats it.
    let quiet = pool.spawn_handle(|| std::panic::resume_unwind(Box::new(1)));
    assert!(quiet.join().is_err());
    wait_until(|| pool.snapshot().memory.current.total.is_ok());
    // A guest needs more, as it builds the pool.
    let dog = Dog::alone();
    let guest = thread::Builder::new().stack_size(4 * SMALL).spawn(|| {
        let builder = builder(2).use_current_thread().stack_size(SMALL);
        let pool = builder.build().unwrap();
        assert_eq!(fib(12), 144);
        mix(&pool, 3);
        pool.shutdown().unwrap();
    });
    guest.unwrap().join().unwrap();
    drop(dog);
}
