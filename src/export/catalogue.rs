//! Which metrics there are: what they are called, and where in a snapshot they stand.

use crate::export::group::{Group, Row, all, by_name, count, counted, each, each_worker, one};
use crate::telemetry::activity::Status;
use crate::telemetry::alert::Severity;
use crate::telemetry::counters::Counters;
use crate::telemetry::health::Vitals;
use crate::telemetry::latency::Latency;
use crate::telemetry::leases::ResourceBudget;
use crate::telemetry::machine::{Core, Cpu, Disk, Memory, Mount, Network};
use crate::telemetry::record::{Field, Record, Unit};
use crate::telemetry::snapshot::Snapshot;
use crate::telemetry::unavailable::{Fact, Unavailable};
use crate::telemetry::work::Thread;
use crate::telemetry::workers::{Lately, WorkerSnapshot};
use std::time::Duration;

/// All but the latencies.
pub static GROUPS: [Group; 19] = [
    Group { prefix: "", label: None, fields: &POOL, rows: pool },
    Group {
        prefix: "",
        label: None,
        fields: Counters::FIELDS,
        rows: |snapshot| one(counted(&snapshot.pool.counters)),
    },
    Group { prefix: "", label: Some("window"), fields: &RATES, rows: rates },
    Group { prefix: "", label: Some("status"), fields: &STATUSES, rows: statuses },
    Group { prefix: "", label: Some("severity"), fields: &ALERTS, rows: alerts },
    Group { prefix: "", label: None, fields: &LEASES, rows: leases },
    Group { prefix: "budget", label: Some("resource"), fields: &BUDGETS, rows: budgets },
    Group {
        prefix: "worker",
        label: Some("worker"),
        fields: &WORKER,
        rows: |snapshot| each_worker(snapshot, about),
    },
    Group {
        prefix: "worker",
        label: Some("worker"),
        fields: Counters::FIELDS,
        rows: |snapshot| each_worker(snapshot, |worker| counted(&worker.counters)),
    },
    each::<Thread>(Thread::NAME, "worker", |snapshot| {
        each_worker(snapshot, |worker| worker.thread.values())
    }),
    each::<Vitals>(Vitals::NAME, "worker", |snapshot| {
        each_worker(snapshot, |worker| worker.health.values())
    }),
    Group { prefix: "reading", label: Some("reading"), fields: &READINGS, rows: ages },
    all::<Cpu>(|snapshot| one(snapshot.cpu.current.values())),
    each::<Core>(Core::NAME, "cpu", |snapshot| by_name(&snapshot.cores, usize::to_string)),
    all::<Memory>(|snapshot| one(snapshot.memory.current.values())),
    all::<Network>(|snapshot| one(snapshot.network.current.values())),
    // Not under the name of their sum, which would be counted twice.
    each::<Network>("interface", "interface", |snapshot| {
        by_name(&snapshot.interfaces, String::clone)
    }),
    all::<Disk>(|snapshot| one(snapshot.disk.current.values())),
    each::<Mount>(Mount::NAME, "mount", |snapshot| {
        by_name(&snapshot.mounts, |path| path.display().to_string())
    }),
];

const POOL: [Field; 7] = [
    gauge("num_threads", Unit::Count, "Workers that may run now, and those that block."),
    gauge("seats", Unit::Count, "Workers that may run at a time."),
    gauge(
        "queued",
        Unit::Count,
        "Tasks that wait to be run, hidden frames of joins not among them.",
    ),
    total("busy_time", "Time that workers have spent on tasks."),
    total("staffed_time", "Time that there have been workers for, in whatever state."),
    gauge("latency_one_in", Unit::Count, "One task in so many is timed; 0: none."),
    gauge("held_memory", Unit::Bytes, "Bytes that workers hold, if CountingAlloc counts them."),
];

fn pool(snapshot: &Snapshot) -> Vec<Row> {
    let now = &snapshot.pool.now;
    one(vec![
        Ok(snapshot.pool.num_threads as f64),
        Ok(snapshot.pool.seats as f64),
        now.queued.map(|queued| queued as f64),
        now.busy_time,
        now.staffed_time,
        Ok(snapshot.latency.one_in.into()),
        now.memory.map(|bytes| bytes as f64),
    ])
}

