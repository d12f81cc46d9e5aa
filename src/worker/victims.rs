//! The policy by which workers are chosen, and what is known of each: a table that is replaced when the policy
//! is, and now and then by the governor.
//!
//! Tests: tests/victims.rs.

use crate::policy::victim::{Candidate, VictimPolicy};
use crate::primitive::epoch_cell::EpochCell;
use crate::sync::statistic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

pub struct Victims {
    /// Whether all are alike, so that nobody needs the table.
    simple: AtomicU32,
    table: EpochCell<Table>,
    /// Held by whoever replaces it.
    replacing: Mutex<()>,
    /// Whose turn it is to be given work.
    turn: AtomicU32,
}

#[derive(Clone)]
pub struct Table {
    pub policy: VictimPolicy,
    /// By index; no load. Those beyond are as new.
    known: Box<[Candidate]>,
    /// For how long a worker leaves work to others.
    pub moment: Duration,
}

/// The least and the most of that. It is some times as long as a task takes, so that a healthy worker can end the
/// one that it has begun and take what waits; but it must cost little where one task is much longer than others.
const MOMENTS: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(20)];
pub(super) const TASKS: u32 = 4;

impl Table {
    /// Its load not looked at.
    pub fn candidate(&self, worker: usize) -> Candidate {
        self.known.get(worker).copied().unwrap_or_else(|| Candidate::new(worker))
    }
}

impl Victims {
    pub fn new(policy: VictimPolicy) -> Self {
        Self {
            simple: AtomicU32::new(policy.is_simple().into()),
            table: EpochCell::new(Table { policy, known: Box::default(), moment: MOMENTS[0] }),
            replacing: Mutex::new(()),
            turn: AtomicU32::new(0),
        }
    }

    #[inline]
    pub fn is_simple(&self) -> bool {
        self.simple.load(Ordering::Relaxed) != 0
    }

    pub fn policy(&self) -> VictimPolicy {
        self.table.with(|table| table.policy.clone())
    }

    pub fn set_policy(&self, policy: VictimPolicy) {
        self.replace(|table| table.policy = policy);
    }

    /// What is known of the workers by now, by index, and how long a task takes.
    pub fn rebalance(&self, known: Box<[Candidate]>, task: Duration) {
        let [least, most] = MOMENTS;
        self.replace(|table| {
            table.known = known;
            table.moment = task.saturating_mul(TASKS).clamp(least, most);
        });
    }

    fn replace(&self, change: impl FnOnce(&mut Table)) {
        let _replacing = self.replacing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut table = self.table.with(Table::clone);
        change(&mut table);
        let simple = table.policy.is_simple();
        self.table.set(table);
        self.simple.store(simple.into(), Ordering::Relaxed);
    }

    pub fn with<R>(&self, read: impl FnOnce(&Table) -> R) -> R {
        self.table.with(read)
    }

    pub fn next_turn(&self) -> usize {
        self.turn.fetch_add(1, Ordering::Relaxed) as usize
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{MOMENTS, TASKS, Victims};
    use crate::policy::victim::{Candidate, VictimPolicy};
    use std::time::Duration;

    #[test]
    fn the_table_is_kept_when_the_policy_changes_and_the_policy_when_the_table_does() {
        let victims = Victims::new(VictimPolicy::RoundRobin);
        assert!(victims.is_simple());
        victims.set_policy(VictimPolicy::LeastLoaded);
        assert!(!victims.is_simple() && victims.policy() == VictimPolicy::LeastLoaded);
        let ill = Candidate { health: 0.25, ..Candidate::new(1) };
        let task = Duration::from_millis(2);
        victims.rebalance(Box::new([Candidate::new(0), ill]), task);
        assert!(victims.policy() == VictimPolicy::LeastLoaded);
        victims.set_policy(VictimPolicy::RoundRobin);
        assert!(victims.is_simple());
        victims.with(|table| {
            assert_eq!((table.candidate(1), table.moment), (ill, TASKS * task));
            assert_eq!(table.candidate(2), Candidate::new(2), "nothing is known of it");
        });
    }

    #[test]
    fn a_moment_is_neither_too_short_nor_too_long() {
        let victims = Victims::new(VictimPolicy::HealthWeighted);
        let [least, most] = MOMENTS;
        for (task, moment) in [(Duration::ZERO, least), (Duration::MAX, most), (most / 8, most / 2)]
        {
            victims.rebalance(Box::default(), task);
            assert_eq!(victims.with(|table| table.moment), moment);
        }
    }

    #[test]
    fn each_turn_is_another() {
        let victims = Victims::new(VictimPolicy::RoundRobin);
        assert_eq!([(); 3].map(|()| victims.next_turn()), [0, 1, 2]);
    }
}
