//! Who gets leases of a real pool, of tenants who always want more.
#![cfg(all(not(loom), not(miri)))]

mod common;

use common::*;
use filch::{Acquire, Lease, Request, Resource, Tenant};
use proptest::prelude::*;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

fn poll(acquire: &mut Acquire) -> Option<Lease> {
    match pin!(acquire).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(lease) => Some(lease),
        Poll::Pending => None,
    }
}

/// One who always has requests in the queue, more than can be granted at a time.
struct Backlogged {
    tenant: Tenant,
    request: Request,
    waiting: VecDeque<Acquire>,
    leases: Vec<Lease>,
}

impl Backlogged {
    fn new(pool: &Pool, weight: u32, request: &Request) -> Self {
        let tenant = pool.tenant(weight);
        let request = request.clone().tenant(&tenant);
        Self { tenant, request, waiting: VecDeque::new(), leases: Vec::new() }
    }

    fn ask(&mut self, pool: &Pool) {
        while self.waiting.len() < 60 {
            self.waiting.push_back(pool.acquire_async(&self.request).unwrap());
        }
    }

    /// Takes what has been granted, in its order, and asks for as much again. Returns whether there was any.
    fn take(&mut self, pool: &Pool) -> bool {
        let before = self.leases.len();
        while let Some(lease) = self.waiting.front_mut().and_then(poll) {
            self.waiting.pop_front();
            self.leases.push(lease);
            self.ask(pool);
        }
        self.leases.len() > before
    }

    fn fits(&self, pool: &Pool) -> bool {
        let wants = |resource| self.request.amount(resource);
        [Resource::Cpu, Resource::Memory]
            .iter()
            .all(|&resource| wants(resource) <= pool.budget(resource).free)
    }
}

fn settle(pool: &Pool, all: &mut [Backlogged]) {
    while all.iter_mut().map(|one| one.take(pool)).fold(false, |any, took| any | took) {}
}

/// One lease of one of them.
fn give_back(all: &mut [Backlogged], whose: usize, which: prop::sample::Index) {
    let at = whose % all.len();
    let leases = &mut all[at].leases;
    if !leases.is_empty() {
        drop(leases.swap_remove(which.index(leases.len())));
    }
}

fn pool(cpu: u64, memory: u64) -> Pool {
    Pool::from(builder(1).budget(Resource::Cpu, cpu).budget(Resource::Memory, memory))
}

/// All ask while somebody has everything, in this order. Then that is given back.
fn fill(pool: &Pool, all: &mut [Backlogged], order: &[usize]) {
    let [cpu, memory] = [Resource::Cpu, Resource::Memory].map(|of| pool.budget(of).total);
    let everything = pool.try_acquire(&Request::new().cpu(cpu).memory(memory)).unwrap();
    order.iter().for_each(|&at| all[at].ask(pool));
    drop(everything);
    settle(pool, all);
}

#[test]
fn the_paper_s_examples_come_out_in_every_order_of_arrival() {
    for (total, wants, expected) in
        [((9, 18), [(1, 4), (3, 1)], [3, 2]), ((100, 10_000), [(2, 300), (6, 100)], [20, 10])]
    {
        for order in [[0, 1], [1, 0]] {
            let pool = pool(total.0, total.1);
            let new =
                |(cpu, memory)| Backlogged::new(&pool, 1, &Request::new().cpu(cpu).memory(memory));
            let mut all = wants.map(new);
            fill(&pool, &mut all, &order);
            assert_eq!(all.each_ref().map(|one| one.leases.len()), expected, "{order:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn shares_differ_by_one_task_at_most_whatever_is_given_back(
        weights in prop::collection::vec(1..5_u32, 2..5),
        given_back in prop::collection::vec((0..5_usize, any::<prop::sample::Index>()), 0..60),
    ) {
        let pool = pool(24, 1);
        let new = |&weight| Backlogged::new(&pool, weight, &Request::new().cpu(1));
        let mut all: Vec<_> = weights.iter().map(new).collect();
        let order: Vec<_> = (0..all.len()).collect();
        fill(&pool, &mut all, &order);
        for (whose, which) in given_back {
            give_back(&mut all, whose, which);
            settle(&pool, &mut all);
            prop_assert_eq!(pool.budget(Resource::Cpu).free, 0);
            for (a, b) in all.iter().flat_map(|a| all.iter().map(move |b| (a, b))) {
                let [a_has, b_has] = [a, b].map(|one| one.tenant.has(Resource::Cpu));
                prop_assert_eq!(a_has, a.leases.len() as u64);
                let [a_weight, b_weight] = [a, b].map(|one| u64::from(one.tenant.weight()));
                let one_less = a_has.saturating_sub(1);
                prop_assert!(one_less * b_weight <= b_has * a_weight, "{a_has} {b_has} {weights:?}");
            }
        }
    }

    #[test]
    fn nobody_waits_where_all_fit(
        wants in prop::collection::vec((0..4_u64, 1..4_u64), 1..5),
        given_back in prop::collection::vec((0..5_usize, any::<prop::sample::Index>()), 0..40),
    ) {
        let pool = pool(10, 12);
        let new = |&(cpu, memory)| {
            Backlogged::new(&pool, 1, &Request::new().cpu(cpu).memory(memory))
        };
        let mut all: Vec<_> = wants.iter().map(new).collect();
        let order: Vec<_> = (0..all.len()).collect();
        fill(&pool, &mut all, &order);
        for (whose, which) in given_back {
            give_back(&mut all, whose, which);
            settle(&pool, &mut all);
            // Somebody doesn't fit, for whom the rest may be kept.
            prop_assert!(all.iter().any(|one| !one.fits(&pool)));
            for resource in [Resource::Cpu, Resource::Memory] {
                let held = all.iter().flat_map(|one| &one.leases).map(|l| l.amount(resource));
                let budget = pool.budget(resource);
                prop_assert_eq!(held.sum::<u64>() + budget.free, budget.total);
            }
        }
    }
}
