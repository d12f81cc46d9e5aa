//! What is done when memory runs out: what `policy/shortage.rs` finds is told to whoever can do something.

use crate::governor::hooks::Hooks;
use crate::monitor::memory::trim_heap;
use crate::policy::shortage::Shortage;
use crate::telemetry::unavailable::Fact;
use crate::worker::shared::Shared;
use std::sync::Arc;
use std::time::Duration;

pub struct Relief {
    shortage: Shortage,
    threshold: f64,
}

impl Relief {
    pub fn new(threshold: f64) -> Self {
        Self { shortage: Shortage::default(), threshold }
    }

    /// With so much in use.
    pub fn look(
        &mut self,
        now: Duration,
        used: Fact<f64>,
        pool: Option<&Arc<Shared>>,
        hooks: &Hooks,
    ) {
        let (Some(pressure), Some(pool)) = (self.shortage.look(now, used, self.threshold), pool)
        else {
            return;
        };
        pool.ask_to_tidy();
        if let Some(hook) = pool.handlers.memory.clone() {
            hooks.post(Box::new(move || hook(pressure)));
        }
        if pool.handlers.trims {
            let pool = Arc::downgrade(pool);
            hooks.post(Box::new(move || {
                if let Some(pool) = pool.upgrade() {
                    let _ = trim_heap(pool.handlers.trim.as_deref());
                }
            }));
        }
    }

    pub fn is_due(&self) -> bool {
        self.shortage.lasts()
    }
}
