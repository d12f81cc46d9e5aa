//! Floor 6: what the machine says.

pub mod cgroup;
pub mod thread;
