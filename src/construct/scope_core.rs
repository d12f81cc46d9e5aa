//! What both kinds of scope are made of: the count of tasks, the first panic, the token, the wait.
//!
//! This file is `unsafe` because tasks borrow from what outlives the scope, and point to the
//! scope itself.

use crate::construct::bounded::Bounded;
use crate::construct::broadcast::{BroadcastContext, address_all, shares};
use crate::construct::cancel::CancelToken;
use crate::construct::push::push;
use crate::construct::spawn::accepted;
use crate::job::{Lent, Payload, ScopeJob, ScopeJobRef};
use crate::primitive::count_latch::CountLatch;
use crate::resources::lessee::{Lessee, Named};
use crate::worker::blocked::Blocked;
use crate::worker::local::Local;
use crate::worker::outside::wait_outside;
use crate::worker::shared::{Job, Shared};
use crate::worker::span;
use crate::worker::stamp::Submission;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// What a scope takes in; Sync, so that the scope is, too.
type Body<'scope> = dyn Fn(Core<'scope>) + Send + Sync + 'scope;

/// What cancels a scope, beside whoever has it or its token.
#[derive(Clone, Copy, Debug, Default)]
pub struct CancelledBy<'t> {
    pub token: Option<&'t CancelToken>,
    pub panic: bool,
}

pub struct Core<'scope> {
    shared: Arc<Shared>,
    /// The worker of this pool that waits for the scope, if one does.
    owner: Option<usize>,
    latch: CountLatch,
    /// What waits for it, in case that has leases.
    lessee: Named,
    bounded: Bounded<'scope>,
    /// The first panic of the body or a task.
    panic: Mutex<Option<Payload>>,
    /// Whether that cancels the scope.
    panic_cancels: bool,
    /// Made when somebody wants it: most scopes are never cancelled, and pay for no allocation.
    token: OnceLock<CancelToken>,
    /// Invariant in `'scope`: a task may hand things of that lifetime to the scope.
    lifetime: PhantomData<Body<'scope>>,
}

impl<'scope> Core<'scope> {
    pub fn new(shared: &Arc<Shared>, cancelled_by: CancelledBy<'_>) -> Self {
        Self {
            shared: Arc::clone(shared),
            owner: Local::current_in(shared).map(|local| local.index),
            // The body counts as a task that has started.
            latch: CountLatch::new(1),
            lessee: Named::new(Lessee::current()),
            bounded: Bounded::new(shared),
            panic: Mutex::new(None),
            panic_cancels: cancelled_by.panic,
            token: cancelled_by
                .token
                .map_or_else(OnceLock::new, |parent| OnceLock::from(parent.child())),
            lifetime: PhantomData,
        }
    }

    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    pub fn latch(&self) -> *const CountLatch {
        &self.latch
    }

    pub fn token(&self) -> &CancelToken {
        self.token.get_or_init(CancelToken::new)
    }

    #[inline(always)]
    pub fn is_cancelled(&self) -> bool {
        self.token.get().is_some_and(CancelToken::is_cancelled)
    }

    /// Runs the body and waits for all tasks.
    pub fn complete<R>(&self, body: impl FnOnce() -> R) -> R {
        let result = catch_unwind(AssertUnwindSafe(body)).map_err(|payload| self.panicked(payload));
        // The body may have taken leases that outlast it.
        self.lessee.set(Lessee::current());
        let run = |local: &Local| self.bounded.run_as_owner(local);
        Local::with_current(|current| _ = current.filter(|local| local.runs_lessee.get()).map(run));
        // SAFETY: the body counts, and is over; we keep the scope alive.
        unsafe { CountLatch::done(&self.latch, 0, 1) };
        let latch = self.latch.latch();
        Local::with_current(|current| match current {
            Some(local) if self.owner.is_some() => local.wait_for_scope(&self.latch),
            Some(local) => local.wait_for_other_pool(&self.shared, latch),
            None => wait_outside(&self.shared, latch),
        });
        let panic = self.panic.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (panic, result) {
            (Some(payload), _) => resume_unwind(payload),
            (None, Ok(result)) => result,
            (None, Err(())) => unreachable!("filch: a scope's body neither returned nor panicked"),
        }
    }

    /// Runs a task, unless the scope has been cancelled.
    #[inline(always)]
    pub fn begin(&self, local: &Local, noted: Option<Submission>, task: impl FnOnce()) {
        if self.is_cancelled() {
            return self.discard(noted, task);
        }
        local.run_noted(noted, || self.catch(task));
    }

    /// Drops a task instead of running it.
    #[cold]
    #[inline(never)]
    fn discard(&self, noted: Option<Submission>, task: impl FnOnce()) {
        self.shared.task_cancelled();
        // The span, too: a subscriber of `tracing` may panic.
        self.catch(|| drop((noted, task)));
    }

    /// Runs a task, and keeps its panic for the end of the scope.
    fn catch(&self, task: impl FnOnce()) {
        let lessee = self.lessee.get();
        let task = || if lessee.is_nobody() { task() } else { Local::run_as_part_of(lessee, task) };
        if let Err(payload) = catch_unwind(AssertUnwindSafe(task)) {
            self.failed(payload);
        }
    }

    #[cold]
    fn failed(&self, payload: Payload) {
        self.shared.task_panicked(&payload);
        span::caught();
        self.panicked(payload);
    }

