//! Who gets what is free, of those who wait for it.
//!
//! Fair is dominant resource fairness (Ghodsi et al., NSDI 2011): a tenant's share is that of the resource of which it
//! has the largest part, and the tenant with the smallest share, for its weight, is next.

use crate::policy::amounts::{Amounts, Resource};
use std::cmp::Ordering;
use std::cmp::Reverse;
use std::collections::VecDeque;

/// Who gets what is free, of those who wait for it.
///
/// Whatever it is, of one tenant's requests of the same priority the oldest is first, and one that doesn't fit lets others pass at most
/// 8 times: then what becomes free is kept for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum AllocationStrategy {
    /// The tenant that has the least, for its weight: of whatever it has the largest share of.
    #[default]
    Fair,
    /// Who has waited for longest.
    Fifo,
    /// Whose request has the highest priority; among equals who has waited for longest.
    Priority,
}

/// So many may pass one that waits.
const PASSES: u32 = 8;
/// Of a tenant. Amounts have 52 bits, and two of them and a weight are multiplied in 128.
pub const MOST_WEIGHT: u32 = (1 << 24) - 1;

/// One that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// By arrival.
    pub ticket: u64,
    pub tenant: usize,
    pub priority: u8,
    pub wants: Amounts,
    passed: u32,
}

impl Waiting {
    pub fn new(ticket: u64, tenant: usize, priority: u8, wants: Amounts) -> Self {
        Self { ticket, tenant, priority, wants, passed: 0 }
    }
}

/// What becomes of one that is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It has what it wants.
    Taken,
    /// It is asked to come for it.
    Fetched,
    /// It has been asked, and has not come yet: others may pass, as if it didn't fit.
    Offered,
}

/// What a tenant has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holding {
    pub weight: u32,
    pub has: Amounts,
}

#[derive(Debug, Default)]
pub struct Fairness {
    strategy: AllocationStrategy,
    /// By tenant, and there by priority and arrival.
    waiting: Vec<VecDeque<Waiting>>,
    /// What there is in all: who wants more is in nobody's way.
    total: Amounts,
    /// How many of the others wait for each resource, and for how much in all.
    wanted: [(usize, u128); Resource::ALL.len()],
    /// The heads, in the order in which they are looked at.
    heads: Vec<Waiting>,
}

impl Fairness {
    pub fn new(strategy: AllocationStrategy, total: Amounts) -> Self {
        Self { strategy, total, ..Self::default() }
    }

    /// There is so much in all from now on. Takes as long as the queue is.
    pub fn resize(&mut self, total: Amounts) {
        (self.total, self.wanted) = (total, Default::default());
        let all: Vec<_> = self.waiting.iter().flatten().map(|waiting| waiting.wants).collect();
        all.into_iter().for_each(|wants| self.count(wants, 1));
    }

    /// One that wants this has come, or gone.
    fn count(&mut self, wants: Amounts, by: isize) {
        if wants.fits(&self.total) {
            for (resource, amount) in wants.some() {
                let (count, sum) = &mut self.wanted[resource as usize];
                *count = count.wrapping_add_signed(by);
                *sum = sum.wrapping_add_signed(i128::from(amount) * by as i128);
            }
        }
    }

    pub fn join(&mut self, waiting: Waiting) {
        let tenant = waiting.tenant;
        if self.waiting.len() <= tenant {
            self.waiting.resize_with(tenant + 1, VecDeque::new);
        }
        let queue = &mut self.waiting[tenant];
        let by_priority = self.strategy == AllocationStrategy::Priority;
        let key = |w: &Waiting| (Reverse(if by_priority { w.priority } else { 0 }), w.ticket);
        let at = queue.partition_point(|other| key(other) < key(&waiting));
        queue.insert(at, waiting);
        self.count(waiting.wants, 1);
    }

    /// It waits no more.
    pub fn leave(&mut self, tenant: usize, ticket: u64) -> Option<Waiting> {
        let queue = self.waiting.get_mut(tenant)?;
        // Most are at the front, or near it.
        let left = queue.remove(queue.iter().position(|waiting| waiting.ticket == ticket)?)?;
        self.count(left.wants, -1);
        Some(left)
    }

    /// Whether this tenant waits for anything.
    #[cfg(test)]
    pub fn waits(&self, tenant: usize) -> bool {
        self.waiting.get(tenant).is_some_and(|queue| !queue.is_empty())
    }

