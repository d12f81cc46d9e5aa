//! The job of a task that nobody waits for.
//!
//! This file is `unsafe` because a job erases its task's type.

use crate::job::{HeapJob, JobRef};
use crate::worker::local::Local;
use crate::worker::shared::Shared;
use crate::worker::stamp::Submission;

pub fn detached<F>(
    shared: &Shared,
    current: Option<&Local>,
    label: Option<&'static str>,
    task: F,
) -> JobRef<Local>
where
    F: FnOnce() + Send + 'static,
{
    if shared.is_notable(current, label) {
        let work = |local: &Local, noted| local.run_noted(noted, task);
        return detached_and_noted(shared, current, label, work);
    }
    // Not by `detached_work`: that takes 3 instructions more (`scripts/instructions`).
    // SAFETY: it borrows nothing.
    unsafe { HeapJob::boxed(move |_: &Local| task()) }
}

/// As [`detached`], of work that runs its task itself, by [`run_noted`](Local::run_noted), or doesn't.
#[inline]
pub fn detached_work<W>(
    shared: &Shared,
    current: Option<&Local>,
    label: Option<&'static str>,
    work: W,
) -> JobRef<Local>
where
    W: FnOnce(&Local, Option<Submission>) + Send + 'static,
{
    if shared.is_notable(current, label) {
        return detached_and_noted(shared, current, label, work);
    }
    // SAFETY: it borrows nothing.
    unsafe { HeapJob::boxed(move |local: &Local| work(local, None)) }
}

/// Apart, so that the usual case is compiled as if it were the only one.
#[cold]
#[inline(never)]
fn detached_and_noted<W>(
    shared: &Shared,
    current: Option<&Local>,
    label: Option<&'static str>,
    work: W,
) -> JobRef<Local>
where
    W: FnOnce(&Local, Option<Submission>) + Send + 'static,
{
    match shared.submission(current, label, false) {
        // SAFETY: it borrows nothing.
        None => unsafe { HeapJob::boxed(move |local: &Local| work(local, None)) },
        // SAFETY: as above.
        Some(submission) => unsafe {
            HeapJob::boxed(move |local: &Local| work(local, Some(submission)))
        },
    }
}
