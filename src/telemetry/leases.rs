//! What a pool's tasks have leased, and who waits for more.

use std::fmt;
use std::time::Duration;

/// What there is of a resource, for [`ThreadPool::budget`](crate::ThreadPool::budget).
///
/// # Examples
///
/// ```
/// use filch::Resource;
///
/// let pool = filch::ThreadPoolBuilder::new().num_threads(1).budget(Resource::Cpu, 4000).build()?;
/// assert_eq!(pool.budget(Resource::Cpu).to_string(), "4000 of 4000 free");
/// # Ok::<(), filch::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ResourceBudget {
    /// In all, in its [unit](crate::Resource::unit). Where nobody can tell it is 2 to the power of 52.
    pub total: u64,
    /// What is not leased.
    pub free: u64,
    /// What is leased beyond the total, which was larger then.
    pub overcommitted: u64,
}

impl ResourceBudget {
    pub(crate) fn new(total: u64, free: u64, overcommitted: u64) -> Self {
        Self { total, free, overcommitted }
    }
}

impl fmt::Display for ResourceBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { total, free, overcommitted } = self;
        write!(f, "{free} of {total} free")?;
        if *overcommitted > 0 { write!(f, ", {overcommitted} overcommitted") } else { Ok(()) }
    }
}

/// What a pool's tasks have leased, and who waits for more. All zero before anybody has asked for a lease.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Leases {
    /// How many there are.
    pub out: usize,
    /// How many of them are overdue.
    pub overdue: usize,
    /// For how long the oldest of them has been held.
    pub longest_held: Duration,
    /// How many requests wait.
    pub waiting: usize,
    /// For how long the oldest of them has waited.
    pub longest_wait: Duration,
    /// How many leases have been taken back from who had forgotten them.
    pub reclaimed: u64,
    /// What there is, by the resource's name.
    pub budgets: Vec<(String, ResourceBudget)>,
}

impl fmt::Display for Leases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { out, overdue, longest_held, waiting, longest_wait, reclaimed, budgets } = self;
        if budgets.is_empty() {
            return Ok(());
        }
        let (held, wait) = (longest_held.as_secs_f64(), longest_wait.as_secs_f64());
        writeln!(f, "leases: {out}, {overdue} overdue, held for {held:.1} s at most")?;
        writeln!(f, "  {waiting} requests wait, for {wait:.1} s at most; {reclaimed} taken back")?;
        budgets.iter().try_for_each(|(name, budget)| writeln!(f, "  {name}: {budget}"))
    }
}