    /// A bit for each resource for which anybody waits.
    pub fn wanted(&self) -> u32 {
        let wanted =
            Resource::ALL.into_iter().filter(|&resource| self.wanted[resource as usize].0 > 0);
        wanted.map(|resource| 1 << resource as u32).sum()
    }

    /// What all who wait want, but for those who want more than there is.
    pub fn all_wanted(&self) -> Amounts {
        let sum = |resource: Resource| u64::try_from(self.wanted[resource as usize].1);
        Amounts::NONE.each(|resource, _| sum(resource).unwrap_or(u64::MAX))
    }

    /// Takes out who is next, if anybody can be. `turn` says, by the ticket, what becomes of one.
    pub fn next(
        &mut self,
        mut free: Amounts,
        holding: impl Fn(usize) -> Holding,
        turn: impl Fn(u64) -> Turn,
    ) -> Option<Waiting> {
        self.heads.clear();
        let (total, mut offered) = (&self.total, Amounts::NONE);
        for queue in &self.waiting {
            // Who wants more than there is in all by now is in nobody's way.
            for waiting in queue.iter().filter(|waiting| waiting.wants.fits(total)) {
                self.heads.push(*waiting);
                if turn(waiting.ticket) != Turn::Offered {
                    break;
                }
                offered = offered.plus(waiting.wants);
            }
        }
        let strategy = self.strategy;
        self.heads.sort_unstable_by(|a, b| {
            let first = match strategy {
                AllocationStrategy::Fair => {
                    compare_shares(total, &holding(a.tenant), &holding(b.tenant))
                }
                AllocationStrategy::Fifo => Ordering::Equal,
                AllocationStrategy::Priority => b.priority.cmp(&a.priority),
            };
            first.then(a.ticket.cmp(&b.ticket))
        });
        let mut next = None;
        for (at, head) in self.heads.iter().enumerate() {
            let fits = match turn(head.ticket) {
                Turn::Taken => head.wants.fits(&free),
                // No more is offered than there is.
                Turn::Fetched => head.wants.fits(&free.minus(offered)),
                Turn::Offered => false,
            };
            if fits {
                next = Some(at);
                break;
            }
            if head.passed >= PASSES {
                // What is left beyond it may go to others.
                free = free.minus(head.wants);
            }
        }
        let next = next?;
        let chosen = self.heads[next];
        for head in &self.heads[..next] {
            // Who wants nothing of what is granted isn't passed; nor who has been offered all that it wants beside that.
            let beside = turn(head.ticket) == Turn::Offered && turn(chosen.ticket) == Turn::Fetched;
            if !beside && head.wants.mask() & chosen.wants.mask() != 0 {
                let mut queue = self.waiting[head.tenant].iter_mut();
                queue
                    .find(|waiting| waiting.ticket == head.ticket)
                    .into_iter()
                    .for_each(|w| w.passed += 1);
            }
        }
        self.leave(chosen.tenant, chosen.ticket)
    }
}

/// By how large a part they have of whatever they have the largest part of, for their weight.
fn compare_shares(total: &Amounts, a: &Holding, b: &Holding) -> Ordering {
    let (a_has, a_of) = dominant(total, &a.has);
    let (b_has, b_of) = dominant(total, &b.has);
    let left = u128::from(a_has) * u128::from(b_of) * u128::from(b.weight);
    left.cmp(&(u128::from(b_has) * u128::from(a_of) * u128::from(a.weight)))
}

