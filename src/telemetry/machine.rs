//! What is read of the machine, the process and its control group.

use crate::telemetry::record::records;

records! {
    /// What the CPUs do, and how much of them the process gets.
    ///
    /// Shares and rates are those between a reading and the one before. *Pressure* is the share of
    /// the time in which some task waited, or all tasks that could have run did (the kernel's PSI).
    "cpu"
    pub struct Cpu {
        /// Share of all CPUs' time that was spent on anything, by anybody.
        gauge system_utilisation: f64 = Ratio,
        /// Share of all CPUs' time that they idled while a disk was waited for.
        gauge io_wait: f64 = Ratio,
        /// Share of all CPUs' time that the host gave to other machines.
        gauge stolen: f64 = Ratio,
        /// CPU time of this process a second.
        gauge process_cpus: f64 = Cpus,
        /// CPU time of this process a second, as a share of the CPUs that it may use: those of its affinity mask, or its quota if that is less.
        gauge process_utilisation: f64 = Ratio,
        /// CPU time of this process since it began.
        total process_time: f64 = Seconds,
        /// How often its threads gave up their CPU to wait.
        total voluntary_switches: u64 = Count,
        /// How often its threads were made to give up their CPU.
        total involuntary_switches: u64 = Count,
        /// Mean number of tasks of the whole machine that ran, waited for a CPU or were in an uninterruptible sleep, over about a minute.
        gauge load_1m: f64 = Count,
        /// As `load_1m`, over about 5 minutes.
        gauge load_5m: f64 = Count,
        /// As `load_1m`, over about 15 minutes.
        gauge load_15m: f64 = Count,
        /// CPUs that the control group may use: the tightest quota on its path.
        gauge quota: f64 = Cpus,
        /// Periods of the quota in which the group that has it (without one, the process's own) had something to run.
        total periods: u64 = Count,
        /// Periods of the quota in which the group was stopped, its quota used up.
        total throttled_periods: u64 = Count,
        /// For how long the group was stopped in all, its quota used up.
        total throttled_time: f64 = Seconds,
        /// Share of the periods in which the group was stopped, its quota used up.
        gauge throttled: f64 = Ratio,
        /// Share of the time in which some task of the machine waited for a CPU.
        gauge pressure_some: f64 = Ratio,
        /// Share of the time in which all tasks of the machine waited for a CPU; the kernel defines none for the whole machine, and says 0.
        gauge pressure_full: f64 = Ratio,
        /// Share of the time in which some task of the process's own control group waited for a CPU (version 2 only).
        gauge group_pressure_some: f64 = Ratio,
        /// Share of the time in which all tasks of the process's own control group waited for a CPU (version 2 only).
        gauge group_pressure_full: f64 = Ratio,
    }

    /// One CPU.
    "core"
    pub struct Core {
        /// Share of its time that was spent on anything, by anybody.
        gauge utilisation: f64 = Ratio,
        /// Share of its time that the host gave to other machines.
        gauge stolen: f64 = Ratio,
    }

    /// Memory of the machine, the process and its control group. *Pressure* as for [`Cpu`].
    "memory"
    pub struct Memory {
        /// Memory that the machine has.
        gauge total: u64 = Bytes,
        /// What the kernel believes new programs could have without swapping.
        gauge available: u64 = Bytes,
        /// Share of the machine's memory that is not available.
        gauge utilisation: f64 = Ratio,
        /// What of the process is in memory.
        gauge process_resident: u64 = Bytes,
        /// The most that has ever been in memory of the process.
        gauge process_peak: u64 = Bytes,
        /// Page faults of the process that took no reading from a disk.
        total minor_faults: u64 = Count,
        /// Page faults of the process that took a reading from a disk.
        total major_faults: u64 = Count,
        /// Memory that the control group may use: the tightest limit on its path, if below the machine's memory.
        gauge limit: u64 = Bytes,
        /// Memory that the group with that limit (without one, the process's own) uses, the file cache included.
        gauge group_usage: u64 = Bytes,
        /// Memory that the group uses, without what the kernel can drop at once: cached files not used lately.
        gauge group_working_set: u64 = Bytes,
        /// The group's working set as a share of the limit.
        gauge limit_utilisation: f64 = Ratio,
        /// Share of the time in which some task of the machine waited for memory.
        gauge pressure_some: f64 = Ratio,
        /// Share of the time in which all tasks of the machine waited for memory.
        gauge pressure_full: f64 = Ratio,
        /// Share of the time in which some task of the process's own control group waited for memory (version 2 only).
        gauge group_pressure_some: f64 = Ratio,
        /// Share of the time in which all tasks of the process's own control group waited for memory (version 2 only).
        gauge group_pressure_full: f64 = Ratio,
    }

    /// One network interface, or all of them but the loopback, as the process sees them.
    "network"
    pub struct Network {
        /// Bytes received.
        total received_bytes: u64 = Bytes,
        /// Bytes sent.
        total sent_bytes: u64 = Bytes,
        /// Packets received.
        total received_packets: u64 = Count,
        /// Packets sent.
        total sent_packets: u64 = Count,
        /// Packets lost to errors, both ways.
        total errors: u64 = Count,
        /// Packets dropped, both ways.
        total drops: u64 = Count,
        /// Bytes received a second.
        gauge receive_rate: f64 = BytesPerSecond,
        /// Bytes sent a second.
        gauge send_rate: f64 = BytesPerSecond,
        /// Bytes a second that it can carry each way: as configured, or else what the driver says.
        gauge capacity: f64 = BytesPerSecond,
        /// The higher one of the two rates, as a share of what it can carry.
        gauge utilisation: f64 = Ratio,
    }

    /// The process's input and output on disks, and who waited for disks. *Pressure* as for [`Cpu`].
    "disk"
    pub struct Disk {
        /// Bytes that the process had read from disks.
        total read_bytes: u64 = Bytes,
        /// Bytes that the process had written to disks, or will, from what it has changed in memory.
        total written_bytes: u64 = Bytes,
        /// Bytes read a second.
        gauge read_rate: f64 = BytesPerSecond,
        /// Bytes written a second.
        gauge write_rate: f64 = BytesPerSecond,
        /// Share of the time in which some task of the machine waited for input or output.
        gauge pressure_some: f64 = Ratio,
        /// Share of the time in which all tasks of the machine waited for input or output.
        gauge pressure_full: f64 = Ratio,
        /// Share of the time in which some task of the process's own control group waited for input or output (version 2 only).
        gauge group_pressure_some: f64 = Ratio,
        /// Share of the time in which all tasks of the process's own control group waited for input or output (version 2 only).
        gauge group_pressure_full: f64 = Ratio,
    }

    /// One mounted file system, and the device it lies on.
    "mount"
    pub struct Mount {
        /// Size of the file system.
        gauge total: u64 = Bytes,
        /// What of the file system is used.
        gauge used: u64 = Bytes,
        /// What of the file system a process without privileges may still use.
        gauge free: u64 = Bytes,
        /// What is used of the file system, as a share of that and what is free.
        gauge utilisation: f64 = Ratio,
        /// Bytes that anybody has read from the device.
        total read_bytes: u64 = Bytes,
        /// Bytes that anybody has written to the device.
        total written_bytes: u64 = Bytes,
        /// Bytes read a second.
        gauge read_rate: f64 = BytesPerSecond,
        /// Bytes written a second.
        gauge write_rate: f64 = BytesPerSecond,
        /// Share of the time in which the device had something to do.
        gauge busy: f64 = Ratio,
    }
}
