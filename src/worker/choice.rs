//! Whom workers take work from, wake, give work to alone and leave it to: asks the policy, with what is known of
//! each. What changes by the moment is read when it is asked.
//!
//! A policy says only who comes first. So nothing depends on it: a thief that finds nothing there looks at
//! all others, and a worker that leaves work to others does so for a moment.

use crate::policy::victim::{Candidate, ChooseVictim, VictimPolicy};
use crate::sync::park_timeout;
use crate::telemetry::activity::Status;
use crate::worker::local::Local;
use crate::worker::remote::Remote;
use crate::worker::shared::Shared;
use crate::worker::victims::Table;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// So many are looked at for a choice: all if there are no more, else [`SAMPLE`].
const FEW: usize = 4;
/// Two at random are hardly worse than all (Mitzenmacher 2001), and cost the same however many there are.
const SAMPLE: usize = 2;
/// For how long a worker leaves work to others.
const LEAVES: Duration = Duration::from_millis(1);

fn loaded(table: &Table, remote: &Remote) -> Candidate {
    let hides = usize::from(remote.lane.has_hidden());
    let runs = usize::from(remote.activity.is(Status::Running));
    Candidate { load: remote.queued() + hides + runs, ..table.candidate(remote.index) }
}

impl Shared {
    /// What the policy says; none if it panics, and then it isn't asked again.
    fn ask<R>(&self, question: impl FnOnce(&Table) -> R) -> Option<R> {
        let ask = AssertUnwindSafe(|| self.victims.with(question));
        let answer = catch_unwind(ask);
        if answer.is_err() {
            self.common.policy_panics.bump_shared();
            self.victims.set_policy(VictimPolicy::RoundRobin);
        }
        answer.ok()
    }

    /// Picks an idle worker to be woken.
    pub(super) fn wake_one(&self) -> Option<usize> {
        if self.victims.is_simple() {
            return self.idle.wake_one();
        }
        let class = |table: &Table, worker| table.policy.wake(&table.candidate(worker));
        let woken = self.ask(|table| self.idle.wake_one_by(|worker| class(table, worker)));
        woken.unwrap_or_else(|| self.idle.wake_one())
    }

    /// The worker that a task is to go to alone.
    pub fn place(&self) -> usize {
        let turn = self.victims.next_turn();
        let regulars = &self.regulars;
        if self.victims.is_simple() {
            return turn % regulars.len();
        }
        let place = self.ask(|table| {
            let few = regulars.len() <= FEW;
            let mut candidates = [Candidate::new(0); FEW];
            let among = if few { regulars.len() } else { SAMPLE };
            for (at, candidate) in candidates[..among].iter_mut().enumerate() {
                // Any that differ: a step that no number of workers up to its own divides.
                let step = if few { at } else { at * 0x9E37_79B1 };
                *candidate = loaded(table, &regulars[turn.wrapping_add(step) % regulars.len()]);
            }
            chosen(&candidates[..among], |candidates| table.policy.place(candidates))
        });
        place.unwrap_or(turn % regulars.len())
    }
}

/// One of these.
fn chosen(candidates: &[Candidate], choose: impl FnOnce(&[Candidate]) -> usize) -> usize {
    let at = choose(candidates);
    candidates.get(at).or(candidates.first()).map_or(0, |candidate| candidate.worker)
}

impl Local {
    /// The worker at whose queues it looks first, which is never itself if there is another one.
    #[inline]
    pub(super) fn victim(&self) -> usize {
        if self.shared.victims.is_simple() { self.next_in_turn() } else { self.choose_victim() }
    }

    pub(super) fn next_in_turn(&self) -> usize {
        let regulars = self.shared.regulars.len();
        let next = self.next_victim.get();
        let next = if next < regulars { next } else { 0 };
        self.next_victim.set(next + 1);
        next
    }

    #[cold]
    fn choose_victim(&self) -> usize {
        let shared = &self.shared;
        let choice = shared.ask(|table| {
            let mut candidates = [Candidate::new(0); FEW];
            let mut among = 0;
            let workers = shared.regulars.len() + shared.spares().count();
            let mut add = |index: usize| {
                let new = candidates[..among].iter().all(|known| known.worker != index);
                if index != self.index
                    && new
                    && let Some(worker) = shared.workers().nth(index)
                {
                    candidates[among] = loaded(table, worker);
                    among += 1;
                }
            };
            if workers <= FEW + 1 {
                let start = self.next_in_turn();
                (0..workers).for_each(|step| add((start + step) % workers));
            } else {
                (0..SAMPLE).for_each(|_| add(self.rng.below(workers)));
            }
            let candidates = &candidates[..among];
            (among > 0).then(|| chosen(candidates, |victims| table.policy.steal_from(victims)))
        });
        choice.flatten().unwrap_or_else(|| self.next_in_turn())
    }

    /// For one that has nothing of its own to do: whether it is to take what waits for anybody. If not, those
    /// idle have been told, and had a moment's time.
    #[inline]
    pub(super) fn leave_to_others(&self) {
        if !self.shared.victims.is_simple() {
            self.leave_for_a_moment();
        }
    }

    #[cold]
    fn leave_for_a_moment(&self) {
        let shared = &self.shared;
        let takes = |worker| shared.ask(|table| table.policy.take(&table.candidate(worker)));
        if cfg!(loom) || takes(self.index) != Some(false) {
            return;
        }
        let willing = |&worker: &usize| takes(worker) == Some(true);
        let others = (0..shared.regulars.len()).filter(willing).count();
        let since = Instant::now();
        // More than one for each of them would wait longer for the second than for us.
        while (1..=others).contains(&shared.waiting()) && since.elapsed() < LEAVES {
            if let Some(worker) = shared.idle.wake_one_of(|worker| willing(&worker)) {
                shared.unpark(worker);
            }
            park_timeout(LEAVES / 8);
        }
    }
}
