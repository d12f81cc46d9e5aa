//! What machine this is, and who uses it. Everything is read from /proc; where there is
//! none, the answer is that it isn't known.

use std::fs;
use std::process::Command;
use std::time::Duration;

/// Date, CPU, kernel, compiler and commit, for the line above a table of figures.
pub fn line() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    let folder = env!("CARGO_MANIFEST_DIR");
    format!(
        "{}; {} with {cpus} CPUs; {} {}; {}; commit {}",
        said_by("date", &["-u", "+%Y-%m-%d"]),
        model.unwrap_or("unknown CPU"),
        std::env::consts::OS,
        kernel.trim(),
        said_by("rustc", &["--version"]),
        said_by("git", &["-C", folder, "describe", "--always", "--dirty", "--exclude=*"]),
    )
}

fn said_by(program: &str, arguments: &[&str]) -> String {
    match Command::new(program).args(arguments).output() {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        }
        _ => format!("unknown to {program}"),
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

    /// The share of the machine that others have taken since `before`, in per cent, unless
    /// that was too short ago to say.
    pub fn others_since(&self, before: &Self) -> Option<f64> {
        /// Ticks are coarse: with fewer of them, one more or less would be several per cent.
        const FEW: f64 = 50.0;
        let busy = (self.everybody - before.everybody) as f64;
        let others = busy - (self.own - before.own) as f64;
        let all = busy + (self.idle - before.idle) as f64;
        // For the same reason it may come out below zero.
        (all >= FEW).then(|| (100.0 * others / all).max(0.0))
    }
}

fn ticks(field: &str) -> Option<u64> {
    field.parse().ok()
}

/// What this process has used. Zero where that isn't known.
pub fn cpu_time() -> Duration {
    /// Ticks a second: the kernel shows all programs the same.
    const HERTZ: u64 = 100;
    let ticks = Usage::now().map_or(0, |usage| usage.own);
    Duration::from_millis(1000 / HERTZ * ticks)
}

/// Lets this thread, if it is the process's first, sleep as precisely as the timer can:
/// by default the kernel adds up to 50 us to spare wake-ups.
pub fn sleep_precisely() {
    // Without it, pauses are somewhat longer; nothing else depends on it.
    drop(fs::write("/proc/self/timerslack_ns", "1"));
}
