//! Where a worker that waits looks for what it may run: parts of what it waits for.

use crate::job::ScopeJobRef;
use crate::primitive::count_latch::CountLatch;
use crate::primitive::latch::Latch;
use crate::queue::lane::Pulled;
use crate::sync::Ordering;
use crate::telemetry::event::Event;
use crate::worker::local::Local;
use crate::worker::remote::Remote;
use crate::worker::shared::Job;

/// A look around in a wait.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// One of many.
    Quick,
    /// The last one before it sleeps, after a heavy_fence.
    Last,
}

/// What a look around has found.
pub(super) enum Found {
    /// Part of what is waited for.
    Part(Job),
    /// No part of it, but allowed.
    Foreign(Job),
    /// Perhaps something: look again.
    Unclear,
    Nothing,
}

impl Found {
    pub(super) fn part(job: Option<Job>) -> Self {
        job.map_or(Self::Nothing, Self::Part)
    }

    pub(super) fn foreign(job: Option<Job>) -> Self {
        job.map_or(Self::Nothing, Self::Foreign)
    }
}

impl Local {
    /// A frame that `thief` has on offer, or hides, while it runs ours.
    pub(super) fn help_thief(&self, thief: &Remote, ours: &Latch, look: Look) -> Found {
        let runs_foreign = || thief.foreign.load(Ordering::Relaxed) > 0;
        if runs_foreign() {
            return Found::Nothing;
        }
        let frame = match thief.frames.steal() {
            Some(frame) => {
                self.record(Event::Steal(thief.index));
                frame
            }
            None if look == Look::Quick => {
                if thief.lane.has_hidden() {
                    thief.lane.ask();
                }
                return Found::Nothing;
            }
            None => match self.pull_from(thief) {
                Pulled::Frame(frame) => frame,
                Pulled::Nothing => return Found::Nothing,
                Pulled::Busy => return Found::Unclear,
            },
        };
        // The frame came onto that deque or lane after the thief had taken ours, and was
        // there while ours was not done and the thief was about nothing else: so it is part
        // of ours. As long as we hold it, none of this can change unseen: neither ours nor
        // what is foreign ends without it.
        if ours.is_set() || runs_foreign() {
            self.give_up(Job::Frame(frame));
            return Found::Unclear;
        }
        self.counters().steals.bump();
        self.remote().thefts.tried(thief.index);
        self.remote().thefts.won(thief.index);
        Found::Part(Job::Frame(frame))
    }

    /// A task of the scope, if one has not been started yet.
    pub(super) fn help_scope(&self, scope: &CountLatch) -> Found {
        // Our own credits aren't jobs. Looked at afresh each time: what we dig through is others'.
        let may_be_queued =
            || scope.unstarted() > self.credits.unstarted_of(scope) && !scope.latch().is_set();
        let ours = |task: &ScopeJobRef<Self>| std::ptr::eq(task.scope(), scope);
        let own = || self.pop_scoped();
        let stolen = || self.steal_scoped();
        while may_be_queued() {
            match own().or_else(stolen) {
                Some(task) if ours(&task) => return Found::Part(Job::Scoped(task)),
                Some(task) => self.give_up(Job::Scoped(task)),
                None => {
                    let wanted = |job: &Job| matches!(job, Job::Scoped(task) if ours(task));
                    return self.find_misfit(wanted);
                }
            }
        }
        Found::Nothing
    }

    /// Apart from its caller, which would save registers for it at each task.
    #[inline(never)]
    fn steal_scoped(&self) -> Option<ScopeJobRef<Self>> {
        self.steal_by(|victim| victim.scoped.steal())
    }

    fn give_up(&self, misfit: Job) {
        self.counters().misfits.bump();
        self.shared.add_misfit(misfit);
    }

    pub(super) fn find_misfit(&self, wanted: impl Fn(&Job) -> bool) -> Found {
        Found::part(self.shared.misfits.take(wanted))
    }

    pub(super) fn find_detached(&self) -> Option<Job> {
        let own = || self.deques.detached.pop();
        let stolen = || self.steal_by(|victim| victim.detached.steal());
        let task = || own().or_else(stolen).or_else(|| self.take_arrival());
        self.shared.calls.steal().or_else(|| task().map(Job::Task))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Found, Look};
    use crate::job::{ScopeJob, ScopeJobRef, StackJob};
    use crate::primitive::count_latch::CountLatch;
    use crate::primitive::latch::Latch;
    use crate::sync::Ordering::Relaxed;
    use crate::sync::fence::asymmetric;
    use crate::worker::bare::{hide, take_back, task, workers};
    use crate::worker::local::Local;
    use crate::worker::shared::Job;

    fn part(found: Found) -> Job {
        let Found::Part(job) = found else { panic!("it has found no part") };
        job
    }

    fn is_nothing(found: Found) -> bool {
        matches!(found, Found::Nothing)
    }

