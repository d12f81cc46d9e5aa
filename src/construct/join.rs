//! `join`: two closures, perhaps at the same time.
//!
//! This file is `unsafe` because the second closure lies on the stack, where another
//! worker may run it.

use crate::construct::fn_context::FnContext;
use crate::construct::install::{on_worker, on_worker_of};
use crate::job::{Payload, StackJob};
use crate::pool::thread_pool::ThreadPool;
use crate::queue::lane::Lane;
use crate::resources::lessee::Lessee;
use crate::worker::local::Local;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Runs both closures, perhaps in parallel, and returns both results.
///
/// `a` runs on this thread at once; `b` is offered to other workers meanwhile, and runs on
/// this thread too if none has taken it. From outside every pool the whole call moves to a
/// worker of the global pool. Allocates nothing; costs a few nanoseconds while nobody is
/// hungry for work.
///
/// # Panics
/// If either closure panics, after both have ended. If both do, with the payload of `a`. And, as
/// [every verb](crate#panics), outside every pool if the global one has been shut down or can't be
/// built.
///
/// # Examples
///
/// ```
/// fn sum(numbers: &[u64]) -> u64 {
///     if let [one] = numbers {
///         return *one;
///     }
///     let (left, right) = numbers.split_at(numbers.len() / 2);
///     let (left, right) = filch::join(|| sum(left), || sum(right));
///     left + right
/// }
///
/// assert_eq!(sum(&[1, 2, 3, 4]), 10);
/// ```
#[inline(always)]
#[track_caller]
pub fn join<A, B, RA, RB>(a: A, b: B) -> (RA, RB)
where
    A: FnOnce() -> RA + Send,
    B: FnOnce() -> RB + Send,
    RA: Send,
    RB: Send,
{
    // Not a closure around `join_on`: it would be a function of its own, to which `a` and
    // `b` go through memory.
    // SAFETY: used here only.
    match unsafe { Local::current_lane() } {
        Some(lane) => join_on(lane, |_| a(), |_| b(), false),
        None => join_aside(a, b),
    }
}

/// A join from outside every pool, or by a lessee.
#[cold]
#[track_caller]
fn join_aside<RA: Send, RB: Send>(
    a: impl FnOnce() -> RA + Send,
    b: impl FnOnce() -> RB + Send,
) -> (RA, RB) {
    on_worker(|local, _| join_elsewhere(local, a, b))
}

/// As [`join`], telling each closure whether it has moved to another thread.
///
/// # Panics
/// As [`join`].
///
/// # Examples
///
/// ```
/// // From outside a pool, both move to one of its workers.
/// let (a, b) = filch::join_context(|a| a.migrated(), |b| b.migrated());
/// assert!(a && b);
/// ```
#[inline(always)]
#[track_caller]
pub fn join_context<A, B, RA, RB>(a: A, b: B) -> (RA, RB)
where
    A: FnOnce(FnContext) -> RA + Send,
    B: FnOnce(FnContext) -> RB + Send,
    RA: Send,
    RB: Send,
{
    on_worker(|local, moved| join_context_on(local, a, b, moved))
}

/// Not inlined: there are several ways to a worker, and the code of both closures would be on
/// each.
#[inline(never)]
fn join_elsewhere<RA, RB: Send>(
    local: &Local,
    a: impl FnOnce() -> RA,
    b: impl FnOnce() -> RB + Send,
) -> (RA, RB) {
    join_by_lessee(local, |_| a(), |_| b(), false)
}

/// Not inlined, as [`join_elsewhere`] isn't.
#[inline(never)]
fn join_context_on<RA, RB: Send>(
    local: &Local,
    a: impl FnOnce(FnContext) -> RA,
    b: impl FnOnce(FnContext) -> RB + Send,
    moved: bool,
) -> (RA, RB) {
    let a = |moved| a(FnContext::new(moved));
    join_by_lessee(local, a, |moved| b(FnContext::new(moved)), moved)
}

/// As [`join_on`]; whoever takes `b` is told if what calls this has leases. If it has one of the CPUs, `b` is offered to others
/// only as far as those suffice.
fn join_by_lessee<RA, RB: Send>(
    local: &Local,
    a: impl FnOnce(bool) -> RA,
    b: impl FnOnce(bool) -> RB + Send,
    moved: bool,
) -> (RA, RB) {
    let lessee = Lessee::current();
    if !lessee.has_any() {
        return join_on(local.lane(), a, b, moved);
    }
    let permit = match lessee.bound().map(|bound| bound.permit(1, false)) {
        Some(None) => {
            local.lane().count();
            return join_here(a, b, moved);
        }
        permit => permit.flatten(),
    };
    let part = move |moved| {
        if Lessee::current() == lessee {
            drop(permit);
            return b(moved);
        }
        // It ends with the part.
        let _permit = permit;
        Local::run_as_part_of(lessee, || b(moved))
    };
    join_on(local.lane(), a, part, moved)
}

/// A join of which nothing is offered to anybody.
fn join_here<RA, RB>(
    a: impl FnOnce(bool) -> RA,
    b: impl FnOnce(bool) -> RB,
    moved: bool,
) -> (RA, RB) {
    let a = catch_unwind(AssertUnwindSafe(|| a(moved)));
    both(a, catch_unwind(AssertUnwindSafe(|| b(moved))))
}

