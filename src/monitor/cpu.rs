//! The CPUs: `/proc/stat`, `/proc/loadavg`, pressure, and what the control group may use of them.

use crate::monitor::cgroup::Stay;
use crate::monitor::cpu_group::{Allowance, CpuGroup};
use crate::monitor::file::{SystemFile, lines, next, number, words};
use crate::monitor::kernel::Usage;
use crate::monitor::pressure::Pressure;
use crate::monitor::rate::{Growth, share};
use crate::telemetry::history::Key;
use crate::telemetry::machine::{Core, Cpu};
use crate::telemetry::record::Record;
use crate::telemetry::unavailable::{Fact, Unavailable};
use std::path::Path;
use std::time::Duration;

pub struct CpuMonitor {
    stat: SystemFile,
    load: SystemFile,
    pressure: Pressure,
    group: CpuGroup,
    /// How many CPUs the process may run on.
    usable: usize,
    all: Option<Ticks>,
    process: Growth,
    cores: Cores,
}

impl CpuMonitor {
    pub fn new(root: &Path, usable: usize) -> Self {
        Self {
            stat: SystemFile::new(root, "/proc/stat"),
            load: SystemFile::new(root, "/proc/loadavg"),
            pressure: Pressure::new(root, "/proc/pressure/cpu"),
            group: CpuGroup::new(root),
            usable: usable.max(1),
            all: None,
            process: Growth::default(),
            cores: Cores::default(),
        }
    }

    pub fn read(&mut self, at: Duration, stay: Stay, usage: Fact<Usage>) -> Cpu {
        let mut cpu = Cpu::unavailable(Unavailable::NotYet);
        self.read_stat(&mut cpu);
        self.read_load(&mut cpu);
        (cpu.pressure_some, cpu.pressure_full) = self.pressure.read(at);
        self.group.read(at, stay, &mut cpu);
        self.read_usage(at, usage, &mut cpu);
        cpu
    }

    /// Each CPU that is online, at the last reading.
    pub fn cores(&self) -> &[(Key, Core)] {
        &self.cores.rows
    }

    fn read_stat(&mut self, cpu: &mut Cpu) {
        let text = self.stat.read();
        // The first line is the sum, those of the CPUs follow.
        let mut ticks = lines(text.unwrap_or_default()).map_while(Ticks::parse);
        let all = text.and_then(|_| match ticks.next() {
            Some((None, ticks)) => ticks,
            _ => Err(Unavailable::Garbled),
        });
        let shares = Shares::between(&mut self.all, all);
        cpu.system_utilisation = shares.map(|shares| shares.busy);
        cpu.io_wait = shares.map(|shares| shares.io_wait);
        cpu.stolen = shares.map(|shares| shares.stolen);
        self.cores.update(ticks);
    }

    /// What the process may use, as of now. Costs two to three small files.
    pub fn allowance(&mut self, stay: Stay) -> Allowance {
        self.group.allowance(stay)
    }

    fn read_load(&mut self, cpu: &mut Cpu) {
        let text = self.load.read();
        let mut words = words(text.unwrap_or_default());
        let mut load = || match text.and_then(|_| next::<f64>(&mut words)) {
            Ok(load) if load.is_infinite() => Err(Unavailable::Garbled),
            load => load,
        };
        (cpu.load_1m, cpu.load_5m, cpu.load_15m) = (load(), load(), load());
    }

    fn read_usage(&mut self, at: Duration, usage: Fact<Usage>, cpu: &mut Cpu) {
        cpu.process_time = usage.map(|usage| usage.cpu_time.as_secs_f64());
        cpu.voluntary_switches = usage.map(|usage| usage.voluntary_switches);
        cpu.involuntary_switches = usage.map(|usage| usage.involuntary_switches);
        let micros = usage.map(|usage| usage.cpu_time.as_micros() as u64);
        cpu.process_cpus = self.process.rate(at, micros).map(|micros| micros / 1e6);
        let usable = cpu.quota.map_or(self.usable as f64, |quota| quota.min(self.usable as f64));
        cpu.process_utilisation = cpu.process_cpus.map(|cpus| cpus / usable);
    }
}

/// What was read of each CPU.
#[derive(Default)]
struct Cores {
    last: Vec<(usize, Option<Ticks>)>,
    rows: Vec<(Key, Core)>,
}

impl Cores {
    fn update(&mut self, ticks: impl Iterator<Item = (Option<usize>, Fact<Ticks>)>) {
        self.rows.clear();
        for (number, ticks) in ticks {
            let Some(number) = number else { continue };
            let row = self.rows.len();
            // In the same order as last time, unless one has gone or come.
            match self.last.iter().skip(row).position(|last| last.0 == number) {
                Some(behind) => self.last.swap(row, row + behind),
                None => self.last.insert(row, (number, None)),
            }
            let shares = Shares::between(&mut self.last[row].1, ticks);
            let core = Core {
                utilisation: shares.map(|shares| shares.busy),
                stolen: shares.map(|shares| shares.stolen),
            };
            self.rows.push((Key::number(number), core));
        }
        self.last.truncate(self.rows.len());
    }
}

/// Clock ticks since the start of the machine, by what they were spent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ticks {
    all: u64,
    idle: u64,
    io_wait: u64,
    stolen: u64,
}

