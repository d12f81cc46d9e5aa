//! What the tests share.
#![allow(dead_code, reason = "each test binary uses its own part of it")]

use filch::{Status, ThreadPool, ThreadPoolBuilder};
use std::any::Any;
use std::io::{self, Write};
use std::ops::Deref;
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::process::{self, Command, Output, abort};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::{Duration, Instant};

/// Far above what any test takes, even on one busy core; or so many seconds, where many are to hang.
fn too_long() -> Duration {
    let seconds = std::env::var("FILCH_TOO_LONG").map_or(90, |seconds| seconds.parse().unwrap());
    patient(Duration::from_secs(seconds))
}

/// So many times as long as `FILCH_PATIENCE` says, for tests that a tool makes slow.
pub fn patient(time: Duration) -> Duration {
    let times = std::env::var("FILCH_PATIENCE").map_or(1, |times| times.parse().unwrap());
    time * times
}

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
            if dropped.recv_timeout(too_long()) == Err(RecvTimeoutError::Timeout) {
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

/// How many workers sleep, or are about to: they have found nothing, and look for the last time. By what they say they
/// are about, not by the counters: one that is woken on its way to sleep has parked, and nobody had to wake it.
pub fn asleep(pool: &ThreadPool) -> usize {
    let sleeps = |status| matches!(status, Status::Parked | Status::Blocked);
    pool.snapshot().workers.iter().filter(|worker| sleeps(worker.status)).count()
}

/// Busy, in the eyes of the pool, until the condition holds.
pub fn wait_until(mut condition: impl FnMut() -> bool) {
    let (start, longest) = (Instant::now(), too_long() / 2);
    while !condition() {
        assert!(start.elapsed() < longest, "waited in vain");
        thread::yield_now();
    }
}

/// So many rounds of a race; on a busy machine, where each waits for its turn on a CPU, as many as there is time for.
pub fn rounds(most: usize) -> impl Iterator<Item = usize> {
    let end = Instant::now() + Duration::from_secs(2);
    (0..most).take_while(move |&round| round < most / 20 || Instant::now() < end)
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
    // Where the test's file is within this program: scripts/mutants makes one of several.
    let (_, file) = module_path!().strip_suffix("common").unwrap().split_once("::").unwrap();
    let name = file.to_owned() + test;
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([&*name, "--exact", "--nocapture", "--include-ignored", "--test-threads=1"]);
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

/// Never drops this, and keeps it where a tool that looks for leaks finds it.
pub fn forget(value: impl Send + 'static) {
    static KEPT: Mutex<Vec<Box<dyn Any + Send>>> = Mutex::new(Vec::new());
    KEPT.lock().unwrap().push(Box::new(value));
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

/// Some of most verbs, so many times. Each task runs once.
pub fn mix(pool: &ThreadPool, rounds: usize) {
    for _ in 0..rounds {
        mix_for_anybody(pool, 1);
        assert_eq!(pool.broadcast(|_| ()).len(), pool.current_num_threads());
    }
}

/// As [`mix`], but nothing that one worker alone may run, and so must be free for.
pub fn mix_for_anybody(pool: &ThreadPool, rounds: usize) {
    let ran = Arc::new(AtomicUsize::new(0));
    let bump = || {
        let ran = Arc::clone(&ran);
        move || _ = ran.fetch_add(1, Ordering::Relaxed)
    };
    for round in 0..rounds {
        assert_eq!(pool.install(|| fib(12)), 144);
        pool.scope(|scope| {
            for _ in 0..20 {
                let bump = bump();
                scope.spawn(move |_| bump());
            }
        });
        (0..20).for_each(|_| pool.spawn(bump()));
        let tasks = (0..20).map(|task| {
            let bump = bump();
            pool.spawn_handle(move || {
                bump();
                task + round
            })
        });
        let tasks: Vec<_> = tasks.collect();
        let results = tasks.into_iter().map(|task| task.join().unwrap());
        assert!(results.eq(round..round + 20));
    }
    wait_until(|| ran.load(Ordering::Relaxed) == 60 * rounds);
}

/// How many threads the process has.
pub fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

/// A control group of this test's, if one can be made, as by root.
pub struct ControlGroup {
    path: PathBuf,
    ours: bool,
}

const GROUP: &str = "FILCH_TEST_GROUP";
/// Of quotas, in microseconds.
pub const PERIOD: usize = 100_000;

impl ControlGroup {
    /// One of this controller, in which nobody is.
    pub fn new(controller: &str) -> io::Result<Self> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let v1 = Path::new("/sys/fs/cgroup").join(controller);
        let v2 = Path::new("/sys/fs/cgroup");
        let top = if v1.is_dir() { &v1 } else { v2 };
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let group =
            Self::in_folder(top, &format!("filch-{controller}-{}-{number}", process::id()))?;
        if top == v2 && controller != "freezer" {
            std::fs::write(top.join("cgroup.subtree_control"), format!("+{controller}"))?;
        }
        Ok(group)
    }

    fn in_folder(folder: &Path, name: &str) -> io::Result<Self> {
        let path = folder.join(name);
        std::fs::create_dir(&path)?;
        Ok(Self { path, ours: true })
    }

    /// One below it, to be dropped first.
    pub fn below(&self, name: &str) -> io::Result<Self> {
        Self::in_folder(&self.path, name)
    }

    /// That which a child was started for.
    pub fn inherited() -> Option<Self> {
        let path = std::env::var_os(GROUP)?;
        Some(Self { path: path.into(), ours: false })
    }

    /// For a child that is started for it.
    pub fn env(&self) -> (&str, &str) {
        (GROUP, self.path.to_str().unwrap())
    }

    pub fn has(&self, file: &str) -> bool {
        self.path.join(file).exists()
    }

    pub fn write(&self, file: &str, text: impl ToString) -> io::Result<()> {
        std::fs::write(self.path.join(file), text.to_string())
    }

    /// So much of every [`PERIOD`], or all.
    pub fn set_quota(&self, quota: Option<usize>) -> io::Result<()> {
        let quota = |all: &str| quota.map_or(all.to_owned(), |quota| quota.to_string());
        if self.has("cpu.cfs_period_us") {
            self.write("cpu.cfs_period_us", PERIOD)?;
            self.write("cpu.cfs_quota_us", quota("-1"))
        } else {
            self.write("cpu.max", format!("{} {PERIOD}", quota("max")))
        }
    }

    /// This process, all its threads, is in it from now on.
    pub fn join(&self) {
        self.write("cgroup.procs", process::id()).unwrap();
    }
}

impl Drop for ControlGroup {
    fn drop(&mut self) {
        if self.ours
            && let Err(error) = std::fs::remove_dir(&self.path)
        {
            eprintln!("{} stays: {error}", self.path.display());
        }
    }
}

/// As [`child_succeeds`], with a control group that is there for longer than the child.
pub fn child_with_group(test: &str, controller: &str, body: impl FnOnce(&ControlGroup)) {
    if let Some(group) = ControlGroup::inherited() {
        return child_succeeds(test, &[], || body(&group));
    }
    match ControlGroup::new(controller) {
        Ok(group) => child_succeeds(test, &[group.env()], || ()),
        Err(error) => println!("SKIPPED: no control group for {controller} can be made: {error}"),
    }
}
