//! The scopes of the pools in `common::pools`, and the regions of those that have a better way
//! than joins.

use crate::common::pools::{Filch, Rayon, Spawner, Tokio};
use crate::pools::{Region, Scope};
use crate::workloads::spawn::{done, done_by_all, wait_for};
use rayon::iter::{IntoParallelIterator, ParallelIterator};

impl Scope for Filch {
    fn grow(&self, depth: u32) {
        fn grow(scope: &filch::Scope, depth: u32) {
            if depth == 0 {
                return done(1);
            }
            for _ in 0..2 {
                scope.spawn(move |scope| grow(scope, depth - 1));
            }
        }
        self.0.scope(|scope| grow(scope, depth));
    }
}

impl Scope for Rayon {
    fn grow(&self, depth: u32) {
        fn grow(scope: &rayon::Scope, depth: u32) {
            if depth == 0 {
                return done(1);
            }
            for _ in 0..2 {
                scope.spawn(move |scope| grow(scope, depth - 1));
            }
        }
        self.0.scope(|scope| grow(scope, depth));
    }
}

impl Region for Rayon {
    fn region(&mut self, pieces: u32, piece: fn(u32)) {
        self.0.install(|| (0..pieces).into_par_iter().for_each(piece));
    }
}

/// tokio has no scope for tasks that can't be awaited one by one: they are counted.
impl Scope for Tokio {
    fn grow(&self, depth: u32) {
        fn grow(depth: u32) {
            if depth == 0 {
                return done(1);
            }
            for _ in 0..2 {
                Tokio::respawn(move || grow(depth - 1));
            }
        }
        let before = done_by_all();
        self.spawn(move || grow(depth));
        wait_for(before + (1 << depth));
    }
}

impl Region for Tokio {
    fn region(&mut self, pieces: u32, piece: fn(u32)) {
        self.0.block_on(async {
            let spawn = |number| tokio::spawn(async move { piece(number) });
            let tasks: Vec<_> = (0..pieces).map(spawn).collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
    }
}
