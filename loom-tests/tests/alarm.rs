//! The alarm: an acknowledgement is never lost, and nobody is told of what somebody has acknowledged, nor twice within
//! a cooldown.

#![cfg(loom)]

use filch::protocols::alarm::{Alarm, Watch};
use filch::protocols::alert::{Change, Condition, Outcome};
use filch::protocols::{Alert, AlertKind};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;
use loom_tests::check;
use std::time::Duration;

const CONDITION: Condition = Condition {
    warning: 0.7,
    critical: 0.9,
    lasting: Duration::ZERO,
    keep_firing_for: Duration::ZERO,
    cooldown: Duration::from_secs(10),
};

/// A pool's alarm, the thread that watches, and somebody who acknowledges the first alert.
struct Scene {
    alarm: Arc<Alarm>,
    watch: Watch,
    id: u64,
    has_acknowledged: Arc<AtomicBool>,
    other: thread::JoinHandle<bool>,
}

impl Scene {
    /// There is a warning, which has been told of.
    fn begin() -> Self {
        let alarm = Arc::new(Alarm::default());
        let mut watch = Watch::new(AlertKind::Cpu, 0);
        let (outcome, alert) = step(&alarm, &mut watch, 0, 0.8).unwrap();
        assert!(matches!(outcome, Outcome { change: Some(Change::Fires(_)), tell: true }));
        let (id, has_acknowledged) = (alert.id, Arc::new(AtomicBool::new(false)));
        let (theirs, says) = (Arc::clone(&alarm), Arc::clone(&has_acknowledged));
        let other = thread::spawn(move || {
            let acknowledged = theirs.acknowledge(id);
            // Orders nothing by itself: what it tells of is behind the lock.
            says.store(acknowledged, Ordering::Relaxed);
            acknowledged
        });
        Self { alarm, watch, id, has_acknowledged, other }
    }

    fn step(&mut self, second: u64, value: f64) -> Option<(Outcome, Alert)> {
        step(&self.alarm, &mut self.watch, second, value)
    }
}

fn step(alarm: &Alarm, watch: &mut Watch, second: u64, value: f64) -> Option<(Outcome, Alert)> {
    alarm.step(watch, Duration::from_secs(second), Ok(value), &CONDITION, String::new)
}

#[test]
fn nobody_is_told_within_the_cooldown_nor_of_what_is_acknowledged() {
    check(|| {
        let mut scene = Scene::begin();
        assert_eq!(scene.step(5, 0.8), None);
        let known = scene.has_acknowledged.load(Ordering::Relaxed);
        if let Some((outcome, alert)) = scene.step(10, 0.8) {
            assert_eq!(outcome, Outcome { change: None, tell: true });
            assert!(!known && !alert.acknowledged);
        }
        assert_eq!(scene.step(15, 0.8), None);
        assert!(scene.other.join().unwrap());
        assert_eq!(step(&scene.alarm, &mut scene.watch, 30, 0.8), None);
        assert!(scene.alarm.alerts().get(scene.id).unwrap().acknowledged);
    });
}

#[test]
fn who_acknowledges_what_gets_worse_has_done_so_before_or_of_what_it_is_then() {
    check(|| {
        let mut scene = Scene::begin();
        let (outcome, alert) = scene.step(5, 1.0).unwrap();
        // Is told within the cooldown, as it is news, and as something nobody knows of.
        assert_eq!(outcome, Outcome { change: Some(Change::Escalates), tell: true });
        assert!(!alert.acknowledged);
        assert!(scene.other.join().unwrap());
        let acknowledged = scene.alarm.alerts().get(scene.id).unwrap().acknowledged;
        let told = step(&scene.alarm, &mut scene.watch, 15, 1.0);
        assert_eq!(told.is_none(), acknowledged);
    });
}

#[test]
fn what_is_over_says_whether_it_was_acknowledged() {
    check(|| {
        let mut scene = Scene::begin();
        let (outcome, alert) = scene.step(5, 0.1).unwrap();
        assert_eq!(outcome, Outcome { change: Some(Change::Resolves), tell: true });
        let acknowledged = scene.other.join().unwrap();
        assert_eq!(alert.acknowledged, acknowledged);
        assert_eq!(scene.alarm.alerts().all(), [alert]);
    });
}
