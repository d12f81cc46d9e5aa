//! The governor: a thread that reads what is due, and sleeps until the next reading.

#[cfg(all(any(test, fuzzing), not(loom), not(miri)))]
pub mod watched;

use crate::monitor::cgroup::Membership;
use crate::monitor::cpu::CpuMonitor;
use crate::monitor::disk::DiskMonitor;
use crate::monitor::health::HealthMonitor;
use crate::monitor::kernel;
use crate::monitor::memory::MemoryMonitor;
use crate::monitor::monitoring::Monitoring;
use crate::monitor::network::NetworkMonitor;
use crate::monitor::threads::ThreadsMonitor;
use crate::monitor::work::{self, WorkMonitor};
use crate::sync::park_timeout;
use crate::telemetry::counters::Count;
use crate::telemetry::readings::Readings;
use crate::telemetry::unavailable::{Fact, Unavailable};
use crate::worker::shared::Shared;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

pub struct Governor {
    membership: Membership,
    work: WorkMonitor,
    threads: ThreadsMonitor,
    cpu: CpuMonitor,
    memory: MemoryMonitor,
    network: NetworkMonitor,
    disk: DiskMonitor,
    due: [Due; 4],
    health: HealthMonitor,
    /// For which the dearer ones of the threads' files are read.
    checks: Due,
    checked: Duration,
    memory_in_use: Fact<f64>,
}

/// No more often is a worker's health checked because something has happened, and no sooner is anything
/// read after a panic.
const BREATH: Duration = Duration::from_secs(1);

/// When something is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Due {
    at: Duration,
    every: Duration,
}

impl Due {
    fn at_once(every: Duration) -> Self {
        Self { at: Duration::ZERO, every }
    }

    /// Whether it is due; then it is again in a while. What was missed is not made up for.
    fn is(&mut self, now: Duration) -> bool {
        let due = now >= self.at;
        if due {
            self.at = now.saturating_add(self.every);
        }
        due
    }
}

impl Governor {
    /// For a process that may use so many CPUs.
    pub fn new(monitoring: &Monitoring, usable_cpus: usize) -> Self {
        let root = &monitoring.root;
        let series = [monitoring.cpu, monitoring.memory, monitoring.network, monitoring.disk];
        Self {
            membership: Membership::new(root),
            work: WorkMonitor::default(),
            threads: ThreadsMonitor::default(),
            cpu: CpuMonitor::new(root, usable_cpus),
            memory: MemoryMonitor::new(root),
            network: NetworkMonitor::new(root, monitoring.network_capacity),
            disk: DiskMonitor::new(root, &monitoring.mounts),
            due: series.map(|series| Due::at_once(series.every)),
            health: HealthMonitor::default(),
            checks: Due::at_once(monitoring.health_checks),
            checked: Duration::ZERO,
            memory_in_use: Err(Unavailable::NotYet),
        }
    }

    /// Reads what is due, and returns when it is to be called again. Without a pool, only the machine
    /// is read.
    pub fn tick(&mut self, now: Duration, pool: Option<&Shared>, readings: &Readings) -> Duration {
        let (stay, usage) = (self.membership.stay(), kernel::usage());
        let [cpu, memory, network, disk] = &mut self.due;
        let asked = pool.is_some_and(|pool| pool.wants_check());
        if asked {
            self.checks.at = self.checks.at.min(self.checked + BREATH);
        }
        let cpu_due = cpu.is(now);
        if cpu_due {
            let cpu = self.cpu.read(now, stay, usage);
            readings.cpu.push(now, &cpu);
            readings.cores.put(now, self.cpu.cores());
            if let Some(pool) = pool {
                readings.work.push(now, &self.work.read(now, pool));
            }
        }
        if memory.is(now) {
            let memory = self.memory.read(now, stay, usage);
            self.memory_in_use = memory.limit_utilisation.or(memory.utilisation);
            readings.memory.push(now, &memory);
        }
        if network.is(now) {
            readings.network.push(now, &self.network.read(now));
            readings.interfaces.put(now, self.network.interfaces());
        }
        if disk.is(now) {
            readings.disk.push(now, &self.disk.read(now, stay));
            readings.mounts.put(now, self.disk.mounts());
        }
        if let Some(pool) = pool
            && (cpu_due || asked)
        {
            let check = self.checks.is(now);
            let threads = self.threads.read(now, check, work::threads(pool));
            readings.threads.put(now, threads);
            if check {
                pool.check_begins();
                self.checked = now;
                let memory = self.memory_in_use;
                let vitals = self.health.check(now, pool, threads, memory);
                readings.health.put(now, vitals);
            }
        }
        let next = self.due.iter().map(|due| due.at).min().unwrap_or(Duration::MAX);
        if asked { next.min(self.checks.at) } else { next }
    }

    /// Goes on until the pool has come to its end, which unparks the thread.
    pub fn run(mut self, shared: &Shared) {
        let Ok(readings) = &shared.readings else { return };
        while !shared.is_over() {
            let now = readings.now();
            let tick = || self.tick(now, Some(shared), readings);
            let next = guarded(&shared.common.lost_readings, now, tick);
            park_timeout(next.saturating_sub(readings.now()));
        }
    }
}

