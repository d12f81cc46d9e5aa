//! What the monitors read is what the kernel says by other means. Alone in its binary: the process's
//! figures are those of these tests alone.
#![cfg(all(target_os = "linux", not(miri), not(loom)))]

mod common;

use common::*;
use filch::{
    HealthRules, Monitoring, Record, Sign, Snapshot, Status, ThreadPool, ThreadPoolBuilder,
    Unavailable,
};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, RefCell};
use std::hint::black_box;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// One at a time: they look at the whole process.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> (MutexGuard<'static, ()>, Dog) {
    (ALONE.lock().unwrap_or_else(PoisonError::into_inner), Dog::alone())
}

const EVERY: Duration = Duration::from_millis(50);

fn often() -> Monitoring {
    let monitoring = Monitoring::new().cpu(EVERY, 20).memory(EVERY, 20).network(EVERY, 20);
    monitoring.disk(EVERY, 20).health_checks(EVERY)
}

fn pool(monitoring: Monitoring) -> ThreadPool {
    builder(2).monitoring(monitoring).build().unwrap()
}

/// The first snapshot of which that is true.
fn wait_for(pool: &ThreadPool, is_there: impl Fn(&Snapshot) -> bool) -> Snapshot {
    let found = RefCell::new(None);
    wait_until(|| {
        let snapshot = pool.snapshot();
        let is_there = is_there(&snapshot);
        found.replace(Some(snapshot));
        is_there
    });
    found.into_inner().unwrap()
}

fn output(command: &str, arguments: &[&str]) -> Option<String> {
    match Command::new(command).args(arguments).output() {
        Ok(output) if output.status.success() => Some(String::from_utf8(output.stdout).unwrap()),
        _ => {
            println!("SKIPPED: no {command} on this machine");
            None
        }
    }
}

fn near(ours: u64, theirs: u64, tolerance: u64) -> bool {
    ours.abs_diff(theirs) <= tolerance
}

#[test]
fn the_process_has_used_as_much_cpu_and_memory_as_ps_says() {
    let _alone = alone();
    let ballast = black_box(vec![1_u8; 64 << 20]);
    let pool = pool(often());
    // However long that takes beside others.
    while !pool.snapshot().cpu.current.process_time.is_ok_and(|time| time >= 1.4) {
        black_box(fib(20));
    }
    let snapshot = wait_for(&pool, |snapshot| {
        snapshot.memory.current.process_resident.is_ok_and(|bytes| bytes > 64 << 20)
    });
    let id = std::process::id().to_string();
    let Some(text) = output("ps", &["-o", "rss=,cputimes=", "-p", &id]) else { return };
    let mut words = text.split_whitespace().map(|word| word.parse::<u64>().unwrap());
    let (resident, seconds) = (words.next().unwrap() << 10, words.next().unwrap());
    let ours = snapshot.memory.current.process_resident.unwrap();
    assert!(near(ours, resident, 4 << 20), "{ours} bytes, ps says {resident}");
    assert!(snapshot.memory.current.process_peak.unwrap() >= ours);
    // ps rounds down, and time goes on.
    let time = snapshot.cpu.current.process_time.unwrap();
    assert!(near(time as u64, seconds, 1), "{time} s, ps says {seconds}");
    drop(ballast);
}

#[test]
fn a_busy_thread_shows_as_a_busy_cpu() {
    let _alone = alone();
    let pool = pool(often());
    let end = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| while end.load(Ordering::Relaxed) == 0 {});
        // A tenth of a CPU is an order of magnitude less than what it uses.
        let busy = wait_for(&pool, |snapshot| snapshot.cpu.readings == 20).cpu.average;
        end.store(1, Ordering::Relaxed);
        assert!(busy.process_cpus.unwrap() > 0.1, "{busy:?}");
        assert!(busy.system_utilisation.unwrap() > 0.05, "{busy:?}");
    });
}

