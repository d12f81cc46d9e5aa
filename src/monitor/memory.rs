//! Memory: `/proc/meminfo`, what the process has of it, and what its control group may use.

use crate::monitor::cgroup::{self, Stay, Version};
use crate::monitor::file::{SystemFile, entry};
use crate::monitor::kernel::{self, Usage};
use crate::monitor::pressure::Pressure;
use crate::monitor::rate::share;
use crate::telemetry::machine::Memory;
use crate::telemetry::record::Record;
use crate::telemetry::unavailable::{Fact, Unavailable};
use crate::worker::handlers::TrimHandler;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub struct MemoryMonitor {
    meminfo: SystemFile,
    status: SystemFile,
    pressure: Pressure,
    group: Group,
}

impl MemoryMonitor {
    pub fn new(root: &Path) -> Self {
        Self {
            meminfo: SystemFile::new(root, "/proc/meminfo"),
            status: SystemFile::new(root, "/proc/self/status"),
            pressure: Pressure::new(root, "/proc/pressure/memory"),
            group: Group {
                root: root.into(),
                stay: Stay::default(),
                levels: Vec::new(),
                pressure: None,
            },
        }
    }

    pub fn read(&mut self, at: Duration, stay: Stay, usage: Fact<Usage>) -> Memory {
        let mut memory = Memory::unavailable(Unavailable::NotYet);
        let text = self.meminfo.read();
        let in_bytes = |name| kibibytes(text, name);
        memory.total = in_bytes("MemTotal:");
        memory.available = in_bytes("MemAvailable:");
        memory.utilisation = memory.total.and_then(|total| {
            let used = total.checked_sub(memory.available?).ok_or(Unavailable::Garbled)?;
            Ok(share(used, total))
        });
        // Not getrusage's peak, in which that of whoever called exec counts.
        let text = self.status.read();
        memory.process_resident = kibibytes(text, "VmRSS:");
        memory.process_peak = kibibytes(text, "VmHWM:");
        memory.minor_faults = usage.map(|usage| usage.minor_faults);
        memory.major_faults = usage.map(|usage| usage.major_faults);
        (memory.pressure_some, memory.pressure_full) = self.pressure.read(at);
        self.group.read(at, stay, &mut memory);
        memory
    }
}

/// Has free heap memory given back, by the handler or as the C library can. Returns how many bytes
/// less of the process are in memory then.
pub fn trim_heap(handler: Option<&TrimHandler>) -> Fact<u64> {
    let mut status = SystemFile::new(Path::new("/"), "/proc/self/status");
    let mut resident = || kibibytes(status.read(), "VmRSS:");
    let before = resident();
    match handler {
        Some(trim) => trim(),
        None => kernel::trim_heap()?,
    }
    Ok(before?.saturating_sub(resident()?))
}

/// Of a line `name: number kB`, in bytes.
fn kibibytes(text: Fact<&[u8]>, name: &str) -> Fact<u64> {
    entry(text?, name).map(|number| number.saturating_mul(1024))
}

/// The process's control group and those above it.
struct Group {
    root: PathBuf,
    stay: Stay,
    levels: Vec<Level>,
    pressure: Option<Pressure>,
}

struct Level {
    version: Version,
    limit: SystemFile,
    usage: SystemFile,
    stat: SystemFile,
}

impl Level {
    fn new(level: &cgroup::Level) -> Self {
        let file = |name| SystemFile::new(&level.directory, name);
        let (limit, usage) = match level.version {
            Version::One => ("memory.limit_in_bytes", "memory.usage_in_bytes"),
            Version::Two => ("memory.max", "memory.current"),
        };
        Self {
            version: level.version,
            limit: file(limit),
            usage: file(usage),
            stat: file("memory.stat"),
        }
    }

    /// The file cache that was not used lately, of the group and those below it.
    fn droppable(&mut self) -> Fact<u64> {
        let name = match self.version {
            Version::One => "total_inactive_file",
            Version::Two => "inactive_file",
        };
        entry(self.stat.read()?, name)
    }
}

impl Group {
    fn read(&mut self, at: Duration, stay: Stay, memory: &mut Memory) {
        if self.stay != stay {
            self.stay = stay;
            let levels = cgroup::levels(&self.root, "memory");
            let innermost = levels.iter().find(|level| level.version == Version::Two);
            self.pressure =
                innermost.map(|level| Pressure::new(&level.directory, "memory.pressure"));
            self.levels = levels.iter().map(Level::new).collect();
        }
        // Version 2 says `max`; version 1 has a number for it that no machine's memory comes near.
        let machine = memory.total.unwrap_or(u64::MAX);
        let limits = self.levels.iter_mut().enumerate();
        let limits = limits.filter_map(|(index, level)| Some((level.limit.number().ok()?, index)));
        let tightest = limits.filter(|&(limit, _)| limit < machine.min(1 << 62)).min();
        memory.limit = tightest.map(|(limit, _)| limit).ok_or(Unavailable::Unlimited);
        let candidates = match tightest {
            Some((_, index)) => &mut self.levels[index..=index],
            // A hierarchy without the controller tells no usage.
            None => &mut self.levels[..],
        };
        memory.group_usage = Err(Unavailable::Missing);
        memory.group_working_set = Err(Unavailable::Missing);
        for level in candidates {
            if let Ok(usage) = level.usage.number() {
                memory.group_usage = Ok(usage);
                // Both are read while they change.
                memory.group_working_set =
                    level.droppable().map(|droppable| usage.saturating_sub(droppable));
                break;
            }
        }
        memory.limit_utilisation = memory.limit.and_then(|limit| {
            memory.group_working_set.map(|working_set| share(working_set, limit))
        });
        (memory.group_pressure_some, memory.group_pressure_full) = match &mut self.pressure {
            Some(pressure) => pressure.read(at),
            None => (Err(Unavailable::Missing), Err(Unavailable::Missing)),
        };
    }
}
