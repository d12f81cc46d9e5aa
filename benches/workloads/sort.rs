//! Quicksort: the upper levels are long partitions that nobody can share.

use crate::common::pools::{Fork, Pool, Task};
use crate::common::size;
use crate::workloads::{About, ForkJoin, Unit, scrambled};
use std::cell::RefCell;
use std::time::{Duration, Instant};

/// Below this an insertion sort is faster than any quicksort, in parallel or not.
const SHORT: usize = 32;

pub struct Sort {
    input: Vec<u32>,
    /// Sorted in place, and filled anew before each run.
    numbers: RefCell<Vec<u32>>,
}

impl Sort {
    pub fn new() -> Self {
        let mut state = 0x9E37_79B9_7F4A_7C15;
        let input: Vec<_> =
            (0..size(10_000_000, 100_000)).map(|_| scrambled(&mut state) as u32).collect();
        Self { numbers: RefCell::new(input.clone()), input }
    }
}

impl ForkJoin for Sort {
    fn about(&self) -> About {
        About { name: format!("quicksort of {} numbers", self.input.len()), unit: Unit::Millis }
    }

    fn run(&self, pool: &impl Pool) -> Duration {
        let mut numbers = self.numbers.borrow_mut();
        numbers.copy_from_slice(&self.input);
        let start = Instant::now();
        pool.enter(Quicksort(&mut numbers));
        let took = start.elapsed();
        assert!(numbers.is_sorted());
        took
    }
}

struct Quicksort<'a>(&'a mut [u32]);

impl Task for Quicksort<'_> {
    type Out = ();

    fn run(self, fork: impl Fork) {
        if self.0.len() < SHORT {
            return insertion_sort(self.0);
        }
        let middle = partition(self.0);
        let (low, high) = self.0.split_at_mut(middle);
        fork.join(Quicksort(low), Quicksort(high));
    }
}

fn insertion_sort(numbers: &mut [u32]) {
    for end in 1..numbers.len() {
        let number = numbers[end];
        let mut at = end;
        while at > 0 && numbers[at - 1] > number {
            numbers[at] = numbers[at - 1];
            at -= 1;
        }
        numbers[at] = number;
    }
}

/// Hoare's. Neither side is empty: the pivot is the median of three, so both scans stop
/// before the far end, at the latest at one of the other two.
fn partition(numbers: &mut [u32]) -> usize {
    let last = numbers.len() - 1;
    let mut three = [numbers[0], numbers[last / 2], numbers[last]];
    three.sort_unstable();
    let pivot = three[1];
    let (mut left, mut right) = (0, last);
    loop {
        while numbers[left] < pivot {
            left += 1;
        }
        while numbers[right] > pivot {
            right -= 1;
        }
        if left >= right {
            return right + 1;
        }
        numbers.swap(left, right);
        left += 1;
        right -= 1;
    }
}
