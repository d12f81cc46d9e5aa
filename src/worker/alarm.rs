//! The alerts of a pool, and who listens to them.
//!
//! Tests: tests/alerts.rs.

use crate::telemetry::alert::{Alert, Alerts};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Called with each alert that is told of.
pub type Listener = dyn Fn(&Alert) + Send + Sync;

/// So many wait in a channel: whoever is that far behind misses the next.
const MOST: usize = 256;

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