/// What it has of the resource of which it has the largest part, and how much there is of that.
fn dominant(total: &Amounts, has: &Amounts) -> (u64, u64) {
    let part = |resource: Resource| (has.of(resource), total.of(resource));
    let parts = Resource::ALL.into_iter().map(part).filter(|&(_, of)| of > 0);
    let larger = |a: (u64, u64), b: (u64, u64)| {
        let (left, right) = (u128::from(a.0) * u128::from(b.1), u128::from(b.0) * u128::from(a.1));
        if left >= right { a } else { b }
    };
    parts.reduce(larger).unwrap_or((0, 1))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{
        AllocationStrategy, Amounts, Fairness, Holding, MOST_WEIGHT, PASSES, Turn, Waiting,
    };
    use crate::policy::amounts::{MOST, Resource};
    use proptest::prelude::*;
    use std::cmp::Ordering;

    fn amounts(cpu: u64, memory: u64) -> Amounts {
        Amounts::NONE.with(Resource::Cpu, cpu).with(Resource::Memory, memory)
    }

    /// Tenants whose requests never end, and what each has in the end, in tasks.
    struct Play {
        fairness: Fairness,
        free: Amounts,
        holdings: Vec<Holding>,
        granted: Vec<u64>,
    }

    impl Play {
        fn new(strategy: AllocationStrategy, total: Amounts, weights: &[u32]) -> Self {
            let holding = |&weight| Holding { weight, has: Amounts::NONE };
            Self {
                fairness: Fairness::new(strategy, total),
                free: total,
                holdings: weights.iter().map(holding).collect(),
                granted: vec![0; weights.len()],
            }
        }

        fn step(&mut self) -> Option<Waiting> {
            let holdings = &self.holdings;
            let next = self.fairness.next(self.free, |tenant| holdings[tenant], |_| Turn::Taken)?;
            assert!(next.wants.fits(&self.free), "more than there is");
            self.free = self.free.minus(next.wants);
            let holding = &mut self.holdings[next.tenant];
            holding.has = holding.has.plus(next.wants);
            self.granted[next.tenant] += 1;
            Some(next)
        }

        fn give_back(&mut self, tenant: usize, amounts: Amounts) {
            self.free = self.free.plus(amounts);
            let holding = &mut self.holdings[tenant];
            holding.has = holding.has.minus(amounts);
        }
    }

    fn tasks(total: Amounts, wants: &[Amounts], weights: &[u32], order: &[usize]) -> Vec<u64> {
        let mut play = Play::new(AllocationStrategy::Fair, total, weights);
        let mut ticket = 0;
        for _ in 0..200 {
            for &tenant in order {
                play.fairness.join(Waiting::new(ticket, tenant, 0, wants[tenant]));
                ticket += 1;
            }
        }
        while play.step().is_some() {}
        play.granted
    }

    #[test]
    fn the_paper_s_examples_come_out_in_every_order_of_arrival() {
        for order in [[0, 1], [1, 0]] {
            let wants = [amounts(1, 4), amounts(3, 1)];
            assert_eq!(tasks(amounts(9, 18), &wants, &[1, 1], &order), [3, 2]);
            let wants = [amounts(2, 300), amounts(6, 100)];
            assert_eq!(tasks(amounts(100, 10_000), &wants, &[1, 1], &order), [20, 10]);
        }
    }

    #[test]
    fn who_weighs_twice_as_much_has_twice_as_much() {
        let wants = [amounts(1, 0), amounts(1, 0)];
        assert_eq!(tasks(amounts(30, 1), &wants, &[2, 1], &[1, 0]), [20, 10]);
        let most = amounts(MOST, MOST);
        let wants = [amounts(MOST / 8, 0), amounts(0, MOST / 8)];
        let weights = [MOST_WEIGHT, MOST_WEIGHT];
        assert_eq!(tasks(most, &wants, &weights, &[0, 1]), [8, 8], "no overflow");
    }

    #[test]
    fn a_large_request_is_passed_eight_times_and_then_waited_for() {
        for strategy in
            [AllocationStrategy::Fair, AllocationStrategy::Fifo, AllocationStrategy::Priority]
        {
            let mut play = Play::new(strategy, amounts(10, 0), &[1, 1]);
            play.holdings[1].has = amounts(1, 0);
            play.free = amounts(9, 0);
            play.fairness.join(Waiting::new(0, 0, 0, amounts(10, 0)));
            for ticket in 1..100 {
                play.fairness.join(Waiting::new(ticket, 1, 0, amounts(1, 0)));
            }
            let mut passes = 0;
            // One goes, another comes.
            while play.step().is_some_and(|next| next.tenant == 1) {
                passes += 1;
                play.give_back(1, amounts(1, 0));
            }
            assert_eq!(passes, PASSES, "{strategy:?}");
            play.give_back(1, amounts(1, 0));
            assert_eq!(play.step().map(|next| next.ticket), Some(0), "{strategy:?}");
        }
    }

    #[test]
    fn what_a_large_one_does_not_need_goes_to_others() {
        let mut play = Play::new(AllocationStrategy::Fair, amounts(10, 10), &[1, 1, 1]);
        play.free = amounts(5, 10);
        play.fairness.join(Waiting::new(0, 0, 0, amounts(10, 0)));
        for ticket in 1..=20 {
            play.fairness.join(Waiting::new(ticket, 1, 0, amounts(0, 1)));
        }
        while play.step().is_some() {}
        assert_eq!(play.granted, [0, 10, 0]);
        play.fairness.join(Waiting::new(21, 2, 0, amounts(5, 0)));
        assert_eq!(play.step().map(|next| next.ticket), Some(21), "nor has it been passed by them");
    }

    #[test]
    fn whom_all_is_offered_that_it_wants_is_not_passed_by_one_that_has_come_for_what_is_beside() {
        let passed = |head, chosen, free| {
            let mut fairness = Fairness::new(AllocationStrategy::Fair, amounts(10, 10));
            fairness.join(Waiting::new(0, 0, 0, amounts(6, 0)));
            fairness.join(Waiting::new(1, 1, 0, amounts(1, 0)));
            let holding = |_| Holding { weight: 1, has: Amounts::NONE };
            let turn = |ticket| if ticket == 0 { head } else { chosen };
            assert_eq!(
                fairness.next(amounts(free, 0), holding, turn).map(|next| next.ticket),
                Some(1)
            );
            fairness.leave(0, 0).unwrap().passed
        };
        assert_eq!(passed(Turn::Offered, Turn::Fetched, 7), 0);
        assert_eq!(passed(Turn::Offered, Turn::Taken, 7), 1);
        assert_eq!(passed(Turn::Taken, Turn::Fetched, 5), 1);
    }

    #[test]
    fn the_first_and_the_most_important_come_first_if_that_is_asked_for() {
        let order = |strategy| {
            let mut play = Play::new(strategy, amounts(4, 0), &[1, 1]);
            for (ticket, tenant, priority) in [(0, 0, 1), (1, 0, 2), (2, 1, 1), (3, 0, 2)] {
                play.fairness.join(Waiting::new(ticket, tenant, priority, amounts(1, 0)));
            }
            let mut order = Vec::new();
            order.extend(std::iter::from_fn(|| play.step()).map(|next| next.ticket));
            order
        };
        assert_eq!(order(AllocationStrategy::Fair), [0, 2, 1, 3]);
        assert_eq!(order(AllocationStrategy::Fifo), [0, 1, 2, 3]);
        assert_eq!(order(AllocationStrategy::Priority), [1, 3, 0, 2]);
    }

    #[test]
    fn of_what_there_is_none_nobody_has_a_part() {
        let mut play = Play::new(AllocationStrategy::Fair, amounts(0, 10), &[1, 1]);
        play.holdings[0].has = amounts(0, 4);
        play.free = amounts(0, 6);
        for tenant in [0, 1] {
            play.fairness.join(Waiting::new(tenant as u64, tenant, 0, amounts(0, 1)));
        }
        assert_eq!(play.step().map(|next| next.tenant), Some(1));
    }

    #[test]
    fn what_is_wanted_changes_with_those_who_wait_and_with_what_there_is() {
        let mut fairness = Fairness::new(AllocationStrategy::Fair, amounts(10, 4));
        fairness.join(Waiting::new(0, 0, 0, amounts(8, 0)));
        fairness.join(Waiting::new(1, 1, 0, amounts(3, 2)));
        let with = |fairness: &mut Fairness, total| {
            fairness.resize(amounts(total, 4));
            fairness.all_wanted()
        };
        assert_eq!(fairness.all_wanted(), amounts(11, 2));
        assert_eq!(
            [6, 10].map(|total| with(&mut fairness, total)),
            [amounts(3, 2), amounts(11, 2)]
        );
        fairness.leave(0, 0);
        assert_eq!((fairness.all_wanted(), fairness.wanted()), (amounts(3, 2), 0b11));
    }

    #[test]
    fn who_leaves_waits_no_more() {
        let mut play = Play::new(AllocationStrategy::Fair, amounts(1, 0), &[1, 1]);
        play.fairness.join(Waiting::new(0, 1, 0, amounts(1, 0)));
        assert_eq!((play.fairness.wanted(), play.fairness.waits(1)), (1, true));
        play.fairness.leave(1, 0);
        play.fairness.leave(7, 0);
        assert!(play.step().is_none() && !play.fairness.waits(1) && play.fairness.wanted() == 0);
    }

    /// A share as a fraction, in lowest terms: another way to the same order.
    fn share(total: &Amounts, holding: &Holding) -> (u128, u128) {
        let mut best = (0, 1);
        for resource in Resource::ALL {
            let (has, of) = (u128::from(holding.has.of(resource)), u128::from(total.of(resource)));
            if of > 0 && has * best.1 > best.0 * of {
                best = (has, of);
            }
        }
        (best.0, best.1 * u128::from(holding.weight))
    }

    fn compare(a: (u128, u128), b: (u128, u128)) -> Ordering {
        (a.0 * b.1).cmp(&(b.0 * a.1))
    }

    fn any_amounts(most: u64) -> impl Strategy<Value = Amounts> {
        (0..=most, 0..=most).prop_map(|(cpu, memory)| amounts(cpu, memory))
    }

    proptest! {
        /// Of those that fit, it is always the one with the least share, and who came first among equals.
        #[test]
        fn it_is_whom_one_finds_by_looking_at_all(
            total in any_amounts(20),
            tenants in proptest::collection::vec((1..4_u32, any_amounts(6)), 1..4),
            order in proptest::collection::vec(0..4_usize, 0..20),
        ) {
            let weights: Vec<_> = tenants.iter().map(|tenant| tenant.0).collect();
            let mut play = Play::new(AllocationStrategy::Fair, total, &weights);
            let mut waiting: Vec<Waiting> = Vec::new();
            for (ticket, tenant) in order.into_iter().enumerate() {
                let tenant = tenant % tenants.len();
                let one = Waiting::new(ticket as u64, tenant, 0, tenants[tenant].1);
                play.fairness.join(one);
                waiting.push(one);
            }
            loop {
                let is_head = |one: &&Waiting| {
                    waiting.iter().all(|other| other.tenant != one.tenant || other.ticket >= one.ticket)
                };
                let fitting = waiting.iter().filter(is_head).filter(|one| one.wants.fits(&play.free));
                let expected = fitting.min_by(|a, b| {
                    let of = |one: &Waiting| share(&total, &play.holdings[one.tenant]);
                    compare(of(a), of(b)).then(a.ticket.cmp(&b.ticket))
                });
                let expected = expected.map(|one| one.ticket);
                let passed = play.fairness.waiting.iter().flatten().any(|one| one.passed >= PASSES);
                let next = play.step().map(|next| next.ticket);
                if passed {
                    break;
                }
                prop_assert_eq!(next, expected);
                let Some(ticket) = next else { break };
                waiting.retain(|one| one.ticket != ticket);
            }
        }

        /// Tenants that always want more have the same share, but for one task.
        #[test]
        fn shares_differ_by_one_task_at_most(
            total in (20..200_u64, 20..200_u64),
            tenants in proptest::collection::vec((1..4_u32, any_amounts(10)), 2..5),
        ) {
            let total = amounts(total.0, total.1);
            let wants: Vec<_> = tenants.iter().map(|tenant| tenant.1).collect();
            prop_assume!(wants.iter().all(|wants| wants.some().count() == 2));
            let weights: Vec<_> = tenants.iter().map(|tenant| tenant.0).collect();
            let mut play = Play::new(AllocationStrategy::Fair, total, &weights);
            for ticket in 0..1000 {
                let tenant = ticket as usize % wants.len();
                play.fairness.join(Waiting::new(ticket, tenant, 0, wants[tenant]));
            }
            loop {
                // As long as everybody's next one fits, nobody is held up.
                if !wants.iter().all(|wants| wants.fits(&play.free)) {
                    break;
                }
                play.step().unwrap();
            }
            let as_number = |(has, of): (u128, u128)| has as f64 / of as f64;
            let shares = play.holdings.iter().map(|holding| as_number(share(&total, holding)));
            let one_task = wants.iter().zip(&weights).map(|(&has, &weight)| {
                as_number(share(&total, &Holding { weight, has }))
            });
            let largest = one_task.fold(0.0, f64::max);
            let (least, most) = shares.fold((f64::MAX, 0.0_f64), |(least, most), share| {
                (least.min(share), most.max(share))
            });
            prop_assert!(most - least <= largest + 1e-9, "{least} to {most}, {largest} a task");
        }
    }
}
