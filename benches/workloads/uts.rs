//! Unbalanced tree search: counts the nodes of a tree that is made up as it is walked, and
//! whose subtrees differ in size by orders of magnitude, so that no split is a fair one.
//!
//! The binomial tree of the UTS benchmark (Olivier et al., 2006), with a cheap mixing function
//! where that has SHA-1, so that joins and not hashes are what is measured.

use crate::common::pools::{Fork, Pool, Task};
use crate::common::size;
use crate::workloads::{About, ForkJoin, Unit, timed};
use std::hint::black_box;
use std::time::Duration;

/// Of a node that isn't a leaf, but for the root.
const CHILDREN: u32 = 8;

/// Of 2^32: how likely a node isn't a leaf. Times `CHILDREN` it is a little below one, at
/// which the tree would have no end.
const INNER: u64 = (1 << 32) / 8 * 999 / 1000;

pub struct Uts {
    seed: u64,
    /// Children of the root.
    width: u32,
    answer: u64,
}

impl Uts {
    pub fn new() -> Self {
        let (seed, width, answer) = size((471, 2000, 2_427_761), (59, 20, 10_189));
        Self { seed, width, answer }
    }
}

impl ForkJoin for Uts {
    fn about(&self) -> About {
        About { name: format!("unbalanced tree of {} nodes", self.answer), unit: Unit::Millis }
    }

    fn run(&self, pool: &impl Pool) -> Duration {
        let root = Children { parent: black_box(self.seed), first: 0, count: self.width };
        let (below, took) = timed(pool, root);
        assert_eq!(1 + below, self.answer);
        took
    }
}

/// Some children of one node, at least one, each with all that is below it.
struct Children {
    parent: u64,
    first: u32,
    count: u32,
}

impl Task for Children {
    type Out = u64;

    fn run(self, fork: impl Fork) -> u64 {
        let Self { parent, first, count } = self;
        if count == 1 {
            let child = mixed(parent, first);
            return match child & u64::from(u32::MAX) < INNER {
                true => 1 + Children { parent: child, first: 0, count: CHILDREN }.run(fork),
                false => 1,
            };
        }
        let half = count / 2;
        let (a, b) = fork.join(
            Children { parent, first, count: half },
            Children { parent, first: first + half, count: count - half },
        );
        a + b
    }
}

/// What a child is, from what its parent is: the mixing function of SplitMix64, three times, so that
/// a node takes some 15 ns.
fn mixed(parent: u64, child: u32) -> u64 {
    let seed = parent.wrapping_add((u64::from(child) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    (0..3).fold(seed, |mut z, _| {
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    })
}
