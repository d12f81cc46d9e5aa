//! What is known of a pool and its machine at one time, for people and programs to read.

use crate::telemetry::alert::Alert;
use crate::telemetry::health::Vitals;
use crate::telemetry::history::{At, Key, Taken};
use crate::telemetry::latency::LatencySnapshot;
use crate::telemetry::leases::Leases;
use crate::telemetry::machine::{Core, Cpu, Disk, Memory, Mount, Network};
use crate::telemetry::readings::{Reading, Readings};
use crate::telemetry::record::{Field, Record, Unit};
use crate::telemetry::unavailable::Unavailable;
use crate::telemetry::work::{Thread, Work};
use crate::telemetry::workers::{PoolSnapshot, WorkerSnapshot};
use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// What is known of one part of the machine.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Section<T> {
    /// When the newest reading was taken; `None` if there is none. Of one reading, two snapshots may differ
    /// by a little: it is measured back from now.
    pub at: Option<SystemTime>,
    /// How long ago.
    pub age: Option<Duration>,
    /// The newest reading.
    pub current: T,
    /// The mean of those that are kept.
    pub average: T,
    /// The highest values of those that are kept.
    pub peak: T,
    /// How many are kept.
    pub readings: usize,
}

/// What is known of a pool and its machine.
///
/// `Display` prints a table.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// let pool = filch::ThreadPoolBuilder::new().num_threads(2).build()?;
/// pool.join(|| (), || ());
/// let snapshot = pool.snapshot();
/// assert_eq!(snapshot.pool.counters.joins, 1);
/// // Rates take two readings, five seconds apart by default.
/// match snapshot.memory.current.process_resident {
///     Ok(bytes) => println!("{bytes} bytes"),
///     Err(why) => println!("{why}"),
/// }
/// println!("{snapshot}");
/// # Ok::<(), filch::Error>(())
/// ```
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Snapshot {
    /// When it was taken.
    pub at: SystemTime,
    /// The pool as a whole.
    pub pool: PoolSnapshot,
    /// Its workers that have been started, spares among them, by status.
    pub workers: Vec<WorkerSnapshot>,
    /// How long tasks take, and workers to wake.
    pub latency: LatencySnapshot,
    /// The alerts that fire, the oldest first.
    pub alerts: Vec<Alert>,
    /// What tasks have leased, and who waits for more.
    pub leases: Leases,
    /// Readings of the pool.
    pub work: Section<Work>,
    /// The CPUs.
    pub cpu: Section<Cpu>,
    /// Each CPU that is online, by its number.
    pub cores: Vec<(usize, Core)>,
    /// Memory.
    pub memory: Section<Memory>,
    /// All network interfaces but the loopback.
    pub network: Section<Network>,
    /// Each network interface, by its name.
    pub interfaces: Vec<(String, Network)>,
    /// The disks, as the process uses them.
    pub disk: Section<Disk>,
    /// The file systems of the chosen directories.
    pub mounts: Vec<(PathBuf, Mount)>,
}

impl Snapshot {
    pub(crate) fn new(
        mut pool: PoolSnapshot,
        mut workers: Vec<WorkerSnapshot>,
        latency: LatencySnapshot,
        readings: Source<'_>,
    ) -> Self {
        let clock = Clock::new(readings);
        pool.look_back(&clock.history(readings));
        let threads = readings.ok().and_then(|readings| readings.threads.rows());
        let none = readings.err().unwrap_or(Unavailable::NotYet);
        let age = threads.as_ref().map(|&At(then, _)| clock.now.saturating_sub(then));
        let threads = keyed(threads, Key::as_number);
        for worker in &mut workers {
            let thread = threads.iter().find(|row| row.0 == worker.index);
            worker.thread = thread.map_or_else(|| Thread::unavailable(none), |row| row.1);
            worker.thread_age = thread.and(age);
        }
        let vitals = readings.ok().and_then(|readings| readings.health.rows());
        let age = vitals.as_ref().map(|&At(then, _)| clock.now.saturating_sub(then));
        let vitals = keyed(vitals, Key::as_number);
        for worker in &mut workers {
            let vitals = vitals.iter().find(|row| row.0 == worker.index);
            worker.health = vitals.map_or_else(|| Vitals::unavailable(none), |row| row.1);
            worker.health_age = vitals.and(age);
        }
        workers.sort_by_key(|worker| (worker.status, worker.index));
        let cores = readings.ok().and_then(|readings| readings.cores.rows());
        let interfaces = readings.ok().and_then(|readings| readings.interfaces.rows());
        let mounts = readings.ok().and_then(|readings| readings.mounts.rows());
        let points = readings.map(|readings| &*readings.mount_points).unwrap_or_default();
        let point = |key: Key| points.get(key.as_number()).cloned().unwrap_or_default();
        Self {
            at: clock.at,
            pool,
            workers,
            latency,
            alerts: Vec::new(),
            leases: Leases::default(),
            work: clock.section(readings),
            cpu: clock.section(readings),
            cores: keyed(cores, Key::as_number),
            memory: clock.section(readings),
            network: clock.section(readings),
            interfaces: keyed(interfaces, Key::as_name),
            disk: clock.section(readings),
            mounts: keyed(mounts, point),
        }
    }
}

