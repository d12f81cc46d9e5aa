//! All ways to place n queens: an uneven tree of small steps, a join for every choice.

use crate::common::pools::{Fork, Pool, Task};
use crate::common::size;
use crate::workloads::{About, ForkJoin, Unit, timed};
use std::hint::black_box;
use std::time::Duration;

pub struct Queens {
    n: u32,
    answer: u64,
}

impl Queens {
    pub fn new() -> Self {
        let (n, answer) = size((12, 14_200), (8, 92));
        Self { n, answer }
    }
}

impl ForkJoin for Queens {
    fn about(&self) -> About {
        About { name: format!("{} queens", self.n), unit: Unit::Millis }
    }

    fn run(&self, pool: &impl Pool) -> Duration {
        let board = (1 << black_box(self.n)) - 1;
        let empty = Board { board, columns: 0, rising: 0, falling: 0 };
        let (answer, took) = timed(pool, empty);
        assert_eq!(answer, self.answer);
        took
    }
}

/// Columns as bits: all of them, and those of the next row that queens already threaten.
#[derive(Clone, Copy)]
struct Board {
    board: u32,
    columns: u32,
    rising: u32,
    falling: u32,
}

impl Task for Board {
    type Out = u64;

    fn run(self, fork: impl Fork) -> u64 {
        if self.columns == self.board {
            return 1;
        }
        match self.board & !(self.columns | self.rising | self.falling) {
            0 => 0,
            free => Row { board: self, free }.run(fork),
        }
    }
}

/// A row in which some free columns, at least one, are still to be tried.
struct Row {
    board: Board,
    free: u32,
}

impl Task for Row {
    type Out = u64;

    fn run(self, fork: impl Fork) -> u64 {
        let Self { board, free } = self;
        let queen = free & free.wrapping_neg();
        let placed = Board {
            board: board.board,
            columns: board.columns | queen,
            rising: (board.rising | queen) << 1,
            falling: (board.falling | queen) >> 1,
        };
        if free == queen {
            return placed.run(fork);
        }
        let (with, without) = fork.join(placed, Row { board, free: free ^ queen });
        with + without
    }
}
