//! What is known of the pool and its machine, as of the last readings.

use crate::resources::ledger::LeaseInfo;
use crate::telemetry::unavailable::{Fact, Unavailable};
use std::panic::Location;
use std::time::Instant;

#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// With the last reading of the CPUs.
    pub run_delay: Fact<f64>,
    /// Of the process's own control group.
    pub pressure: Fact<f64>,
    /// As that, or the machine's.
    pub cpu_pressure: Fact<f64>,
    pub utilisation: Fact<f64>,
    pub cpu: Fact<f64>,
    pub throttled: Fact<f64>,
    /// With the last one of the memory.
    pub memory_short: bool,
    pub memory: Fact<f64>,
    pub memory_pressure: Fact<f64>,
    /// With the last one of the network.
    pub network: Fact<f64>,
    /// With the last look at the leases: the one that is overdue for longest.
    pub overdue: Option<LeaseInfo>,
    /// As that, the request that waits for longest.
    pub waits: Option<(Instant, &'static Location<'static>)>,
    /// With the last look at the alert rules: whether one that fires asks for fewer workers, or for what isn't needed.
    pub alarmed: bool,
    pub sheds: bool,
}

impl Default for Known {
    fn default() -> Self {
        let not_yet = Err(Unavailable::NotYet);
        Self {
            run_delay: not_yet,
            pressure: not_yet,
            cpu_pressure: not_yet,
            utilisation: not_yet,
            cpu: not_yet,
            throttled: not_yet,
            memory_short: false,
            memory: not_yet,
            memory_pressure: not_yet,
            network: not_yet,
            overdue: None,
            waits: None,
            alarmed: false,
            sheds: false,
        }
    }
}