    #[test]
    fn what_a_thief_shows_is_part_of_what_it_has_taken_unless_it_is_about_something_else() {
        let ([local, thief], ours) = (workers(2, None), Latch::new());
        let foreign = &thief.remote().foreign;
        let help = |look| local.help_thief(thief.remote(), &ours, look);
        for look in [Look::Quick, Look::Last] {
            assert!(is_nothing(help(look)));
            let job = StackJob::new(|_| (), thief.lane().top());
            // SAFETY: run below.
            hide(&thief, unsafe { job.as_frame() });
            thief.expose();
            foreign.store(1, Relaxed);
            assert!(is_nothing(help(look)));
            foreign.store(0, Relaxed);
            local.execute(part(help(look)));
            assert!(!take_back(&thief, &job));
            // SAFETY: it has been shown, and so is armed.
            assert!(unsafe { job.latch() }.is_set());
        }
        assert_eq!(local.counters().steals.read(), 2);
        let thefts = local.remote().thefts.read();
        assert_eq!(thefts.iter().map(|from| (from.victim, from.won)).next(), Some((1, 2)));
    }

    #[test]
    fn what_a_thief_hides_is_asked_for_and_then_pulled() {
        // Else it shows all that it has.
        if !asymmetric() {
            return;
        }
        let ([local, thief], ours) = (workers(2, None), Latch::new());
        let help = |look| local.help_thief(thief.remote(), &ours, look);
        let job = StackJob::new(|_| (), thief.lane().top());
        // SAFETY: run below.
        hide(&thief, unsafe { job.as_frame() });
        assert!(is_nothing(help(Look::Quick)) && thief.lane().has_hidden());
        let asked = StackJob::new(|_| (), thief.lane().top());
        // SAFETY: taken back below.
        hide(&thief, unsafe { asked.as_frame() });
        assert!(!thief.lane().has_hidden() && take_back(&thief, &asked));
        assert!(take_back(&thief, &job));

        let job = StackJob::new(|_| (), thief.lane().top());
        // SAFETY: run below.
        hide(&thief, unsafe { job.as_frame() });
        local.shared.pulling.store(true, Relaxed);
        assert!(matches!(help(Look::Last), Found::Unclear), "somebody else is at it");
        local.shared.pulling.store(false, Relaxed);
        local.execute(part(help(Look::Last)));
        assert!(!take_back(&thief, &job));
    }

    #[test]
    fn what_a_thief_has_when_it_is_done_is_no_part_and_given_up() {
        let ([local, thief], ours) = (workers(2, None), Latch::new());
        let job = StackJob::new(|_| (), thief.lane().top());
        // SAFETY: run below.
        hide(&thief, unsafe { job.as_frame() });
        thief.expose();
        // SAFETY: alive, and set once.
        unsafe { Latch::set(&ours) };
        let found = local.help_thief(thief.remote(), &ours, Look::Quick);
        assert!(matches!(found, Found::Unclear));
        assert_eq!((local.counters().misfits.read(), local.counters().steals.read()), (1, 0));
        thief.execute(local.shared.misfits.take(|_| true).unwrap());
        assert!(!take_back(&thief, &job));
    }

    /// A task of the scope, which counts it.
    fn spawned(scope: &CountLatch) -> ScopeJobRef<Local> {
        scope.spawned(1, 1);
        // SAFETY: run below, and the scope is there.
        unsafe { ScopeJob::boxed(scope, |_| ()) }
    }

    /// Ends the scopes' bodies.
    fn end(workers: [&Local; 2], scopes: [&CountLatch; 2]) {
        workers.iter().for_each(|local| local.credits.give_back());
        for scope in scopes {
            // SAFETY: the body counts, and is over.
            unsafe { CountLatch::done(scope, 0, 1) };
            assert!(scope.latch().is_set());
        }
    }

    #[test]
    fn who_waits_for_a_scope_runs_its_tasks_wherever_they_are_and_gives_up_others() {
        let [local, other] = workers(2, None);
        let [scope, theirs] = [(); 2].map(|()| CountLatch::new(1));
        let is_theirs =
            |job: &Job| matches!(job, Job::Scoped(task) if std::ptr::eq(task.scope(), &theirs));
        other.push_scoped(spawned(&theirs));
        assert!(is_nothing(local.help_scope(&scope)) && local.shared.misfits.is_empty());
        other.push_scoped(spawned(&scope));
        local.push_scoped(spawned(&scope));
        local.push_scoped(spawned(&theirs));
        // Its own, then what it steals.
        for given_up in 1..3 {
            local.execute(part(local.help_scope(&scope)));
            local.credits.give_back();
            assert_eq!(local.shared.misfits.len(), given_up);
        }
        assert!(is_nothing(local.help_scope(&scope)));
        // Somebody else has given it up.
        local.shared.misfits.push(Job::Scoped(spawned(&scope)));
        local.execute(part(local.help_scope(&scope)));
        while let Some(job) = local.shared.misfits.take(is_theirs) {
            other.execute(job);
        }
        assert!(local.shared.misfits.is_empty());
        end([&local, &other], [&scope, &theirs]);
    }

    #[test]
    fn a_guest_that_waits_runs_calls_then_what_is_detached_then_what_it_fetches() {
        let [local, other] = workers(2, None);
        let shared = &local.shared;
        shared.injected.push(task());
        other.deques.detached.push(task());
        local.deques.detached.push(task());
        shared.calls.push(Job::Task(task()));
        let left = || {
            let queues = [shared.calls.len(), local.remote().queued(), other.remote().queued()];
            (queues, shared.injected.len())
        };
        for after in [([0, 1, 1], 1), ([0, 0, 1], 1), ([0, 0, 0], 1), ([0, 0, 0], 0)] {
            local.execute(local.find_detached().unwrap());
            assert_eq!(left(), after);
        }
        assert!(local.find_detached().is_none());
    }
}
