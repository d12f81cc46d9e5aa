//! What a closure of a join is told.

use std::fmt;
use std::marker::PhantomData;

/// What a closure of [`join_context`](crate::join_context) learns of its surroundings.
pub struct FnContext {
    migrated: bool,
    /// Neither Send nor Sync: it speaks of the thread it is on.
    thread: PhantomData<*mut ()>,
}

impl FnContext {
    pub(super) fn new(migrated: bool) -> Self {
        Self { migrated, thread: PhantomData }
    }

    /// Whether the closure runs on another thread than the one that called
    /// [`join_context`](crate::join_context).
    pub fn migrated(&self) -> bool {
        self.migrated
    }
}

impl fmt::Debug for FnContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FnContext").field("migrated", &self.migrated).finish()
    }
}
