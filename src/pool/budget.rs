//! What a pool's tasks share: how much there is of it, and among whom.

use crate::policy::amounts::Resource;
use crate::policy::fairness::AllocationStrategy;
use crate::pool::builder::ThreadPoolBuilder;
use crate::pool::thread_pool::ThreadPool;
use crate::resources::ledger::LeaseInfo;
use crate::resources::tenant::Tenant;
use crate::telemetry::leases::ResourceBudget;
use std::time::Duration;

impl<S> ThreadPoolBuilder<S> {
    /// How much of a resource the pool's tasks may lease in all, in its [unit](Resource::unit). Default: 80 % of what the
    /// machine or the control group has, when the first lease is asked for: of the CPUs, of memory, of the network's
    /// capacity if the drivers say it, and of the first file system of [`Monitoring::mounts`](crate::Monitoring::mounts) what is
    /// not used of that. What a disk can read and write nobody can tell: it has no bound.
    pub fn budget(mut self, resource: Resource, total: u64) -> Self {
        self.budget.totals[resource as usize] = Some(total);
        self
    }

    /// For how long a lease is meant, and how often all are looked at.
    pub(super) fn lease_times(mut self, time_to_live: Duration, checks: Duration) -> Self {
        (self.budget.time_to_live, self.budget.checks) = (time_to_live, checks);
        self
    }

    /// The shares of what there is, of CPUs, memory, the network and disks.
    pub(super) fn budget_shares(mut self, [cpu, memory, network, disk]: [f64; 4]) -> Self {
        let all = Resource::ALL.map(|resource| match resource {
            Resource::Cpu => cpu,
            Resource::Memory => memory,
            Resource::Network => network,
            Resource::Disk | Resource::Io => disk,
        });
        self.budget.shares = all;
        self
    }

    /// Whether a lease that has been held for longer than it was [meant](crate::Request::time_to_live) is taken back from
    /// whoever has it: others get what it was for, though it may still be in use. [`Lease::is_valid`](crate::Lease::is_valid) tells. Default:
    /// no; only one whose task or thread has ended is.
    pub fn reclaim_running(mut self, reclaim: bool) -> Self {
        self.budget.reclaim_running = reclaim;
        self
    }

    /// Who is next, of those who wait for a lease. Default: [`AllocationStrategy::Fair`].
    pub fn allocation(mut self, strategy: AllocationStrategy) -> Self {
        self.budget.strategy = strategy;
        self
    }
}

impl ThreadPool {
    /// The leases that are out, for how long, and where in the program they were asked for. Those that are
    /// [overdue](LeaseInfo::overdue) may have been forgotten. Costs some nanoseconds for each there has been at a time.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = filch::ThreadPoolBuilder::new().num_threads(2).build()?;
    /// let lease = pool.acquire(&filch::Request::new().cpu(100)).unwrap();
    /// let leases = pool.leases();
    /// assert_eq!(leases.len(), 1);
    /// println!("{}", leases[0]); // a lease of src/main.rs:3:18, meant for 600.0s, has been held for ...
    /// # drop(lease);
    /// # Ok::<(), filch::Error>(())
    /// ```
    pub fn leases(&self) -> Vec<LeaseInfo> {
        self.shared().purse.budget().ledger.all().collect()
    }

    /// The leases that have been taken back last, at most 64, the oldest first: each was overdue, and whoever had asked for it
    /// was gone, or the pool takes back what is [overdue](crate::ThreadPoolBuilder::reclaim_running).
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = filch::ThreadPoolBuilder::new().num_threads(1).build()?;
    /// for lease in pool.leaks() {
    ///     eprintln!("{lease}"); // a lease of src/main.rs:3:18, meant for 600.0s, has been held for ...
    /// }
    /// # Ok::<(), filch::Error>(())
    /// ```
    pub fn leaks(&self) -> Vec<LeaseInfo> {
        self.shared().purse.budget().ledger.leaks()
    }

    /// What there is of a resource for leases, and what of that is free: at one time or another while it is read.
    ///
    /// # Examples
    ///
    /// ```
    /// use filch::{Request, Resource};
    ///
    /// let pool = filch::ThreadPoolBuilder::new()
    ///     .num_threads(2)
    ///     .budget(Resource::Memory, 1 << 30)
    ///     .build()?;
    /// let lease = pool.try_acquire(&Request::new().memory(1 << 20)).unwrap();
    /// let memory = pool.budget(Resource::Memory);
    /// assert_eq!((memory.total, memory.free), (1 << 30, (1 << 30) - (1 << 20)));
    /// # drop(lease);
    /// # Ok::<(), filch::Error>(())
    /// ```
    pub fn budget(&self, resource: Resource) -> ResourceBudget {
        self.shared().purse.budget().of(resource)
    }

    /// From now on there is so much of a resource; above 2 to the power of 52 that. If it is less than what is leased,
    /// leases stay, and nothing more is granted until enough of them have been given back.
    pub fn set_budget(&self, resource: Resource, total: u64) {
        self.shared().purse.budget().set_total(resource, total);
    }

    /// A new one of those among whom the budget is shared: where all want more than there is, one that weighs twice as
    /// much has twice as large a share. Weights go from 1 to 16,777,215; others count as the next of those.
    ///
    /// A tenant's share is its part of whatever it has the largest part of: dominant resource fairness.
    ///
    /// # Examples
    ///
    /// ```
    /// use filch::{Request, Resource};
    ///
    /// let pool = filch::ThreadPoolBuilder::new().num_threads(2).build()?;
    /// let [paying, trying] = [3, 1].map(|weight| pool.tenant(weight));
    /// let lease = pool.acquire(&Request::new().cpu(100).tenant(&paying)).unwrap();
    /// assert_eq!((paying.has(Resource::Cpu), trying.has(Resource::Cpu)), (100, 0));
    /// # drop(lease);
    /// # Ok::<(), filch::Error>(())
    /// ```
    pub fn tenant(&self, weight: u32) -> Tenant {
        self.shared().purse.budget().tenant(weight)
    }
}
