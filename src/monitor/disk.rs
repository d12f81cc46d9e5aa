//! The disks: what the process reads and writes (`/proc/self/io`), who waits for them, and how full
//! and busy those are on which chosen directories lie (`/proc/diskstats`).

use crate::monitor::cgroup::{self, Stay, Version};
use crate::monitor::file::{SystemFile, entry, lines, next, words};
use crate::monitor::kernel::{MountPoint, Space};
use crate::monitor::pressure::Pressure;
use crate::monitor::rate::{Growth, share};
use crate::telemetry::history::Key;
use crate::telemetry::machine::{Disk, Mount};
use crate::telemetry::record::Record;
use crate::telemetry::unavailable::{Fact, Unavailable};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The kernel counts in these, whatever the device's own are.
const SECTOR: u64 = 512;

pub struct DiskMonitor {
    root: PathBuf,
    io: SystemFile,
    read: Growth,
    written: Growth,
    pressure: Pressure,
    stay: Stay,
    group_pressure: Option<Pressure>,
    diskstats: SystemFile,
    mounts: Vec<Watched>,
    rows: Vec<(Key, Mount)>,
}

/// A directory whose file system is of interest.
struct Watched {
    point: Fact<MountPoint>,
    read: Growth,
    written: Growth,
    busy: Growth,
}

impl DiskMonitor {
    pub fn new(root: &Path, mounts: &[PathBuf]) -> Self {
        let watched = |path: &PathBuf| Watched {
            point: MountPoint::new(path),
            read: Growth::default(),
            written: Growth::default(),
            busy: Growth::default(),
        };
        Self {
            root: root.into(),
            io: SystemFile::new(root, "/proc/self/io"),
            read: Growth::default(),
            written: Growth::default(),
            pressure: Pressure::new(root, "/proc/pressure/io"),
            stay: Stay::default(),
            group_pressure: None,
            diskstats: SystemFile::new(root, "/proc/diskstats"),
            mounts: mounts.iter().map(watched).collect(),
            rows: Vec::with_capacity(mounts.len()),
        }
    }

    pub fn read(&mut self, at: Duration, stay: Stay) -> Disk {
        let mut disk = Disk::unavailable(Unavailable::NotYet);
        let text = self.io.read();
        let io = |name| entry(text?, name);
        (disk.read_bytes, disk.written_bytes) = (io("read_bytes:"), io("write_bytes:"));
        disk.read_rate = self.read.rate(at, disk.read_bytes);
        disk.write_rate = self.written.rate(at, disk.written_bytes);
        (disk.pressure_some, disk.pressure_full) = self.pressure.read(at);
        if self.stay != stay {
            self.stay = stay;
            let levels = cgroup::levels(&self.root, "io");
            let innermost = levels.iter().find(|level| level.version == Version::Two);
            self.group_pressure =
                innermost.map(|level| Pressure::new(&level.directory, "io.pressure"));
        }
        (disk.group_pressure_some, disk.group_pressure_full) = match &mut self.group_pressure {
            Some(pressure) => pressure.read(at),
            None => (Err(Unavailable::Missing), Err(Unavailable::Missing)),
        };
        let devices = self.diskstats.read();
        self.rows.clear();
        for (index, watched) in self.mounts.iter_mut().enumerate() {
            self.rows.push((Key::number(index), watched.look(at, devices)));
        }
        disk
    }

    /// The file system of each chosen directory, in their order, at the last reading.
    pub fn mounts(&self) -> &[(Key, Mount)] {
        &self.rows
    }
}

impl Watched {
    fn look(&mut self, at: Duration, devices: Fact<&[u8]>) -> Mount {
        let point = self.point.as_ref().map_err(|&why| why);
        let space = point.and_then(MountPoint::space);
        let used = space.map(|Space { total, unused, .. }| total.saturating_sub(unused));
        let device = point.and_then(MountPoint::device);
        let device = device.and_then(|device| device_counts(devices?, device));
        let (read_bytes, written_bytes) =
            (device.map(|counts| counts.read_bytes), device.map(|counts| counts.written_bytes));
        let busy = self.busy.rate(at, device.map(|counts| counts.busy_milliseconds));
        Mount {
            total: space.map(|space| space.total),
            used,
            free: space.map(|space| space.free),
            utilisation: used.and_then(|used| Ok(share(used, used.saturating_add(space?.free)))),
            read_bytes,
            written_bytes,
            read_rate: self.read.rate(at, read_bytes),
            write_rate: self.written.rate(at, written_bytes),
            busy: busy.map(|milliseconds| (milliseconds / 1e3).min(1.0)),
        }
    }
}