#[test]
fn the_file_system_is_as_full_as_df_says() {
    let _alone = alone();
    let pool = pool(often().mounts(["/"]));
    let snapshot = wait_for(&pool, |snapshot| !snapshot.mounts.is_empty());
    let (path, mount) = &snapshot.mounts[0];
    assert_eq!(path.to_str(), Some("/"));
    let Some(text) = output("df", &["-B1", "--output=size,used,avail", "/"]) else { return };
    let theirs = text.lines().nth(1).unwrap().split_whitespace();
    let theirs: Vec<u64> = theirs.map(|word| word.parse().unwrap()).collect();
    let ours = [mount.total, mount.used, mount.free].map(Result::unwrap);
    // Others write meanwhile.
    assert!(ours.iter().zip(theirs).all(|(&ours, theirs)| near(ours, theirs, 1 << 30)), "{ours:?}");
}

#[test]
fn what_goes_through_the_loopback_is_counted_as_ip_counts_it() {
    let _alone = alone();
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = socket.local_addr().unwrap();
    let pool = pool(often());
    let received = |snapshot: &Snapshot| {
        let lo = snapshot.interfaces.iter().find(|interface| interface.0 == "lo");
        lo.and_then(|lo| lo.1.received_bytes.ok())
    };
    let before = received(&wait_for(&pool, |snapshot| received(snapshot).is_some())).unwrap();
    (0..1000).for_each(|_| drop(socket.send_to(&[0; 1000], to)));
    let after = wait_for(&pool, |snapshot| received(snapshot) >= Some(before + 1_000_000));
    let all = after.network.current.received_bytes.unwrap();
    let others = after.interfaces.iter().filter(|interface| interface.0 != "lo");
    assert_eq!(others.map(|other| other.1.received_bytes.unwrap()).sum::<u64>(), all);
    let Some(text) = output("ip", &["-s", "link", "show", "lo"]) else { return };
    let mut lines = text.lines().skip_while(|line| !line.trim_start().starts_with("RX:")).skip(1);
    let theirs = lines.next().unwrap().split_whitespace().next().unwrap().parse().unwrap();
    assert!(near(received(&after).unwrap(), theirs, 100_000));
}

#[test]
fn what_the_process_writes_is_counted() {
    let _alone = alone();
    let pool = pool(often());
    let written = |snapshot: &Snapshot| snapshot.disk.current.written_bytes.ok();
    wait_until(|| pool.snapshot().disk.at.is_some());
    let Some(before) = written(&pool.snapshot()) else {
        return println!(
            "SKIPPED: /proc/self/io {}",
            pool.snapshot().disk.current.written_bytes.unwrap_err()
        );
    };
    let file = std::env::temp_dir().join(format!("filch-readings-{}", std::process::id()));
    std::fs::write(&file, vec![7_u8; 8 << 20]).unwrap();
    let on_disk = std::fs::File::open(&file).unwrap().sync_all();
    std::fs::remove_file(&file).unwrap();
    on_disk.unwrap();
    let text = output("stat", &["-f", "-c", "%T", std::env::temp_dir().to_str().unwrap()]);
    if text.is_some_and(|kind| kind.trim() == "tmpfs") {
        return println!("SKIPPED: the folder for temporary files is in memory");
    }
    wait_for(&pool, |snapshot| written(snapshot) >= Some(before + (8 << 20)));
}

#[test]
fn a_history_grows_to_its_length_in_order() {
    let _alone = alone();
    let pool = pool(often().memory(Duration::from_millis(10), 5));
    wait_until(|| pool.history::<filch::Memory>().len() == 5);
    std::thread::sleep(Duration::from_millis(50));
    let history = pool.history::<filch::Memory>();
    assert_eq!(history.len(), 5);
    assert!(history.is_sorted_by(|before, after| before.age > after.age && before.at < after.at));
    assert_eq!(pool.snapshot().memory.readings, 5);
}

