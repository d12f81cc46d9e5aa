//! Pools in a real control group with a CPU quota. Needs the right to make one, as root has.
#![cfg(all(target_os = "linux", not(miri), not(loom)))]

use std::path::{Path, PathBuf};
use std::process::Command;
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

/// What a child says of its default pool.
struct Seen {
    workers: usize,
    /// Workers that the pool says it gave a CPU.
    pinned: usize,
    /// Workers whose mask, as the kernel tells it, is that of the whole process.
    floating: usize,
}

fn run_in(group: &Path) -> Seen {
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", "--nocapture"])
        .arg("a_pool_takes_its_size_from_a_real_quota_and_floats_under_a_fractional_one")
        .env(GROUP, group)
        .env_remove("FILCH_NUM_THREADS")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    // The test runner's own words may stand before it on the line.
    let (_, numbers) = text.split_once("SEEN ").unwrap();
    let mut numbers = numbers.split_whitespace().map(|number| number.parse().unwrap());
    let mut next = || numbers.next().unwrap();
    Seen { workers: next(), pinned: next(), floating: next() }
}

fn report_from_inside(group: &Path) {
    if group.is_absolute() {
        fs::write(group.join("cgroup.procs"), std::process::id().to_string()).unwrap();
    }
    let pool = filch::ThreadPoolBuilder::new().build().unwrap();
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
        let v1 = Path::new("/sys/fs/cgroup/cpu");
        let v2 = Path::new("/sys/fs/cgroup");
        let top = if v1.is_dir() { v1 } else { v2 };
        let outer = top.join(format!("filch-test-{}", std::process::id()));
        fs::create_dir(&outer)?;
        // From here on, it is removed whatever fails.
        let group = Self { inner: outer.join("inner"), outer };
        fs::create_dir(&group.inner)?;
        let quota = quota.map(|quota| quota.to_string());
        if top == v1 {
            fs::write(group.outer.join("cpu.cfs_period_us"), PERIOD.to_string())?;
            fs::write(group.outer.join("cpu.cfs_quota_us"), quota.as_deref().unwrap_or("-1"))?;
        } else {
            fs::write(top.join("cgroup.subtree_control"), "+cpu")?;
            let quota = quota.as_deref().unwrap_or("max");
            fs::write(group.outer.join("cpu.max"), format!("{quota} {PERIOD}"))?;
        }
        Ok(group)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for directory in [&self.inner, &self.outer] {
            let _ = fs::remove_dir(directory);
        }
    }
}
