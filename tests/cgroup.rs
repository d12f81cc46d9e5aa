//! Pools in a real control group with a CPU quota. Needs the right to make one, as root has.
#![cfg(all(target_os = "linux", not(miri), not(loom)))]

mod common;

use common::{Dog, wait_until};
use filch::ThreadPoolBuilder;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::{env, fs, io};

/// Tells a process of this test that it is a child, and which group to join.
const GROUP: &str = "FILCH_TEST_CGROUP";
const PERIOD: usize = 100_000;

#[test]
fn a_pool_takes_its_size_from_a_real_quota_and_floats_under_a_fractional_one() {
    if let Some(group) = env::var_os(GROUP) {
        return report_from_inside(Path::new(&group));
    }
    if cfg!(filch_no_affinity) {
        println!("SKIPPED: without a mask, the standard library's rounded figure is the limit");
        return;
    }
    let cpus = mask_size();
    if run_in(Path::new("")).workers != cpus {
        println!("SKIPPED: the test runs under a CPU quota already");
        return;
    }
    let quotas = [
        ("unlimited", None, cpus, false),
        ("all CPUs", Some(cpus * PERIOD), cpus, false),
        ("half a CPU", Some(PERIOD / 2), 1, true),
        // As many workers as CPUs, so they would be pinned if it were not fractional.
        ("all CPUs but a half", Some(cpus * PERIOD - PERIOD / 2), cpus, true),
    ];
    for (name, quota, workers, fractional) in quotas {
        let group = match Group::new(quota) {
            Ok(group) => group,
            Err(error) => {
                println!("SKIPPED: no control group with a CPU quota can be made: {error}");
                return;
            }
        };
        for place in [&group.outer, &group.inner] {
            let seen = run_in(place);
            assert_eq!(seen.workers, workers, "{name}, in {}", place.display());
            let pinned = !fractional;
            assert_eq!(seen.pinned, if pinned { workers } else { 0 }, "{name}");
            if fractional {
                assert_eq!(seen.floating, workers, "{name}");
            }
        }
    }
}

/// While it runs.
#[test]
fn a_pool_follows_a_quota_that_changes() {
    if let Some(group) = env::var_os(GROUP) {
        return change_from_inside(Path::new(&group));
    }
    if cfg!(filch_no_affinity) || mask_size() < 2 {
        println!("SKIPPED: needs two CPUs");
        return;
    }
    match Group::new(None) {
        Ok(group) => _ = run_test_in(&group.outer, "a_pool_follows_a_quota_that_changes"),
        Err(error) => println!("SKIPPED: no control group with a CPU quota can be made: {error}"),
    }
}

fn change_from_inside(group: &Path) {
    join_group(group);
    let dog = Dog::alone();
    let pool = ThreadPoolBuilder::new().min_threads(1).build().unwrap();
    let (cpus, over) = (pool.current_num_threads(), Arc::new(AtomicBool::new(false)));
    // Something to do for all, whatever they are.
    let tasks: Vec<_> = (0..2 * cpus)
        .map(|_| {
            let over = Arc::clone(&over);
            pool.spawn_handle(move || {
                while !over.load(Ordering::Relaxed) {
                    filch::yield_now();
                }
            })
        })
        .collect();
    for (quota, seats) in [(PERIOD, 1), (cpus * PERIOD, cpus), (PERIOD, 1)] {
        set_quota(group, Some(quota)).unwrap();
        dog.say(format!("{seats} seats, {}", pool.snapshot()));
        wait_until(|| pool.snapshot().pool.seats == seats);
    }
    over.store(true, Ordering::Relaxed);
    tasks.into_iter().for_each(|task| task.join().unwrap());
    wait_until(|| pool.num_threads() == 1);
    // Below that there is always one.
    set_quota(group, Some(PERIOD / 10)).unwrap();
    assert_eq!(pool.install(|| 6 * 7), 42);
}

/// What a child says of its default pool.
struct Seen {
    workers: usize,
    /// Workers that the pool says it gave a CPU.
    pinned: usize,
    /// Workers whose mask, as the kernel tells it, is that of the whole process.
    floating: usize,
}

/// What this test prints as a child in that group.
fn run_test_in(group: &Path, test: &str) -> String {
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", "--nocapture", test])
        .env(GROUP, group)
        .env_remove("FILCH_NUM_THREADS")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    text
}

fn run_in(group: &Path) -> Seen {
    let test = "a_pool_takes_its_size_from_a_real_quota_and_floats_under_a_fractional_one";
    let text = run_test_in(group, test);
    // The test runner's own words may stand before it on the line.
    let (_, numbers) = text.split_once("SEEN ").unwrap();
    let mut numbers = numbers.split_whitespace().map(|number| number.parse().unwrap());
    let mut next = || numbers.next().unwrap();
    Seen { workers: next(), pinned: next(), floating: next() }
}

fn join_group(group: &Path) {
    fs::write(group.join("cgroup.procs"), std::process::id().to_string()).unwrap();
}

fn report_from_inside(group: &Path) {
    if group.is_absolute() {
        join_group(group);
    }
    let pool = ThreadPoolBuilder::new().build().unwrap();
    let whole = allowed_cpus();
    let masks = pool.broadcast(|_| allowed_cpus());
    println!(
        "SEEN {} {} {} ",
        pool.current_num_threads(),
        pool.worker_cpus().into_iter().flatten().count(),
        masks.into_iter().filter(|mask| *mask == whole).count()
    );
}

/// This thread's mask as the kernel writes it: `0-3,8`.
fn allowed_cpus() -> String {
    let status = fs::read_to_string("/proc/thread-self/status").unwrap();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    list.unwrap().trim().to_owned()
}

fn mask_size() -> usize {
    let size = |range: &str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        last.parse::<usize>().unwrap() - first.parse::<usize>().unwrap() + 1
    };
    allowed_cpus().split(',').map(size).sum()
}

/// A group with a quota and one without below it, removed at the end.
struct Group {
    outer: PathBuf,
    inner: PathBuf,
}

impl Group {
    fn new(quota: Option<usize>) -> io::Result<Self> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let v1 = Path::new("/sys/fs/cgroup/cpu");
        let v2 = Path::new("/sys/fs/cgroup");
        let top = if v1.is_dir() { v1 } else { v2 };
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let outer = top.join(format!("filch-test-{}-{number}", std::process::id()));
        fs::create_dir(&outer)?;
        // From here on, it is removed whatever fails.
        let group = Self { inner: outer.join("inner"), outer };
        fs::create_dir(&group.inner)?;
        if top == v2 {
            fs::write(top.join("cgroup.subtree_control"), "+cpu")?;
        }
        set_quota(&group.outer, quota)?;
        Ok(group)
    }
}

/// Of the group in this directory.
fn set_quota(group: &Path, quota: Option<usize>) -> io::Result<()> {
    let quota = quota.map(|quota| quota.to_string());
    if group.join("cpu.cfs_period_us").exists() {
        fs::write(group.join("cpu.cfs_period_us"), PERIOD.to_string())?;
        fs::write(group.join("cpu.cfs_quota_us"), quota.as_deref().unwrap_or("-1"))
    } else {
        let quota = quota.as_deref().unwrap_or("max");
        fs::write(group.join("cpu.max"), format!("{quota} {PERIOD}"))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for directory in [&self.inner, &self.outer] {
            let _ = fs::remove_dir(directory);
        }
    }
}
