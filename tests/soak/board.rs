//! Who is doing what, and what is printed if nobody gets on.

use crate::common::OnDrop;
use filch::ThreadPool;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::process::{Command, Stdio, exit, id};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

pub struct Board {
    /// Calls that have ended.
    calls: AtomicU64,
    numbers: AtomicU64,
    notes: Mutex<BTreeMap<u64, String>>,
    pools: Mutex<BTreeMap<u64, Weak<ThreadPool>>>,
}

pub static BOARD: Board = Board {
    calls: AtomicU64::new(0),
    numbers: AtomicU64::new(0),
    notes: Mutex::new(BTreeMap::new()),
    pools: Mutex::new(BTreeMap::new()),
};

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Board {
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// Notes what this thread is about as long as that takes.
    pub fn noting<R>(&self, note: String, call: impl FnOnce() -> R) -> R {
        let number = self.number();
        lock(&self.notes).insert(number, note);
        let _over = OnDrop(|| {
            lock(&self.notes).remove(&number);
            self.calls.fetch_add(1, Ordering::Relaxed);
        });
        call()
    }

    /// Until what is returned is dropped, the pool is among those that are printed.
    pub fn hang(&self, pool: Weak<ThreadPool>) -> impl Drop {
        let number = self.number();
        lock(&self.pools).insert(number, pool);
        OnDrop(move || drop(lock(&self.pools).remove(&number)))
    }
}

/// Ends the process, with all that can be told, if for so long no call has ended.
pub fn watch(patience: Duration) {
    thread::spawn(move || {
        let (mut calls, mut since) = (BOARD.calls(), Instant::now());
        while since.elapsed() < patience {
            thread::sleep(Duration::from_millis(100));
            let now = BOARD.calls();
            if now != calls {
                (calls, since) = (now, Instant::now());
            }
        }
        eprintln!("HANG: no call has ended for {} s, of {calls}", patience.as_secs());
        // Whoever hangs may hold a lock that the report wants.
        thread::spawn(|| {
            thread::sleep(Duration::from_secs(60));
            eprintln!("the report hangs, too");
            exit(3);
        });
        report();
        exit(3);
    });
}

/// The safest first.
fn report() {
    eprintln!("{}", threads());
    stacks();
    for note in lock(&BOARD.notes).values() {
        eprintln!("under way: {note}");
    }
    let pools: Vec<_> = lock(&BOARD.pools).values().filter_map(Weak::upgrade).collect();
    for (number, pool) in pools.iter().enumerate() {
        eprintln!("{pool:?}, {} workers there, {:#?}", pool.num_threads(), pool.counters());
        pool.leases().iter().for_each(|lease| eprintln!("{lease}"));
        let path = std::env::temp_dir().join(format!("filch-soak-{}-{number}.json", id()));
        match pool.write_trace(&path) {
            Ok(()) => eprintln!("what its workers did last: {}", path.display()),
            Err(error) => eprintln!("what its workers did last: {error}"),
        }
        eprintln!("{}", pool.snapshot());
    }
    // The drop of the last reference to a pool would wait for it.
    std::mem::forget(pools);
}

/// By a file: gdb stops the process, which could not read a pipe meanwhile.
fn stacks() {
    let path = std::env::temp_dir().join(format!("filch-soak-{}-stacks.txt", id()));
    let gdb = ["--batch", "-nx", "-p", &id().to_string(), "-ex", "thread apply all backtrace 24"];
    let file = fs::File::create(&path).unwrap();
    match Command::new("gdb")
        .args(gdb)
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(Stdio::null())
        .status()
    {
        Ok(_) => eprintln!("{}", fs::read_to_string(&path).unwrap_or_default()),
        Err(error) => eprintln!("SKIPPED: no stacks, as gdb can't be run: {error}"),
    }
    let _ = fs::remove_file(path);
}

/// What the kernel says of each thread.
fn threads() -> String {
    let mut all = String::new();
    for task in fs::read_dir("/proc/self/task").unwrap().flatten() {
        let read = |file| fs::read_to_string(task.path().join(file)).unwrap_or_default();
        let status = read("status");
        let state = status.lines().find(|line| line.starts_with("State:")).unwrap_or_default();
        let name = task.file_name();
        let _ = writeln!(
            all,
            "thread {} {}: {state}, in {}, system call {}",
            name.display(),
            read("comm").trim(),
            read("wchan"),
            read("syscall").trim()
        );
    }
    all
}