/// Where readings come from, or why there are none.
pub type Source<'r> = Result<&'r Readings, Unavailable>;

fn keyed<T, K>(rows: Option<At<Vec<(Key, T)>>>, name: impl Fn(Key) -> K) -> Vec<(K, T)> {
    let rows = rows.map(|At(_, rows)| rows).unwrap_or_default();
    rows.into_iter().map(|(key, row)| (name(key), row)).collect()
}

/// The same moment by the system's clock and by that of readings.
struct Clock {
    at: SystemTime,
    now: Duration,
}

impl Clock {
    fn new(readings: Source<'_>) -> Self {
        Self { at: SystemTime::now(), now: readings.map(Readings::now).unwrap_or_default() }
    }

    fn taken<T>(&self, At(then, reading): At<T>) -> Taken<T> {
        let age = self.now.saturating_sub(then);
        Taken { at: self.at.checked_sub(age).unwrap_or(self.at), age, reading }
    }

    fn history<T: Reading>(&self, readings: Source<'_>) -> Vec<Taken<T>> {
        let all = readings.map(|readings| T::history(readings).all()).unwrap_or_default();
        all.into_iter().map(|reading| self.taken(reading)).collect()
    }

    fn section<T: Reading>(&self, readings: Source<'_>) -> Section<T> {
        let all = readings.map(|readings| T::history(readings).all()).unwrap_or_default();
        let newest = all.last().map(|&newest| self.taken(newest));
        let all: Vec<T> = all.into_iter().map(|At(_, reading)| reading).collect();
        let none = T::unavailable(readings.err().unwrap_or(Unavailable::NotYet));
        Section {
            at: newest.map(|newest| newest.at),
            age: newest.map(|newest| newest.age),
            current: newest.map_or(none, |newest| newest.reading),
            average: if all.is_empty() { none } else { T::average(&all) },
            peak: if all.is_empty() { none } else { T::peak(&all) },
            readings: all.len(),
        }
    }
}

/// All readings of a kind that are kept, the oldest first.
pub fn history<T: Reading>(readings: Source<'_>) -> Vec<Taken<T>> {
    let all = readings.map(|readings| T::history(readings).all()).unwrap_or_default();
    // Only now, so that none is younger.
    let clock = Clock::new(readings);
    all.into_iter().map(|reading| clock.taken(reading)).collect()
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.pool)?;
        self.workers.iter().try_for_each(|worker| write!(f, "{worker}"))?;
        write!(f, "{}", self.latency)?;
        self.alerts.iter().try_for_each(|alert| writeln!(f, "{alert}"))?;
        write!(f, "{}", self.leases)?;
        self.work.write(f)?;
        self.cpu.write(f)?;
        for (number, core) in &self.cores {
            write_row(f, &format!("cpu {number}"), core)?;
        }
        self.memory.write(f)?;
        self.network.write(f)?;
        for (name, network) in &self.interfaces {
            write_row(f, name, network)?;
        }
        self.disk.write(f)?;
        for (path, mount) in &self.mounts {
            write_row(f, &path.display().to_string(), mount)?;
        }
        Ok(())
    }
}

