//! How much of what: what budgets are made of, and what tasks ask for.

use std::fmt;

/// What a pool's budget is of.
///
/// # Examples
///
/// ```
/// use filch::Resource;
///
/// assert_eq!(Resource::Memory.unit(), "bytes");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Resource {
    /// CPUs, in thousandths of one.
    Cpu,
    /// Memory, in bytes.
    Memory,
    /// What goes over the network, both ways, in bytes a second.
    Network,
    /// Space on disks, in bytes.
    Disk,
    /// What is read from disks and written there, in bytes a second.
    Io,
}

impl Resource {
    pub(crate) const ALL: [Self; 5] =
        [Self::Cpu, Self::Memory, Self::Network, Self::Disk, Self::Io];

    /// What it is counted in.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Cpu => "thousandths of a CPU",
            Self::Memory | Self::Disk => "bytes",
            Self::Network | Self::Io => "bytes a second",
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cpu => "CPU",
            Self::Memory => "memory",
            Self::Network => "network",
            Self::Disk => "disk",
            Self::Io => "disk I/O",
        })
    }
}

/// What there is of a resource, and what of that nobody uses, as far as can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Means {
    pub total: u64,
    pub free: u64,
}

impl Means {
    /// Of which it can't be told, or doesn't matter, who uses it.
    pub fn unused(total: u64) -> Self {
        Self { total, free: total }
    }

    /// What may be leased if that is to be so much of it in all.
    pub fn share(self, share: f64) -> Self {
        let total = ((self.total as f64 * share) as u64).min(MOST);
        let used = self.total.saturating_sub(self.free);
        Self { total, free: total.saturating_sub(used) }
    }
}

/// So much of each resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts([u64; Resource::ALL.len()]);

/// No more is told apart: so shares can be compared exactly, in 128 bits (see fairness.rs). Four pebibytes.
pub const MOST: u64 = 1 << 52;

impl Amounts {
    pub const NONE: Self = Self([0; Resource::ALL.len()]);

    pub fn new(all: [u64; Resource::ALL.len()]) -> Self {
        Self(all)
    }

    /// In the order of the resources.
    pub fn all(&self) -> &[u64; Resource::ALL.len()] {
        &self.0
    }

    pub fn of(&self, resource: Resource) -> u64 {
        self.0[resource as usize]
    }

    pub fn with(mut self, resource: Resource, amount: u64) -> Self {
        self.0[resource as usize] = amount;
        self
    }

    pub fn each(self, mut change: impl FnMut(Resource, u64) -> u64) -> Self {
        Self(Resource::ALL.map(|resource| change(resource, self.of(resource))))
    }

    /// Those of which there is some.
    pub fn some(&self) -> impl Iterator<Item = (Resource, u64)> {
        let all = Resource::ALL.into_iter().map(|resource| (resource, self.of(resource)));
        all.filter(|&(_, amount)| amount > 0)
    }

    /// A bit for each resource of which there is some.
    pub fn mask(&self) -> u32 {
        self.some().map(|(resource, _)| 1 << resource as u32).sum()
    }

    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }

    pub fn fits(&self, free: &Self) -> bool {
        self.some().all(|(resource, amount)| amount <= free.of(resource))
    }

    pub fn plus(self, other: Self) -> Self {
        self.each(|resource, amount| amount.saturating_add(other.of(resource)))
    }

    pub fn minus(self, other: Self) -> Self {
        self.each(|resource, amount| amount.saturating_sub(other.of(resource)))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Amounts, Means, Resource};

    #[test]
    fn sums_saturate_and_only_what_there_is_some_of_has_to_fit() {
        let some = Amounts::NONE.with(Resource::Memory, u64::MAX).with(Resource::Io, 1);
        assert_eq!(some.plus(some).of(Resource::Memory), u64::MAX);
        assert_eq!(some.plus(some).of(Resource::Io), 2);
        assert_eq!(Amounts::NONE.minus(some), Amounts::NONE);
        assert_eq!((some.mask(), Amounts::NONE.mask()), (0b10010, 0));
        assert!(!some.is_none() && Amounts::NONE.is_none() && Amounts::NONE.fits(&Amounts::NONE));
        assert!(some.fits(&some) && !some.fits(&some.minus(Amounts::NONE.with(Resource::Io, 1))));
    }

    #[test]
    fn every_resource_has_a_place_of_its_own() {
        for (place, resource) in Resource::ALL.into_iter().enumerate() {
            assert_eq!(resource as usize, place);
            assert_eq!(Amounts::new([7, 8, 9, 10, 11]).all()[place], 7 + place as u64);
        }
        let named = Resource::ALL.map(|resource| format!("{resource} in {}", resource.unit()));
        assert_eq!(named[0], "CPU in thousandths of a CPU");
        assert_eq!(named[1..3], ["memory in bytes", "network in bytes a second"]);
        assert_eq!(named[3..], ["disk in bytes", "disk I/O in bytes a second"]);
    }

    #[test]
    fn of_a_share_what_others_use_is_not_free() {
        let means = Means { total: 100, free: 60 };
        assert_eq!(means.share(0.5), Means { total: 50, free: 10 });
        assert_eq!(means.share(0.25), Means { total: 25, free: 0 });
        assert_eq!(Means::unused(8).share(2.0), Means { total: 16, free: 16 });
    }
}
