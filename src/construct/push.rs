//! How a task gets into a queue of a pool, from whatever thread.

use crate::resources::rejected::Rejected;
use crate::worker::blocked::Blocked;
use crate::worker::local::Local;
use crate::worker::shared::Shared;

/// In which order a worker runs its own tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Lifo,
    Fifo,
}

/// Makes a job of `task` and queues it: by `push_own` on a worker of this pool, by
/// `push_outside` elsewhere, unless the pool takes no more. Those who wait and are
/// `concerned` may run it, too.
#[inline]
pub fn push<T, J>(
    shared: &Shared,
    task: T,
    into_job: impl FnOnce(T, Option<&Local>) -> J,
    push_own: impl FnOnce(&Local, J),
    push_outside: impl FnOnce(J),
    concerned: impl Fn(usize, Blocked) -> bool,
) -> Result<(), Rejected<T>> {
    let current = Local::current_in(shared);
    if let Some(local) = current
        && local.returns()
    {
        // It is awake, so the pool can't end before this one is seen.
        push_own(local, into_job(task, current));
        shared.notify(concerned);
        return Ok(());
    }
    let _entered = match shared.enter() {
        Ok(entered) => entered,
        Err(reason) => return Err(Rejected { task, reason }),
    };
    let job = into_job(task, current);
    match current {
        Some(guest) => push_own(guest, job),
        None => push_outside(job),
    }
    shared.notify_from_outside(concerned);
    Ok(())
}
