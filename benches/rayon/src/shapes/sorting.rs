//! Sorting.

use crate::random::numbers;
use crate::timing::{Cost, measure};
use rayon::join;
use rayon::slice::ParallelSliceMut;

const MANY: usize = 1 << 20;

fn sorts(sort: fn(&mut [u64])) -> Cost {
    let shuffled = numbers(MANY);
    let mut sorted = shuffled.clone();
    measure(|| {
        sorted.copy_from_slice(&shuffled);
        sort(&mut sorted);
        sorted.is_sorted()
    })
}

fn partition(slice: &mut [u64]) -> usize {
    let last = slice.len() - 1;
    slice.swap(slice.len() / 2, last);
    let pivot = slice[last];
    let mut smaller = 0;
    for index in 0..last {
        if slice[index] < pivot {
            slice.swap(index, smaller);
            smaller += 1;
        }
    }
    slice.swap(smaller, last);
    smaller
}

fn quick(slice: &mut [u64]) {
    if slice.len() <= 256 {
        return slice.sort_unstable();
    }
    let middle = partition(slice);
    let (left, right) = slice.split_at_mut(middle);
    join(|| quick(left), || quick(&mut right[1..]));
}

pub fn quicksort() -> Cost {
    sorts(quick)
}

fn merge(left: &[u64], right: &[u64], into: &mut [u64]) {
    let (mut left, mut right) = (left.iter().peekable(), right.iter().peekable());
    for place in into {
        let from = match (left.peek(), right.peek()) {
            (Some(a), Some(b)) if b < a => &mut right,
            (None, _) => &mut right,
            _ => &mut left,
        };
        *place = *from.next().unwrap();
    }
}

/// Sorts `slice`, with the help of `spare`.
fn merge_sort(slice: &mut [u64], spare: &mut [u64]) {
    if slice.len() <= 1024 {
        return slice.sort();
    }
    let middle = slice.len() / 2;
    let (left, right) = slice.split_at_mut(middle);
    let (spare_left, spare_right) = spare.split_at_mut(middle);
    join(|| merge_sort(left, spare_left), || merge_sort(right, spare_right));
    spare.copy_from_slice(slice);
    merge(&spare[..middle], &spare[middle..], slice);
}

pub fn mergesort() -> Cost {
    sorts(|slice| merge_sort(slice, &mut vec![0; slice.len()]))
}

pub fn par_sort_unstable() -> Cost {
    sorts(|slice| slice.par_sort_unstable())
}
