//! Says what was found, how long it took, and what the pool did meanwhile.

use crate::tally::{Sum, Summary};
use hdrhistogram::Histogram;
use indicatif::{DecimalBytes, HumanCount};
use std::fmt::Display;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

/// Of a long list, how much is printed.
const SHOWN: usize = 10;

/// With fewer tasks than this, a percentile is but one of them.
const ENOUGH: usize = 100;

/// One pass over the tree, and what its pool did.
pub struct Pass {
    pub workers: usize,
    pub elapsed: Duration,
    pub cpu_time: Option<Duration>,
    pub counters: filch::Counters,
    pub latencies: Vec<Duration>,
    pub summary: Summary,
}

fn title(out: &mut impl Write, what: impl Display) -> io::Result<()> {
    writeln!(out, "\n{what}")
}

fn row(out: &mut impl Write, value: impl Display, what: impl Display) -> io::Result<()> {
    writeln!(out, "{:>12}  {what}", value.to_string())
}

pub fn print_findings(out: &mut impl Write, root: &Path, summary: &Summary) -> io::Result<()> {
    writeln!(out, "{}", root.display())?;
    row(out, HumanCount(summary.total.files), "files")?;
    row(out, DecimalBytes(summary.total.bytes), "in them")?;
    if summary.binary > 0 {
        let what = "of the files are binary (contain a NUL byte): no words are counted in those";
        row(out, HumanCount(summary.binary), what)?;
    }
    row(out, HumanCount(summary.words), "words")?;
    row(out, HumanCount(summary.different_words as u64), "different words")?;

    title(out, "most frequent words")?;
    for (count, word) in &summary.top {
        row(out, HumanCount(*count), word)?;
    }

    title(out, format!("file types, the largest of {}", summary.types.len()))?;
    for (extension, Sum { files, bytes }) in summary.types.iter().take(SHOWN) {
        let name = if extension.is_empty() { "(none)" } else { extension };
        row(out, DecimalBytes(*bytes), format!("{name}, {} files", HumanCount(*files)))?;
    }

    let mut total = Sum::default();
    summary.duplicates.iter().for_each(|(wasted, _)| total += *wasted);
    title(out, "duplicate files, and the bytes that they waste")?;
    row(out, DecimalBytes(total.bytes), format!("in {} copies", HumanCount(total.files)))?;
    for (wasted, paths) in summary.duplicates.iter().take(SHOWN / 2) {
        let path = paths[0].strip_prefix(root).unwrap_or(&paths[0]).display();
        row(out, DecimalBytes(wasted.bytes), format!("in {} of {path}", wasted.files))?;
    }

    if !summary.unreadable.is_empty() {
        title(out, format!("could not be read: {}", summary.unreadable.len()))?;
    }
    for (path, error) in summary.unreadable.iter().take(SHOWN) {
        row(out, "", format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

/// `passes`: those with one worker, then those with all if these are more; they alternated.
pub fn print_times(out: &mut impl Write, mut passes: Vec<Vec<Pass>>) -> io::Result<()> {
    passes.iter_mut().for_each(|passes| passes.sort_by_key(|pass| pass.elapsed));
    let rounds = passes[0].len();
    let medians: Vec<_> = passes.iter().map(|passes| &passes[rounds / 2]).collect();
    let (one, all) = (medians[0], medians[medians.len() - 1]);
    title(out, format!("time to walk, read, hash and count, median of {rounds}"))?;
    for pass in &medians {
        let seconds = pass.elapsed.as_secs_f64();
        let speed = DecimalBytes((pass.summary.total.bytes as f64 / seconds) as u64);
        row(out, format!("{seconds:.3} s"), format!("{speed}/s, workers: {}", pass.workers))?;
    }
    if medians.len() > 1 {
        let speed_up = one.elapsed.as_secs_f64() / all.elapsed.as_secs_f64();
        row(out, format!("{speed_up:.2}"), "speed-up")?;
    }

    let counters = all.counters;
    title(out, format!("what the pool did in that time, workers: {}", all.workers))?;
    row(out, HumanCount(counters.tasks), "tasks run, most of them for a directory each")?;
    row(out, HumanCount(counters.joins), "joins")?;
    row(out, HumanCount(counters.steals), "steals: work taken from another worker's queue")?;
    row(out, HumanCount(counters.exposures), "exposures: private joins shown to hungry workers")?;
    row(out, HumanCount(counters.pulls), "pulls: private joins taken from a busy worker")?;
    row(out, HumanCount(counters.parks), "parks: a worker fell asleep")?;
    row(out, HumanCount(counters.wakes), "wakes: a worker woke another")?;
    if let Some(time) = all.cpu_time.map(|time| time.as_secs_f64()) {
        let busy = time / all.elapsed.as_secs_f64();
        row(out, format!("{time:.2} s"), format!("CPU time, so {busy:.2} CPUs busy"))?;
    }

    title(out, "scheduling latency of tasks, from spawn to start, so with the queue")?;
    let tasks = all.latencies.len();
    if tasks < ENOUGH {
        return row(out, HumanCount(tasks as u64), "tasks, too few for percentiles");
    }
    let longest = Duration::from_secs(3600).as_nanos() as u64;
    let mut waits = Histogram::<u64>::new_with_max(longest, 3).map_err(io::Error::other)?;
    all.latencies.iter().for_each(|wait| waits.saturating_record(wait.as_nanos() as u64));
    for percentile in [50.0, 90.0, 99.0, 99.9] {
        let wait = Duration::from_nanos(waits.value_at_percentile(percentile));
        row(out, format!("{wait:.1?}"), format!("p{percentile}"))?;
    }
    Ok(())
}

/// Where the trace is, and how it is looked at.
pub fn print_trace(out: &mut impl Write, path: &Path) -> io::Result<()> {
    let bytes = path.metadata()?.len();
    title(out, "trace of one more pass: what each worker did when")?;
    row(out, DecimalBytes(bytes), format!("in {}", path.display()))?;
    row(out, "", "to look at it, open https://ui.perfetto.dev and drag the file there")
}

/// The CPU time that this process has used, to the 10 ms of a clock tick; `None` where
/// there is no Linux `/proc`.
pub fn cpu_time() -> Option<Duration> {
    // What the kernel shows to programs has 100 ticks a second (USER_HZ) on every
    // architecture that Rust's standard library supports.
    const TICK: Duration = Duration::from_millis(10);
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The second field, the program's name, may contain anything, but ends with the last ')'.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11).map(|field| field.parse::<u32>().ok());
    Some(TICK * (times.next()?? + times.next()??))
}