const RATES: [Field; 3] = [
    gauge("tasks_per_second", Unit::Count, "Tasks run to their end a second, lately."),
    gauge("error_rate", Unit::Ratio, "Tasks that failed, as a share of all, lately."),
    gauge(
        "utilisation",
        Unit::Ratio,
        "Time spent on tasks, as a share of that for which there have been workers, lately.",
    ),
];

fn rates(snapshot: &Snapshot) -> Vec<Row> {
    let pool = &snapshot.pool;
    let over = |window: &str, rate: fn(&Lately) -> Fact<f64>| {
        let rates = [pool.throughput, pool.error_rate, pool.utilisation];
        (window.into(), rates.iter().map(rate).collect())
    };
    vec![
        over("1s", |lately| lately.second),
        over("10s", |lately| lately.ten_seconds),
        over("60s", |lately| lately.minute),
    ]
}

const STATUSES: [Field; 1] =
    [gauge("workers", Unit::Count, "Workers, spares among them, by what they are about.")];
const ALERTS: [Field; 1] = [gauge("alerts_firing", Unit::Count, "Alerts that fire.")];

fn statuses(snapshot: &Snapshot) -> Vec<Row> {
    count(&Status::ALL, |is| snapshot.workers.iter().filter(|worker| worker.status == is).count())
}

fn alerts(snapshot: &Snapshot) -> Vec<Row> {
    count(&Severity::ALL, |is| snapshot.alerts.iter().filter(|alert| alert.severity == is).count())
}

const LEASES: [Field; 6] = [
    gauge("leases", Unit::Count, "Leases that are out."),
    gauge("leases_overdue", Unit::Count, "Leases that are held for longer than they were meant."),
    gauge("longest_lease", Unit::Seconds, "For how long the oldest lease has been held."),
    gauge("requests_waiting", Unit::Count, "Requests for a lease that wait."),
    gauge("longest_request", Unit::Seconds, "For how long the oldest of them has waited."),
    Field {
        name: "leases_reclaimed",
        unit: Unit::Count,
        is_total: true,
        help: "Leases taken back from who had forgotten them.",
    },
];

fn leases(snapshot: &Snapshot) -> Vec<Row> {
    let leases = &snapshot.leases;
    let values = [
        leases.out as f64,
        leases.overdue as f64,
        leases.longest_held.as_secs_f64(),
        leases.waiting as f64,
        leases.longest_wait.as_secs_f64(),
        leases.reclaimed as f64,
    ];
    one(values.map(Ok).into())
}

const BUDGETS: [Field; 3] = [
    gauge("size", Unit::Count, "What there is of a resource for leases, in its unit."),
    gauge("free", Unit::Count, "What of that is not leased."),
    gauge("overcommitted", Unit::Count, "What is leased beyond the total, which was larger then."),
];

fn budgets(snapshot: &Snapshot) -> Vec<Row> {
    let values = |budget: &ResourceBudget| {
        let values = [budget.total, budget.free, budget.overcommitted];
        values.map(|value| Ok(value as f64)).into()
    };
    let budgets = snapshot.leases.budgets.iter();
    budgets.map(|(name, budget)| (name.clone(), values(budget))).collect()
}

const WORKER: [Field; 7] = [
    gauge("in_status", Unit::Seconds, "For how long the worker has been about what it is about."),
    total("busy_time", "Time that the worker has spent on tasks."),
    total("searching_time", "Time that the worker has looked for something to do."),
    total("parked_time", "Time that the worker has slept, with nothing to do."),
    total("blocked_time", "Time that the worker has slept in the midst of a task."),
    gauge("queued", Unit::Count, "Tasks and exposed frames of joins in the worker's queues."),
    gauge("memory", Unit::Bytes, "Bytes that the worker holds, if CountingAlloc counts them."),
];

fn about(worker: &WorkerSnapshot) -> Vec<Fact<f64>> {
    let times = &worker.times;
    let times = [worker.in_status, times.busy, times.searching, times.parked, times.blocked];
    let times = times.iter().map(Duration::as_secs_f64);
    let counts = [Ok(worker.queued as f64), worker.memory.map(|bytes| bytes as f64)];
    times.map(Ok).chain(counts).collect()
}

const READINGS: [Field; 1] =
    [gauge("age", Unit::Seconds, "How long ago the newest reading of a kind was taken.")];

