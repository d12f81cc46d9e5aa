//! Alternating runs: every contender once a round, so that whatever the machine does in the
//! meantime (clock rate, a neighbour on the host, a build next door) meets them all alike.

use crate::common::machine::Usage;
use std::time::Duration;

/// Does one run and says how long the part that counts took.
pub type Run<'a> = Box<dyn FnMut() -> Duration + 'a>;

/// What came of alternating runs.
pub struct Measured {
    /// One for each contender, in their order.
    pub times: Vec<Times>,
    /// How much of the machine other processes took meanwhile, in per cent, where the
    /// system tells.
    pub disturbed: Option<f64>,
}

/// Nanoseconds of the runs of one contender.
#[derive(Clone, Copy)]
pub struct Times {
    pub low: f64,
    pub median: f64,
    pub high: f64,
}

/// Lets the contenders run in turn, `rounds` times after one round to warm up.
pub fn alternate(rounds: usize, contenders: &mut [Run]) -> Measured {
    let count = contenders.len();
    let mut runs = vec![Vec::with_capacity(rounds); count];
    for run in contenders.iter_mut() {
        run();
    }
    let before = Usage::now();
    for round in 0..rounds {
        let mut turn = |i: usize| runs[i].push(contenders[i]().as_nanos() as f64);
        // To and fro, so that nobody always runs after the same one.
        if round % 2 == 0 {
            (0..count).for_each(&mut turn);
        } else {
            (0..count).rev().for_each(&mut turn);
        }
    }
    let disturbed = Usage::now().zip(before).map(|(now, before)| now.others_since(&before));
    Measured { times: runs.into_iter().map(Times::of).collect(), disturbed }
}

impl Times {
    /// The median, and the tenth and ninetieth percentiles as its spread.
    fn of(mut runs: Vec<f64>) -> Self {
        runs.sort_by(f64::total_cmp);
        let at = |share: f64| runs[((runs.len() - 1) as f64 * share).round() as usize];
        Self { low: at(0.1), median: at(0.5), high: at(0.9) }
    }
}
