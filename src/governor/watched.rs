//! Made-up machines under a governor, for tests and fuzzing.

use super::Governor;
use crate::monitor::fixture::Tree;
use crate::monitor::monitoring::Monitoring;
use crate::telemetry::latency::LatencySnapshot;
use crate::telemetry::readings::Readings;
use crate::telemetry::record::{Field, Record, Unit};
use crate::telemetry::snapshot::{Section, Snapshot};
use crate::telemetry::unavailable::Fact;
use crate::telemetry::workers::PoolSnapshot;
use std::time::Duration;
#[cfg(fuzzing)]
use {
    crate::monitor::file::below, crate::monitor::fixture::Recording,
    crate::monitor::quota::cpu_quota, crate::monitor::thread::ThreadFiles,
    crate::monitor::threads::WatchedThread, std::sync::OnceLock,
};

/// A governor of a made-up machine, every reading of which is due at each tick.
pub struct Watched {
    pub governor: Governor,
    pub readings: Readings,
}

impl Watched {
    pub fn new(tree: &Tree) -> Self {
        let every = Duration::from_secs(1);
        let monitoring = Monitoring::new()
            .root(tree.root())
            .cpu(every, 10)
            .memory(every, 10)
            .network(every, 10)
            .disk(every, 10)
            .mounts([tree.root(), "/nonexistent".as_ref(), "/proc".as_ref()]);
        let mounts = monitoring.mounts.clone();
        let readings = Readings::new(monitoring.lengths(), 512, 0, mounts);
        Self { governor: Governor::new(&monitoring, 4), readings }
    }

    pub fn at(&mut self, at: Duration) -> Snapshot {
        let next = self.governor.tick(at, None, &self.readings);
        assert!(cfg!(fuzzing) || next == at + Duration::from_secs(1));
        Snapshot::new(
            PoolSnapshot::nothing(),
            Vec::new(),
            LatencySnapshot::default(),
            Ok(&self.readings),
        )
    }
}

/// The numbers that can't be.
pub fn nonsense(snapshot: &Snapshot) -> Vec<String> {
    let Snapshot { cpu, cores, memory, network, interfaces, disk, mounts, .. } = snapshot;
    let sections = [in_section(cpu), in_section(memory), in_section(network), in_section(disk)];
    sections
        .into_iter()
        .chain(cores.iter().map(|core| in_record(&core.1)))
        .chain(interfaces.iter().map(|interface| in_record(&interface.1)))
        .chain(mounts.iter().map(|mount| in_record(&mount.1)))
        .flatten()
        .collect()
}

fn in_section<T: Record>(section: &Section<T>) -> Vec<String> {
    [section.current, section.average, section.peak].iter().flat_map(in_record).collect()
}

fn in_record<T: Record>(record: &T) -> Vec<String> {
    // Shares of what somebody else says, or has measured at other times.
    let of_other = |name| match T::NAME {
        "network" => name == "utilisation",
        _ => ["process_utilisation", "limit_utilisation"].contains(&name),
    };
    let unsound = |(field, value): (&Field, Fact<f64>)| {
        let is_share = field.unit == Unit::Ratio && !of_other(field.name);
        let most = if is_share { 1.0 } else { f64::MAX };
        let value = value.ok().filter(|value| !(0.0..=most).contains(value))?;
        Some(format!("{} {}: {value}", T::NAME, field.name))
    };
    T::FIELDS.iter().zip(record.values()).filter_map(unsound).collect()
}

