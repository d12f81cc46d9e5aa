//! All that is measured.

use crate::contender::{Contender, Contender::*, JOINING, REGIONAL, SCOPED, SPAWNING};
use crate::pools::forte::SEATS;
use crate::report::Report;
use crate::workloads::deep::Deep;
use crate::workloads::fib::Fib;
use crate::workloads::leaves::{Detached, Leaves};
use crate::workloads::queens::Queens;
use crate::workloads::sort::Sort;
use crate::workloads::spawn::{Nested, Outside};
use crate::workloads::tree::Tree;
use crate::workloads::uts::Uts;
use crate::{idle, latency, memory, region, timed};
use std::fmt;
use std::time::Duration;

/// A piece of work, and who does it.
pub struct Row {
    pub name: &'static str,
    pub pools: &'static [Contender],
    /// References and the like, which a section shows before the pools.
    pub others: &'static [Contender],
    /// Numbers of workers; of a growth, whatever grows.
    pub workers: &'static [usize],
    /// Who can have so many workers.
    pub able: fn(Contender, usize) -> bool,
    /// The figures of each report, in this order.
    pub figures: &'static [&'static str],
    /// Long rows don't need as many rounds.
    pub rounds: usize,
    /// How long one measurement takes, at most.
    pub expected: Duration,
    pub measure: fn(Contender, usize) -> Report,
}

/// Rows that have one table.
pub struct Section {
    pub title: &'static str,
    pub reference: Reference,
    pub rows: &'static [Row],
}

/// What filch's figures are held against, beside its peers.
#[derive(Clone, Copy, PartialEq)]
pub enum Reference {
    /// An even share of the serial time for each worker that has a CPU.
    Share,
    RawFutex,
}

impl Reference {
    pub fn name(self) -> &'static str {
        match self {
            Self::Share => "serial share",
            Self::RawFutex => "raw futex",
        }
    }
}

const fn row(
    name: &'static str,
    pools: &'static [Contender],
    workers: &'static [usize],
    measure: fn(Contender, usize) -> Report,
) -> Row {
    Row {
        name,
        pools,
        others: &[],
        workers,
        able: |_, _| true,
        figures: &[""],
        rounds: usize::MAX,
        expected: Duration::from_secs(5),
        measure,
    }
}

impl Row {
    const fn beside(mut self, others: &'static [Contender]) -> Self {
        self.others = others;
        self
    }

    const fn only(mut self, able: fn(Contender, usize) -> bool) -> Self {
        self.able = able;
        self
    }

    const fn with(mut self, figures: &'static [&'static str]) -> Self {
        self.figures = figures;
        self
    }

    const fn at_most(mut self, rounds: usize) -> Self {
        self.rounds = rounds;
        self
    }

    const fn lasting(mut self, seconds: u64) -> Self {
        self.expected = Duration::from_secs(seconds);
        self
    }

    pub fn contenders(&self) -> impl Iterator<Item = Contender> {
        self.others.iter().chain(self.pools).copied()
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let pools: Vec<_> = self.contenders().map(|it| it.to_string()).collect();
        write!(f, "{}: {}; {:?}", self.name, pools.join(", "), self.workers)
    }
}