#[derive(Clone, Copy)]
struct DeviceCounts {
    read_bytes: u64,
    written_bytes: u64,
    busy_milliseconds: u64,
}

/// Of the line `major minor name reads merged sectors ms writes merged sectors ms in_flight busy_ms`
/// (Documentation/admin-guide/iostats.rst). A file system that lies on several devices has a number
/// that is not in the list.
fn device_counts(text: &[u8], device: (u64, u64)) -> Fact<DeviceCounts> {
    for line in lines(text) {
        let mut words = words(line);
        let numbers = (next(&mut words), next(&mut words));
        if numbers != (Ok(device.0), Ok(device.1)) {
            continue;
        }
        let mut words = words.skip(1);
        let mut counts = [0; 10];
        for count in &mut counts {
            *count = next(&mut words)?;
        }
        return Ok(DeviceCounts {
            read_bytes: u64::saturating_mul(counts[2], SECTOR),
            written_bytes: u64::saturating_mul(counts[6], SECTOR),
            busy_milliseconds: counts[9],
        });
    }
    Err(Unavailable::Missing)
}

#[cfg(all(test, target_os = "linux", not(loom), not(miri)))]
mod tests {
    use super::{DiskMonitor, MountPoint, device_counts};
    use crate::monitor::cgroup::Stay;
    use crate::monitor::fixture::Tree;
    use crate::telemetry::unavailable::Unavailable;
    use std::time::Duration;

    #[test]
    fn a_mount_has_the_counts_of_its_device() {
        let tree = Tree::new();
        let (major, minor) = MountPoint::new(tree.root()).unwrap().device().unwrap();
        let line = |read: u64, written: u64, busy: u64| {
            // Old kernels end here.
            format!(
                "   7  0 loop0 9 9 9 9 9 9 9 9 0 9 9\n\
                 {major:4} {minor:7} vda 1 2 {read} 3 4 5 {written} 6 0 {busy} 7\n"
            )
        };
        tree.write("/proc/diskstats", line(10, 20, 1000));
        let mut monitor = DiskMonitor::new(tree.root(), &[tree.root().to_owned()]);
        let stay = Stay::default();
        monitor.read(Duration::from_secs(1), stay);
        let mount = monitor.mounts()[0].1;
        assert_eq!((mount.read_bytes, mount.written_bytes), (Ok(5120), Ok(10240)));
        assert_eq!(
            (mount.busy, mount.read_rate),
            (Err(Unavailable::NotYet), Err(Unavailable::NotYet))
        );
        tree.write("/proc/diskstats", line(14, 28, 1500));
        monitor.read(Duration::from_secs(3), stay);
        let mount = monitor.mounts()[0].1;
        assert_eq!((mount.read_rate, mount.write_rate), (Ok(1024.0), Ok(2048.0)));
        assert_eq!(mount.busy, Ok(0.25));
        let used = mount.used.unwrap() as f64;
        assert!(mount.utilisation.unwrap() >= used / mount.total.unwrap() as f64);
    }

    #[test]
    fn a_device_that_is_not_listed_or_garbled_has_no_counts() {
        let counts = |text: &str| device_counts(text.as_bytes(), (8, 1)).err();
        assert_eq!(counts(""), Some(Unavailable::Missing));
        assert_eq!(counts("8 10 sda10 1 2 3 4 5 6 7 8 9 10\n"), Some(Unavailable::Missing));
        assert_eq!(counts("8 1 sda1 1 2 3 4 5 6 7 8 9\n"), Some(Unavailable::Garbled));
        assert_eq!(counts("8 1 sda1 1 2 3 4 5 6 7 8 9 10\n"), None);
    }
}