/// A panic costs one reading: the next tick begins with what was due after that. It isn't at once,
/// since what panics before anything has been read does so again.
fn guarded(lost: &Count, now: Duration, tick: impl FnOnce() -> Duration) -> Duration {
    catch_unwind(AssertUnwindSafe(tick)).unwrap_or_else(|_| {
        lost.bump_shared();
        now.saturating_add(BREATH)
    })
}

#[cfg(all(test, not(loom), not(miri)))]
mod tests {
    use super::watched::{Watched, nonsense};
    use super::{BREATH, Due, guarded};
    use crate::job::Payload;
    use crate::monitor::file::below;
    use crate::monitor::fixture::{Recording, Tree};
    use crate::monitor::kernel::MountPoint;
    use crate::policy::wait::WaitPolicy;
    use crate::telemetry::counters::Count;
    use crate::telemetry::snapshot::Snapshot;
    use crate::telemetry::unavailable::Unavailable::{
        Garbled, Missing, NotYet, Unlimited, WentBack,
    };
    use crate::worker::handlers::Handlers;
    use crate::worker::local::Deques;
    use crate::worker::shared::{Insight, Shared};
    use crate::worker::watch::Watch;
    use std::fs;
    use std::panic::resume_unwind;
    use std::path::Path;
    use std::thread;
    use std::time::{Duration, Instant};

    #[test]
    fn what_was_missed_is_not_made_up_for() {
        let second = Duration::from_secs;
        let mut due = Due::at_once(second(5));
        assert!(due.is(second(1)));
        assert!(!due.is(second(5)));
        assert!(due.is(second(60)));
        assert!(!due.is(second(64)));
        assert!(due.is(second(65)));
    }

    fn replay(recording: &str) -> Vec<Snapshot> {
        let (mut watched, mut snapshots) = (None, Vec::new());
        Recording::parse(recording.as_bytes()).unwrap().play(|at, tree| {
            snapshots.push(watched.get_or_insert_with(|| Watched::new(tree)).at(at));
        });
        snapshots
    }

    #[test]
    fn a_panic_costs_one_reading_and_the_next_tick_takes_the_others() {
        let tree = Tree::new();
        let Watched { mut governor, readings } = Watched::new(&tree);
        let (lost, now) = (Count::default(), Duration::from_secs(7));
        let next = guarded(&lost, now, || {
            assert!(governor.due[0].is(now));
            // Without a message on standard error.
            resume_unwind(Box::new("in the monitor of the CPUs"))
        });
        assert_eq!((lost.read(), next), (1, now + BREATH));
        let next = guarded(&lost, now, || governor.tick(now, None, &readings));
        assert_eq!((lost.read(), next), (1, now + Duration::from_secs(1)));
        assert_eq!((readings.cpu.all().len(), readings.memory.all().len()), (0, 1));
        governor.tick(next, None, &readings);
        assert_eq!(readings.cpu.all().len(), 1);
    }

    #[test]
    fn a_governor_that_panics_at_every_tick_does_so_once_a_breath_and_then_goes_on() {
        let tree = Tree::new();
        let Watched { mut governor, readings } = Watched::new(&tree);
        // No time is so long after that: as long as a check is asked for, each tick panics.
        governor.checked = Duration::MAX;
        let insight = Insight { readings: Ok(readings), ..Insight::default() };
        let (watch, handlers) = (Watch::new(None), Handlers::default());
        let policy = WaitPolicy::default();
        let shared = Shared::new(&[Deques::default()], 1, policy, watch, handlers, insight);
        let payload: Payload = Box::new("of a task");
        shared.task_panicked(&payload);
        let lost = || shared.common.lost_readings.read();
        let taken = || shared.readings.as_ref().unwrap().cpu.all().len();
        let wait_for = |done: &dyn Fn() -> bool| {
            let start = Instant::now();
            while !done() && start.elapsed() < Duration::from_secs(30) {
                thread::sleep(Duration::from_millis(1));
            }
        };
        let (many, none, start) = thread::scope(|scope| {
            let start = Instant::now();
            let governor = scope.spawn(|| governor.run(&shared));
            wait_for(&|| lost() > 0);
            thread::sleep(BREATH / 10);
            let seen = (lost(), taken(), start);
            shared.check_begins();
            wait_for(&|| taken() > 0);
            shared.gate.close();
            governor.thread().unpark();
            seen
        });
        assert!((1..=1 + start.elapsed().as_secs()).contains(&many), "{many} panics");
        assert!(none == 0 && taken() > 0);
    }

    fn near(value: Result<f64, crate::Unavailable>, expected: f64) -> bool {
        value.is_ok_and(|value| (value - expected).abs() < 1e-9)
    }

    #[test]
    fn a_virtual_machine_with_version_1_groups_is_read() {
        let [first, second, third] =
            replay(include_str!("../tests/machines/firecracker-v1.txt")).try_into().unwrap();
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
        let steps = replay(include_str!("../tests/machines/container-v2.txt"));
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
        let steps = replay(include_str!("../tests/machines/numa-v2.txt"));
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
        let recording = include_str!("../tests/machines/numa-256.txt")
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
        let text = include_str!("../tests/machines/container-v2.txt");
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
            let text = include_bytes!("../tests/machines/container-v2.txt");
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
