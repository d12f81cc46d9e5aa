//! Fibonacci numbers without a cutoff: nothing but joins, so it shows what one costs.

use crate::common::pools::{Fork, Pool, Task};
use crate::common::size;
use crate::workloads::{About, ForkJoin, Unit, timed};
use std::hint::black_box;
use std::time::Duration;

pub struct Fib {
    n: u32,
    answer: u64,
}

impl Fib {
    pub fn new() -> Self {
        let n = size(30, 18);
        Self { n, answer: fib(n) }
    }

    /// Every call forks but those that return 0 or 1, which make up the answer.
    fn joins(&self) -> u64 {
        fib(self.n + 1) - 1
    }
}

fn fib(n: u32) -> u64 {
    (0..n).fold((0, 1), |(a, b), _| (b, a + b)).0
}

impl ForkJoin for Fib {
    fn about(&self) -> About {
        About {
            name: format!("fib({}), no cutoff", self.n),
            unit: Unit::NanosPer("join", self.joins()),
        }
    }

    fn run(&self, pool: &impl Pool) -> Duration {
        let (answer, took) = timed(pool, Less::<0>(&black_box(self.n)));
        assert_eq!(answer, self.answer);
        took
    }
}

/// A call for a number that is so much less than another, to which it holds a reference: what
/// the closures of `join(|| fib(n - 1), || fib(n - 2))` hold. A number would do better with
/// some compilers, and worse with others; but nobody writes that down.
struct Less<'n, const BY: u32>(&'n u32);

impl<const BY: u32> Task for Less<'_, BY> {
    type Out = u64;

    fn run(self, fork: impl Fork) -> u64 {
        let n = *self.0 - BY;
        if n < 2 {
            return n.into();
        }
        let (a, b) = fork.join(Less::<1>(&n), Less::<2>(&n));
        a + b
    }
}
