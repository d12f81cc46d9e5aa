//! Workers without threads of their own and without a pool around them, for tests and models.

use crate::policy::wait::WaitPolicy;
use crate::sync::Ordering;
use crate::worker::handlers::Handlers;
use crate::worker::local::{Deques, Local, Origin};
use crate::worker::shared::{Insight, Shared};
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
