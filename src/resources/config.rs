//! How a budget is to be.

use crate::policy::amounts::Resource;
use crate::policy::fairness::AllocationStrategy;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BudgetConfig {
    pub strategy: AllocationStrategy,
    pub totals: [Option<u64>; Resource::ALL.len()],
    /// Of what the machine has, where no total was given.
    pub shares: [f64; Resource::ALL.len()],
    /// For how long a lease is meant that doesn't say.
    pub time_to_live: Duration,
    /// How often all are looked at, at least.
    pub checks: Duration,
    /// Whether what is overdue is taken back from whoever has it.
    pub reclaim_running: bool,
}

impl Default for BudgetConfig {
    fn default() -> Self {
        let (strategy, totals) = Default::default();
        Self {
            strategy,
            totals,
            shares: [0.8; Resource::ALL.len()],
            time_to_live: Duration::from_secs(600),
            checks: Duration::from_secs(60),
            reclaim_running: false,
        }
    }
}
