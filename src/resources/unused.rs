//! What nobody uses of each resource, as was measured last. Between two measurements what is granted counts as used, and
//! what is given back as unused: nearly right, and soon corrected.

use crate::policy::amounts::{Amounts, Resource};
use crate::sync::statistic::{AtomicU64, Ordering};

pub struct Unused([AtomicU64; Resource::ALL.len()]);

/// More than there can be.
pub const UNMEASURED: u64 = i64::MAX as u64;

impl Unused {
    pub fn new(unused: [u64; Resource::ALL.len()]) -> Self {
        Self(unused.map(AtomicU64::new))
    }

    pub fn read(&self) -> Amounts {
        Amounts::NONE.each(|resource, _| {
            let unused = self.0[resource as usize].load(Ordering::Relaxed);
            (unused as i64).max(0) as u64
        })
    }

    pub fn measured(&self, resource: Resource, unused: u64) {
        self.0[resource as usize].store(unused, Ordering::Relaxed);
    }

    pub fn granted(&self, amounts: Amounts) {
        self.add(amounts, u64::wrapping_neg);
    }

    pub fn given_back(&self, amounts: Amounts) {
        self.add(amounts, |amount| amount);
    }

    fn add(&self, amounts: Amounts, signed: impl Fn(u64) -> u64) {
        for (resource, amount) in amounts.some() {
            let unused = &self.0[resource as usize];
            if unused.load(Ordering::Relaxed) != UNMEASURED {
                unused.fetch_add(signed(amount), Ordering::Relaxed);
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{UNMEASURED, Unused};
    use crate::policy::amounts::{Amounts, Resource};

    #[test]
    fn what_is_granted_counts_as_used_until_it_is_measured_again() {
        let unused = Unused::new([UNMEASURED, 10, 0, 0, 0]);
        let of = |resource| unused.read().of(resource);
        let some = Amounts::NONE.with(Resource::Cpu, 5).with(Resource::Memory, 12);
        unused.granted(some);
        assert_eq!((of(Resource::Cpu), of(Resource::Memory)), (UNMEASURED, 0));
        unused.given_back(some);
        assert_eq!((of(Resource::Cpu), of(Resource::Memory)), (UNMEASURED, 10));
        unused.measured(Resource::Memory, 7);
        assert_eq!(of(Resource::Memory), 7);
    }
}
