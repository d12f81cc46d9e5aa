//! All readings of a pool's monitors: written by one thread, read by any.

use crate::telemetry::health::Vitals;
use crate::telemetry::history::{History, Table};
use crate::telemetry::machine::{Core, Cpu, Disk, Memory, Mount, Network};
use crate::telemetry::record::Record;
use crate::telemetry::work::{Thread, Work};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// More CPUs, threads or network interfaces than that are only seen in the sums.
const CORES: usize = 1024;
const THREADS: usize = 256;
const INTERFACES: usize = 32;

#[derive(Debug)]
pub struct Readings {
    /// Their times are since then, on a clock that doesn't jump.
    start: Instant,
    /// As often as those of the CPUs, and as many.
    pub work: History<Work>,
    pub threads: Table<Thread>,
    pub health: Table<Vitals>,
    pub cpu: History<Cpu>,
    pub cores: Table<Core>,
    pub memory: History<Memory>,
    pub network: History<Network>,
    pub interfaces: Table<Network>,
    pub disk: History<Disk>,
    pub mounts: Table<Mount>,
    /// By their numbers in the table.
    pub mount_points: Vec<PathBuf>,
}

/// How many readings are kept.
#[derive(Clone, Copy, Debug)]
pub struct Lengths {
    pub cpu: usize,
    pub memory: usize,
    pub network: usize,
    pub disk: usize,
}

impl Readings {
    /// With room for so many, so many CPUs and threads.
    pub fn new(lengths: Lengths, cores: usize, threads: usize, mount_points: Vec<PathBuf>) -> Self {
        Self {
            start: Instant::now(),
            work: History::new(lengths.cpu),
            threads: Table::new(threads.min(THREADS)),
            health: Table::new(threads.min(THREADS)),
            cpu: History::new(lengths.cpu),
            cores: Table::new(cores.min(CORES)),
            memory: History::new(lengths.memory),
            network: History::new(lengths.network),
            interfaces: Table::new(INTERFACES),
            disk: History::new(lengths.disk),
            mounts: Table::new(mount_points.len()),
            mount_points,
        }
    }

    pub fn now(&self) -> Duration {
        self.start.elapsed()
    }
}

/// A kind of reading that has a history: [`Work`], [`Cpu`], [`Memory`], [`Network`] and [`Disk`].
pub trait Reading: Record + 'static {
    #[doc(hidden)]
    fn history(readings: &Readings) -> &History<Self>;
}

macro_rules! reading {
    ($($name:ident = $field:ident,)*) => {$(
        impl Reading for $name {
            fn history(readings: &Readings) -> &History<Self> {
                &readings.$field
            }
        }
    )*};
}

reading! { Work = work, Cpu = cpu, Memory = memory, Network = network, Disk = disk, }
