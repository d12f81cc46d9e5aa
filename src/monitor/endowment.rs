//! What the machine, or the container, has of each resource that tasks take leases of.

use crate::monitor::cgroup::Membership;
use crate::monitor::kernel::MountPoint;
use crate::monitor::memory::MemoryMonitor;
use crate::monitor::monitoring::Monitoring;
use crate::monitor::network::NetworkMonitor;
use crate::monitor::quota;
use crate::policy::amounts::{Means, Resource};
use crate::telemetry::machine::{Memory, Mount};
use crate::telemetry::unavailable::{Fact, Unavailable};
use std::time::Duration;

/// Reads it. For a process whose mask has so many CPUs.
pub fn endowment(monitoring: &Monitoring, cpus: usize, resource: Resource) -> Fact<Means> {
    let root = &monitoring.root;
    match resource {
        Resource::Cpu => {
            let quota = quota::cpu_quota(root).map_or(f64::INFINITY, |quota| quota.cpus());
            Ok(of_cpus((cpus as f64).min(quota)))
        }
        Resource::Memory => {
            let stay = Membership::new(root).stay();
            let usage = Err(Unavailable::NotYet);
            of_memory(&MemoryMonitor::new(root).read(Duration::ZERO, stay, usage))
        }
        Resource::Network => {
            let read = || NetworkMonitor::new(root, None).read(Duration::ZERO).capacity;
            let capacity = monitoring.network_capacity.map_or_else(read, Ok)?;
            Ok(Means::unused(capacity as u64))
        }
        Resource::Disk => {
            let mount = MountPoint::new(monitoring.mounts.first().ok_or(Unavailable::Off)?)?;
            let space = mount.space()?;
            Ok(Means { total: space.total, free: space.free })
        }
        // What a disk can do depends on who asks for what, and where it lies.
        Resource::Io => Err(Unavailable::Missing),
    }
}

/// What they do is done by those who hold leases: it says nothing about what else may be leased.
pub fn of_cpus(cpus: f64) -> Means {
    Means::unused((cpus * 1000.0) as u64)
}

pub fn of_memory(memory: &Memory) -> Fact<Means> {
    if let (Ok(total), Ok(used)) = (memory.limit, memory.group_working_set) {
        return Ok(Means { total, free: total.saturating_sub(used) });
    }
    Ok(Means { total: memory.total?, free: memory.available? })
}

pub fn of_mount(mount: &Mount) -> Fact<Means> {
    Ok(Means { total: mount.total?, free: mount.free? })
}

#[cfg(all(test, target_os = "linux", not(loom), not(miri)))]
mod tests {
    use super::{Monitoring, endowment};
    use crate::monitor::fixture::Tree;
    use crate::policy::amounts::{Means, Resource};
    use crate::telemetry::unavailable::Unavailable;

    #[test]
    fn it_is_what_the_container_has_where_there_is_one() {
        let tree = Tree::new()
            .file("/proc/meminfo", "MemTotal: 1000 kB\nMemAvailable: 500 kB\n")
            .file("/proc/self/cgroup", "0::/a\n")
            .file("/proc/self/mountinfo", "1 0 0:1 / /cg rw - cgroup2 none rw\n")
            .file("/cg/a/cpu.max", "150000 100000\n")
            .file("/cg/a/memory.max", "512000\n")
            .file("/cg/a/memory.stat", "inactive_file 1000\n")
            .file("/cg/a/memory.current", "3000\n");
        let monitoring = Monitoring::new().root(tree.root()).mounts([""; 0]);
        let of = |monitoring: &Monitoring, resource| endowment(monitoring, 4, resource);
        assert_eq!(of(&monitoring, Resource::Cpu), Ok(Means::unused(1500)));
        let memory = Means { total: 512_000, free: 510_000 };
        assert_eq!(of(&monitoring, Resource::Memory), Ok(memory));
        assert_eq!(of(&monitoring, Resource::Disk), Err(Unavailable::Off));
        for resource in [Resource::Network, Resource::Io] {
            assert!(of(&monitoring, resource).is_err());
        }
        let wide = Monitoring::new().root("/nonexistent").network_capacity(1e6).mounts(["/"]);
        assert_eq!(of(&wide, Resource::Cpu), Ok(Means::unused(4000)));
        assert_eq!(of(&wide, Resource::Network), Ok(Means::unused(1_000_000)));
        assert!(of(&wide, Resource::Disk).is_ok_and(|disk| disk.free < disk.total));
        assert!(of(&wide, Resource::Memory).is_err());
    }
}
