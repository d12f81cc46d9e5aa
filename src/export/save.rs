//! The file that a pool's trace is written to.

use crate::export::trace::{Trace, Track};
use crate::worker::remote::Remote;
use crate::worker::shared::Shared;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process;

/// Writes what the workers did last.
pub fn save(shared: &Shared, path: &Path) -> io::Result<()> {
    if shared.recording.get().is_none() {
        return Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "the pool has no flight recorder; build it with ThreadPoolBuilder::flight_recorder",
        ));
    }
    let track = |(worker, remote): (usize, &Remote)| {
        let recorder = remote.recorder.get()?;
        let name = recorder.thread.clone().unwrap_or_else(|| format!("worker {worker}"));
        Some(Track { worker, name, events: recorder.read() })
    };
    let tracks = shared.roster().filter_map(track).collect();
    let trace = Trace {
        pid: process::id(),
        pool: shared.id,
        tracks,
        taken: shared.clock.ticks(),
        nanoseconds_per_tick: shared.clock.nanoseconds_per_tick(),
    };
    let mut out = BufWriter::new(File::create(path)?);
    trace.write(&mut out)?;
    out.flush()
}
