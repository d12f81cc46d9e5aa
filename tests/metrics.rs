//! What is published through the `metrics` facade, beside what the pool says itself. Linux only, as
//! readings are.
#![cfg(target_os = "linux")]

mod common;

use common::{Pool, builder, wait_until};
use filch::{Counters, MetricsPublisher, Monitoring, Record, Status, TaskBuilder, ThreadPool};
use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

const NAP: Duration = Duration::from_millis(20);

/// Remembers all it is told, by `name{label="value"}`.
#[derive(Default)]
struct Book {
    described: Mutex<BTreeMap<String, Described>>,
    entries: Mutex<BTreeMap<String, Arc<Entry>>>,
}

struct Described {
    kind: &'static str,
    unit: Option<Unit>,
    help: String,
    times: u32,
}

struct Entry {
    kind: &'static str,
    value: Mutex<f64>,
    /// Of a histogram.
    times: Mutex<Vec<(f64, usize)>>,
}

impl CounterFn for Entry {
    fn increment(&self, _: u64) {
        panic!("a pool's counts are absolute")
    }

    fn absolute(&self, value: u64) {
        let mut highest = self.value.lock().unwrap();
        *highest = highest.max(value as f64);
    }
}

impl GaugeFn for Entry {
    fn increment(&self, _: f64) {
        panic!("a pool's numbers are absolute")
    }

    fn decrement(&self, _: f64) {
        panic!("a pool's numbers are absolute")
    }

    fn set(&self, value: f64) {
        *self.value.lock().unwrap() = value;
    }
}

impl HistogramFn for Entry {
    fn record(&self, value: f64) {
        self.record_many(value, 1);
    }

    fn record_many(&self, value: f64, count: usize) {
        self.times.lock().unwrap().push((value, count));
    }
}

impl Book {
    fn describe(&self, kind: &'static str, name: KeyName, unit: Option<Unit>, help: SharedString) {
        let mut described = self.described.lock().unwrap();
        let new = Described { kind, unit, help: help.to_string(), times: 0 };
        described.entry(name.as_str().into()).or_insert(new).times += 1;
    }

    fn entry(&self, kind: &'static str, key: &Key) -> Arc<Entry> {
        let labels: Vec<_> =
            key.labels().map(|label| format!("{}={:?}", label.key(), label.value())).collect();
        let labels =
            if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let new = || Arc::new(Entry { kind, value: Mutex::default(), times: Mutex::default() });
        let mut entries = self.entries.lock().unwrap();
        let entry = entries.entry(format!("{}{labels}", key.name())).or_insert_with(new);
        assert_eq!(entry.kind, kind, "{key}");
        entry.clone()
    }

    fn publish(&self, publisher: &mut MetricsPublisher, pool: &ThreadPool) {
        metrics::with_local_recorder(self, || publisher.publish(pool));
    }

    /// Everything but histograms.
    fn values(&self) -> HashMap<String, f64> {
        let entries = self.entries.lock().unwrap();
        let numbers = entries.iter().filter(|(_, entry)| entry.kind != "histogram");
        numbers.map(|(name, entry)| (name.clone(), *entry.value.lock().unwrap())).collect()
    }

    fn value(&self, name: &str) -> f64 {
        *self.values().get(name).unwrap_or_else(|| panic!("no {name}"))
    }

    /// What a histogram has been told since the last call.
    fn times(&self, name: &str) -> Vec<(f64, usize)> {
        let entry = self.entries.lock().unwrap().get(name).cloned();
        entry.map(|entry| std::mem::take(&mut *entry.times.lock().unwrap())).unwrap_or_default()
    }
}

impl Recorder for Book {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.describe("counter", name, unit, help);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.describe("gauge", name, unit, help);
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.describe("histogram", name, unit, help);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.entry("counter", key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.entry("gauge", key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.entry("histogram", key))
    }
}

/// Every task is timed. Readings are taken once: the next ones are due when all is over.
fn pool(workers: usize) -> Pool {
    let hour = Duration::from_secs(3600);
    let monitoring = Monitoring::new().latency(1).cpu(hour, 2).memory(hour, 2);
    builder(workers).monitoring(monitoring.network(hour, 2).disk(hour, 2)).into()
}

