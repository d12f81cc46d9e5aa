//! Sequences made of sequences.

use crate::random::{Random, numbers};
use crate::timing::{Cost, measure};
use rayon::iter::{
    IntoParallelIterator, IntoParallelRefIterator, ParallelBridge, ParallelIterator,
};
use rayon::str::ParallelString;
use std::collections::HashMap;

pub fn map_collect() -> Cost {
    measure(|| {
        let pairs: HashMap<u32, u32> =
            (0..100_000_u32).into_par_iter().map(|n| (n, n.wrapping_mul(2_654_435_761))).collect();
        let squares: Vec<u64> = (0..1_000_000_u64).into_par_iter().map(|n| n * n).collect();
        pairs.len() == 100_000 && squares[999] == 998_001
    })
}

pub fn filter_collect() -> Cost {
    let numbers = numbers(1 << 20);
    let odd = numbers.iter().filter(|&number| number % 2 == 1).count();
    measure(|| {
        let found: Vec<u64> = numbers.par_iter().filter(|&n| n % 2 == 1).copied().collect();
        found.len() == odd
    })
}

/// Pieces of an iterator that is no parallel one: their sums.
pub fn bridge() -> Cost {
    let numbers = numbers(1 << 20);
    let sum = |numbers: &[u64]| numbers.iter().fold(0, |sum: u64, n| sum.wrapping_add(*n));
    let all = sum(&numbers);
    measure(|| numbers.chunks(4096).par_bridge().map(sum).reduce(|| 0, u64::wrapping_add) == all)
}

/// The words of a text, and how long they are.
pub fn words() -> Cost {
    let mut random = Random::new(13);
    let text: String = (0..1 << 20)
        .map(|_| match random.next() >> 59 {
            0..5 => ' ',
            letter => char::from(b'a' + letter as u8 % 26),
        })
        .collect();
    let serial = text.split_whitespace().map(str::len).sum::<usize>();
    measure(|| {
        let long = text.par_split_whitespace().map(str::len).sum::<usize>();
        let upper = text.par_chars().filter(|letter| letter.is_ascii_lowercase()).count();
        long == serial && upper == serial
    })
}