/// What a join returns, or panics with.
fn both<RA, RB>(a: Result<RA, Payload>, b: Result<RB, Payload>) -> (RA, RB) {
    match (a, b) {
        (Ok(a), Ok(b)) => (a, b),
        (Err(payload), Ok(_)) | (Ok(_), Err(payload)) => resume_unwind(payload),
        (Err(payload), Err(second)) => {
            Local::with_current(|current| _ = current.map(|local| local.counters().panics.bump()));
            // A payload whose destructor panics must not meet the unwinding of the first.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(second)));
            resume_unwind(payload)
        }
    }
}

impl ThreadPool {
    /// [`join`] in this pool.
    ///
    /// # Panics
    /// As [`join`], and if the pool has been shut down.
    #[track_caller]
    pub fn join<A, B, RA, RB>(&self, a: A, b: B) -> (RA, RB)
    where
        A: FnOnce() -> RA + Send,
        B: FnOnce() -> RB + Send,
        RA: Send,
        RB: Send,
    {
        on_worker_of(self.shared(), |local, _| join_elsewhere(local, a, b))
    }

    /// [`join_context`] in this pool.
    ///
    /// # Panics
    /// As [`join`], and if the pool has been shut down.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = filch::ThreadPoolBuilder::new().num_threads(1).build()?;
    /// assert_eq!(pool.join_context(|a| a.migrated(), |b| b.migrated()), (true, true));
    /// # Ok::<(), filch::Error>(())
    /// ```
    #[track_caller]
    pub fn join_context<A, B, RA, RB>(&self, a: A, b: B) -> (RA, RB)
    where
        A: FnOnce(FnContext) -> RA + Send,
        B: FnOnce(FnContext) -> RB + Send,
        RA: Send,
        RB: Send,
    {
        on_worker_of(self.shared(), |local, moved| join_context_on(local, a, b, moved))
    }
}

/// A join whose `a` runs, or `b` after it.
///
/// What it needs afterwards lies in the job, whose address others know, or in a thread-local. So
/// the compiler must read it afresh after `a`, and keeps no registers for it, which every call of
/// a recursive function would have to save, even one that never gets as far as a join.
struct OpenJoin<B, RB> {
    job: StackJob<Local, B, RB>,
}

/// `moved`: whether the caller was moved here from another thread. Both closures are told
/// so, or that they have moved on to yet another.
#[inline(always)]
fn join_on<RA, RB>(
    lane: &Lane<Local>,
    a: impl FnOnce(bool) -> RA,
    b: impl FnOnce(bool) -> RB + Send,
    moved: bool,
) -> (RA, RB)
where
    RB: Send,
{
    let open = OpenJoin { job: StackJob::new(b, lane.top()) };
    // SAFETY: it stays here until it has been run: `finish` sees to that.
    let frame = unsafe { open.job.as_frame() };
    // SAFETY: the lane is this thread's; popped below, after everything that `a` pushes.
    if unsafe { lane.push(frame) } {
        // In a closure of its own, or `a` would lie in memory on the other path too.
        return open.expose_and_finish(move || a(moved), moved);
    }
    // Caught because `b` must end before the frame goes, and must not run while unwinding.
    match catch_unwind(AssertUnwindSafe(|| a(moved))) {
        // SAFETY: nobody stops being a worker with a frame on its lane. Pushed above.
        Ok(a) if unsafe { Local::lane_of_current().pop(open.job.below()) } => {
            // SAFETY: the lane vouches that nobody else has it or gets it.
            let b = unsafe { open.job.run_here(moved) };
            (a, b)
        }
        a => open.finish(a, moved),
    }
}

impl<B, RB> OpenJoin<B, RB>
where
    B: FnOnce(bool) -> RB,
{
    /// A join that its push has to show to others. The whole rest of it, so that the path
    /// that doesn't come here has nothing to keep across a call.
    #[cold]
    #[inline(never)]
    fn expose_and_finish<RA>(&self, a: impl FnOnce() -> RA, moved: bool) -> (RA, RB) {
        self.local().expose();
        self.finish(catch_unwind(AssertUnwindSafe(a)), moved)
    }

    /// The rest of a join whose `a` panicked or whose `b` may have been taken.
    #[cold]
    fn finish<RA>(&self, a: Result<RA, Payload>, moved: bool) -> (RA, RB) {
        let (job, local) = (&self.job, self.local());
        let (lane, below) = (local.lane(), job.below());
        // SAFETY: pushed by this join; to pop again changes nothing.
        let ours = unsafe { lane.pop(below) || lane.reclaim(below, &local.deques.frames) };
        let b = if ours {
            // SAFETY: nobody else has it or gets it.
            catch_unwind(AssertUnwindSafe(|| unsafe { job.run_here(moved) }))
        } else {
            // SAFETY: the frame is compared, not run.
            let frame = unsafe { job.as_frame() };
            // SAFETY: whoever took the frame has armed it, under the claim that `reclaim`
            // has had since.
            local.wait_for_frame(frame, unsafe { job.latch() });
            // SAFETY: the latch is set, and this is the only place that takes the result.
            unsafe { job.take_result() }
        };
        both(a, b)
    }

    /// The worker whose lane it is on: nobody stops being a worker with a frame on its lane.
    /// Not to be asked once `b` has begun here, which may end a guest's time as one.
    fn local(&self) -> &Local {
        // SAFETY: used during this join only.
        unsafe { Local::current() }.expect("filch: a join has lost its worker")
    }
}
