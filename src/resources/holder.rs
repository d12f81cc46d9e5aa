//! Who holds leases: threads, with whatever lies on their stacks.

use crate::sync::statistic::{AtomicU64, Ordering};
use std::sync::Arc;

thread_local! {
    static HOLDER: Holder = Holder::default();
}

/// A thread that holds leases, or has held some.
#[derive(Clone, Default)]
pub struct Holder(Arc<AtomicU64>);

impl Holder {
    /// The current thread, with one lease more.
    pub fn take_one() -> Option<Self> {
        // Not while it ends: then it waits for nothing any more.
        let holder = HOLDER.try_with(Self::clone).ok()?;
        holder.0.fetch_add(1, Ordering::Relaxed);
        Some(holder)
    }

    /// One less, wherever it is given back.
    pub fn give_back_one(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether the current thread holds any.
    pub fn holds() -> bool {
        HOLDER.try_with(|holder| holder.0.load(Ordering::Relaxed) > 0).unwrap_or(false)
    }
}
