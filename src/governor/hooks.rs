//! What users want called, and what is counted of it.

use crate::governor::herald::{Call, Herald, Troubles};
use crate::worker::shared::Shared;
use std::sync::Arc;
use std::time::Duration;

/// How long a hook may take.
const LIMIT: Duration = Duration::from_secs(10);

pub struct Hooks {
    herald: Arc<Herald>,
    counted: Troubles,
}

impl Hooks {
    pub fn new() -> Self {
        Self { herald: Herald::new(LIMIT), counted: Troubles::default() }
    }

    pub fn post(&self, call: Call) {
        self.herald.post(call);
    }

    /// Gives up a hook that takes too long, and counts what has gone wrong. Returns after how long to look
    /// again, if one is being called.
    pub fn check(&mut self, pool: &Shared) -> Option<Duration> {
        let now = self.herald.check();
        let before = std::mem::replace(&mut self.counted, now);
        let lost = |troubles: Troubles| troubles.panics + troubles.lost;
        (before.overdue..now.overdue).for_each(|_| pool.common.overdue_hooks.bump_shared());
        (lost(before)..lost(now)).for_each(|_| pool.common.lost_hooks.bump_shared());
        self.herald.overdue_in()
    }

    pub fn end(&self) {
        self.herald.close();
    }
}
