//! What is read of a pool itself, and of its threads.

use crate::telemetry::record::records;

records! {
    /// A pool's work.
    "work"
    pub struct Work {
        /// Tasks run to their end.
        total tasks: u64 = Count,
        /// Tasks that failed, by a panic or an error.
        total failures: u64 = Count,
        /// Tasks that wait to be run, hidden frames of joins not among them.
        gauge queued: u64 = Count,
        /// Workers that have a thread.
        gauge threads: u64 = Count,
        /// Workers that sleep as there is nothing to do.
        gauge parked: u64 = Count,
        /// Workers that sleep in the midst of a task.
        gauge blocked: u64 = Count,
        /// Bytes that workers have allocated and not freed, if CountingAlloc is the global allocator.
        gauge memory: u64 = Bytes,
        /// Time that workers have spent on tasks.
        total busy_time: f64 = Seconds,
        /// Time that there have been workers for, in whatever state.
        total staffed_time: f64 = Seconds,
        /// Time spent on tasks, as a share of that for which there have been workers, since the last reading.
        gauge utilisation: f64 = Ratio,
        /// Tasks run to their end a second, since the last reading.
        gauge throughput: f64 = Count,
    }

    /// A worker's thread, as the kernel sees it.
    "thread"
    pub struct Thread {
        /// CPU time that it has used.
        total cpu_time: f64 = Seconds,
        /// CPU time that it has used a second, since the last reading.
        gauge utilisation: f64 = Ratio,
        /// How long it could have run and waited for a CPU.
        total run_delay: f64 = Seconds,
        /// How long it waited for a CPU a second, since the last reading.
        gauge delayed: f64 = Ratio,
        /// How often it was given a CPU.
        total slices: u64 = Count,
        /// The CPU that it was on. This and what follows is read with every reading of the CPUs that comes 30 seconds after the last, or later.
        gauge cpu: u64 = Count,
        /// How often it gave up its CPU to wait.
        total voluntary_switches: u64 = Count,
        /// How often it was made to give up its CPU.
        total involuntary_switches: u64 = Count,
        /// Page faults that took no reading from a disk.
        total minor_faults: u64 = Count,
        /// Page faults that took a reading from a disk.
        total major_faults: u64 = Count,
    }
}
