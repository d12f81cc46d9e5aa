//! How one hears of a pool's alerts.

use crate::pool::thread_pool::ThreadPool;
use crate::telemetry::alert::Alert;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

impl ThreadPool {
    /// The alerts that fire, and the last 64 that are over, the oldest first. What is
    /// looked at is said by [`AlertRules`](crate::AlertRules). None in a pool without
    /// [monitoring](crate::ThreadPoolBuilder::monitoring).
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = filch::ThreadPoolBuilder::new().num_threads(2).build()?;
    /// for alert in pool.alerts().iter().filter(|alert| alert.resolved.is_none()) {
    ///     println!("{alert}");
    /// }
    /// # Ok::<(), filch::Error>(())
    /// ```
    pub fn alerts(&self) -> Vec<Alert> {
        self.shared().alarm.alerts().all()
    }

    /// Says that somebody knows of the alert: while it fires it isn't told of again, unless it gets worse.
    /// Returns whether there is such an alert, and it fires.
    pub fn ack(&self, id: u64) -> bool {
        self.shared().alarm.acknowledge(id)
    }

    /// Has `listener` called for each alert that fires, gets worse, is over, or fires still after the
    /// [cooldown](crate::AlertRules::cooldown). On a thread of its own, one after the other; one that takes longer than
    /// 10 seconds is left to itself, and a panic is counted
    /// ([`Counters::overdue_hooks`](crate::Counters::overdue_hooks), [`lost_hooks`](crate::Counters::lost_hooks)).
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = filch::ThreadPoolBuilder::new().num_threads(2).build()?;
    /// pool.on_alert(|alert| eprintln!("{alert}"));
    /// # Ok::<(), filch::Error>(())
    /// ```
    pub fn on_alert(&self, listener: impl Fn(&Alert) + Send + Sync + 'static) {
        self.shared().alarm.listen(Arc::new(listener));
    }

    /// As [`on_alert`](Self::on_alert), through a channel. It holds 256; whoever is that far behind misses those
    /// that follow, which are counted in [`Counters::lost_hooks`](crate::Counters::lost_hooks).
    pub fn alert_channel(&self) -> Receiver<Alert> {
        self.shared().alarm.channel()
    }
}
