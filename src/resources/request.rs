//! What is asked for.

use crate::policy::amounts::{Amounts, Resource};
use crate::resources::tenant::Tenant;
use std::time::Duration;

/// So much of a pool's budget: what a [`Lease`](crate::Lease) is asked for.
///
/// # Examples
///
/// ```
/// use filch::{Request, Resource};
///
/// let request = Request::new().memory(2 << 30).cpu(1500);
/// assert_eq!(request.amount(Resource::Memory), 2 << 30);
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Request {
    pub(super) amounts: Amounts,
    pub(super) tenant: Option<Tenant>,
    pub(super) priority: u8,
    /// For an elastic lease.
    pub(super) most: Option<Box<Amounts>>,
    pub(super) time_to_live: Option<Duration>,
}

impl Request {
    /// For nothing, yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// So much of this, in its [unit](Resource::unit).
    pub fn with(mut self, resource: Resource, amount: u64) -> Self {
        self.amounts = self.amounts.with(resource, amount);
        self
    }

    /// Up to so much of a resource, for an elastic lease: what was asked for is granted at once, or waited for; the rest while
    /// nobody else wants it. See [`Lease::granted`](crate::Lease::granted).
    pub fn up_to(mut self, resource: Resource, most: u64) -> Self {
        let before = self.most.map_or(Amounts::NONE, |most| *most);
        self.most = Some(Box::new(before.with(resource, most)));
        self
    }

    /// CPUs, in thousandths of one.
    pub fn cpu(self, thousandths: u64) -> Self {
        self.with(Resource::Cpu, thousandths)
    }

    /// Memory, in bytes.
    pub fn memory(self, bytes: u64) -> Self {
        self.with(Resource::Memory, bytes)
    }

    /// What goes over the network, in bytes a second.
    pub fn network(self, bytes_per_second: u64) -> Self {
        self.with(Resource::Network, bytes_per_second)
    }

    /// Space on disks, in bytes.
    pub fn disk(self, bytes: u64) -> Self {
        self.with(Resource::Disk, bytes)
    }

    /// What is read from disks and written there, in bytes a second.
    pub fn io(self, bytes_per_second: u64) -> Self {
        self.with(Resource::Io, bytes_per_second)
    }

    /// In whose name. Default: a tenant of all that name none.
    pub fn tenant(mut self, tenant: &Tenant) -> Self {
        self.tenant = Some(tenant.clone());
        self
    }

    /// How important it is: of any use under [`AllocationStrategy::Priority`](crate::AllocationStrategy::Priority) only. The
    /// highest goes first. Default: 0.
    pub fn priority(mut self, priority: u8) -> Self {
        self.priority = priority;
        self
    }

    /// For how long the lease is meant. Whoever holds it for longer keeps it, but it is [overdue](crate::Lease::is_valid), which
    /// [`ThreadPool::leases`](crate::ThreadPool::leases) and an [alert](crate::AlertKind::Lease) tell. Default: 10 minutes.
    pub fn time_to_live(mut self, time: Duration) -> Self {
        self.time_to_live = Some(time);
        self
    }

    /// What it is for of this resource.
    pub fn amount(&self, resource: Resource) -> u64 {
        self.amounts.of(resource)
    }
}