#[test]
fn a_pool_that_is_not_monitored_says_so_and_has_no_thread_for_it() {
    let _alone = alone();
    let governors = || {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm"));
        let names = tasks.filter_map(|task| name(task.ok()?).ok());
        names.filter(|name| name.trim() == "filch-governor").count()
    };
    wait_until(|| governors() == 0);
    let off = pool(Monitoring::off());
    assert_eq!(off.snapshot().cpu.current, filch::Cpu::unavailable(Unavailable::Off));
    assert!(off.history::<filch::Cpu>().is_empty());
    assert_eq!(governors(), 0);
    let on = pool(Monitoring::new());
    wait_until(|| governors() == 1);
    drop(on);
    wait_until(|| governors() == 0);
    // Nobody waits for the end of this one, which comes all the same.
    pool(Monitoring::new()).detach();
    wait_until(|| governors() == 0);
    let started = |worker: filch::ThreadBuilder| {
        std::thread::spawn(|| worker.run());
        Ok(())
    };
    let custom = builder(1).spawn_handler(started).build().unwrap();
    assert_eq!(custom.snapshot().disk.current.read_rate, Err(Unavailable::Off));
}

#[test]
fn without_an_allocator_that_counts_workers_memory_is_unknown() {
    let _alone = alone();
    let pool = pool(often());
    let snapshot = wait_for(&pool, |snapshot| snapshot.work.at.is_some());
    let memory = [snapshot.workers[0].memory, snapshot.pool.now.memory];
    assert_eq!(memory, [Err(Unavailable::NotCounted); 2]);
    assert_eq!(snapshot.work.current.memory, Err(Unavailable::NotCounted));
    assert!(!snapshot.workers[0].to_string().contains("MiB"));
    assert!(snapshot.to_string().contains(" not counted\n"), "{snapshot}");
}

#[test]
fn what_makes_no_sense_is_an_error() {
    let error = builder(1).monitoring(often().disk(Duration::ZERO, 1)).build().unwrap_err();
    assert_eq!(error.to_string(), "Monitoring reads disk every 0ns; the least is 10ms");
}

#[test]
fn free_heap_memory_goes_back_to_the_system_when_it_is_asked_to() {
    let _alone = alone();
    let resident = || {
        let text = std::fs::read_to_string("/proc/self/statm").unwrap();
        let pages = text.split(' ').nth(1).unwrap().parse::<u64>().unwrap();
        // SAFETY: it has no preconditions.
        pages * unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as u64
    };
    let pool = pool(Monitoring::off());
    if cfg!(not(target_env = "gnu")) {
        return assert_eq!(pool.trim_heap(), Err(Unavailable::Missing));
    }
    let (mut chunks, mut kept) = (Vec::new(), Vec::new());
    // Too small for a mapping of their own, and never a large free piece at the end of the heap.
    for index in 0..(64 << 20) / (16 << 10) {
        let chunk = black_box(vec![1_u8; 16 << 10]);
        if index % 64 == 63 { kept.push(chunk) } else { chunks.push(chunk) }
    }
    drop(chunks);
    let before = resident();
    let gone = pool.trim_heap().unwrap();
    let after = resident();
    assert!(after + (32 << 20) < before, "{before} bytes before, {after} after");
    assert!(
        near(gone, before - after, 8 << 20),
        "{gone} bytes, the kernel says {}",
        before - after
    );
    // Nothing is left to give.
    assert!(pool.trim_heap().unwrap() < 4 << 20);
    drop(kept);
}

#[test]
fn whoever_has_another_allocator_trims_it_himself() {
    let _alone = alone();
    let ballast = Mutex::new(Some(black_box(vec![1_u8; 64 << 20])));
    let trim = move || drop(ballast.lock().unwrap().take());
    let pool = builder(1).monitoring(Monitoring::off()).trim_handler(trim).build().unwrap();
    assert!(pool.trim_heap().unwrap() > 32 << 20);
    assert!(pool.trim_heap().unwrap() < 4 << 20);
}

/// Counts what is allocated by whoever asks for it.
struct Counting;

thread_local! {
    static IS_GOVERNOR: std::cell::Cell<Option<bool>> = const { std::cell::Cell::new(None) };
}

static BY_GOVERNOR: AtomicUsize = AtomicUsize::new(0);