/// A pool at rest, after its readings and then 3 tasks with a label and 3 without, one of which failed.
fn pool_that_has_worked() -> Pool {
    let pool = pool(2);
    // The last to be read.
    wait_until(|| pool.snapshot().disk.readings > 0);
    for _ in 0..3 {
        TaskBuilder::new().pool(&pool).label("nap").spawn_handle(|| ()).join().unwrap();
    }
    pool.spawn_handle(|| ()).join().unwrap();
    pool.try_spawn_handle(|| Err::<(), _>(())).join().unwrap().unwrap_err();
    pool.install(|| filch::join(|| (), || ()));
    rest(&pool, 6);
    pool
}

fn rest(pool: &ThreadPool, tasks: u64) {
    wait_until(|| pool.counters().tasks >= tasks);
    wait_until(|| pool.snapshot().workers.iter().all(|worker| worker.status == Status::Parked));
}

#[test]
fn every_number_of_a_snapshot_is_published() {
    let pool = pool_that_has_worked();
    // A worker that sleeps may wake once more: then again.
    let (book, snapshot) = loop {
        let (book, before) = (Book::default(), pool.snapshot());
        book.publish(&mut MetricsPublisher::new(), &pool);
        let after = pool.snapshot();
        let parked = after.workers.iter().all(|worker| worker.status == Status::Parked);
        if parked && before.pool.counters.values().eq(&after.pool.counters.values()) {
            break (book, after);
        }
    };
    for (at, field) in Counters::FIELDS.iter().enumerate() {
        let of_all = book.value(&format!("filch_{}_total", field.name));
        assert_eq!(of_all, snapshot.pool.counters.values()[at] as f64, "{}", field.name);
        for worker in &snapshot.workers {
            let label = format!("{{worker=\"{}\"}}", worker.index);
            let of_one = book.value(&format!("filch_worker_{}_total{label}", field.name));
            assert_eq!(of_one, worker.counters.values()[at] as f64, "{}{label}", field.name);
        }
    }
    assert_eq!(book.value("filch_joins_total"), 1.0);
    assert_eq!(book.value("filch_failures_total"), 1.0);
    assert_eq!(book.value("filch_num_threads"), 2.0);
    assert_eq!(book.value("filch_latency_one_in"), 1.0);
    assert_eq!(book.value("filch_workers{status=\"parked\"}"), 2.0);
    assert_eq!(book.value("filch_workers{status=\"running\"}"), 0.0);
    let busy =
        [0, 1].map(|worker| format!("filch_worker_busy_seconds_total{{worker=\"{worker}\"}}"));
    let busy = busy.map(|name| book.value(&name)).iter().sum::<f64>();
    assert!(busy > 0.0 && (busy - book.value("filch_busy_seconds_total")).abs() < 1e-6);
    let throughput = book.value("filch_tasks_per_second{window=\"60s\"}");
    assert!(throughput >= snapshot.pool.throughput.minute.unwrap());
    assert_eq!(book.value("filch_error_ratio{window=\"10s\"}"), 1.0 / 6.0);
    assert!((0.0..=1.0).contains(&book.value("filch_utilisation_ratio{window=\"1s\"}")));
    let age = book.value("filch_reading_age_seconds{reading=\"memory\"}");
    assert!(age > 0.0 && age <= snapshot.memory.age.unwrap().as_secs_f64());
}