/// Reads a machine that somebody has made up: its files that are in one of `known`, which are recordings
/// too, and always the same ones.
#[cfg(fuzzing)]
pub fn play(recording: &[u8], known: &[&'static str]) {
    static KNOWN: OnceLock<Vec<&str>> = OnceLock::new();
    let known = KNOWN.get_or_init(|| {
        let known = known.iter().filter_map(|known| Recording::parse(known.as_bytes()));
        known.flat_map(|known| known.paths().collect::<Vec<_>>()).collect()
    });
    let Some(recording) = Recording::parse(recording) else { return };
    let mut machine = None;
    recording.only(known).play(|at, tree| {
        let task = || below(tree.root(), "/proc/self/task/7".as_ref());
        let (watched, files, thread) = machine.get_or_insert_with(|| {
            (Watched::new(tree), ThreadFiles::below(&task()), WatchedThread::below(&task()))
        });
        let snapshot = watched.at(at);
        assert_eq!(nonsense(&snapshot), [""; 0]);
        assert!(!snapshot.to_string().is_empty());
        files.read();
        thread.read(at, true);
        assert!(thread.last.values().into_iter().flatten().all(f64::is_finite), "{thread:?}");
        let quota = cpu_quota(tree.root());
        assert!(quota.is_none_or(|quota| quota.whole_cpus() > 0 && quota.cpus() > 0.0));
    });
}

#[cfg(test)]
mod tests {
    use super::{Watched, nonsense};

    use crate::monitor::file::below;
    use crate::monitor::fixture::{Recording, Tree};
    use crate::monitor::kernel::MountPoint;

    use crate::telemetry::snapshot::Snapshot;
    use crate::telemetry::unavailable::Unavailable::{
        Garbled, Missing, NotYet, Unlimited, WentBack,
    };

    use std::fs;

    use std::path::Path;

    use std::time::Duration;

    fn replay(recording: &str) -> Vec<Snapshot> {
        let (mut watched, mut snapshots) = (None, Vec::new());
        Recording::parse(recording.as_bytes()).unwrap().play(|at, tree| {
            snapshots.push(watched.get_or_insert_with(|| Watched::new(tree)).at(at));
        });
        snapshots
    }

    fn near(value: Result<f64, crate::Unavailable>, expected: f64) -> bool {
        value.is_ok_and(|value| (value - expected).abs() < 1e-9)
    }

    #[test]
    fn a_virtual_machine_with_version_1_groups_is_read() {
        let [first, second, third] =
            replay(include_str!("../../tests/machines/firecracker-v1.txt")).try_into().unwrap();
        assert_eq!(first.cpu.current.system_utilisation, Err(NotYet));
        assert!(near(second.cpu.current.system_utilisation, 253.0 / 454.0));
        assert!(near(third.cpu.current.system_utilisation, 100.0 / 454.0));
        assert!(near(third.cpu.average.system_utilisation, (253.0 + 100.0) / 908.0));
        assert!(near(third.cpu.peak.system_utilisation, 253.0 / 454.0));
        assert_eq!(third.cores.iter().map(|core| core.0).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(third.cpu.current.quota, Err(Unlimited));
        assert_eq!(third.cpu.current.throttled_periods, Ok(0));
        // Version 2's files lie in the other hierarchy.
        assert!(near(
            second.cpu.current.group_pressure_some,
            (5_875_665_647.0 - 5_875_639_885.0) / 2e6
        ));
        let memory = third.memory.current;
        assert_eq!(memory.limit, Err(Unlimited));
        assert_eq!(memory.limit_utilisation, Err(Unlimited));
        assert_eq!(memory.available, Ok(24_200_796 << 10));
        assert_eq!(memory.group_usage, Ok(1_088_524_288));
        assert_eq!(memory.group_working_set, Ok(1_088_524_288 - 721_252_352));
        assert_eq!(memory.process_resident, Ok(1848 << 10));
        assert_eq!(third.network.current.received_bytes, Ok(1_470_951_465));
        assert_eq!(third.network.current.send_rate, Ok(0.0));
        // eth0 says -1.
        assert_eq!(third.network.current.utilisation, Err(Missing));
        assert!(near(third.disk.current.pressure_full, (77_097_063.0 - 77_095_661.0) / 2e6));
    }

    #[test]
    fn a_container_with_version_2_groups_is_followed() {
        let steps = replay(include_str!("../../tests/machines/container-v2.txt"));
        let [first, second, third, fourth] = steps.try_into().unwrap();
        let cpu = first.cpu.current;
        assert_eq!((cpu.quota, cpu.throttled), (Ok(1.5), Err(NotYet)));
        assert_eq!((cpu.load_1m, cpu.load_5m, cpu.load_15m), (Ok(3.5), Ok(2.25), Ok(1.0)));
        assert_eq!((cpu.periods, cpu.throttled_periods), (Ok(1000), Ok(100)));
        assert_eq!(cpu.pressure_some, Err(Missing));
        let cpu = second.cpu.current;
        // Guests' time is part of the user's: 1000 ticks, of which 500 idle, 50 waiting, 50 stolen.
        assert!(
            near(cpu.system_utilisation, 0.4) && near(cpu.stolen, 0.05) && near(cpu.io_wait, 0.05)
        );
        assert_eq!(second.cores[0].0, 0);
        assert_eq!(second.cores[1].0, 2);
        assert!(
            near(second.cores[0].1.utilisation, 1.0) && near(second.cores[1].1.utilisation, 0.0)
        );
        assert!(near(cpu.throttled, 0.5) && near(cpu.throttled_time, 3.5));
        assert!(near(cpu.group_pressure_some, 0.5) && near(cpu.group_pressure_full, 0.2));
        let memory = second.memory.current;
        assert!(near(memory.utilisation, 0.875));
        assert_eq!(memory.limit, Ok(1 << 30));
        assert_eq!(memory.group_working_set, Ok(939_524_096 - 134_217_728));
        assert!(near(memory.limit_utilisation, 0.75));
        assert_eq!(memory.process_peak, Ok(200 << 20));
        assert!(near(second.network.current.send_rate, 0.0));

        // The quota is lifted, the counts begin anew, an interface is gone.
        let cpu = third.cpu.current;
        assert_eq!((cpu.quota, cpu.throttled), (Err(Unlimited), Err(WentBack)));
        assert_eq!(third.memory.current.limit, Err(Unlimited));
        assert_eq!(third.interfaces.iter().map(|row| &*row.0).collect::<Vec<_>>(), ["lo", "eth0"]);
        let network = third.network.current;
        assert!(near(network.receive_rate, 5e6) && near(network.send_rate, 125e6));
        assert!(near(network.capacity, 125e6) && near(network.utilisation, 1.0));
        assert_eq!(network.received_bytes, Ok(26_000_000 + 500));
        assert_eq!((network.errors, network.drops), (Ok(4), Ok(6)));

        // The process has been moved.
        let cpu = fourth.cpu.current;
        assert_eq!((cpu.quota, cpu.throttled_periods), (Ok(0.5), Ok(7)));
        assert_eq!(cpu.throttled, Err(NotYet));
        assert_eq!(fourth.memory.current.limit, Ok(256 << 20));
        assert_eq!(fourth.memory.current.group_working_set, Ok(0));
        assert_eq!(fourth.cpu.readings, 4);
    }

    /// Two nodes with every other CPU each, of which one is taken offline for a while; a group in a group in a
    /// group, the one in the middle with the tightest limits; two interfaces.
    #[test]
    fn a_machine_with_two_nodes_and_nested_groups_is_read() {
        let steps = replay(include_str!("../../tests/machines/numa-v2.txt"));
        let [first, second, third, fourth] = steps.try_into().unwrap();
        assert_eq!(first.cpu.current.quota, Ok(2.0));
        let memory = first.memory.current;
        assert_eq!((memory.limit, memory.group_usage), (Ok(4 << 30), Ok(3 << 30)));
        assert!(near(memory.limit_utilisation, 0.5) && near(memory.utilisation, 0.5));

        assert!(near(second.cpu.current.system_utilisation, 0.5));
        for (number, core) in &second.cores {
            assert!(near(core.utilisation, if number % 2 == 0 { 1.0 } else { 0.0 }));
        }
        assert!(near(second.cpu.current.throttled, 0.5));
        let network = second.network.current;
        assert!(near(network.receive_rate, 2.5e9 + 12.5e6));
        assert!(near(network.capacity, 3.25e9));
        assert!(near(network.utilisation, 2512.5 / 3250.0));
        assert!(near(second.interfaces[0].1.utilisation, 0.8));
        assert!(near(second.interfaces[1].1.utilisation, 0.1));

        let online =
            |snapshot: &Snapshot| snapshot.cores.iter().map(|core| core.0).collect::<Vec<_>>();
        assert_eq!(online(&third), [0, 1, 2, 3, 4, 6, 7]);
        // Of 3500 ticks 1000 busy.
        assert!(near(third.cpu.current.system_utilisation, 2.0 / 7.0));
        assert!(near(third.cores[0].1.utilisation, 0.5));

        assert_eq!(online(&fourth), (0..8).collect::<Vec<_>>());
        // It hasn't done anything meanwhile, nor been there.
        assert!(fourth.cores[5].1.utilisation.is_err());
        assert_eq!(fourth.cpu.current.quota, Ok(1.0));
        assert_eq!(fourth.cpu.current.throttled, Err(NotYet));
    }

    /// Two nodes with 128 CPUs each, those of the second being 64 to 127 and 192 to 255. Eight of them are
    /// offline, of which four come, and another goes. The middle one of three groups has the tightest limits, then
    /// the innermost one that for CPUs and the outermost one that for memory.
    #[test]
    fn a_machine_of_256_cpus_in_two_nodes_is_read() {
        // Disks are told apart by the directories that lie on them, and so must be those of this machine.
        let disk = |path: &Path| {
            let (major, minor) = MountPoint::new(path).unwrap().device().unwrap();
            format!("{major:4} {minor:7}")
        };
        let recording = include_str!("../../tests/machines/numa-256.txt")
            .replace("   8       0", &disk("/proc".as_ref()))
            .replace(" 259       0", &disk(&std::env::temp_dir()));
        let [first, second, third] = replay(&recording).try_into().unwrap();
        let of_first_node = |cpu: usize| cpu % 128 < 64;
        let online = |snapshot: &Snapshot| snapshot.cores.iter().map(|core| core.0).collect();
        let (all, cpu): (Vec<usize>, _) = (online(&first), first.cpu.current);
        assert!(all.iter().copied().eq((0..96).chain(104..256)));
        assert_eq!((cpu.quota, cpu.throttled), (Ok(64.0), Err(NotYet)));
        assert_eq!(cpu.load_1m, Ok(130.25));
        let memory = first.memory.current;
        assert_eq!((memory.total, memory.limit), (Ok(1 << 40), Ok(256 << 30)));
        assert_eq!((memory.group_usage, memory.group_working_set), (Ok(128 << 30), Ok(96 << 30)));
        assert!(near(memory.utilisation, 0.25) && near(memory.limit_utilisation, 0.375));

        // 124,000 ticks of 248 CPUs, of which CPU 0 has seen 50 wait for a disk and 50 stolen.
        let cpu = second.cpu.current;
        assert!(near(cpu.system_utilisation, 57.0 / 124.0) && near(cpu.stolen, 0.05 / 124.0));
        assert!(near(cpu.io_wait, 0.05 / 124.0));
        for (number, core) in &second.cores {
            let busy = match number {
                0 => 0.4,
                &cpu if of_first_node(cpu) => 0.8,
                _ => 0.1,
            };
            assert!(near(core.utilisation, busy), "{number}");
            assert!(near(core.stolen, if *number == 0 { 0.1 } else { 0.0 }), "{number}");
        }
        assert!(near(cpu.throttled, 0.6) && near(cpu.throttled_time, 5.0));
        assert!(near(cpu.pressure_some, 0.2) && near(cpu.pressure_full, 0.0));
        assert!(near(cpu.group_pressure_some, 0.5) && near(cpu.group_pressure_full, 0.1));
        let memory = second.memory.current;
        assert!(near(memory.pressure_some, 0.01) && near(memory.pressure_full, 0.005));
        let network = second.network.current;
        assert!(near(network.receive_rate, 10.3125e9) && near(network.send_rate, 2.8125e9));
        assert!(near(network.capacity, 15.625e9) && near(network.utilisation, 0.66));
        assert_eq!((network.errors, network.drops), (Ok(4), Ok(9)));
        assert!(near(second.interfaces[1].1.utilisation, 0.8));
        assert!(near(second.interfaces[2].1.utilisation, 0.5));
        let disk = second.disk.current;
        assert!(near(disk.pressure_some, 0.5) && near(disk.pressure_full, 0.2));
        assert!(near(disk.group_pressure_some, 0.25) && near(disk.group_pressure_full, 0.0));
        let (nvme, sda) = (second.mounts[0].1, second.mounts[2].1);
        assert!(near(nvme.read_rate, 1048576.0) && near(nvme.write_rate, 2097152.0));
        assert!(near(nvme.busy, 0.25) && near(sda.busy, 1.0));
        assert!(near(sda.read_rate, 0.0) && near(sda.write_rate, 10485760.0));

        let all: Vec<usize> = online(&third);
        assert!(all.into_iter().eq((0..100).chain(104..255)));
        for (number, core) in &third.cores {
            match number {
                // They weren't there before.
                96..100 => assert_eq!(core.utilisation, Err(NotYet)),
                &cpu => assert!(near(core.utilisation, if of_first_node(cpu) { 0.2 } else { 1.0 })),
            }
        }
        let (cpu, memory) = (third.cpu.current, third.memory.current);
        // Those of CPUs that are offline stay in the sum.
        assert!(near(cpu.system_utilisation, 739.0 / 1255.0));
        assert_eq!((cpu.quota, cpu.throttled), (Ok(32.0), Err(NotYet)));
        assert_eq!((cpu.periods, cpu.throttled_periods), (Ok(20), Ok(5)));
        // More time has gone by on the kernel's clock.
        assert!(near(cpu.throttled_time, 0.25) && near(cpu.pressure_some, 1.0));
        assert_eq!((memory.limit, memory.group_usage), (Ok(128 << 30), Ok(96 << 30)));
        assert!(near(memory.limit_utilisation, 0.75));
        // The driver of one interface has begun anew.
        assert_eq!(third.interfaces[2].1.receive_rate, Err(WentBack));
        let network = third.network.current;
        assert_eq!(network.received_bytes, Ok(1_056_562_500_000 + 1000));
        assert!(near(network.receive_rate, 0.0) && near(network.utilisation, 0.0));
        assert!(near(third.mounts[0].1.busy, 0.0));
    }

    #[test]
    fn where_there_is_nothing_nothing_is_read() {
        let tree = Tree::new();
        let mut watched = Watched::new(&tree);
        let snapshot = watched.at(Duration::ZERO);
        assert_eq!(snapshot.cpu.current.system_utilisation, Err(Missing));
        assert_eq!(snapshot.cpu.current.quota, Err(Unlimited));
        assert_eq!(snapshot.memory.current.total, Err(Missing));
        assert_eq!(snapshot.network.current.receive_rate, Err(Missing));
        assert_eq!(snapshot.disk.current.read_rate, Err(Missing));
        assert_eq!(snapshot.mounts[1].1.total, Err(Missing));
        assert!(snapshot.mounts[0].1.total.is_ok());
        assert!(snapshot.cpu.current.process_time.is_ok());
    }

    /// What stands in each file is cut off, mixed up, or something else.
    #[test]
    fn garbled_files_make_readings_unavailable_and_nothing_else() {
        let text = include_str!("../../tests/machines/container-v2.txt");
        let whole = Recording::parse(text.as_bytes()).unwrap();
        let mut random = 0x2545_f491_4f6c_dd1d_u64;
        let mut next = move |below: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (random % below.max(1) as u64) as usize
        };
        for _ in 0..60 {
            let mut watched = None;
            whole.play(|at, tree| {
                let watched = watched.get_or_insert_with(|| Watched::new(tree));
                for path in [
                    "/proc/stat",
                    "/proc/loadavg",
                    "/proc/meminfo",
                    "/proc/self/status",
                    "/proc/self/io",
                    "/proc/self/net/dev",
                    "/proc/self/cgroup",
                    "/proc/self/mountinfo",
                    "/sys/fs/cgroup/cpu.max",
                    "/sys/fs/cgroup/cpu.stat",
                    "/sys/fs/cgroup/cpu.pressure",
                    "/sys/fs/cgroup/memory.max",
                    "/sys/fs/cgroup/memory.stat",
                    "/sys/class/net/eth0/speed",
                    "/proc/diskstats",
                ] {
                    let file = below(tree.root(), path.as_ref());
                    let mut bytes = fs::read(&file).unwrap_or_default();
                    for _ in 0..next(4) {
                        let at = next(bytes.len());
                        match next(4) {
                            0 => bytes.truncate(at),
                            1 => bytes.extend_from_slice(b" 18446744073709551616\n-1 : x"),
                            2 if !bytes.is_empty() => bytes[at] = next(256) as u8,
                            _ => drop(bytes.splice(at..at, *b"18446744073709551615")),
                        }
                    }
                    tree.write(path, bytes);
                }
                let snapshot = watched.at(at);
                assert_eq!(nonsense(&snapshot), [""; 0]);
            });
        }
        let tree = Tree::new().file("/proc/stat", "cpu x\n").file("/proc/loadavg", "one two");
        let cpu = Watched::new(&tree).at(Duration::ZERO).cpu.current;
        assert_eq!((cpu.system_utilisation, cpu.load_1m), (Err(Garbled), Err(Garbled)));
    }

    #[test]
    fn a_machine_of_256_cpus_is_seen_whole() {
        let stat = |seconds: u64| {
            let line = |name: String, busy: u64, all: u64| {
                format!("cpu{name} {busy} 0 0 {} 0 0 0 0\n", all - busy)
            };
            let cpus = (0..256).map(|cpu| line(cpu.to_string(), seconds * cpu, seconds * 1000));
            line(" ".into(), seconds * (0..256).sum::<u64>(), seconds * 256_000)
                + &cpus.collect::<String>()
        };
        let tree = Tree::new().file("/proc/stat", stat(1));
        let mut watched = Watched::new(&tree);
        watched.at(Duration::ZERO);
        tree.write("/proc/stat", stat(2));
        let snapshot = watched.at(Duration::from_secs(1));
        assert_eq!(snapshot.cores.len(), 256);
        for (number, core) in snapshot.cores {
            assert!(near(core.utilisation, number as f64 / 1000.0));
        }
    }

    /// Files that are there, but not for the process, as where `/proc` is mounted with `hidepid`.
    #[cfg(target_os = "linux")]
    mod hidden {
        use super::near;
        use crate::governor::watched::Watched;
        use crate::monitor::file::below;
        use crate::monitor::fixture::{Recording, Tree};
        use crate::telemetry::machine::Network;
        use crate::telemetry::record::Record;
        use crate::telemetry::unavailable::Unavailable::{Denied, Missing, Unlimited, Unreadable};
        use std::os::unix::fs::PermissionsExt;
        use std::path::Path;
        use std::time::Duration;
        use std::{fs, thread};

        /// On a thread that may do what anybody may, and no more, even where the tests are root's.
        fn as_anybody<R: Send>(read: impl FnOnce() -> R + Send) -> R {
            let read = || {
                // SAFETY: it has no preconditions, and is about this thread alone.
                unsafe { libc::setfsuid(65534) };
                read()
            };
            thread::scope(|scope| scope.spawn(read).join().unwrap())
        }

        fn set_mode(path: &Path, mode: u32) {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }

        #[test]
        fn what_of_the_process_is_hidden_is_named_and_the_rest_is_read() {
            let (mut watched, mut snapshots) = (None, Vec::new());
            let text = include_bytes!("../../tests/machines/container-v2.txt");
            Recording::parse(text).unwrap().play(|at, tree| {
                let path = |path: &str| below(tree.root(), path.as_ref());
                let watched = watched.get_or_insert_with(|| {
                    set_mode(&path("/proc/self/status"), 0);
                    fs::remove_file(path("/proc/self/io")).unwrap();
                    fs::create_dir(path("/proc/self/io")).unwrap();
                    fs::remove_file(path("/proc/self/net/dev")).unwrap();
                    Watched::new(tree)
                });
                snapshots.push(as_anybody(|| watched.at(at)));
            });
            let (first, second) = (&snapshots[0], &snapshots[1]);
            if first.memory.current.total == Err(Denied) {
                return println!("SKIPPED: others may not enter the folder for temporary files");
            }
            let (cpu, memory) = (second.cpu.current, second.memory.current);
            assert_eq!((memory.process_resident, memory.process_peak), (Err(Denied), Err(Denied)));
            let disk = second.disk.current;
            assert_eq!((disk.read_bytes, disk.written_bytes), (Err(Unreadable), Err(Unreadable)));
            assert_eq!((disk.read_rate, disk.write_rate), (Err(Unreadable), Err(Unreadable)));
            assert_eq!(second.network.current, Network::unavailable(Missing));
            assert!(second.interfaces.is_empty());
            assert!(near(cpu.system_utilisation, 0.4) && near(cpu.throttled, 0.5));
            assert!(cpu.process_cpus.is_ok() && memory.minor_faults.is_ok());
            assert!(near(memory.utilisation, 0.875) && near(memory.limit_utilisation, 0.75));
        }

        #[test]
        fn where_the_process_sees_no_processes_the_machine_is_read() {
            let tree =
                Tree::new().file("/proc/stat", "cpu 1 0 1 8 0 0 0 0\n").file("/proc/self/io", "");
            let own = below(tree.root(), "/proc/self".as_ref());
            set_mode(&own, 0);
            let mut watched = Watched::new(&tree);
            as_anybody(|| watched.at(Duration::ZERO));
            tree.write("/proc/stat", "cpu 2 0 2 16 0 0 0 0\n");
            let snapshot = as_anybody(|| watched.at(Duration::from_secs(1)));
            set_mode(&own, 0o700);
            if snapshot.cpu.current.system_utilisation == Err(Denied) {
                return println!("SKIPPED: others may not enter the folder for temporary files");
            }
            assert!(near(snapshot.cpu.current.system_utilisation, 0.2));
            assert_eq!(snapshot.memory.current.process_resident, Err(Denied));
            assert_eq!(snapshot.disk.current.read_bytes, Err(Denied));
            assert_eq!(snapshot.network.current, Network::unavailable(Denied));
            // In which groups it is, nobody knows, and so of no limit.
            assert_eq!(snapshot.cpu.current.quota, Err(Unlimited));
            assert_eq!(snapshot.cpu.current.throttled, Err(Missing));
            assert_eq!(snapshot.memory.current.group_usage, Err(Missing));
        }
    }
}