pub const SECTIONS: &[Section] = &[
    Section {
        title: "Joins",
        reference: Reference::Share,
        rows: &[
            row("fib", JOINING, &[1, 2, 8], |c, w| timed::joins(Fib::new(), c, w)),
            row("small-tree", JOINING, &[1, 2, 8], |c, w| timed::joins(Tree::small(), c, w)),
            row("large-tree", JOINING, &[1, 2], |c, w| timed::joins(Tree::large(), c, w)),
            row("queens", JOINING, &[2], |c, w| timed::joins(Queens::new(), c, w)),
            row("uts", JOINING, &[2], |c, w| timed::joins(Uts::new(), c, w)),
            row("quicksort", JOINING, &[2], |c, w| timed::joins(Sort::new(), c, w)).at_most(3),
            row("leaves-2", JOINING, &[2], |c, w| timed::joins(Leaves::new(2), c, w)),
            row("leaves-16", JOINING, &[2], |c, w| timed::joins(Leaves::new(16), c, w)),
            row("leaves-128", JOINING, &[2], |c, w| timed::joins(Leaves::new(128), c, w)),
        ],
    },
    Section {
        title: "Tasks",
        reference: Reference::Share,
        rows: &[
            row("detached-leaves", SPAWNING, &[2], |c, w| {
                timed::tasks(Detached(Leaves::new(16)), c, w)
            })
            .beside(&[Serial]),
            row("spawn-outside", SPAWNING, &[1, 2, 8], |c, w| timed::tasks(Outside::new(), c, w)),
            row("spawn-nested", SPAWNING, &[1, 2], |c, w| timed::tasks(Nested::new(), c, w)),
            row("scope-tree", SCOPED, &[1, 2], timed::scope_tree),
            row("pending-tasks", SPAWNING, &[1], memory::pending).at_most(1),
        ],
    },
    Section {
        title: "Waits",
        reference: Reference::RawFutex,
        rows: &[
            row("wake", SPAWNING, &[2, 8], latency::wakes).beside(FUTEXES).with(WAKES),
            row("fairness", SPAWNING, &[2, 8], latency::fairness)
                .beside(&[FilchFloating])
                .with(FAIRNESS),
            row("ticks", SPAWNING, &[2], idle::ticks).beside(FUTEXES).at_most(2),
        ],
    },
    Section {
        title: "Regions, and pools as such",
        reference: Reference::RawFutex,
        rows: &[
            row("region", REGIONAL, &[2, 8], region::regions).beside(FUTEXES).with(REGION),
            row("idle", REGIONAL, &[2], idle::idle).beside(&[RawFutex]).at_most(1).lasting(25),
            row("pool-size", REGIONAL, &[2], memory::of_pool).at_most(1),
        ],
    },
];

const FUTEXES: &[Contender] = &[RawFutex, RawFutexFloating, FilchFloating];

const WAKES: &[&str] = &["p50", "p99", "the call that spawns, p50", "the call that spawns, p99"];
const FAIRNESS: &[&str] = &["p50", "p99", "begun after their end"];
const REGION: &[&str] = &["p50", "p99", "CPU time"];

/// How a cost grows with something, for a plot only.
pub struct Growth {
    pub title: &'static str,
    pub x: &'static str,
    pub row: Row,
}

pub const GROWTHS: &[Growth] = &[
    Growth {
        title: "A join of fib, by workers",
        x: "workers",
        row: row("grow-fib", &[Filch, Rayon, Chili, Forte], &[1, 2, 4, 8, 16, 32, 64], |c, w| {
            timed::joins(Fib::new(), c, w)
        })
        .only(|contender, workers| contender != Forte || workers <= SEATS)
        .at_most(3),
    },
    Growth {
        title: "A task spawned from outside, by tasks",
        x: "tasks",
        row: row(
            "grow-spawn",
            &[Filch, Rayon, Tokio],
            &[1_000, 10_000, 100_000, 1_000_000, 10_000_000],
            |c, tasks| timed::tasks(Outside::of(tasks as u64), c, 2),
        )
        .at_most(2)
        .lasting(20),
    },
    Growth {
        title: "A join, by how deep joins are nested",
        x: "joins nested",
        row: row(
            "grow-depth",
            &[Filch, Rayon, Chili, Forte],
            &[1, 10, 100, 1_000, 10_000],
            |c, d| timed::joins(Deep::of(d as u64), c, 2),
        )
        .at_most(3),
    },
];

pub fn all() -> impl Iterator<Item = &'static Row> {
    let sections = SECTIONS.iter().flat_map(|section| section.rows);
    sections.chain(GROWTHS.iter().map(|growth| &growth.row))
}
