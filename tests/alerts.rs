//! Alerts of a real pool, whose rules are such that they fire.
#![cfg(all(target_os = "linux", not(miri), not(loom)))]

mod common;

use common::*;
use filch::{
    Alert, AlertAction, AlertKind, AlertRules, Monitoring, Severity, Status, Strain, WorkerSnapshot,
};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const OFTEN: Duration = Duration::from_millis(10);

/// One rule, looked at often, that is over at once when it is.
fn only(kind: AlertKind, warning: f64, critical: f64) -> Monitoring {
    lasting(Duration::ZERO, kind, warning, critical)
}

/// As that, over when it has been for so long.
fn lasting(keep: Duration, kind: AlertKind, warning: f64, critical: f64) -> Monitoring {
    let rules = AlertRules::none().rule(kind, warning, critical).keep_firing_for(keep);
    Monitoring::new().alerts(rules).evaluations(OFTEN)
}

/// Fails some tasks, and lets the others pass, until the condition holds.
fn fail_until(pool: &Pool, fails: bool, done: impl Fn() -> bool) {
    wait_until(|| {
        let task = pool.try_spawn_handle(move || if fails { Err(()) } else { Ok(()) });
        let _ = task.join();
        done()
    });
}

fn firing(pool: &Pool) -> Vec<Alert> {
    pool.alerts().into_iter().filter(|alert| alert.resolved.is_none()).collect()
}

#[test]
fn an_alert_fires_and_is_over_and_everybody_hears_of_it() {
    // Long enough to look at it while no task fails.
    let second = Duration::from_secs(1);
    let monitoring = lasting(second, AlertKind::ErrorRate, 0.5, 2.0);
    let pool = Pool::from(builder(1).monitoring(monitoring));
    let heard = Arc::new(Mutex::new(Vec::new()));
    let (theirs, channel) = (Arc::clone(&heard), pool.alert_channel());
    pool.on_alert(move |alert| theirs.lock().unwrap().push(alert.clone()));
    fail_until(&pool, false, || pool.counters().tasks > 100);
    assert_eq!((pool.alerts(), pool.counters().alerts), (vec![], 0));
    fail_until(&pool, true, || !firing(&pool).is_empty());
    let alert = firing(&pool).remove(0);
    assert_eq!(
        (alert.kind, alert.severity, alert.threshold),
        (AlertKind::ErrorRate, Severity::Warning, 0.5)
    );
    assert!(alert.value > 0.5 && alert.message.contains("% of the tasks fail"), "{alert:?}");
    let snapshot = pool.snapshot();
    assert_eq!((snapshot.alerts.len(), snapshot.alerts[0].id), (1, alert.id));
    assert!(snapshot.to_string().contains(&alert.message));
    assert!(!alert.acknowledged && pool.ack(alert.id) && firing(&pool)[0].acknowledged);
    fail_until(&pool, false, || firing(&pool).is_empty());
    assert!(!pool.ack(alert.id) && !pool.ack(999));
    let over = pool.alerts().pop().unwrap();
    assert!(over.id == alert.id && over.resolved.is_some() && over.acknowledged);
    wait_until(|| heard.lock().unwrap().len() == 2);
    let by_channel: Vec<_> = channel.try_iter().map(|alert| (alert.id, alert.resolved)).collect();
    let by_call: Vec<_> = heard.lock().unwrap().iter().map(|a| (a.id, a.resolved)).collect();
    assert_eq!(by_channel, by_call);
    assert!(by_call[0].1.is_none() && by_call[1].1.is_some());
    assert_eq!(pool.counters().alerts, 1);
}

#[test]
fn the_queue_and_how_long_tasks_wait_in_it_are_watched() {
    for (kind, word) in
        [(AlertKind::QueueLength, "jobs wait"), (AlertKind::QueueWait, "waits longer")]
    {
        let pool = Pool::from(builder(1).monitoring(only(kind, 0.05, 5e9).latency(1)));
        let gate = Arc::new(Gate::default());
        let theirs = Arc::clone(&gate);
        pool.spawn(move || theirs.wait());
        (0..10).for_each(|_| pool.spawn(|| ()));
        std::thread::sleep(Duration::from_millis(100));
        gate.open();
        wait_until(|| pool.alerts().iter().any(|alert| alert.message.contains(word)));
    }
}