impl<T: Reading> Section<T> {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(age) = self.age else {
            let why = self.current.values().into_iter().find_map(Result::err);
            return match why {
                Some(why) => writeln!(f, "{}: {why}", T::NAME),
                None => Ok(()),
            };
        };
        let Self { current, average, peak, readings, .. } = self;
        let age = age.as_secs_f64();
        writeln!(f, "{}: {readings} readings, the last one {age:.1} s ago", T::NAME)?;
        let (average, peak) = (average.values(), peak.values());
        let others = average.into_iter().zip(peak);
        for ((field, value), (average, peak)) in T::FIELDS.iter().zip(current.values()).zip(others)
        {
            write!(f, "  {:24}", field.name)?;
            match value {
                Ok(value) => write!(f, "{:>12}", in_unit(field, value))?,
                Err(why) => write!(f, "{why:>12}")?,
            }
            if let (false, Ok(average), Ok(peak)) = (field.is_total, average, peak) {
                let (average, peak) = (in_unit(field, average), in_unit(field, peak));
                write!(f, "   average {average:>12}   peak {peak:>12}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

/// Only what there is: a line for each of many things.
fn write_row<T: Record>(f: &mut fmt::Formatter<'_>, name: &str, row: &T) -> fmt::Result {
    write!(f, "  {name}:")?;
    for (field, value) in T::FIELDS.iter().zip(row.values()) {
        if let Ok(value) = value {
            write!(f, " {} {}", field.name, in_unit(field, value))?;
        }
    }
    writeln!(f)
}

fn in_unit(field: &Field, value: f64) -> String {
    match field.unit {
        Unit::Ratio => format!("{:.1} %", 100.0 * value),
        Unit::Cpus => format!("{value:.2} CPUs"),
        Unit::Seconds => format!("{value:.2} s"),
        Unit::Bytes => in_bytes(value, ""),
        Unit::BytesPerSecond => in_bytes(value, "/s"),
        // Whole, or the load.
        Unit::Count if value.fract() == 0.0 => format!("{value}"),
        Unit::Count => format!("{value:.2}"),
    }
}

fn in_bytes(bytes: f64, suffix: &str) -> String {
    const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let (mut number, mut unit) = (bytes, 0);
    while number >= 1024.0 && unit + 1 < UNITS.len() {
        number /= 1024.0;
        unit += 1;
    }
    let decimals = if unit == 0 { 0 } else { 1 };
    format!("{number:.decimals$} {}{suffix}", UNITS[unit])
}

#[cfg(all(test, not(loom), not(miri)))]
mod tests {
    use super::{PoolSnapshot, Snapshot, Source, history, in_bytes};
    use crate::telemetry::history::Key;
    use crate::telemetry::latency::LatencySnapshot;
    use crate::telemetry::machine::{Core, Cpu, Memory};
    use crate::telemetry::readings::{Lengths, Readings};
    use crate::telemetry::record::Record;
    use crate::telemetry::unavailable::Unavailable;
    use std::time::Duration;

    fn snapshot(readings: Source<'_>) -> Snapshot {
        Snapshot::new(PoolSnapshot::nothing(), Vec::new(), LatencySnapshot::default(), readings)
    }

    #[test]
    fn a_section_has_the_newest_reading_and_those_that_are_kept() {
        let lengths = Lengths { cpu: 2, memory: 1, network: 1, disk: 1 };
        let readings = Readings::new(lengths, 2, 2, Vec::new());
        for busy in [0.9, 0.5, 0.25] {
            let mut cpu = Cpu::unavailable(Unavailable::Missing);
            cpu.system_utilisation = Ok(busy);
            readings.cpu.push(Duration::ZERO, &cpu);
        }
        let core = Core { utilisation: Ok(1.0), stolen: Err(Unavailable::NotYet) };
        readings.cores.put(Duration::ZERO, &[(Key::number(5), core)]);
        let snapshot = snapshot(Ok(&readings));
        let cpu = snapshot.cpu;
        assert_eq!(cpu.current.system_utilisation, Ok(0.25));
        assert_eq!(cpu.average.system_utilisation, Ok(0.375));
        assert_eq!((cpu.peak.system_utilisation, cpu.readings), (Ok(0.5), 2));
        assert_eq!(cpu.current.quota, Err(Unavailable::Missing));
        assert!(cpu.age.unwrap() <= readings.now() && cpu.at.unwrap() <= snapshot.at);
        assert_eq!(snapshot.cores, [(5, core)]);
        assert_eq!(snapshot.memory.current, Memory::unavailable(Unavailable::NotYet));
        assert_eq!(snapshot.memory.at, None);
        let printed = snapshot.to_string();
        assert!(
            printed.contains("25.0 %") && printed.contains("average       37.5 %"),
            "{printed}"
        );
        assert!(printed.contains("memory: not read yet\n"), "{printed}");
        let kept: Vec<_> = history::<Cpu>(Ok(&readings));
        assert_eq!(kept.len(), 2);
        assert_eq!(kept[0].reading.system_utilisation, Ok(0.5));
    }

    #[test]
    fn where_nothing_is_read_the_reason_is_given() {
        let snapshot = snapshot(Err(Unavailable::Off));
        assert_eq!(snapshot.memory.current.total, Err(Unavailable::Off));
        assert!(snapshot.to_string().contains("disk: not monitored\n"));
    }

    #[test]
    fn bytes_are_printed_in_a_unit_that_fits() {
        assert_eq!(in_bytes(1023.0, "/s"), "1023 B/s");
        assert_eq!(in_bytes(1536.0, ""), "1.5 KiB");
        assert_eq!(in_bytes(f64::powi(2.0, 70), ""), "1048576.0 PiB");
    }
}
