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
            PoolSnapshot::default(),
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