#[test]
fn of_each_record_all_that_is_there_is_published_and_nothing_else() {
    let (pool, book) = (pool_that_has_worked(), Book::default());
    book.publish(&mut MetricsPublisher::new(), &pool);
    let (snapshot, values) = (pool.snapshot(), book.values());
    let mut records = vec![
        ("cpu", String::new(), snapshot.cpu.current.values()),
        ("memory", String::new(), snapshot.memory.current.values()),
        ("network", String::new(), snapshot.network.current.values()),
        ("disk", String::new(), snapshot.disk.current.values()),
    ];
    for worker in &snapshot.workers {
        records.push(("thread", format!("worker=\"{}\"", worker.index), worker.thread.values()));
    }
    for (number, core) in &snapshot.cores {
        records.push(("core", format!("cpu=\"{number}\""), core.values()));
    }
    for (name, network) in &snapshot.interfaces {
        records.push(("interface", format!("interface={name:?}"), network.values()));
    }
    for (path, mount) in &snapshot.mounts {
        records.push(("mount", format!("mount={path:?}"), mount.values()));
    }
    let sorted = |values: &mut dyn Iterator<Item = f64>| {
        let mut values: Vec<_> = values.collect();
        values.sort_by(f64::total_cmp);
        values
    };
    for (record, label, numbers) in records {
        let is_one = |name: &str| {
            let (name, labels) = name.split_once('{').unwrap_or((name, "}"));
            name.starts_with(&format!("filch_{record}_")) && labels == format!("{label}}}")
        };
        let mut published = values.iter().filter(|one| is_one(one.0)).map(|(_, value)| *value);
        let mut expected = numbers.into_iter().filter_map(Result::ok);
        assert_eq!(sorted(&mut published), sorted(&mut expected), "{record} {label}");
    }
}

#[test]
fn names_units_and_labels_are_as_documented() {
    let (pool, book) = (pool_that_has_worked(), Book::default());
    book.publish(&mut MetricsPublisher::new(), &pool);
    let snapshot = pool.snapshot();
    for (name, value) in [
        ("filch_memory_total_bytes", snapshot.memory.current.total.map(|bytes| bytes as f64)),
        ("filch_cpu_load_1m", snapshot.cpu.current.load_1m),
        (
            "filch_mount_total_bytes{mount=\"/\"}",
            snapshot.mounts[0].1.total.map(|bytes| bytes as f64),
        ),
    ] {
        assert_eq!(Ok(book.value(name)), value, "{name}");
    }
    // They grow, or aren't there on every machine.
    for name in [
        "filch_queue_wait_seconds",
        "filch_thread_cpu_seconds_total",
        "filch_thread_run_delay_seconds_total",
        "filch_cpu_throttled_seconds_total",
        "filch_cpu_quota_cpus",
        "filch_cpu_process_cpus",
        "filch_core_utilisation_ratio",
        "filch_network_received_bytes_total",
        "filch_interface_receive_bytes_per_second",
        "filch_disk_read_bytes_total",
        "filch_worker_queued",
    ] {
        assert!(book.described.lock().unwrap().contains_key(name), "{name}");
    }
}

#[test]
fn every_name_keeps_prometheus_rules_and_is_described_once() {
    let (pool, book, mut publisher) =
        (pool_that_has_worked(), Book::default(), MetricsPublisher::new());
    book.publish(&mut publisher, &pool);
    book.publish(&mut publisher, &pool);
    let described = book.described.lock().unwrap();
    for (name, Described { kind, unit, help, times }) in &*described {
        assert!(name.starts_with("filch_"), "{name}");
        let allowed = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '_');
        assert!(
            name.chars().all(allowed) && !name.contains("__") && !name.ends_with('_'),
            "{name}"
        );
        let words: Vec<_> = name.split('_').collect();
        assert!(words.windows(2).all(|pair| pair[0] != pair[1]), "{name}");
        let total = name.strip_suffix("_total");
        assert!(*kind != "counter" || total.is_some(), "{name}");
        // The facade's counters can't hold a part of a second.
        assert!(*kind != "gauge" || total.is_none_or(|stem| stem.ends_with("_seconds")), "{name}");
        for (ending, of) in [("_seconds", Unit::Seconds), ("_bytes", Unit::Bytes)] {
            assert_eq!(total.unwrap_or(name).ends_with(ending), *unit == Some(of), "{name}");
        }
        assert!(help.ends_with('.') && !help.contains("]("), "{name}: {help}");
        assert_eq!(*times, 1, "{name}");
    }
    let entries = book.entries.lock().unwrap();
    assert!(entries.len() > 100);
    for (name, entry) in &*entries {
        let described = described.get(name.split('{').next().unwrap());
        assert_eq!(described.map(|described| described.kind), Some(entry.kind), "{name}");
    }
}