fn is_governor() -> bool {
    let known = IS_GOVERNOR.try_with(|is| is.get());
    known.unwrap_or(Some(false)).unwrap_or_else(|| {
        // No allocation here, and no recursion.
        let mut name = [0_u8; 16];
        // SAFETY: room for 16 bytes, which is the most there are.
        unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) };
        let is = name.starts_with(b"filch-governor");
        let _ = IS_GOVERNOR.try_with(|cell| cell.set(is.then_some(true)));
        is
    })
}

// SAFETY: as the system's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_governor() {
            BY_GOVERNOR.fetch_add(1, Ordering::Relaxed);
        }
        // SAFETY: as for this function.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as for this function.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_tick_allocates_nothing_once_all_files_are_open() {
    let _alone = alone();
    let every = Duration::from_millis(10);
    let monitoring =
        Monitoring::new().cpu(every, 3).memory(every, 3).network(every, 3).disk(every, 3);
    let pool = pool(monitoring);
    let ticks = |count: usize| {
        for _ in 0..count {
            // Ages grow until there is a new reading.
            let last = Cell::new(Duration::ZERO);
            wait_until(|| {
                let age = pool.snapshot().disk.age.unwrap_or_default();
                age < last.replace(age)
            });
        }
    };
    ticks(5);
    let before = BY_GOVERNOR.load(Ordering::Relaxed);
    assert!(before > 0, "the governor's allocations aren't seen");
    ticks(40);
    assert_eq!(BY_GOVERNOR.load(Ordering::Relaxed), before);
}

fn worker(snapshot: &Snapshot, index: usize) -> &filch::WorkerSnapshot {
    snapshot.workers.iter().find(|worker| worker.index == index).unwrap()
}

#[test]
fn workers_are_seen_at_what_they_are_about() {
    let _alone = alone();
    let pool = pool(often());
    wait_for(&pool, |snapshot| {
        snapshot.now(Status::Parked) == 2 && snapshot.pool.now.parked == Ok(2)
    });
    let (gate, entered) = (Arc::new(Gate::default()), Arc::new(Gate::default()));
    let (theirs, told) = (Arc::clone(&gate), Arc::clone(&entered));
    pool.spawn(move || {
        told.open();
        while !theirs.is_open() {
            std::hint::spin_loop();
        }
        filch::blocking(|| {
            while theirs.is_open() {
                std::thread::sleep(Duration::from_millis(1));
            }
        });
    });
    entered.wait();
    let running = wait_for(&pool, |snapshot| snapshot.now(Status::Running) == 1);
    let busy = running.workers[0].clone();
    assert_eq!(busy.status, Status::Running, "the list is sorted by status");
    assert!(busy.tid.is_some() && busy.times.busy > Duration::ZERO);
    let grown = wait_for(&pool, |now| worker(now, busy.index).in_status > busy.in_status);
    assert!(worker(&grown, busy.index).times.busy > busy.times.busy);
    gate.open();
    wait_for(&pool, |snapshot| worker(snapshot, busy.index).status == Status::Blocked);
    gate.close();
    wait_for(&pool, |snapshot| snapshot.now(Status::Parked) == 2);
    assert_eq!(pool.snapshot().pool.counters.tasks, 1);
}

#[test]
fn a_spare_on_the_bench_is_parked() {
    let _alone = alone();
    let builder = ThreadPoolBuilder::new().num_threads(1).max_threads(2).detect_blocking(None);
    let pool = builder.monitoring(often()).build().unwrap();
    let (gate, ran) = (Arc::new(Gate::default()), Arc::new(Gate::default()));
    let (theirs, told) = (Arc::clone(&gate), Arc::clone(&ran));
    pool.spawn(move || filch::blocking(|| theirs.wait()));
    // By the spare, while the only worker is away.
    pool.spawn(move || told.open());
    ran.wait();
    let spare = wait_for(&pool, |snapshot| snapshot.workers.len() == 2).workers;
    assert!(spare.iter().any(|worker| worker.index == 1));
    gate.open();
    wait_for(&pool, |snapshot| {
        snapshot.now(Status::Parked) == 2 && worker(snapshot, 1).counters.parks > 0
    });
}

