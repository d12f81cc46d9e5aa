//! What machine this is, and who uses it. Everything is read from /proc; where there is
//! none, the answer is that it isn't known.

use std::fs;
use std::process::Command;
use std::time::Duration;

/// Date, CPU, kernel and compiler, for the line above a table of figures.
pub fn line() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    format!(
        "{}; {} with {cpus} CPUs; {} {}; {}",
        said_by("date", &["-u", "+%Y-%m-%d"]),
        model.unwrap_or("unknown CPU"),
        std::env::consts::OS,
        kernel.trim(),
        said_by("rustc", &["--version"]),
    )
}

fn said_by(program: &str, arguments: &[&str]) -> String {
    match Command::new(program).args(arguments).output() {
        Ok(output) => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        Err(_) => format!("unknown {program}"),
    }
}

/// CPU time used since the machine and this process started, in ticks.
pub struct Usage {
    everybody: u64,
    idle: u64,
    own: u64,
}

impl Usage {
    pub fn now() -> Option<Self> {
        let stat = fs::read_to_string("/proc/stat").ok()?;
        let mut cpus = stat.lines().next()?.split_whitespace().skip(1).map_while(ticks);
        let mut next = || cpus.next();
        let (user, nice, system, idle) = (next()?, next()?, next()?, next()?);
        // What follows after these four is counted in user.
        let (iowait, irq, softirq, steal) = (next()?, next()?, next()?, next()?);
        let own = fs::read_to_string("/proc/self/stat").ok()?;
        // User and system time are the twelfth and thirteenth field after the name, which
        // is in brackets as it may hold anything.
        let mut own = own.rsplit(')').next()?.split_whitespace().skip(11).map_while(ticks);
        Some(Self {
            everybody: user + nice + system + irq + softirq + steal,
            idle: idle + iowait,
            own: own.next()? + own.next()?,
        })
    }

    /// The share of the machine that others have taken since `before`, in per cent.
    pub fn others_since(&self, before: &Self) -> f64 {
        let busy = (self.everybody - before.everybody) as f64;
        let others = busy - (self.own - before.own) as f64;
        let all = busy + (self.idle - before.idle) as f64;
        // Ticks are coarse: a share may come out below zero.
        (100.0 * others / all.max(1.0)).max(0.0)
    }
}

fn ticks(field: &str) -> Option<u64> {
    field.parse().ok()
}

/// CPU time of this process's threads except the first, which is the one that measures.
pub fn cpu_time_of_other_threads() -> Option<Duration> {
    let mut sum = 0;
    for thread in fs::read_dir("/proc/self/task").ok()? {
        let thread = thread.ok()?;
        if thread.file_name().to_string_lossy() == std::process::id().to_string() {
            continue;
        }
        let stat = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        sum += stat.split(' ').next()?.parse::<u64>().ok()?;
    }
    Some(Duration::from_nanos(sum))
}

/// Lets this thread, if it is the process's first, sleep as precisely as the timer can:
/// by default the kernel adds up to 50 us to spare wake-ups.
pub fn sleep_precisely() {
    // Without it, pauses are somewhat longer; nothing else depends on it.
    drop(fs::write("/proc/self/timerslack_ns", "1"));
}
