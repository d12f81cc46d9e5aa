//! What the process's control groups say of its CPU time: how much it may have, and when it was stopped.

use crate::monitor::cgroup::{self, Stay, Version};
use crate::monitor::file::{SystemFile, entry};
use crate::monitor::pressure::Pressure;
use crate::monitor::quota::{CpuQuota, QuotaFiles};
use crate::monitor::rate::{Growth, share};
use crate::telemetry::machine::Cpu;
use crate::telemetry::unavailable::{Fact, Unavailable};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the control group may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// The tightest quota on its path, rounded up; none if it has none.
    pub cpus: Option<usize>,
    /// Periods in which it has been stopped, the quota used up.
    pub throttled: Fact<u64>,
    /// Whether it is a group like others, and not the one of the whole machine: whether its pressure is its own.
    pub own: bool,
}

/// The process's control group and those above it.
pub struct CpuGroup {
    root: PathBuf,
    stay: Stay,
    levels: Vec<Level>,
    pressure: Option<Pressure>,
    own: bool,
    /// Of the level that counts.
    periods: Growth,
    throttled: Growth,
    counted: usize,
}

struct Level {
    version: Version,
    quota: QuotaFiles,
    stat: SystemFile,
}

impl CpuGroup {
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.into(),
            stay: Stay::default(),
            levels: Vec::new(),
            pressure: None,
            own: false,
            periods: Growth::default(),
            throttled: Growth::default(),
            counted: 0,
        }
    }

    pub fn read(&mut self, at: Duration, stay: Stay, cpu: &mut Cpu) {
        let tightest = self.tightest(stay);
        cpu.quota = tightest.map(|(_, quota)| quota.cpus()).ok_or(Unavailable::Unlimited);
        self.read_throttling(at, tightest.map(|(index, _)| index), cpu);
        (cpu.group_pressure_some, cpu.group_pressure_full) = match &mut self.pressure {
            Some(pressure) => pressure.read(at),
            None => (Err(Unavailable::Missing), Err(Unavailable::Missing)),
        };
    }

    /// The level that has the tightest quota.
    fn tightest(&mut self, stay: Stay) -> Option<(usize, CpuQuota)> {
        if self.stay != stay {
            self.stay = stay;
            self.find();
        }
        let mut tightest: Option<(usize, CpuQuota)> = None;
        for (index, level) in self.levels.iter_mut().enumerate() {
            if let Some(quota) = level.quota.read()
                && tightest.is_none_or(|(_, tightest)| quota.compare(&tightest).is_lt())
            {
                tightest = Some((index, quota));
            }
        }
        tightest
    }

    /// As of now. Costs two to three small files.
    pub fn allowance(&mut self, stay: Stay) -> Allowance {
        let tightest = self.tightest(stay);
        let throttled = tightest.map(|(index, _)| {
            let text = self.levels[index].stat.read();
            text.and_then(|text| entry(text, "nr_throttled"))
        });
        Allowance {
            cpus: tightest.map(|(_, quota)| quota.whole_cpus()),
            throttled: throttled.unwrap_or(Err(Unavailable::Unlimited)),
            own: self.own,
        }
    }

    fn find(&mut self) {
        let levels = cgroup::levels(&self.root, "cpu");
        let innermost = levels.iter().find(|level| level.version == Version::Two);
        self.pressure = innermost.map(|level| Pressure::new(&level.directory, "cpu.pressure"));
        // The root group has no type (Documentation/admin-guide/cgroup-v2.rst).
        self.own = innermost.is_some_and(|level| level.directory.join("cgroup.type").exists());
        let level = |level: &cgroup::Level| Level {
            version: level.version,
            quota: QuotaFiles::new(level),
            stat: SystemFile::new(&level.directory, "cpu.stat"),
        };
        self.levels = levels.iter().map(level).collect();
        (self.periods, self.throttled) = Default::default();
    }

    fn read_throttling(&mut self, at: Duration, tightest: Option<usize>, cpu: &mut Cpu) {
        let mut candidates = match tightest {
            Some(index) => index..index + 1,
            // A hierarchy without the controller counts no periods.
            None => 0..self.levels.len(),
        };
        let found = candidates.find_map(|index| {
            let level = &mut self.levels[index];
            let text = level.stat.read().ok()?;
            let periods = entry(text, "nr_periods").ok()?;
            let nanoseconds = match level.version {
                Version::One => entry(text, "throttled_time"),
                Version::Two => entry(text, "throttled_usec").map(|time| time.saturating_mul(1000)),
            };
            Some((index, periods, entry(text, "nr_throttled"), nanoseconds))
        });
        let missing = (self.counted, Err(Unavailable::Missing), Err(Unavailable::Missing), None);
        let (index, periods, throttled, time) = match found {
            Some((index, periods, throttled, time)) => (index, Ok(periods), throttled, Some(time)),
            None => missing,
        };
        if index != self.counted {
            self.counted = index;
            (self.periods, self.throttled) = Default::default();
        }
        (cpu.periods, cpu.throttled_periods) = (periods, throttled);
        cpu.throttled_time =
            time.unwrap_or(Err(Unavailable::Missing)).map(|time| time as f64 / 1e9);
        let (periods, throttled) = (self.periods.by(at, periods), self.throttled.by(at, throttled));
        // The kernel counts on between the two lines.
        cpu.throttled = periods.and_then(|periods| Ok(share(throttled?.by, periods.by).min(1.0)));
    }
}