fn ages(snapshot: &Snapshot) -> Vec<Row> {
    let ages = [
        ("work", snapshot.work.age),
        ("cpu", snapshot.cpu.age),
        ("memory", snapshot.memory.age),
        ("network", snapshot.network.age),
        ("disk", snapshot.disk.age),
    ];
    let seconds =
        |age: Option<Duration>| age.ok_or(Unavailable::NotYet).map(|age| age.as_secs_f64());
    ages.map(|(name, age)| (name.into(), vec![seconds(age)])).into()
}

/// A distribution of times.
pub struct Times {
    pub latency: Latency,
    pub label: Option<&'static str>,
    pub field: Field,
}

/// Tasks without a label have an empty one, so the sum over all labels is that of all tasks.
pub static LATENCIES: [Times; 4] = [
    times(
        Latency::QueueWait,
        Some("label"),
        "queue_wait",
        "From the submission of a task to its start.",
    ),
    times(
        Latency::RunTime,
        Some("label"),
        "run_time",
        "From a task's start to its end, waits and whatever is run in them included.",
    ),
    times(
        Latency::ResponseTime,
        Some("label"),
        "response_time",
        "From the submission of a task to its end.",
    ),
    times(
        Latency::Wake,
        None,
        "wake",
        "From the call that wakes a sleeping worker to its first step.",
    ),
];

/// How a metric behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Kind {
    /// The facade's counters are whole numbers: seconds that only grow are gauges, so that their fractions aren't lost.
    pub fn of(field: &Field) -> Self {
        if field.is_total && field.unit != Unit::Seconds { Self::Counter } else { Self::Gauge }
    }
}

impl Group {
    /// Of the metric that has this field's values.
    pub fn name(&self, field: &Field) -> String {
        name(self.prefix, field)
    }
}

impl Times {
    pub fn name(&self) -> String {
        name("", &self.field)
    }
}

/// As Prometheus has them: the unit at the end, said once, and `total` after it if the number only grows.
fn name(prefix: &str, field: &Field) -> String {
    let (unit, said) = match field.unit {
        Unit::Ratio => ("ratio", "_rate"),
        Unit::Cpus => ("cpus", "_cpus"),
        // `busy_seconds_total`, but `run_time_seconds`.
        Unit::Seconds => ("seconds", if field.is_total { "_time" } else { "" }),
        Unit::Bytes => ("bytes", "_bytes"),
        Unit::BytesPerSecond => ("bytes_per_second", "_rate"),
        Unit::Count => ("", ""),
    };
    let stem = field.name.strip_suffix(said).unwrap_or(field.name);
    let total = if field.is_total { "total" } else { "" };
    let words = ["filch", prefix, stem, unit, total];
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join("_")
}

const fn gauge(name: &'static str, unit: Unit, help: &'static str) -> Field {
    Field { name, unit, is_total: false, help }
}

/// Of seconds.
const fn total(name: &'static str, help: &'static str) -> Field {
    Field { name, unit: Unit::Seconds, is_total: true, help }
}

const fn times(
    latency: Latency,
    label: Option<&'static str>,
    name: &'static str,
    help: &'static str,
) -> Times {
    Times { latency, label, field: gauge(name, Unit::Seconds, help) }
}

#[cfg(all(test, not(loom), not(miri)))]
mod tests {
    use super::*;
    use crate::telemetry::latency::LatencySnapshot;
    use crate::telemetry::readings::{Lengths, Reading, Readings};
    use crate::telemetry::work::Work;
    use crate::telemetry::workers::PoolSnapshot;
    use std::{env, fs};

    #[test]
    fn a_name_says_its_unit_once_and_total_last() {
        let named = |field: Field, prefix| name(prefix, &field);
        assert_eq!(named(total("busy_time", ""), ""), "filch_busy_seconds_total");
        assert_eq!(named(total("run_delay", ""), "thread"), "filch_thread_run_delay_seconds_total");
        let of = |name, unit| named(gauge(name, unit, ""), "x");
        assert_eq!(of("run_time", Unit::Seconds), "filch_x_run_time_seconds");
        assert_eq!(of("send_rate", Unit::BytesPerSecond), "filch_x_send_bytes_per_second");
        assert_eq!(of("capacity", Unit::BytesPerSecond), "filch_x_capacity_bytes_per_second");
        assert_eq!(of("process_cpus", Unit::Cpus), "filch_x_process_cpus");
        assert_eq!(of("quota", Unit::Cpus), "filch_x_quota_cpus");
        assert_eq!(of("total", Unit::Bytes), "filch_x_total_bytes");
        assert_eq!(of("sent_bytes", Unit::Bytes), "filch_x_sent_bytes");
        assert_eq!(of("error_rate", Unit::Ratio), "filch_x_error_ratio");
        assert_eq!(of("load_1m", Unit::Count), "filch_x_load_1m");
    }

