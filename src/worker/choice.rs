//! Whom workers take work from, wake, give work to alone and leave it to: asks the policy, with what is known of
//! each. What changes by the moment is read when it is asked.
//!
//! A policy says only who comes first. So nothing depends on it: a thief that finds nothing there looks at
//! all others, and a worker that leaves work to others does so for a moment.
//!
//! Tests: tests/victims.rs.

use crate::policy::victim::{Candidate, ChooseVictim, VictimPolicy};
use crate::sync::park_timeout;
use crate::telemetry::activity::Status;
use crate::worker::local::Local;
use crate::worker::remote::Remote;
use crate::worker::shared::Shared;
use crate::worker::victims::Table;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

/// So many are looked at for a choice: all if there are no more, else [`SAMPLE`].
const FEW: usize = 4;
/// Two at random are hardly worse than all (Mitzenmacher 2001), and cost the same however many there are.
const SAMPLE: usize = 2;
/// For so many moments at most a worker leaves work to others that get on with it: they may be at something else, and
/// what waits may be what they come to last.
const MOMENTS: u32 = 16;

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

    /// For a publisher that relies on so many who search: wakes one who takes what waits if all of them may be such
    /// that leave it to others, or have been woken and don't get a CPU.
    #[cold]
    pub(super) fn wake_beside(&self, searching: usize) {
        let leave = (0..self.regulars.len()).filter(|&worker| !self.takes(worker)).count();
        if searching <= leave
            && let Some(worker) = self.idle.wake_one_of(|worker| self.takes(worker))
        {
            self.unpark(worker);
        }
    }

    /// Whether this worker takes what waits for anybody.
    pub(super) fn takes(&self, worker: usize) -> bool {
        let takes = |table: &Table| table.policy.take(&table.candidate(worker));
        self.victims.is_simple() || self.ask(takes).unwrap_or(true)
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
            // A spare may be there before one of a lower index, so where it stands among them isn't its index; and
            // more may have come since they were counted.
            let mut add = |at: usize| {
                let Some(worker) = shared.workers().nth(at) else { return };
                let known = || candidates[..among].iter().any(|known| known.worker == worker.index);
                if among < FEW && worker.index != self.index && !known() {
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

    /// For one that has nothing of its own to do: whether it has left what waits for anybody to others, having told
    /// those idle. Else it is to take of it.
    #[inline]
    pub(super) fn leaves_to_others(&self) -> bool {
        !self.shared.victims.is_simple() && self.leaves_for_a_moment()
    }

    #[cold]
    fn leaves_for_a_moment(&self) -> bool {
        let shared = &self.shared;
        if cfg!(loom) || shared.takes(self.index) {
            return false;
        }
        let workers = shared.regulars.iter().enumerate();
        let others = || workers.clone().filter(|&(index, _)| shared.takes(index));
        let moment = shared.victims.with(|table| table.moment);
        let done = || others().map(|(_, worker)| worker.counters.tasks.read()).sum::<u64>();
        let (start, mut left) = (Instant::now(), false);
        let (mut last, mut since) = (done(), start);
        // If nothing waits at first, there may still be hidden frames.
        while (left || shared.waiting() > 0) && self.remote().inbox.is_empty() {
            let (waiting, now) = (shared.waiting(), done());
            if waiting == 0 {
                return true;
            }
            if now != last {
                (last, since) = (now, Instant::now());
            }
            // More than one for each of them, and the later ones wait longer than for us.
            if waiting > others().count()
                || since.elapsed() > moment
                || start.elapsed() > MOMENTS * moment
            {
                return false;
            }
            if let Some(worker) = shared.idle.wake_one_of(|worker| shared.takes(worker)) {
                shared.unpark(worker);
            }
            park_timeout(moment / 8);
            left = true;
        }
        left
    }
}
