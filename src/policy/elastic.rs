//! Elastic leases: who gets how much of what nobody else wants, and who gives how much of it back. Of one resource.
//!
//! What a lease has above its least is its *extra*. Extras are as equal as may be: whoever has the least is given first, and
//! whoever has the most gives back first.

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    pub least: u64,
    pub most: u64,
    /// What it has now.
    pub granted: u64,
}

impl Stretch {
    fn extra(&self) -> u64 {
        self.granted.saturating_sub(self.least)
    }

    fn room(&self) -> u64 {
        self.most.saturating_sub(self.least)
    }
}

/// Others lack so much: what is granted becomes less by that, as far as that goes, and by a unit for each lease more at
/// most.
pub fn shrink(stretches: &mut [Stretch], lack: u64) {
    let freed = |level: u64| -> u128 {
        stretches.iter().map(|stretch| u128::from(stretch.extra().saturating_sub(level))).sum()
    };
    let level = highest(|level| freed(level) >= u128::from(lack));
    for stretch in stretches {
        let extra = stretch.extra().min(level);
        stretch.granted = stretch.granted.min(stretch.least + extra);
    }
}

/// Nobody else wants what is free: what is granted becomes more by that at most, less a unit for each lease.
pub fn grow(stretches: &mut [Stretch], free: u64) {
    let at = |stretch: &Stretch, level: u64| stretch.room().min(level).max(stretch.extra());
    let taken = |level: u64| -> u128 {
        stretches.iter().map(|stretch| u128::from(at(stretch, level) - stretch.extra())).sum()
    };
    let level = highest(|level| taken(level) <= u128::from(free));
    for stretch in stretches {
        stretch.granted = stretch.least + at(stretch, level);
    }
}

/// The highest level at which that holds; 0 if it holds at none. It holds below wherever it does.
fn highest(holds: impl Fn(u64) -> bool) -> u64 {
    let (mut low, mut high) = (0, u64::MAX);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if holds(middle) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    low
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Stretch, grow, shrink};
    use proptest::prelude::*;

    fn stretch(least: u64, most: u64, granted: u64) -> Stretch {
        Stretch { least, most, granted }
    }

    fn granted(stretches: &[Stretch]) -> Vec<u64> {
        stretches.iter().map(|stretch| stretch.granted).collect()
    }

    #[test]
    fn who_has_the_most_gives_first_and_who_has_the_least_gets_first() {
        let mut all = [stretch(1, 10, 1), stretch(2, 4, 2), stretch(0, 100, 20)];
        grow(&mut all, 10);
        assert_eq!(granted(&all), [9, 4, 20]);
        shrink(&mut all, 13);
        assert_eq!(granted(&all), [8, 4, 7]);
        shrink(&mut all, u64::MAX);
        assert_eq!(granted(&all), [1, 2, 0]);
        grow(&mut all, u64::MAX);
        assert_eq!(granted(&all), [10, 4, 100]);
    }

    prop_compose! {
        fn any_stretch()(least in 0..50_u64, room in 0..50_u64, part in 0..=100_u64) -> Stretch {
            stretch(least, least + room, least + room * part / 100)
        }
    }

    proptest! {
        #[test]
        fn whatever_is_asked_for_all_stay_within_their_bounds(
            before in prop::collection::vec(any_stretch(), 0..8),
            amount in 0..200_u64,
        ) {
            let sum = |all: &[Stretch]| granted(all).iter().sum::<u64>();
            let extras: u64 = before.iter().map(Stretch::extra).sum();
            let rooms: u64 = before.iter().map(Stretch::room).sum();
            let (mut less, mut more) = (before.clone(), before.clone());
            shrink(&mut less, amount);
            grow(&mut more, amount);
            for ((was, less), more) in before.iter().zip(&less).zip(&more) {
                prop_assert!(was.least <= less.granted && less.granted <= was.granted);
                prop_assert!(was.granted <= more.granted && more.granted <= was.most);
            }
            let (freed, taken) = (sum(&before) - sum(&less), sum(&more) - sum(&before));
            let slack = before.len() as u64;
            prop_assert!(freed >= amount.min(extras) && freed < amount + slack.max(1));
            prop_assert!(taken <= amount && taken + slack >= amount.min(rooms - extras));
            // Once more changes nothing that it needn't.
            grow(&mut more, 0);
            prop_assert_eq!(sum(&more) - sum(&before), taken);
        }
    }
}
