//! Made-up machines under a governor, for tests and fuzzing.

use super::Governor;
#[cfg(fuzzing)]
use crate::monitor::fixture::Recording;
use crate::monitor::fixture::Tree;
use crate::monitor::monitoring::Monitoring;
use crate::telemetry::latency::LatencySnapshot;
use crate::telemetry::readings::Readings;
use crate::telemetry::snapshot::Snapshot;
use crate::telemetry::workers::PoolSnapshot;
use std::time::Duration;

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
            .mounts([tree.root().to_owned(), "/nonexistent".into()]);
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

/// Reads a machine that somebody has made up, if it has no other files than those in `known`, which is a
/// recording too. For fuzzing.
#[cfg(fuzzing)]
pub fn play(recording: &str, known: &[&str]) {
    let known = known.iter().filter_map(|known| Recording::parse(known));
    let known: Vec<_> = known.flat_map(|known| known.paths().collect::<Vec<_>>()).collect();
    let Some(recording) = Recording::parse(recording) else { return };
    if !recording.paths().all(|path| known.contains(&path)) {
        return;
    }
    let mut watched = None;
    recording.play(|at, tree| {
        let watched = watched.get_or_insert_with(|| Watched::new(tree));
        assert!(!watched.at(at).to_string().is_empty());
    });
}
