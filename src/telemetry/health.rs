//! What a worker's health is judged by, and how it was judged.

use crate::telemetry::record::records;

records! {
    /// A worker's vital signs: what its health is judged by. Rates are those since the last check.
    "health"
    pub struct Vitals {
        /// The worker's health: 1 is the best, 0 the worst.
        gauge score: f64 = Ratio,
        /// CPU time that the worker's thread uses a second.
        gauge cpu: f64 = Ratio,
        /// CPU time that the worker's thread uses a second beyond the time that it spends on tasks.
        gauge cpu_off_tasks: f64 = Ratio,
        /// Memory in use, as a share of the tightest limit, or else of all: the same for all workers.
        gauge memory: f64 = Ratio,
        /// How long the worker has slept with nothing to do.
        gauge inactive: f64 = Seconds,
        /// How long the worker's thread waits a second for a CPU while it could run.
        gauge run_delay: f64 = Ratio,
        /// How often a second the worker's thread is made to give up its CPU.
        gauge involuntary_switches: f64 = Count,
        /// Page faults of the worker's thread a second that take a reading from a disk.
        gauge major_faults: f64 = Count,
        /// Tasks of the worker that fail, as a share of all.
        gauge error_rate: f64 = Ratio,
        /// The mean response time of the worker's tasks, as a multiple of that of the median worker.
        gauge slowness: f64 = Count,
    }
}

/// What may be wrong with a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum Sign {
    /// [`Vitals::cpu`].
    Cpu,
    /// [`Vitals::cpu_off_tasks`].
    CpuOffTasks,
    /// [`Vitals::memory`].
    Memory,
    /// [`Vitals::inactive`].
    Inactive,
    /// [`Vitals::run_delay`].
    RunDelay,
    /// [`Vitals::involuntary_switches`].
    InvoluntarySwitches,
    /// [`Vitals::major_faults`].
    MajorFaults,
    /// [`Vitals::error_rate`].
    ErrorRate,
    /// [`Vitals::slowness`].
    Slowness,
}

impl Sign {
    pub(crate) const ALL: [Self; 9] = [
        Self::Cpu,
        Self::CpuOffTasks,
        Self::Memory,
        Self::Inactive,
        Self::RunDelay,
        Self::InvoluntarySwitches,
        Self::MajorFaults,
        Self::ErrorRate,
        Self::Slowness,
    ];
}