#[test]
fn a_wait_within_blocking_ends_and_the_worker_is_blocked_still() {
    let _alone = alone();
    let pool = Arc::new(pool(often()));
    let theirs = Arc::clone(&pool);
    let inside = pool.spawn_handle(move || {
        let me = filch::current_thread_index().unwrap();
        let now = || worker(&theirs.snapshot(), me).status;
        let begun = Arc::new(Gate::default());
        let told = Arc::clone(&begun);
        let within = filch::blocking(|| {
            let task = theirs.spawn_handle(move || {
                told.open();
                std::thread::sleep(Duration::from_millis(20));
            });
            // Not to be run right here; and it goes on for long enough that we sleep.
            begun.wait();
            task.join().unwrap();
            now()
        });
        (within, now())
    });
    assert_eq!(inside.join().unwrap(), (Status::Blocked, Status::Running));
}

#[test]
fn a_workers_health_is_checked_and_its_reasons_are_named() {
    let _alone = alone();
    let rules = HealthRules::new().without(Sign::Memory).rule(Sign::Inactive, 0.05, 0.25);
    let builder = ThreadPoolBuilder::new().num_threads(2).panic_handler(|_| ());
    let pool = builder.monitoring(often().health(rules)).build().unwrap();
    let score = |worker: &filch::WorkerSnapshot| worker.health.score;
    // Both sleep for longer than that.
    let idle = wait_for(&pool, |now| now.workers.iter().all(|worker| score(worker) == Ok(0.75)));
    for worker in &idle.workers {
        assert_eq!(worker.reasons, [Sign::Inactive]);
        assert!(worker.health.inactive.unwrap() > 0.05 && worker.health_age.is_some());
        assert!(worker.health.memory.is_ok() && worker.health.run_delay.is_ok());
    }
    assert!(idle.to_string().contains("health 0.8 [Inactive]"), "{idle}");
    // One of them fails all the time, and is slow.
    let stop = Arc::new(Gate::default());
    let theirs = Arc::clone(&stop);
    pool.spawn(move || {
        while !theirs.is_open() {
            let task = filch::spawn_handle(|| explode("as planned"));
            assert!(task.join().is_err());
            filch::yield_now();
        }
    });
    let ill = wait_for(&pool, |now| {
        now.workers.iter().any(|worker| worker.reasons.contains(&Sign::ErrorRate))
    });
    stop.open();
    let ill = ill.workers.iter().find(|worker| worker.reasons.contains(&Sign::ErrorRate)).unwrap();
    assert!(ill.health.error_rate.unwrap() > 0.1 && ill.health.score.unwrap() <= 0.9);
    assert!(ill.health.cpu.is_ok_and(|cpu| cpu > 0.0));
}

#[test]
fn a_panic_has_health_checked_at_once_but_not_again_and_again() {
    let _alone = alone();
    let hour = Duration::from_secs(3600);
    let monitoring = Monitoring::new().cpu(hour, 9).memory(hour, 9).health_checks(hour);
    let builder = ThreadPoolBuilder::new().num_threads(1).panic_handler(|_| ());
    let pool = builder.monitoring(monitoring).build().unwrap();
    let age = |snapshot: &Snapshot| worker(snapshot, 0).health_age;
    wait_for(&pool, |snapshot| age(snapshot).is_some());
    for _ in 0..1000 {
        pool.spawn(|| explode("as planned"));
    }
    // Not before a second has gone by since the first.
    let then = wait_for(&pool, |snapshot| worker(snapshot, 0).health.error_rate == Ok(1.0));
    assert!(age(&then).unwrap() < Duration::from_secs(60));
    assert!(worker(&then, 0).reasons.contains(&Sign::ErrorRate));
    // All at one time: none of what has happened meanwhile is looked at in the next second.
    let first = pool.snapshot();
    pool.spawn(|| explode("as planned"));
    std::thread::sleep(Duration::from_millis(300));
    let second = pool.snapshot();
    let between = second.at.duration_since(first.at).unwrap();
    if between < Duration::from_millis(600) {
        assert!(age(&second) >= age(&first), "checked again within {between:?}");
    }
}

