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