#[test]
fn a_worker_that_computes_in_one_task_for_long_is_found() {
    // In so long one who computes uses the CPU, though others may want it, too.
    let monitoring = only(AlertKind::Stall, 0.3, 1e9).cpu(10 * OFTEN, 10);
    let pool = Pool::from(builder(2).monitoring(monitoring));
    let gate = Arc::new(Gate::default());
    let (theirs, sleeps) = (Arc::clone(&gate), Arc::clone(&gate));
    let worker = pool.spawn_handle(move || {
        while !theirs.is_open() {
            std::hint::spin_loop();
        }
        filch::current_thread_index().unwrap()
    });
    // Who sleeps that long isn't meant.
    pool.spawn(move || {
        while !sleeps.is_open() {
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    wait_until(|| {
        std::thread::sleep(OFTEN);
        !pool.alerts().is_empty()
    });
    gate.open();
    let worker = worker.join().unwrap();
    let alerts = pool.alerts();
    assert!(alerts.iter().all(|alert| alert.resource == worker.to_string()), "{alerts:?}");
}

#[test]
fn a_listener_that_panics_or_hangs_keeps_nobody_from_anything() {
    // Not something that is so from the beginning: it may be told before anybody listens.
    let pool = Pool::from(builder(1).monitoring(only(AlertKind::ErrorRate, 0.5, 2.0)));
    let (sender, begun) = channel();
    pool.on_alert(|_| std::panic::resume_unwind(Box::new("quietly")));
    pool.on_alert(move |_| {
        sender.send(()).unwrap();
        std::thread::sleep(Duration::from_secs(3600));
    });
    fail_until(&pool, true, || !firing(&pool).is_empty());
    begun.recv().unwrap();
    wait_until(|| pool.counters().lost_hooks == 1);
    assert_eq!((pool.install(|| 1), pool.alerts().is_empty()), (1, false));
    pool.shutdown().unwrap();
}

#[test]
fn without_rules_or_without_monitoring_there_are_none() {
    let none = Monitoring::new().alerts(AlertRules::none()).evaluations(OFTEN);
    for monitoring in [none, Monitoring::off()] {
        let pool = Pool::from(builder(1).monitoring(monitoring));
        fail_until(&pool, true, || pool.counters().failures > 100);
        std::thread::sleep(5 * OFTEN);
        assert!(pool.alerts().is_empty());
    }
}

#[test]
fn workers_leave_and_a_trace_is_written_if_a_rule_says_so() {
    let path = |name: &str| {
        std::env::temp_dir().join(format!("filch-alerts-{}-{name}.json", std::process::id()))
    };
    let [warning, critical, nowhere] =
        [path("warning"), path("critical"), PathBuf::from("/nonexistent/trace.json")];
    let act = |severity, action| (AlertKind::Memory, severity, action);
    let actions = [
        act(Severity::Warning, AlertAction::Shed),
        act(Severity::Warning, AlertAction::Shrink),
        act(Severity::Warning, AlertAction::WriteTrace(warning.clone())),
        act(Severity::Warning, AlertAction::WriteTrace(nowhere)),
        act(Severity::Critical, AlertAction::WriteTrace(critical.clone())),
    ];
    let rules = AlertRules::none().rule(AlertKind::Memory, 0.0, 1e9);
    let rules = actions
        .into_iter()
        .fold(rules, |rules, (kind, severity, action)| rules.action(kind, severity, action));
    let monitoring = Monitoring::new().alerts(rules).evaluations(OFTEN);
    let without = builder(4).monitoring(monitoring.clone()).build().map(|_| ());
    assert!(without.unwrap_err().to_string().contains("flight recorder"));
    let pool = Pool::from(builder(4).min_threads(1).flight_recorder(100).monitoring(monitoring));
    wait_until(|| pool.snapshot().pool.strain == Some(Strain::Alert));
    let stopped = |worker: &WorkerSnapshot| worker.status == Status::Stopped;
    // Its idle timeout is five minutes.
    wait_until(|| pool.snapshot().workers.iter().any(stopped));
    wait_until(|| pool.counters().lost_hooks == 1);
    let written = std::fs::read_to_string(&warning).unwrap();
    assert!(written.contains("traceEvents") && !critical.exists());
    std::fs::remove_file(warning).unwrap();
}

#[test]
fn a_machine_with_more_to_do_than_cpus_is_under_pressure() {
    if std::fs::read("/proc/pressure/cpu").is_err() {
        return println!("SKIPPED: this kernel tells nothing of pressure");
    }
    let rules = AlertRules::none().rule(AlertKind::CpuPressure, 0.5, 1e9);
    let monitoring = Monitoring::new().cpu(OFTEN * 10, 10).alerts(rules).evaluations(OFTEN);
    let pool = Pool::from(builder(1).monitoring(monitoring));
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 * std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        wait_until(|| !firing(&pool).is_empty());
        over.store(true, Ordering::Relaxed);
    });
    assert!(pool.alerts()[0].message.contains("waited for a CPU"));
}
