//! What the tests share.
#![allow(dead_code, reason = "each test binary uses its own part of it")]

use filch::{ThreadPool, ThreadPoolBuilder};
use std::any::Any;
use std::io::Write;
use std::ops::Deref;
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::{Command, Output, abort};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::{Duration, Instant};

/// Far above what any test takes, even on one busy core.
const TOO_LONG: Duration = Duration::from_secs(90);

/// Aborts the process if it is not dropped in time: a hang must fail, not block.
pub struct Dog {
    note: Arc<Mutex<String>>,
    _alive: Sender<()>,
}

impl Dog {
    pub fn new(pool: Weak<ThreadPool>) -> Self {
        let (alive, dropped) = channel();
        let note = Arc::new(Mutex::new(thread::current().name().unwrap_or("?").to_owned()));
        let said = Arc::clone(&note);
        thread::spawn(move || {
            if dropped.recv_timeout(TOO_LONG) == Err(RecvTimeoutError::Timeout) {
                let counters = pool.upgrade().map(|pool| pool.counters());
                let note = said.lock().unwrap();
                // Not eprintln: the test harness would swallow it.
                let _ = writeln!(std::io::stderr(), "HANG in {note}: {counters:#?}");
                abort();
            }
        });
        Self { note, _alive: alive }
    }

    /// Without a pool whose counters it could show.
    pub fn alone() -> Self {
        Self::new(Weak::new())
    }

    pub fn say(&self, note: String) {
        *self.note.lock().unwrap() = note;
    }
}

/// A pool with a watchdog, which stays until the pool has been shut down.
pub struct Pool {
    pool: Arc<ThreadPool>,
    pub dog: Dog,
}

impl Deref for Pool {
    type Target = ThreadPool;

    fn deref(&self) -> &ThreadPool {
        &self.pool
    }
}

impl From<ThreadPoolBuilder> for Pool {
    fn from(builder: ThreadPoolBuilder) -> Self {
        let pool = Arc::new(builder.build().unwrap());
        let dog = Dog::new(Arc::downgrade(&pool));
        Self { pool, dog }
    }
}

pub fn builder(workers: usize) -> ThreadPoolBuilder {
    ThreadPoolBuilder::new().num_threads(workers)
}

pub fn pool(workers: usize) -> Pool {
    builder(workers).into()
}

pub fn pools() -> impl Iterator<Item = Pool> {
    [1, 2, 4, 16].into_iter().map(pool)
}

/// A pool whose workers all sleep. Until they have had work, each parks once.
pub fn sleeping_pool(workers: usize) -> Pool {
    let pool = pool(workers);
    wait_until(|| pool.counters().parks == workers as u64);
    pool
}

/// How many workers of a pool sleep that began as a [`sleeping_pool`].
pub fn asleep(pool: &ThreadPool) -> u64 {
    let counters = pool.counters();
    counters.parks - counters.wakes
}

/// Busy, in the eyes of the pool, until the condition holds.
pub fn wait_until(mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < TOO_LONG / 2, "waited in vain");
        thread::yield_now();
    }
}

/// What threads wait behind until it is opened.
#[derive(Default)]
pub struct Gate(AtomicBool);

impl Gate {
    pub fn open(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub fn close(&self) {
        self.0.store(false, Ordering::Release);
    }

    pub fn is_open(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    pub fn wait(&self) {
        wait_until(|| self.is_open());
    }
}

/// Panics without a message on standard error.
pub fn explode(what: &'static str) -> ! {
    resume_unwind(Box::new(what))
}

/// What [`explode`] was given, or the message of a panic.
pub fn text(payload: &(dyn Any + Send)) -> &str {
    let literal = payload.downcast_ref::<&str>().copied();
    literal.or(payload.downcast_ref::<String>().map(String::as_str)).expect("another payload")
}

/// The text of the panic that `f` ends with.
pub fn panic_of<R>(f: impl FnOnce() -> R) -> String {
    let payload = catch_unwind(AssertUnwindSafe(f)).err().expect("no panic");
    text(&*payload).to_owned()
}

/// Counts in `count` when it is dropped.
pub struct OnDrop<F: Fn()>(pub F);

impl<F: Fn()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

const CHILD: &str = "FILCH_TEST_CHILD";
const BEGUN: &str = "the child has begun";

/// Runs `body` in a process of its own, for what only a fresh process shows. `test` is
/// the name of the calling test, which is called once more in the child. `None` there.
pub fn in_child(test: &str, env: &[(&str, &str)], body: impl FnOnce()) -> Option<Output> {
    if std::env::var(CHILD).is_ok_and(|child| child == test) {
        eprintln!("{BEGUN}");
        let _dog = Dog::alone();
        body();
        return None;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture", "--include-ignored", "--test-threads=1"]);
    command.env_remove("FILCH_NUM_THREADS").envs(env.iter().copied()).env(CHILD, test);
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains(BEGUN), "{test} is not the name of a test: {output:?}");
    Some(output)
}

/// As [`in_child`]; the child must end well.
pub fn child_succeeds(test: &str, env: &[(&str, &str)], body: impl FnOnce()) {
    if let Some(output) = in_child(test, env, body) {
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{:?}\n{stderr}", output.status);
    }
}

/// As [`in_child`]; the child must abort and say `message`.
pub fn child_aborts(test: &str, message: &str, body: impl FnOnce()) {
    if let Some(output) = in_child(test, &[], body) {
        let stderr = String::from_utf8_lossy(&output.stderr);
        const SIGABRT: i32 = 6;
        assert_eq!(output.status.signal(), Some(SIGABRT), "{:?}\n{stderr}", output.status);
        assert!(stderr.contains(message), "{stderr}");
    }
}

/// Calls `f` on a thread of its own: a guest stays one until its thread ends.
pub fn on_new_thread<R: Send>(f: impl FnOnce() -> R + Send) -> R {
    let _dog = Dog::alone();
    thread::scope(|scope| scope.spawn(f).join().unwrap_or_else(|payload| resume_unwind(payload)))
}

/// The CPUs that the current thread may run on.
pub fn mask() -> Vec<usize> {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap();
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        first.parse().unwrap()..=last.parse::<usize>().unwrap()
    };
    list.trim().split(',').flat_map(range).collect()
}

/// Whether this build of filch pins at all.
pub const PINS: bool = cfg!(all(target_os = "linux", not(filch_no_affinity)));

pub fn fib(n: u32) -> u64 {
    if n < 2 {
        return n.into();
    }
    let (a, b) = filch::join(|| fib(n - 1), || fib(n - 2));
    a + b
}
