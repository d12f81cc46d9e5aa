//! What is done when memory runs out: what `policy/shortage.rs` finds is told to whoever can do something.

use crate::governor::herald::{Herald, Troubles};
use crate::monitor::memory::trim_heap;
use crate::policy::shortage::Shortage;
use crate::telemetry::unavailable::Fact;
use crate::worker::shared::Shared;
use std::sync::Arc;
use std::time::Duration;

/// How long a hook may take.
const LIMIT: Duration = Duration::from_secs(10);

pub struct Relief {
    shortage: Shortage,
    threshold: f64,
    herald: Arc<Herald>,
    /// What has been counted of it.
    counted: Troubles,
}

impl Relief {
    pub fn new(threshold: f64) -> Self {
        let (shortage, counted) = Default::default();
        Self { shortage, threshold, herald: Herald::new(LIMIT), counted }
    }

    /// With so much in use.
    pub fn look(&mut self, now: Duration, used: Fact<f64>, pool: Option<&Arc<Shared>>) {
        let (Some(pressure), Some(pool)) = (self.shortage.look(now, used, self.threshold), pool)
        else {
            return;
        };
        pool.ask_to_tidy();
        if let Some(hook) = pool.handlers.memory.clone() {
            self.herald.post(Box::new(move || hook(pressure)));
        }
        if pool.handlers.trims {
            let pool = Arc::downgrade(pool);
            self.herald.post(Box::new(move || {
                if let Some(pool) = pool.upgrade() {
                    let _ = trim_heap(pool.handlers.trim.as_deref());
                }
            }));
        }
    }

    pub fn is_due(&self) -> bool {
        self.shortage.lasts()
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