    /// Of two readings of a kind, with no others there.
    fn newest_of<T: Reading>() {
        let lengths = Lengths { cpu: 2, memory: 2, network: 2, disk: 2 };
        let readings = Readings::new(lengths, 0, 0, Vec::new());
        let reading = |value: f64| T::from_words(&vec![value.to_bits(); T::FIELDS.len()]);
        let [highest, newest] = [2.0, 1.0].map(reading);
        [highest, newest].iter().for_each(|one| T::history(&readings).push(Duration::ZERO, one));
        let (pool, latency) = (PoolSnapshot::nothing(), LatencySnapshot::default());
        let snapshot = Snapshot::new(pool, Vec::new(), latency, Ok(&readings));
        let ages = ages(&snapshot).into_iter().filter(|row| row.1[0].is_ok());
        assert_eq!(ages.map(|row| row.0).collect::<Vec<_>>(), [T::NAME]);
        for group in GROUPS.iter().filter(|group| group.prefix == T::NAME) {
            assert_eq!((group.rows)(&snapshot), one(newest.values()));
        }
    }

    #[test]
    fn each_kind_of_reading_gives_its_newest_and_the_age_of_that() {
        newest_of::<Work>();
        newest_of::<Cpu>();
        newest_of::<Memory>();
        newest_of::<Network>();
        newest_of::<Disk>();
    }

    /// What docs/METRICS.md is to say.
    fn page() -> String {
        let mut page = PREFACE.to_owned();
        for group in &GROUPS {
            page += HEAD;
            for field in group.fields {
                page += &row(&group.name(field), Kind::of(field), group.label, field);
            }
        }
        page += HEAD;
        for times in &LATENCIES {
            page += &row(&times.name(), Kind::Histogram, times.label, &times.field);
        }
        page
    }

    fn row(name: &str, kind: Kind, label: Option<&str>, field: &Field) -> String {
        let label = label.map(|label| format!("`{label}`")).unwrap_or_default();
        let unit = match field.unit {
            Unit::Ratio => "share of 1",
            Unit::Cpus => "CPUs",
            Unit::Seconds => "seconds",
            Unit::Bytes => "bytes",
            Unit::BytesPerSecond => "bytes a second",
            Unit::Count => "",
        };
        let kind = format!("{kind:?}").to_lowercase();
        format!("| `{name}` | {kind} | {label} | {unit} | {} |\n", field.help)
    }

    const HEAD: &str = "\n| name | type | label | unit | meaning |\n|---|---|---|---|---|\n";

    const PREFACE: &str = "\
# Metrics

What `filch::MetricsPublisher` publishes (feature `metrics`). This page is made from the same list
(`src/export/catalogue.rs`), and a test fails if it differs. To write it anew:

```text
FILCH_BLESS=1 cargo test --features metrics --lib metrics_page
```

* A publisher that was given the name of its pool adds the label `pool` to each metric.
* A number that isn't there is left out. A gauge that was there before becomes NaN, and a counter stays
  as it is.
* Totals of seconds are gauges by type and only grow, as counters do: the facade's counters are
  whole numbers, and would lose the fractions. Prometheus' `rate()` takes them as they are.
* The histograms of tasks hold one task in `filch_latency_one_in`; that of wakes, all. Tasks without a label have an empty
  `label`, so the sum over all labels is that of all tasks; more labels than a pool tells apart share
  `others`. Lengths are known to 3 %.
* Means and peaks are left to whoever collects the metrics. Numbers of `Work` that other metrics have,
  steals by victim, threads' numbers and pins, the tasks that workers are in the midst of and
  latencies by worker aren't published: see `ThreadPool::snapshot`.
";

    #[test]
    fn metrics_page_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/METRICS.md");
        if env::var_os("FILCH_BLESS").is_some() {
            fs::write(path, page()).unwrap();
        }
        let written = fs::read_to_string(path).unwrap();
        assert!(written == page(), "docs/METRICS.md differs: it says how to write it anew");
    }
}