trait Now {
    fn now(&self, status: Status) -> usize;
}

impl Now for Snapshot {
    fn now(&self, status: Status) -> usize {
        self.workers.iter().filter(|worker| worker.status == status).count()
    }
}

#[test]
fn a_busy_worker_is_busy_to_the_kernel_too() {
    let _alone = alone();
    let pool = pool(often());
    let gate = Arc::new(Gate::default());
    let theirs = Arc::clone(&gate);
    pool.spawn(move || while !theirs.is_open() {});
    // An order of magnitude below a CPU of its own.
    let snapshot = wait_for(&pool, |snapshot| {
        let busy = |worker: &filch::WorkerSnapshot| {
            worker.thread.utilisation.is_ok_and(|share| share > 0.1)
        };
        snapshot.workers.iter().any(busy)
    });
    let busy = snapshot.workers.iter().max_by_key(|worker| worker.times.busy).unwrap();
    assert!(busy.thread.cpu_time.unwrap() > 0.0);
    assert!(busy.thread_age.unwrap() < Duration::from_secs(60));
    assert!(busy.utilisation() > 0.0 && busy.utilisation() <= 1.0);
    assert!(snapshot.pool.utilisation.minute.unwrap() > 0.0);
    let folder = format!("/proc/self/task/{}/status", busy.tid.unwrap());
    assert!(std::fs::read_to_string(folder).unwrap().contains("voluntary_ctxt_switches"));
    assert!(busy.thread.voluntary_switches.is_ok() && busy.thread.minor_faults.is_ok());
    gate.open();
}

#[test]
fn tasks_that_wait_are_counted_and_rates_follow() {
    let _alone = alone();
    let often = often().cpu(EVERY, 10_000);
    let pool = builder(1).monitoring(often).detect_blocking(None).build().unwrap();
    // What comes now is measured against this.
    wait_until(|| !pool.history::<filch::Work>().is_empty());
    let (gate, entered) = (Arc::new(Gate::default()), Arc::new(Gate::default()));
    let (theirs, told) = (Arc::clone(&gate), Arc::clone(&entered));
    pool.spawn(move || {
        told.open();
        theirs.wait();
    });
    entered.wait();
    (0..1000).for_each(|_| pool.spawn(|| ()));
    assert_eq!(pool.snapshot().pool.now.queued, Ok(1000));
    gate.open();
    let done = wait_for(&pool, |snapshot| snapshot.pool.counters.tasks == 1001);
    assert!(done.workers[0].steals_from.is_empty(), "nobody is there to steal from");
    assert_eq!(done.pool.now.queued, Ok(0));
    wait_for(&pool, |snapshot| snapshot.pool.throughput.minute.is_ok_and(|rate| rate > 0.0));
    wait_until(|| {
        pool.history::<filch::Work>().iter().any(|taken| taken.reading.tasks == Ok(1001))
    });
}

#[test]
fn steals_are_counted_by_victim() {
    let _alone = alone();
    let pool = pool(Monitoring::off());
    let theirs = Arc::new(Gate::default());
    // A task that waits for one of its own, which only the other worker can run.
    let victim = pool.install(move || {
        let stolen = Arc::clone(&theirs);
        filch::spawn(move || stolen.open());
        while !theirs.is_open() {
            std::hint::spin_loop();
        }
        filch::current_thread_index().unwrap()
    });
    let snapshot = wait_for(&pool, |snapshot| snapshot.pool.counters.tasks == 2);
    let won = worker(&snapshot, 1 - victim).steals_from.iter().find(|from| from.victim == victim);
    assert!(won.is_some_and(|from| from.won == 1 && from.tried >= 1), "{:?}", snapshot.workers);
    assert_eq!(snapshot.pool.counters.steals, 1);
    assert!(worker(&snapshot, victim).steals_from.iter().all(|from| from.won == 0));
}
