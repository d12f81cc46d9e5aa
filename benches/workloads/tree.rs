//! The sum of a binary tree, one join for each inner node.
//!
//! The nodes lie level by level. Depth first, the subtree of a node's second child would
//! lie far from the first, and a pool that happens to run the second child at once would
//! gain from the order, not from its scheduling.

use crate::common::pools::{Fork, Pool, Task};
use crate::common::size;
use crate::workloads::{About, ForkJoin, Unit};
use std::time::{Duration, Instant};

/// With links, as a tree has them, though in this layout they could be computed.
struct Node {
    value: u64,
    left: u32,
    right: u32,
}

const _: () = assert!(size_of::<Node>() == 16);

/// Instead of a link. The root is nobody's child.
const NONE: u32 = 0;

pub struct Tree {
    nodes: Vec<Node>,
    /// How often the pool is entered in a run.
    entries: u32,
}

impl Tree {
    /// 1,023 nodes: short enough that the way into the pool counts.
    pub fn small() -> Self {
        Self { nodes: nodes(1023), entries: size(500, 20) }
    }

    /// 16.8 million nodes, far beyond any cache.
    pub fn large() -> Self {
        Self { nodes: nodes(size((1 << 24) - 1, (1 << 16) - 1)), entries: 1 }
    }

    fn len(&self) -> u64 {
        self.nodes.len() as u64
    }
}

fn nodes(count: u32) -> Vec<Node> {
    let link = |child| if child < count { child } else { NONE };
    let node = |i: u32| Node { value: i.into(), left: link(2 * i + 1), right: link(2 * i + 2) };
    (0..count).map(node).collect()
}

impl ForkJoin for Tree {
    fn about(&self) -> About {
        let how = if self.entries == 1 { "level by level" } else { "entered from outside" };
        About {
            name: format!("sum of a tree of {} nodes, {how}", self.len()),
            unit: Unit::NanosPer("node", self.len() * u64::from(self.entries)),
        }
    }

    fn run(&self, pool: &impl Pool) -> Duration {
        let mut sum = 0;
        let start = Instant::now();
        for _ in 0..self.entries {
            sum += pool.enter(Sum { tree: self, at: 0 });
        }
        let took = start.elapsed();
        assert_eq!(sum, u64::from(self.entries) * (self.len() * (self.len() - 1) / 2));
        took
    }
}

/// Two words, so that every pool's joins hand it on in registers, as plain calls would.
struct Sum<'a> {
    tree: &'a Tree,
    at: u32,
}

impl Task for Sum<'_> {
    type Out = u64;

    fn run(self, fork: impl Fork) -> u64 {
        let Self { tree, at } = self;
        let node = &tree.nodes[at as usize];
        if node.left == NONE {
            return node.value;
        }
        let (left, right) = fork.join(Sum { tree, at: node.left }, Sum { tree, at: node.right });
        node.value + left + right
    }
}
