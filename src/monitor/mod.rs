//! Floor 7: what the machine says.

pub mod cgroup;
pub mod cpu;
pub mod cpu_group;
pub mod disk;
pub mod endowment;
pub mod file;
#[cfg(all(any(test, fuzzing), not(loom), not(miri)))]
#[cfg_attr(fuzzing, allow(dead_code, reason = "tests use all of it"))]
pub mod fixture;
pub mod health;
pub mod kernel;
pub mod memory;
pub mod monitoring;
pub mod network;
pub mod pressure;
pub mod quota;
pub mod rate;
pub mod thread;
pub mod threads;
pub mod work;
