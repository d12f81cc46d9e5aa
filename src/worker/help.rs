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
