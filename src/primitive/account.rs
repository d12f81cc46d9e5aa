//! An account: what is free of several resources, and of which ones somebody waits for more.
//!
//! Invariant: what has been taken of a resource is at most its total as it was when some of it was taken last. For
//! that a word holds what is free, as a signed number, and not the total and what is taken: no total can change
//! between a look at the one and a change of the other. It is below 0 while a total that shrank is exceeded: also one that
//! shrinks by what is taken in any case, whatever is left (resources/admission.rs).
//!
//! | who takes                                 | who waits, under a lock of its own | who gives back          |
//! |-------------------------------------------|------------------------------------|-------------------------|
//! | 1. does somebody wait for these? then not | 1. say for which                   | 1. add                  |
//! | 2. subtract from each while there is enough | 2. fence                         | 2. fence                |
//! | 3. fence, and as 1.: then give it back    | 3. take, as 2.; wait if that fails | 3. does somebody wait?  |
//! |                                           |                                    |    then under the lock: |
//! |                                           |                                    |    take for whom it serves |
//!
//! So nobody who takes goes before one who waits, and nobody waits for what is free.
//!
//! Model: loom-tests/tests/account.rs.

use crate::sync::fence::full_fence;
use crate::sync::{AtomicU32, AtomicU64, Ordering};

#[derive(Debug)]
pub struct Account<const N: usize> {
    /// Two's complement.
    free: [AtomicU64; N],
    /// A bit for each resource.
    wanted: AtomicU32,
}

/// What came of an attempt to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    Taken,
    /// There isn't enough, or somebody waits.
    Refused,
    /// As that, and some was taken and given back meanwhile: whoever waits is to be served.
    Returned,
}

fn mask<const N: usize>(amounts: &[u64; N]) -> u32 {
    (0..N).filter(|&at| amounts[at] > 0).map(|at| 1 << at).sum()
}

impl<const N: usize> Account<N> {
    /// No amount is above `i64::MAX`.
    pub fn new(total: [u64; N]) -> Self {
        Self { free: total.map(AtomicU64::new), wanted: AtomicU32::new(0) }
    }

    pub fn free(&self) -> [i64; N] {
        std::array::from_fn(|at| self.free[at].load(Ordering::Relaxed) as i64)
    }

    /// Takes all of it or nothing.
    pub fn try_take(&self, amounts: &[u64; N]) -> Attempt {
        let mask = mask(amounts);
        if self.is_wanted(mask) {
            return Attempt::Refused;
        }
        match self.take(amounts) {
            Attempt::Taken => {
                full_fence();
                if !self.is_wanted(mask) {
                    return Attempt::Taken;
                }
                self.add(amounts, N);
                Attempt::Returned
            }
            refused => refused,
        }
    }

    /// As [`try_take`](Self::try_take), for one who waits or is served: whoever waits before it has been asked.
    pub fn take(&self, amounts: &[u64; N]) -> Attempt {
        for at in 0..N {
            if amounts[at] > 0 && !self.subtract(at, amounts[at]) {
                self.add(amounts, at);
                let some = amounts[..at].iter().any(|&amount| amount > 0);
                return if some { Attempt::Returned } else { Attempt::Refused };
            }
        }
        Attempt::Taken
    }

    /// Gives it back. Returns whether somebody may wait for it, who is to be served.
    #[must_use]
    pub fn give(&self, amounts: &[u64; N]) -> bool {
        self.add(amounts, N);
        full_fence();
        self.is_wanted(mask(amounts))
    }

    /// There is more, or less. Returns whether somebody may wait for it, who is to be served.
    #[must_use]
    pub fn change(&self, at: usize, by: i64) -> bool {
        self.free[at].fetch_add(by as u64, Ordering::Relaxed);
        full_fence();
        by > 0 && self.is_wanted(1 << at)
    }

    /// Those for which somebody waits, a bit for each. For whoever has the lock, before it takes.
    pub fn want(&self, mask: u32) {
        self.wanted.store(mask, Ordering::Relaxed);
        full_fence();
    }

    fn is_wanted(&self, mask: u32) -> bool {
        self.wanted.load(Ordering::Relaxed) & mask != 0
    }

    fn subtract(&self, at: usize, amount: u64) -> bool {
        let less = |free: u64| {
            let rest = (free as i64).checked_sub_unsigned(amount)?;
            (rest >= 0).then_some(rest as u64)
        };
        // ORDERING: Acquire; pairs with add: what the last holder did before it gave it back is seen.
        self.free[at].fetch_update(Ordering::Acquire, Ordering::Relaxed, less).is_ok()
    }

    /// Of the first so many.
    fn add(&self, amounts: &[u64; N], count: usize) {
        for (free, &amount) in self.free.iter().zip(&amounts[..count]) {
            if amount > 0 {
                // ORDERING: Release; pairs with subtract.
                free.fetch_add(amount, Ordering::Release);
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Account, Attempt};

    #[test]
    fn all_or_nothing_is_taken() {
        let account = Account::new([5, 5]);
        assert_eq!(account.try_take(&[3, 3]), Attempt::Taken);
        assert_eq!(account.try_take(&[3, 0]), Attempt::Refused);
        assert_eq!(account.try_take(&[2, 3]), Attempt::Returned);
        assert_eq!(account.free(), [2, 2]);
        assert!(!account.give(&[3, 3]));
        assert_eq!(account.free(), [5, 5]);
        assert_eq!(account.try_take(&[u64::MAX, 0]), Attempt::Refused);
        assert_eq!(account.try_take(&[0, 0]), Attempt::Taken);
        assert_eq!(account.try_take(&[0, 9]), Attempt::Refused);
    }

    #[test]
    fn a_total_that_shrinks_leaves_less_than_nothing_and_nothing_is_taken_then() {
        let account = Account::new([5]);
        assert_eq!(account.try_take(&[4]), Attempt::Taken);
        assert!(!account.change(0, -3));
        assert_eq!(account.free(), [-2]);
        assert_eq!(account.try_take(&[1]), Attempt::Refused);
        assert!(!account.give(&[2]));
        assert_eq!(account.try_take(&[1]), Attempt::Refused);
        assert!(!account.change(0, 1));
        assert_eq!(account.try_take(&[1]), Attempt::Taken);
    }

    #[test]
    fn what_nobody_asks_for_holds_nobody_up() {
        let account = Account::new([0, 5]);
        assert!(!account.change(0, -2));
        assert_eq!(account.try_take(&[0, 1]), Attempt::Taken);
        account.want(0b10);
        assert_eq!(account.try_take(&[0, 1]), Attempt::Refused);
        assert!(account.change(1, 1) && !account.change(1, 0) && account.give(&[0, 1]));
    }

    #[test]
    fn nobody_goes_before_one_who_waits_for_the_same() {
        let account = Account::new([5, 5]);
        account.want(0b01);
        assert_eq!(account.try_take(&[1, 1]), Attempt::Refused);
        assert_eq!(account.try_take(&[0, 1]), Attempt::Taken);
        assert!(!account.give(&[0, 1]) && !account.change(1, 1) && !account.change(0, -1));
        assert!(account.change(0, 1));
        assert_eq!(account.take(&[5, 0]), Attempt::Taken);
        assert!(account.give(&[5, 0]));
        account.want(0);
        assert_eq!(account.try_take(&[1, 1]), Attempt::Taken);
    }
}