impl Ticks {
    /// Of a line `cpuN user nice system idle iowait irq softirq steal guest guest_nice`, of which
    /// old kernels lack the end, and guests' time is part of the user's.
    fn parse(line: &[u8]) -> Option<(Option<usize>, Fact<Self>)> {
        let mut words = words(line);
        let name = words.next()?.strip_prefix(b"cpu")?;
        let cpu = if name.is_empty() { None } else { Some(number(name).ok()?) };
        let mut counts = [0_u64; 8];
        let mut found = 0;
        for (count, word) in counts.iter_mut().zip(words) {
            match number(word) {
                Ok(number) => *count = number,
                Err(why) => return Some((cpu, Err(why))),
            }
            found += 1;
        }
        if found < 4 {
            return Some((cpu, Err(Unavailable::Garbled)));
        }
        let all = counts.iter().try_fold(0_u64, |sum, &count| sum.checked_add(count));
        let [_, _, _, idle, io_wait, _, _, stolen] = counts;
        let ticks = all.map(|all| Self { all, idle, io_wait, stolen });
        Some((cpu, ticks.ok_or(Unavailable::Garbled)))
    }
}

/// Of the time between two readings.
#[derive(Clone, Copy)]
struct Shares {
    busy: f64,
    io_wait: f64,
    stolen: f64,
}

impl Shares {
    fn between(last: &mut Option<Ticks>, ticks: Fact<Ticks>) -> Fact<Self> {
        let before = std::mem::replace(last, ticks.ok());
        let (ticks, before) = (ticks?, before.ok_or(Unavailable::NotYet)?);
        let all = ticks.all.checked_sub(before.all).ok_or(Unavailable::WentBack)?;
        if all == 0 {
            return Err(Unavailable::NotYet);
        }
        // Some go back a little by themselves (proc_stat(5)); others may grow by more than the sum then.
        let part = |now: u64, then: u64| now.saturating_sub(then).min(all);
        let idle = part(ticks.idle, before.idle);
        let io_wait = part(ticks.io_wait, before.io_wait);
        let stolen = part(ticks.stolen, before.stolen);
        let busy = all.saturating_sub(idle + io_wait + stolen);
        Ok(Self {
            busy: share(busy, all),
            io_wait: share(io_wait, all),
            stolen: share(stolen, all),
        })
    }
}

#[cfg(all(test, not(loom), not(miri)))]
mod tests {
    use super::{Cores, CpuMonitor, Shares, Ticks};
    use crate::monitor::cgroup::Membership;
    use crate::monitor::fixture::Tree;
    use crate::telemetry::unavailable::Unavailable;
    use std::time::Duration;

    #[test]
    fn no_share_is_above_one_when_a_count_goes_back() {
        let mut last = None;
        let mut shares = |line: &[u8]| Shares::between(&mut last, Ticks::parse(line).unwrap().1);
        assert!(shares(b"cpu0 0 0 0 200 100 0 0 0").is_err());
        let shares = shares(b"cpu0 0 0 0 100 0 0 0 300").unwrap();
        assert_eq!((shares.busy, shares.io_wait, shares.stolen), (0.0, 0.0, 1.0));
    }

    #[test]
    fn cpus_that_come_and_go_cost_the_others_no_reading() {
        let mut cores = Cores::default();
        let mut utilisation = |lines: [&[u8]; 3]| {
            cores.update(lines.iter().filter_map(|line| Ticks::parse(line)));
            cores.rows.iter().map(|row| row.1.utilisation).collect::<Vec<_>>()
        };
        utilisation([b"cpu0 0 0 0 9", b"cpu2 0 0 0 9", b"cpu3 0 0 0 9"]);
        let come_and_gone = [&b"cpu1 5 0 0 9"[..], b"cpu2 1 0 0 10", b"cpu3 1 0 0 9"];
        assert_eq!(utilisation(come_and_gone), [Err(Unavailable::NotYet), Ok(0.5), Ok(1.0)]);
    }

    #[test]
    fn periods_that_end_during_a_reading_make_no_share_above_one() {
        let stat = |periods, throttled| format!("nr_periods {periods}\nnr_throttled {throttled}\n");
        let tree = Tree::new()
            .file("/proc/self/cgroup", "0::/\n")
            .file("/proc/self/mountinfo", "1 2 0:3 / /cg rw - cgroup2 cgroup2 rw\n")
            .file("/cg/cpu.stat", stat(100, 50));
        let stay = Membership::new(tree.root()).stay();
        let mut monitor = CpuMonitor::new(tree.root(), 1);
        let mut throttled = |second| {
            monitor.read(Duration::from_secs(second), stay, Err(Unavailable::NotYet)).throttled
        };
        assert_eq!(throttled(1), Err(Unavailable::NotYet));
        tree.write("/cg/cpu.stat", stat(110, 61));
        assert_eq!(throttled(2), Ok(1.0));
    }

    #[test]
    fn a_load_without_end_is_garbled() {
        let tree = Tree::new().file("/proc/loadavg", "0.50 1e999 x");
        let stay = Membership::new(tree.root()).stay();
        let mut monitor = CpuMonitor::new(tree.root(), 1);
        let cpu = monitor.read(Duration::ZERO, stay, Err(Unavailable::NotYet));
        let garbled = Err(Unavailable::Garbled);
        assert_eq!((cpu.load_1m, cpu.load_5m, cpu.load_15m), (Ok(0.5), garbled, garbled));
    }
}
