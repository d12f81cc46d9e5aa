//! `install`, and how any verb gets onto a worker.
//!
//! This file is `unsafe` because a call from outside lies on its caller's stack, and where it
//! looks up the current worker without a closure.

use crate::job::{FrameRef, StackJob};
use crate::pool::global;
use crate::pool::thread_pool::ThreadPool;
use crate::primitive::latch::Latch;
use crate::primitive::loan::Loan;
use crate::resources::lessee::Lessee;
use crate::resources::rejected::Rejection;
use crate::sync::clock::Instant;
use crate::worker::local::Local;
use crate::worker::outside::{self, wait_outside};
use crate::worker::shared::{Job, Shared};
use std::panic::resume_unwind;
use std::ptr;

/// What verbs say when the pool takes no more work. Those that can say so in an error do.
const SHUT_DOWN: &str = "filch: the thread pool has been shut down, by shutdown() or \
    shutdown_global(), and takes no more tasks; call that after the last use of the pool";

/// What a verb does that has no error for it: panics at the line of its caller.
#[cold]
#[track_caller]
pub fn refused(reason: Rejection) -> ! {
    match reason {
        Rejection::ShutDown => panic!("{SHUT_DOWN}"),
        _ => panic!("filch: {reason}"),
    }
}

impl ThreadPool {
    /// Runs `op` on a worker of this pool and returns its result; every verb that `op` calls
    /// then uses this pool. On a worker of this pool already, just calls it.
    ///
    /// A thread outside every pool sleeps meanwhile; but if its last call was short (5 us), it spins
    /// first, for 20 us at most, since to be woken takes longer than that.
    ///
    /// A worker of another pool may run calls from outside while it waits, and tasks of scopes
    /// that somebody outside its pool waits for: else two pools that call each other would wait
    /// for ever. So it must hold no lock that those may want. The same goes for the other verbs
    /// of a pool when a worker of another pool uses them.
    ///
    /// # Panics
    /// If `op` panics, and if the pool has been shut down.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = filch::ThreadPoolBuilder::new().num_threads(2).build()?;
    /// let index = pool.install(|| filch::current_thread_index());
    /// assert!(index.unwrap() < 2);
    /// # Ok::<(), filch::Error>(())
    /// ```
    #[track_caller]
    pub fn install<OP, R>(&self, op: OP) -> R
    where
        OP: FnOnce() -> R + Send,
        R: Send,
    {
        on_worker_of(self.shared(), |_, _| op())
    }
}

/// Calls `op` on a worker of the current pool, with whether it had to move there.
///
/// This and what it calls panic at the line of the verb's caller, which a closure would hide.
#[inline(always)]
#[track_caller]
pub fn on_worker<R: Send>(op: impl FnOnce(&Local, bool) -> R + Send) -> R {
    // SAFETY: used here only.
    match unsafe { Local::current() } {
        Some(local) => op(local, false),
        None => on_global_worker(op),
    }
}

#[cold]
#[track_caller]
pub fn on_global_worker<R: Send>(op: impl FnOnce(&Local, bool) -> R + Send) -> R {
    // Not a plain call: the global pool may be one whose guest this thread is.
    on_worker_of(global::get().shared(), op)
}

/// Calls `op` on a worker of this pool, with whether it had to move there.
#[track_caller]
pub fn on_worker_of<R: Send>(shared: &Shared, op: impl FnOnce(&Local, bool) -> R + Send) -> R {
    // SAFETY: used here only.
    let result = match unsafe { Local::current() } {
        Some(local) if ptr::eq(&*local.shared, shared) => return op(local, false),
        Some(local) => call(shared, op, |latch| local.wait_for_other_pool(shared, latch)),
        None => call_from_outside(shared, op),
    };
    match result {
        Ok(result) => result,
        Err(reason) => refused(reason),
    }
}

/// Has `op` called by a worker of this pool, if it takes calls. The caller waits in its own way.
pub fn call<R: Send>(
    shared: &Shared,
    op: impl FnOnce(&Local, bool) -> R + Send,
    wait: impl FnOnce(&Latch),
) -> Result<R, Rejection> {
    call_by(shared, op, |frame, _| shared.submit(|| shared.call(Job::Call(frame))), wait)
}

/// As [`call`], for a thread outside every pool.
fn call_from_outside<R: Send>(
    shared: &Shared,
    op: impl FnOnce(&Local, bool) -> R + Send,
) -> Result<R, Rejection> {
    if outside::spins() {
        return call_quickly(shared, op);
    }
    let timed = |local: &Local, moved| {
        let start = Instant::now();
        (op(local, moved), start.elapsed())
    };
    let (result, time) = call(shared, timed, |latch| wait_outside(shared, latch))?;
    outside::took(time);
    Ok(result)
}

/// As [`call`], spinning for a while.
fn call_quickly<R: Send>(
    shared: &Shared,
    op: impl FnOnce(&Local, bool) -> R + Send,
) -> Result<R, Rejection> {
    let loan = Loan::new();
    let lending = |local: &Local, moved| local.lend(&loan, || op(local, moved));
    let submit = |frame, latch: &Latch| {
        shared.submit(|| {
            shared.call(Job::QuickCall(frame));
            // Inside the gate, so that the pool is there in any case.
            if !outside::spin(latch) && loan.withdraw() {
                shared.stop_searching();
            }
        })
    };
    call_by(shared, lending, submit, |latch| wait_outside(shared, latch))
}

/// Has `op` called by the worker that gets the frame which `submit` is given.
fn call_by<R: Send>(
    shared: &Shared,
    op: impl FnOnce(&Local, bool) -> R + Send,
    submit: impl FnOnce(FrameRef<Local>, &Latch) -> Result<(), Rejection>,
    wait: impl FnOnce(&Latch),
) -> Result<R, Rejection> {
    let notable = shared.is_notable(None, None);
    let submission = notable.then(|| shared.submission(None, None, true)).flatten();
    let caller = Lessee::current();
    let op = |moved| {
        Local::with_current(|local| {
            let local = local.expect("filch: a call ran on no worker");
            let op = || match submission {
                None => op(local, moved),
                Some(submission) => local.time(submission, || op(local, moved)),
            };
            if caller.is_nobody() { op() } else { local.run_part_of(caller, op) }
        })
    };
    let job = StackJob::new(op, ptr::null_mut());
    // SAFETY: it stays here until its latch is set: we wait for that, below.
    let frame = unsafe { job.as_frame() };
    // SAFETY: nobody else sees it yet.
    unsafe { frame.arm() };
    // SAFETY: armed.
    let latch = unsafe { job.latch() };
    if let Err(reason) = submit(frame, latch) {
        // SAFETY: nobody has seen it.
        unsafe { job.discard() };
        return Err(reason);
    }
    wait(latch);
    // SAFETY: the latch is set, and this is the only place that takes the result.
    match unsafe { job.take_result() } {
        Ok(result) => Ok(result),
        Err(payload) => resume_unwind(payload),
    }
}
