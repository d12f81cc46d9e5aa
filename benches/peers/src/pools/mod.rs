//! Peers that only this program knows, and what it asks of pools beyond `common::pools`.

pub mod executor;
pub mod forte;
pub mod futex;
pub mod iterators;
pub mod scopes;
pub mod threadpool;

use crate::common::pools::{Fork, Pool, Task};
use std::ops::Range;

/// A pool whose tasks spawn further ones that somebody waits for.
pub trait Scope {
    /// Two tasks that each spawn two, and so on until the last ones, `depth` levels down,
    /// which say that they are done. Returns when all of them are.
    fn grow(&self, depth: u32);
}

/// A pool that shares out pieces of like size, in whichever way its documentation suggests.
pub trait Region {
    /// Returns when all pieces are done. A plain function, so that no pool has to be told
    /// how long what it borrows lives.
    fn region(&mut self, pieces: u32, piece: fn(u32));
}

/// By halves, down to one piece.
pub struct ByJoins<P>(pub P);

impl<P: Pool> Region for ByJoins<P> {
    fn region(&mut self, pieces: u32, piece: fn(u32)) {
        self.0.enter(Pieces { numbers: 0..pieces, piece });
    }
}

struct Pieces {
    numbers: Range<u32>,
    piece: fn(u32),
}

impl Task for Pieces {
    type Out = ();

    fn run(self, fork: impl Fork) {
        let Self { numbers: Range { start, end }, piece } = self;
        if end - start == 1 {
            return piece(start);
        }
        let middle = start + (end - start) / 2;
        fork.join(Pieces { numbers: start..middle, piece }, Pieces { numbers: middle..end, piece });
    }
}
