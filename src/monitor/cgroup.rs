//! How much CPU the process's control group may use.

use std::path::Path;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuQuota {
    millicores: u64,
}

impl CpuQuota {
    pub fn whole_cpus(self) -> usize {
        (self.millicores.div_ceil(1000) as usize).max(1)
    }
    pub fn is_fractional(self) -> bool {
        !self.millicores.is_multiple_of(1000)
    }
}

pub fn cpu_quota(_root: &Path) -> Option<CpuQuota> {
    None
}