#[test]
fn a_histogram_is_told_what_came_since_the_last_time() {
    let (pool, book, mut publisher) =
        (pool_that_has_worked(), Book::default(), MetricsPublisher::new());
    let counts = || {
        ["", "nap", "late"].map(|label| {
            ["queue_wait", "run_time", "response_time"].map(|latency| {
                let times = book.times(&format!("filch_{latency}_seconds{{label={label:?}}}"));
                times.iter().map(|(_, count)| count).sum::<usize>()
            })
        })
    };
    book.publish(&mut publisher, &pool);
    assert_eq!(counts(), [[3; 3], [3; 3], [0; 3]]);
    TaskBuilder::new()
        .pool(&pool)
        .label("late")
        .spawn_handle(|| thread::sleep(NAP))
        .join()
        .unwrap();
    pool.spawn_handle(|| ()).join().unwrap();
    rest(&pool, 8);
    book.publish(&mut publisher, &pool);
    let late = book.times("filch_run_time_seconds{label=\"late\"}");
    let [(seconds, 1)] = late[..] else { panic!("{late:?}") };
    // A length is known to 3 %.
    assert!(seconds >= 0.97 * NAP.as_secs_f64() && seconds < 10.0, "{seconds}");
    assert_eq!(counts(), [[1; 3], [0; 3], [1, 0, 1]]);
    book.publish(&mut publisher, &pool);
    assert_eq!(counts(), [[0; 3]; 3]);
    // Wakes are no tasks.
    let wakes: usize = book.times("filch_wake_seconds").iter().map(|(_, count)| count).sum();
    assert_eq!(wakes as u64, pool.snapshot().latency.wake.count);
}

#[test]
fn what_is_no_longer_there_becomes_nan() {
    let (pool, book, mut publisher) =
        (pool_that_has_worked(), Book::default(), MetricsPublisher::new());
    book.publish(&mut publisher, &pool);
    let before = book.values();
    // With one worker, and no readings at all.
    let smaller: Pool = builder(1).monitoring(Monitoring::off()).into();
    book.publish(&mut publisher, &smaller);
    for (name, value) in book.values() {
        let read = [
            "cpu",
            "core",
            "memory",
            "network",
            "interface",
            "disk",
            "mount",
            "thread",
            "health",
            "reading",
        ]
        .iter()
        .any(|of| name.starts_with(&format!("filch_{of}_")));
        let rate = name.contains("window=");
        let gone = (read || rate || name.contains("worker=\"1\""))
            && book.entries.lock().unwrap()[&name].kind == "gauge";
        assert_eq!(value.is_nan(), gone, "{name} {value}");
        assert!(!before[&name].is_nan(), "{name}");
    }
    // A count can't be taken back.
    assert_eq!(book.value("filch_tasks_total"), 6.0);
    book.publish(&mut publisher, &pool);
    assert!(book.values().values().all(|value| !value.is_nan()));
}

#[test]
fn pools_are_told_apart_by_a_label() {
    let (pools, book) = ([pool(1), pool(1)], Book::default());
    pools[1].install(|| filch::join(|| (), || ()));
    rest(&pools[1], 1);
    for (pool, name) in pools.iter().zip(["idle", "busy"]) {
        book.publish(&mut MetricsPublisher::new().pool(name), pool);
    }
    assert_eq!(book.value("filch_joins_total{pool=\"idle\"}"), 0.0);
    assert_eq!(book.value("filch_joins_total{pool=\"busy\"}"), 1.0);
    assert_eq!(book.value("filch_worker_joins_total{pool=\"busy\",worker=\"0\"}"), 1.0);
    assert_eq!(book.times("filch_run_time_seconds{pool=\"busy\",label=\"\"}").len(), 1);
    assert!(book.entries.lock().unwrap().keys().all(|name| name.contains("{pool=")));
}

#[test]
fn without_a_recorder_nothing_happens_and_one_may_come_later() {
    let (pool, book, mut publisher) =
        (pool_that_has_worked(), Book::default(), MetricsPublisher::new());
    publisher.publish(&pool);
    book.publish(&mut publisher, &pool);
    assert_eq!(book.value("filch_tasks_total"), 6.0);
}
