//! Joins and little else.

use crate::timing::{Cost, measure};
use rayon::join;
use std::hint::black_box;

fn serial_fib(n: u32) -> u64 {
    if n < 2 { n.into() } else { serial_fib(n - 1) + serial_fib(n - 2) }
}

fn fib(n: u32, cutoff: u32) -> u64 {
    if n <= cutoff {
        return serial_fib(n);
    }
    let (a, b) = join(|| fib(n - 1, cutoff), || fib(n - 2, cutoff));
    a + b
}

pub fn fibonacci() -> Cost {
    measure(|| fib(black_box(27), 1) == 196_418)
}

pub fn fibonacci_cutoff() -> Cost {
    measure(|| fib(black_box(34), 15) == 5_702_887)
}

fn increment(numbers: &mut [u32]) {
    if let [number] = numbers {
        *number += 1;
    } else {
        let (left, right) = numbers.split_at_mut(numbers.len() / 2);
        join(|| increment(left), || increment(right));
    }
}

/// A join for every number of a slice.
pub fn increment_all() -> Cost {
    let mut numbers = vec![0; 1 << 18];
    let mut rounds = 0;
    measure(|| {
        increment(&mut numbers);
        rounds += 1;
        numbers[0] == rounds && numbers[numbers.len() - 1] == rounds
    })
}

/// Ways to place queens on the rows that are left, one of them for each column that is free.
fn ways(rows: u32, columns: u32, left: u32, right: u32) -> u64 {
    fn any(rows: u32, taken: (u32, u32, u32), free: u32) -> u64 {
        let (columns, left, right) = taken;
        let here = |bit: u32| ways(rows - 1, columns | bit, (left | bit) << 1, (right | bit) >> 1);
        match free.count_ones() {
            0 => 0,
            1 => here(free),
            _ => {
                let bit = free & free.wrapping_neg();
                let (a, b) = join(|| here(bit), || any(rows, taken, free ^ bit));
                a + b
            }
        }
    }
    if rows == 0 {
        return 1;
    }
    any(rows, (columns, left, right), !(columns | left | right) & ((1 << SIZE) - 1))
}

const SIZE: u32 = 11;

pub fn queens() -> Cost {
    measure(|| ways(SIZE, 0, 0, 0) == 2_680)
}

/// Nothing to do, for each of many who find nothing: what it takes to be asked.
pub fn noop() -> Cost {
    measure(|| {
        for _ in 0..100 {
            rayon::scope(|scope| scope.spawn(|_| ()));
        }
        true
    })
}
