//! A process with a CPU quota, which the kernel stops for the rest of a period when it is used up.

use crate::common::{machine, size};
use crate::load::{Work, offer};
use filch::{Pinning, ThreadPool, ThreadPoolBuilder};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{env, fs, io, thread};

/// Tells a child which group to join, what pool to measure and the tasks a second.
const CHILD: &str = "FILCH_BENCH_QUOTA";
const PERIOD: u64 = 100_000;
const TASK: Duration = Duration::from_millis(1);

pub fn run() {
    println!("\n| quota | load | pool | p50 | p99 | tasks a second | periods stopped | workers |");
    println!("|---|---|---|---|---|---|---|---|");
    for quota in size(&[1.0, 1.5][..], &[1.0]).iter().copied() {
        let group = match Group::new(quota) {
            Ok(group) => group,
            Err(error) => {
                println!("SKIPPED: no control group with a CPU quota can be made: {error}");
                return;
            }
        };
        for load in size(&[0.5, 0.8, 0.95][..], &[0.5]).iter().copied() {
            for kind in ["fixed", "adaptive"] {
                let rate = load * quota / TASK.as_secs_f64();
                let before = group.stopped();
                let told = child(&group.path, kind, rate);
                let [p50, p99, rate, workers] = told;
                let [periods, stopped] = group.stopped();
                println!(
                    "| {quota} | {load} | {kind} | {p50:.1} | {p99:.1} | {rate:.0} | {} of {} | {workers:.1} |",
                    stopped - before[1],
                    periods - before[0],
                );
            }
        }
    }
}

pub fn is_child() -> bool {
    env::var_os(CHILD).is_some()
}

fn child(group: &Path, kind: &str, rate: f64) -> [f64; 4] {
    let asked = format!("{kind} {rate} {}", group.display());
    let mut child = Command::new(env::current_exe().unwrap());
    // As we were called: for a quick look or a long one.
    let output = child.args(env::args().skip(1)).env(CHILD, asked).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let mut figures = text.split_whitespace().map(|figure| figure.parse().unwrap());
    [(); 4].map(|()| figures.next().expect("a child says four figures"))
}

/// As a child: says its figures.
pub fn measure() {
    let asked = env::var(CHILD).unwrap();
    let mut asked = asked.splitn(3, ' ');
    let mut next = || asked.next().unwrap();
    let (kind, rate, group) = (next(), next().parse().unwrap(), next());
    let work = Work::lasting(TASK);
    fs::write(Path::new(group).join("cgroup.procs"), std::process::id().to_string()).unwrap();
    let cpus = core_affinity::get_core_ids().map_or(1, |cores| cores.len());
    let builder = ThreadPoolBuilder::new().pinning(Pinning::None);
    let pool = match kind {
        "fixed" => builder.num_threads(cpus),
        _ => builder.min_threads(1),
    };
    let pool = pool.build().unwrap();
    machine::sleep_precisely();
    let lasting = Duration::from_millis(size(20_000, 200));
    let over = AtomicBool::new(false);
    let (outcome, workers) = thread::scope(|scope| {
        let mean = scope.spawn(|| mean_seats(&pool, &over));
        let outcome = offer(&pool, work, rate, lasting, 7);
        over.store(true, Ordering::Relaxed);
        (outcome, mean.join().unwrap())
    });
    println!("{} {} {} {workers}", outcome.millis(50.0), outcome.millis(99.0), outcome.per_second);
}

/// How many workers could run at a time, on average.
fn mean_seats(pool: &ThreadPool, over: &AtomicBool) -> f64 {
    let mut seats = vec![];
    while !over.load(Ordering::Relaxed) || seats.is_empty() {
        seats.push(pool.snapshot().pool.seats as f64);
        thread::sleep(Duration::from_millis(100));
    }
    seats.iter().sum::<f64>() / seats.len() as f64
}

struct Group {
    path: PathBuf,
}

impl Group {
    fn new(cpus: f64) -> io::Result<Self> {
        let [v1, v2] = ["/sys/fs/cgroup/cpu", "/sys/fs/cgroup"].map(Path::new);
        let old = v1.is_dir();
        let top = if old { v1 } else { v2 };
        let path = top.join(format!("filch-bench-{}", std::process::id()));
        fs::create_dir(&path)?;
        let group = Self { path };
        let quota = (cpus * PERIOD as f64) as u64;
        if old {
            fs::write(group.path.join("cpu.cfs_period_us"), PERIOD.to_string())?;
            fs::write(group.path.join("cpu.cfs_quota_us"), quota.to_string())?;
        } else {
            fs::write(top.join("cgroup.subtree_control"), "+cpu")?;
            fs::write(group.path.join("cpu.max"), format!("{quota} {PERIOD}"))?;
        }
        Ok(group)
    }

    /// Periods, and those at whose end it was stopped.
    fn stopped(&self) -> [u64; 2] {
        let text = fs::read_to_string(self.path.join("cpu.stat")).unwrap_or_default();
        ["nr_periods ", "nr_throttled "].map(|name| {
            let count = text.lines().find_map(|line| line.strip_prefix(name));
            count.and_then(|count| count.parse().ok()).unwrap_or(0)
        })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.path);
    }
}
