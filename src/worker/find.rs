//! Where a worker that may run anything looks for work, and in which order.
//!
//! Tests: tests/victims.rs.

use crate::job::{FrameRef, ScopeJobRef};
use crate::queue::lane::Pulled;
use crate::sync::Ordering;
use crate::telemetry::event::Event;
use crate::worker::local::Local;
use crate::worker::remote::Remote;
use crate::worker::shared::Job;
use std::sync::OnceLock;

impl Local {
    /// The next job: first its own, youngest first, unless it is the outsiders' turn; then what
    /// only it may run; then what somebody outside waits for; then the tasks that it has fetched
    /// from outside, which are short; then other workers' jobs, oldest first; then new work.
    pub fn find(&self) -> Option<Job> {
        if self.turn.is_outsiders() {
            // One with nothing else to do needn't take turns, and may have to leave this to others.
            let is_bound = self.has_pending() || self.shared.takes(self.index);
            if is_bound && let Some(job) = self.find_outside() {
                return Some(job);
            }
            self.turn.end();
        }
        self.find_own()
            .or_else(|| self.remote().inbox.steal().map(Job::Task))
            .or_else(|| if self.leaves_to_others() { None } else { self.find_elsewhere() })
    }

    fn find_elsewhere(&self) -> Option<Job> {
        let calls = self.shared.calls.steal();
        calls
            .or_else(|| self.pop_arrival())
            .or_else(|| self.steal())
            .or_else(|| self.take_from_outside())
    }

    #[cold]
    fn find_outside(&self) -> Option<Job> {
        let (calls, tasks) = (|| self.shared.calls.steal(), || self.take_from_outside());
        if self.turn.has_calls_first() { calls().or_else(tasks) } else { tasks().or_else(calls) }
    }

    /// A task from its own deques. Not an exposed frame: only the join that made it may pop
    /// that one.
    pub fn find_own(&self) -> Option<Job> {
        self.pop_scoped().map(Job::Scoped).or_else(|| self.deques.detached.pop().map(Job::Task))
    }

    /// A task of a scope from its own deque.
    pub fn pop_scoped(&self) -> Option<ScopeJobRef<Self>> {
        let task = self.deques.scoped.pop();
        if task.is_none() {
            // What it does next may take long, and somebody waits for the scope.
            self.credits.give_back();
        }
        task
    }

    fn take_from_outside(&self) -> Option<Job> {
        self.shared.misfits.take(|_| true).or_else(|| self.take_arrival().map(Job::Task))
    }

    /// A job of another worker. Frames first: they are the largest pieces, and somebody
    /// waits for each. Hidden ones are asked for on the way. Apart from `find`, which would save registers
    /// for it at each task.
    #[inline(never)]
    fn steal(&self) -> Option<Job> {
        let thefts = &self.remote().thefts;
        let first = self.victim();
        let (victim, job) = self
            .steal_first_by(first, |victim| {
                thefts.tried(victim.index);
                let frame = victim.frames.steal().map(Job::Frame);
                if frame.is_none() && victim.lane.has_hidden() {
                    victim.lane.ask();
                }
                Some((victim.index, frame?))
            })
            .or_else(|| {
                self.steal_first_by(first, |v| Some((v.index, v.scoped.steal().map(Job::Scoped)?)))
            })
            .or_else(|| {
                self.steal_first_by(first, |v| Some((v.index, v.detached.steal().map(Job::Task)?)))
            })?;
        thefts.won(victim);
        self.counters().steals.bump();
        Some(job)
    }

    /// The first that `take` gets from another worker's deques.
    pub fn steal_by<T>(&self, take: impl Fn(&Remote) -> Option<T>) -> Option<T> {
        self.steal_first_by(self.victim(), take)
    }

    /// As [`steal_by`](Self::steal_by), beginning with this one.
    fn steal_first_by<T>(&self, first: usize, take: impl Fn(&Remote) -> Option<T>) -> Option<T> {
        self.look_at_others(first, |victim| {
            let stolen = take(victim)?;
            self.record(Event::Steal(victim.index));
            Some(stolen)
        })
    }

    fn look_at_others<T>(&self, first: usize, look: impl Fn(&Remote) -> Option<T>) -> Option<T> {
        let regulars = &self.shared.regulars;
        let spare = first.checked_sub(regulars.len());
        let spare = spare.and_then(|at| self.shared.spares.get(at)).and_then(OnceLock::get);
        let (before, after) = regulars.split_at(if first < regulars.len() { first } else { 0 });
        let own = self.remote();
        let regulars = after.iter().chain(before);
        let mut workers = spare.into_iter().chain(regulars).chain(self.shared.spares());
        workers.by_ref().filter(|victim| !std::ptr::eq(*victim, own)).find_map(look)
    }

    /// A hidden frame of another worker, of which one hasn't answered the hunger. `Busy` if
    /// frames may hide somewhere nevertheless.
    pub fn pull(&self) -> Pulled<Job> {
        let pulled =
            self.look_at_others(self.next_in_turn(), |victim| match self.pull_from(victim) {
                Pulled::Nothing => None,
                Pulled::Frame(frame) => Some(Pulled::Frame(Job::Frame(frame))),
                Pulled::Busy => Some(Pulled::Busy),
            });
        pulled.unwrap_or(Pulled::Nothing)
    }

    /// The oldest hidden frame of this very worker.
    pub fn pull_from(&self, victim: &Remote) -> Pulled<FrameRef<Self>> {
        if !victim.lane.has_hidden() {
            return Pulled::Nothing;
        }
        // Relaxed: the flag guards no data, it only spares the other CPUs.
        if self.shared.pulling.swap(true, Ordering::Relaxed) {
            return Pulled::Busy;
        }
        let pulled = victim.lane.pull(&victim.frames);
        self.shared.pulling.store(false, Ordering::Relaxed);
        if matches!(pulled, Pulled::Frame(_)) {
            self.counters().pulls.bump();
            self.record(Event::Pull(victim.index));
        }
        pulled
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use crate::worker::bare::workers;

    #[test]
    fn the_search_begins_with_the_first_one_whichever_spares_have_come() {
        let [local, _other] = workers(4, None);
        let _deques = local.shared.move_in(3);
        let first = |first| local.look_at_others(first, |victim| Some(victim.index));
        assert_eq!([0, 1, 2, 3].map(first), [Some(1), Some(1), Some(1), Some(3)]);
    }
}
