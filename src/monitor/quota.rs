//! How much CPU the process's control group may use.

use crate::monitor::cgroup::{self, Level, Version};
use crate::monitor::file::SystemFile;
use std::cmp::Ordering;
use std::path::Path;

/// CPU time that may be used in each period, both in microseconds and above 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuQuota {
    time: u32,
    period: u32,
}

impl CpuQuota {
    fn parse(time: &str, period: &str) -> Option<Self> {
        // The longest period is a second, so what a u32 doesn't hold is either garbled or
        // more than 4,000 CPUs: no limit. Neither is -1, which is how version 1 says so.
        let microseconds = |text: &str| text.trim().parse().ok().filter(|&number| number > 0);
        Some(Self { time: microseconds(time)?, period: microseconds(period)? })
    }

    /// As many CPUs' whole time.
    pub fn cpus(self) -> f64 {
        f64::from(self.time) / f64::from(self.period)
    }

    /// The number of CPUs that it takes to use all of it.
    pub fn whole_cpus(self) -> usize {
        self.time.div_ceil(self.period) as usize
    }

    /// Whether that many CPUs, all busy, use more than it grants, so that the kernel
    /// throttles them.
    pub fn is_fractional(self) -> bool {
        !self.time.is_multiple_of(self.period)
    }

    /// By CPUs, however long the periods.
    pub fn compare(&self, other: &Self) -> Ordering {
        let scaled = |time, period| u64::from(time) * u64::from(period);
        scaled(self.time, other.period).cmp(&scaled(other.time, self.period))
    }
}

/// The files that tell the quota of one group.
#[derive(Debug)]
pub struct QuotaFiles {
    version: Version,
    /// Version 1's quota, or version 2's quota and period.
    quota: SystemFile,
    period: SystemFile,
}

impl QuotaFiles {
    pub fn new(level: &Level) -> Self {
        let file = |name| SystemFile::new(&level.directory, name);
        let quota = match level.version {
            Version::One => "cpu.cfs_quota_us",
            Version::Two => "cpu.max",
        };
        Self { version: level.version, quota: file(quota), period: file("cpu.cfs_period_us") }
    }

    /// None if it has none, or none that can be read or understood.
    pub fn read(&mut self) -> Option<CpuQuota> {
        let quota = std::str::from_utf8(self.quota.read().ok()?).ok()?;
        let (time, period) = match self.version {
            Version::One => (quota, std::str::from_utf8(self.period.read().ok()?).ok()?),
            Version::Two => quota.trim().split_once(' ')?,
        };
        CpuQuota::parse(time, period)
    }
}

/// The tightest quota on the process's group and those above it. `root` is `/`, except in tests.
/// What can't be read or understood limits nothing.
pub fn cpu_quota(root: &Path) -> Option<CpuQuota> {
    let levels = cgroup::levels(root, "cpu");
    levels.iter().filter_map(|level| QuotaFiles::new(level).read()).min_by(CpuQuota::compare)
}
