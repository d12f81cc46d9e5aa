//! Workers without threads of their own and without a pool around them, for tests and models.
//!
//! This file is `unsafe` for tasks that borrow nothing, and for frames of workers that are the caller's.

use crate::job::{FrameRef, HeapJob, JobRef, StackJob};
use crate::policy::wait::WaitPolicy;
use crate::sync::{Ordering, fence, global};
use crate::worker::handlers::Handlers;
use crate::worker::local::{Deques, Local, Origin};
use crate::worker::shared::{Insight, Post, Shared};
use crate::worker::watch::Watch;
use std::array;
use std::sync::Arc;
use std::time::Duration;

/// What all may touch; nobody is there.
pub fn shared(
    deques: &[Deques],
    max: usize,
    watch: Option<Duration>,
    insight: Insight,
) -> Arc<Shared> {
    fence::prepare();
    let (policy, handlers) = (WaitPolicy::Descendants, Handlers::default());
    Arc::new(Shared::new(deques, max, policy, Watch::new(watch), handlers, insight))
}

/// The workers, to be taken along by those who are them.
pub fn workers<const WORKERS: usize>(max: usize, watch: Option<Duration>) -> [Local; WORKERS] {
    let deques = array::from_fn(|_| Deques::default());
    let shared = shared(&deques, max, watch, Insight::default());
    shared.staffed.store(WORKERS, Ordering::Relaxed);
    let mut index = 0..WORKERS;
    let shared = || Arc::clone(&shared);
    deques.map(|deques| Local::new(shared(), index.next().unwrap(), deques, Origin::Built))
}

/// To be run once.
pub fn task() -> JobRef<Local> {
    // SAFETY: it borrows nothing.
    unsafe { HeapJob::boxed(|_: &Local| ()) }
}

/// Counts those who are hired. They come to nothing: whoever relies on them says so.
pub fn count_hired(shared: &Shared) -> Arc<global::AtomicUsize> {
    let hired = Arc::new(global::AtomicUsize::new(0));
    let count = Arc::clone(&hired);
    let hire = move |_: Post| {
        count.fetch_add(1, global::Ordering::Relaxed);
        Ok(())
    };
    assert!(shared.hire.set(Box::new(hire)).is_ok());
    hired
}

/// Has it run all that it finds.
pub fn run(local: &Local) {
    while let Some(job) = local.find() {
        local.execute(job);
    }
}

/// Puts a frame, made for its top, on the worker's lane, as a join does.
pub fn hide(local: &Local, frame: FrameRef<Local>) {
    // SAFETY: the worker is the caller's, who takes back what it hides.
    if unsafe { local.lane().push(frame) } {
        local.expose();
    }
}

/// Takes the job's frame off again. False: somebody else has it.
pub fn take_back<F: FnOnce(bool) -> R, R>(local: &Local, job: &StackJob<Local, F, R>) -> bool {
    let below = job.below();
    // SAFETY: as above, and this is what the frame pushed last lies on.
    unsafe { local.lane().pop(below) || local.lane().reclaim(below, &local.deques.frames) }
}

/// Whether somebody has woken it since this was asked last.
#[cfg(not(loom))]
pub fn is_told(local: &Local) -> bool {
    local.remote().parker.park_timeout(Duration::ZERO)
}

/// Has it fall asleep, idle.
pub fn sleep(local: &Local) {
    local.shared.idle.start_searching();
    local.shared.idle.sleep_begin(local.index);
}
