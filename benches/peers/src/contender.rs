//! Who is measured, and how each is built for what it is to do: join, take tasks, hold a
//! scope, or run a region. Who can't do a thing in the way its documentation recommends isn't
//! there.

use crate::common::pools::{Chili, Filch, Pool, Rayon, Serial, Spawner, Tokio};
use crate::pools::executor::AsyncExecutor;
use crate::pools::forte::Forte;
use crate::pools::futex::{RawFutex, Team};
use crate::pools::iterators::{OrxParallel, Paralight};
use crate::pools::threadpool::Threadpool;
use crate::pools::{ByJoins, Region, Scope};
use crate::report::Report;
use clap::ValueEnum;
use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Contender {
    Serial,
    RawFutex,
    RawFutexFloating,
    Filch,
    FilchFloating,
    Rayon,
    Chili,
    Forte,
    Tokio,
    AsyncExecutor,
    Threadpool,
    Paralight,
    OrxParallel,
}

use Contender as C;

impl Contender {
    /// Whether it competes with filch: not what only shows what is possible.
    pub fn is_peer(self) -> bool {
        self > C::FilchFloating
    }

    /// As `peers measure` takes it.
    pub fn argument(self) -> String {
        let value = self.to_possible_value();
        value.expect("no contender is hidden from the command line").get_name().to_owned()
    }
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.pad(&self.argument().replace("-floating", ", floating").replace("raw-", "raw "))
    }
}

/// What can be measured of any pool that joins; of the others likewise.
pub trait OfPool {
    fn of(self, pool: impl Pool) -> Report;
}

pub trait OfSpawner {
    fn of<S: Spawner>(self, pool: S) -> Report;
}

pub trait OfScope {
    fn of(self, pool: impl Scope) -> Report;
}

pub trait OfRegion {
    fn of(self, pool: impl Region) -> Report;
}

/// Who joins.
pub const JOINING: &[Contender] = &[C::Serial, C::Filch, C::Rayon, C::Chili, C::Forte];

pub fn joining(contender: Contender, workers: usize, what: impl OfPool) -> Report {
    match contender {
        C::Serial => what.of(Serial),
        C::Filch => what.of(Filch::new(workers)),
        C::Rayon => what.of(Rayon::new(workers)),
        C::Chili => what.of(Chili::new(workers)),
        C::Forte => what.of(Forte::entered(workers)),
        _ => panic!("{contender} has no join"),
    }
}

/// Who takes tasks that nobody waits for.
pub const SPAWNING: &[Contender] =
    &[C::Filch, C::Rayon, C::Forte, C::Tokio, C::AsyncExecutor, C::Threadpool];

pub fn spawning(contender: Contender, workers: usize, what: impl OfSpawner) -> Report {
    match contender {
        C::Serial => what.of(Serial),
        C::RawFutex => what.of(RawFutex::pinned(workers)),
        C::RawFutexFloating => what.of(RawFutex::floating(workers)),
        C::Filch => what.of(Filch::new(workers)),
        C::FilchFloating => what.of(Filch::floating(workers)),
        C::Rayon => what.of(Rayon::new(workers)),
        C::Forte => what.of(Forte::fed(workers)),
        C::Tokio => what.of(Tokio::new(workers)),
        C::AsyncExecutor => what.of(AsyncExecutor::new(workers)),
        C::Threadpool => what.of(Threadpool::new(workers)),
        _ => panic!("{contender} has no detached tasks"),
    }
}

/// Whose tasks can spawn further ones that somebody waits for, all together.
pub const SCOPED: &[Contender] = &[C::Filch, C::Rayon, C::Forte, C::Tokio];

pub fn scoped(contender: Contender, workers: usize, what: impl OfScope) -> Report {
    match contender {
        C::Filch => what.of(Filch::new(workers)),
        C::Rayon => what.of(Rayon::new(workers)),
        C::Forte => what.of(Forte::entered(workers)),
        C::Tokio => what.of(Tokio::new(workers)),
        _ => panic!("{contender} has no scope"),
    }
}

/// Who shares a region's pieces out: all.
pub const REGIONAL: &[Contender] = &[
    C::Filch,
    C::Rayon,
    C::Chili,
    C::Forte,
    C::Tokio,
    C::AsyncExecutor,
    C::Threadpool,
    C::Paralight,
    C::OrxParallel,
];

pub fn regional(contender: Contender, workers: usize, what: impl OfRegion) -> Report {
    match contender {
        C::RawFutex => what.of(Team::pinned(workers)),
        C::RawFutexFloating => what.of(Team::floating(workers)),
        C::Filch => what.of(ByJoins(Filch::new(workers))),
        C::FilchFloating => what.of(ByJoins(Filch::floating(workers))),
        C::Rayon => what.of(Rayon::new(workers)),
        C::Chili => what.of(ByJoins(Chili::new(workers))),
        C::Forte => what.of(ByJoins(Forte::entered(workers))),
        C::Tokio => what.of(Tokio::new(workers)),
        C::AsyncExecutor => what.of(AsyncExecutor::new(workers)),
        C::Threadpool => what.of(Threadpool::new(workers)),
        C::Paralight => what.of(Paralight::new(workers)),
        C::OrxParallel => what.of(OrxParallel::new(workers)),
        C::Serial => panic!("{contender} shares nothing out"),
    }
}
