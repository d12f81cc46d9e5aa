//! The alerts of a pool, what its rules have found of what they watch, and who listens.
//!
//! Tests: tests/alerts.rs.
//! Model: loom-tests/tests/alarm.rs.

use crate::policy::alert::{AlertState, Change, Condition, Outcome};
use crate::sync::{Mutex, MutexGuard};
use crate::telemetry::alert::{Alert, AlertKind, Alerts, Severity};
use crate::telemetry::unavailable::Fact;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// Called with each alert that is told of.
pub type Listener = dyn Fn(&Alert) + Send + Sync;

/// So many wait in a channel: whoever is that far behind misses the next.
const MOST: usize = 256;

/// A rule, and what it watches: the number of a mount or worker, or 0.
pub struct Watch {
    pub kind: AlertKind,
    pub resource: usize,
    state: AlertState,
    alert: Option<u64>,
}

impl Watch {
    pub fn new(kind: AlertKind, resource: usize) -> Self {
        Self { kind, resource, state: AlertState::default(), alert: None }
    }

    /// How bad it is, if it fires.
    pub fn severity(&self) -> Option<Severity> {
        self.state.severity()
    }
}

#[derive(Default)]
pub struct Alarm {
    alerts: Mutex<Alerts>,
    listeners: Mutex<Vec<Arc<Listener>>>,
    channels: Mutex<Vec<SyncSender<Alert>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing of a user's is called while one is held.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Alarm {
    pub fn alerts(&self) -> MutexGuard<'_, Alerts> {
        lock(&self.alerts)
    }

    /// The value of what is watched is so much now; `name` is called if it fires. Returns what came of it, and the
    /// alert as it is then; `None` if nothing did.
    pub fn step(
        &self,
        watch: &mut Watch,
        now: Duration,
        value: Fact<f64>,
        condition: &Condition,
        name: impl FnOnce() -> String,
    ) -> Option<(Outcome, Alert)> {
        let kind = watch.kind;
        let describe = |alert: &mut Alert, severity: Severity| {
            let value = value.unwrap_or(f64::NAN);
            alert.severity = severity;
            alert.value = value;
            alert.threshold = condition.threshold(severity);
            alert.message = kind.describe(&alert.resource, value);
        };
        // Held until the alert says what came of it: whoever acknowledges it does so before the step, which
        // tells nobody then, or of what the step has made of it.
        let mut alerts = self.alerts();
        let acknowledged =
            watch.alert.and_then(|id| alerts.get(id)).is_some_and(|a| a.acknowledged);
        let outcome = watch.state.step(now, value, condition, acknowledged);
        let alert = match outcome {
            Outcome { change: None, tell: false } => None,
            Outcome { change: Some(Change::Fires(severity)), .. } => {
                let mut alert = Alert::new(kind, name());
                describe(&mut alert, severity);
                let id = alerts.begin(alert);
                watch.alert = Some(id);
                alerts.get(id).cloned()
            }
            Outcome { change: Some(Change::Resolves), .. } => {
                watch.alert.take().and_then(|id| alerts.end(id))
            }
            Outcome { change, .. } => watch.alert.and_then(|id| alerts.get(id)).map(|alert| {
                let escalates = change == Some(Change::Escalates);
                let severity = if escalates { Severity::Critical } else { alert.severity };
                alert.acknowledged &= !escalates;
                describe(alert, severity);
                alert.clone()
            }),
        };
        alert.map(|alert| (outcome, alert))
    }

    /// Whether there is such an alert, and it fires: it is known to somebody then.
    pub fn acknowledge(&self, id: u64) -> bool {
        self.alerts().get(id).map(|alert| alert.acknowledged = true).is_some()
    }

    pub fn listen(&self, listener: Arc<Listener>) {
        lock(&self.listeners).push(listener);
    }

    pub fn listeners(&self) -> Vec<Arc<Listener>> {
        lock(&self.listeners).clone()
    }

    pub fn channel(&self) -> Receiver<Alert> {
        let (sender, receiver) = sync_channel(MOST);
        lock(&self.channels).push(sender);
        receiver
    }

    /// To all channels; waits for none. Calls `lost` for each that is full.
    pub fn send(&self, alert: &Alert, lost: impl Fn()) {
        lock(&self.channels).retain(|channel| match channel.try_send(alert.clone()) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                lost();
                true
            }
            Err(TrySendError::Disconnected(_)) => false,
        });
    }
}

#[cfg(all(test, not(loom), not(miri)))]
mod tests {
    use super::{Alarm, Watch};
    use crate::policy::alert::Condition;
    use crate::telemetry::alert::{AlertKind, Severity};
    use std::time::Duration;

    #[test]
    fn what_gets_worse_says_so_and_is_to_be_acknowledged_anew() {
        let (lasting, keep_firing_for) = Default::default();
        let cooldown = Duration::from_secs(10);
        let condition =
            Condition { warning: 0.7, critical: 0.9, lasting, keep_firing_for, cooldown };
        let (alarm, mut watch) = (Alarm::default(), Watch::new(AlertKind::Disk, 3));
        let mut step = |second, value| {
            let name = || "/home".to_owned();
            let now = Duration::from_secs(second);
            let (_, alert) = alarm.step(&mut watch, now, Ok(value), &condition, name)?;
            assert_eq!((alert.id, &*alert.resource), (1, "/home"));
            assert!(alert.value == value || alert.resolved.is_some());
            Some((alert.severity, alert.threshold, alert.acknowledged, alert.resolved.is_some()))
        };
        let warning = Some((Severity::Warning, 0.7, false, false));
        assert_eq!(step(0, 0.8), warning);
        assert_eq!(step(10, 0.75), warning, "after the cooldown");
        assert!(alarm.acknowledge(1) && !alarm.acknowledge(2));
        assert_eq!(step(20, 0.8), None);
        assert_eq!(step(21, 1.0), Some((Severity::Critical, 0.9, false, false)));
        assert!(alarm.acknowledge(1));
        assert_eq!(step(40, 1.0), None);
        assert_eq!(step(41, 0.1), Some((Severity::Critical, 0.9, true, true)));
        assert!(!alarm.acknowledge(1));
    }
}