    #[cold]
    fn panicked(&self, payload: Payload) {
        if self.panic_cancels {
            self.token().cancel();
        }
        let mut first = self.panic.lock().unwrap_or_else(PoisonError::into_inner);
        if first.is_none() {
            *first = Some(payload);
            return;
        }
        drop(first);
        // Its destructor may panic, and whoever gets here may be on its way to the wait for what borrows from the stack.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(payload)));
        match Local::current_in(&self.shared) {
            Some(local) => local.counters().panics.bump(),
            None => self.shared.common.panics.bump_shared(),
        }
    }

    /// Queues `work`, which [`begin`](Self::begin)s it, as a task of the scope.
    #[track_caller]
    pub fn spawn<W>(
        &self,
        label: Option<&'static str>,
        work: W,
        push_own: impl FnOnce(&Local, ScopeJobRef<Local>),
    ) where
        W: FnOnce(&Local, Option<Submission>) + Send + 'scope,
    {
        let lessee = self.lessee.get();
        if !lessee.is_nobody()
            && let Some(bound) = lessee.bound()
        {
            return self.hold_back(bound, label, work);
        }
        self.push(label, work, push_own);
    }

    /// Apart, so that the usual case is compiled as if it were the only one.
    #[cold]
    #[inline(never)]
    #[track_caller]
    fn hold_back<W>(&self, bound: Lessee, label: Option<&'static str>, work: W)
    where
        W: FnOnce(&Local, Option<Submission>) + Send + 'scope,
    {
        let current = Local::current_in(&self.shared);
        let notable = self.shared.is_notable(current, label);
        let noted = notable.then(|| self.shared.submission(current, label, true)).flatten();
        let task = Box::new(move |local: &Local| work(local, noted));
        let Some(permit) = self.bounded.hold(task, bound) else { return };
        let core = Lent(self);
        let runner = move |local: &Local, _| {
            // SAFETY: the scope waits for the runner, which is a task of it.
            unsafe { &*core.get() }.bounded.run(local);
            drop(permit);
        };
        self.push(None, runner, Local::push_scoped);
    }

    #[track_caller]
    fn push<W>(
        &self,
        label: Option<&'static str>,
        work: W,
        push_own: impl FnOnce(&Local, ScopeJobRef<Local>),
    ) where
        W: FnOnce(&Local, Option<Submission>) + Send + 'scope,
    {
        let into_job = |work, local: Option<&Local>| self.job(local, label, work);
        let shared = &*self.shared;
        let push_outside = |task| match self.owner {
            // Where workers that wait look for tasks of their scopes.
            Some(_) => shared.misfits.push(Job::Scoped(task)),
            None => shared.calls.push(Job::Scoped(task)),
        };
        let concerned = |index, why| match self.owner {
            Some(owner) => index == owner && why == Blocked::Latch,
            None => matches!(why, Blocked::Call | Blocked::Guest),
        };
        accepted(push(shared, work, into_job, push_own, push_outside, concerned));
    }

    /// Makes a job of `work`, which counts as spawned.
    #[inline(always)]
    fn job<W>(
        &self,
        current: Option<&Local>,
        label: Option<&'static str>,
        work: W,
    ) -> ScopeJobRef<Local>
    where
        W: FnOnce(&Local, Option<Submission>) + Send + 'scope,
    {
        if self.shared.is_notable(current, label) {
            return self.noted(current, label, work);
        }
        self.count(current);
        // SAFETY: the scope waits for it, and so does what it borrows.
        unsafe { ScopeJob::boxed(&self.latch, move |local: &Local| work(local, None)) }
    }

    /// One task more.
    #[inline(always)]
    fn count(&self, current: Option<&Local>) {
        match current {
            Some(local) if local.returns() => local.credits.spawned(&self.latch),
            _ => self.latch.spawned(1, 1),
        }
    }

    /// Apart, so that the usual case is compiled as if it were the only one.
    #[cold]
    #[inline(never)]
    fn noted<W>(
        &self,
        current: Option<&Local>,
        label: Option<&'static str>,
        work: W,
    ) -> ScopeJobRef<Local>
    where
        W: FnOnce(&Local, Option<Submission>) + Send + 'scope,
    {
        let submission = self.shared.submission(current, label, true);
        // Not before: that may call a subscriber of `tracing`, which may panic.
        self.count(current);
        match submission {
            // SAFETY: as in `job`.
            None => unsafe { ScopeJob::boxed(&self.latch, move |local: &Local| work(local, None)) },
            // SAFETY: as above.
            Some(submission) => unsafe {
                let noted = move |local: &Local| work(local, Some(submission));
                ScopeJob::boxed(&self.latch, noted)
            },
        }
    }

    /// Queues `work`, which [`begin`](Self::begin)s it, on every worker.
    #[track_caller]
    pub fn spawn_broadcast(
        &self,
        work: impl Fn(&Local, BroadcastContext<'_>) + Send + Sync + 'scope,
    ) {
        let mut shares = shares(&self.shared, work);
        let part = |index: usize| {
            // Not to be found by digging through queues: it counts as started at once.
            self.latch.spawned(0, 1);
            let work = shares();
            let part = move |local: &Local| work(local, BroadcastContext::new(local, index));
            // SAFETY: as in `job`. Its share in `work` goes before it counts as done.
            unsafe { ScopeJob::boxed_started(&self.latch, part) }
        };
        accepted(address_all(&self.shared, part));
    }
}
