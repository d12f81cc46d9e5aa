//! Snapshots as metrics of the `metrics` facade.

use crate::export::catalogue::{GROUPS, Kind, LATENCIES};
use crate::telemetry::buckets::Tally;
use crate::telemetry::labels::Class;
use crate::telemetry::latency::Latency;
use crate::telemetry::record::{Field, Unit};
use crate::telemetry::snapshot::Snapshot;
use metrics::{Key, Label, Level, Metadata, Recorder, SharedString, with_recorder};
use std::collections::{HashMap, HashSet};
use std::mem;

const METADATA: Metadata<'static> = Metadata::new("filch", Level::INFO, Some("filch"));

/// Publishes what a [`Snapshot`] says as metrics of the [`metrics`] facade, from where an exporter takes
/// them to Prometheus, OpenTelemetry or others. Needs the feature `metrics`.
///
/// [`publish`](Self::publish) is to be called every few seconds, or before each scrape. One publisher
/// is for one pool, and one pool for one publisher: it remembers which times it has recorded, and
/// another would record them again.
///
/// # Examples
///
/// ```
/// let pool = filch::ThreadPoolBuilder::new().num_threads(2).build()?;
/// // After a recorder has been installed.
/// let mut publisher = filch::MetricsPublisher::new().pool("images");
/// pool.join(|| (), || ());
/// // `filch_joins_total{pool="images"}` is 1 now.
/// publisher.publish(&pool);
/// # Ok::<(), filch::Error>(())
/// ```
///
#[doc = include_str!("../../docs/METRICS.md")]
#[derive(Debug, Default)]
pub struct MetricsPublisher {
    /// Of every metric.
    labels: Vec<Label>,
    described: bool,
    /// Gauges that there were the last time.
    gauges: HashSet<Key>,
    /// What had been measured by then.
    tallies: HashMap<(Latency, Class), Tally>,
}

impl MetricsPublisher {
    /// Has published nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the label `pool` with this value to every metric, to tell several pools of a process apart.
    /// Without it they would overwrite one another.
    ///
    /// # Examples
    ///
    /// ```
    /// let publishers = ["images", "queries"].map(|name| filch::MetricsPublisher::new().pool(name));
    /// ```
    pub fn pool(mut self, name: impl Into<String>) -> Self {
        self.labels.push(Label::new("pool", name.into()));
        self
    }

    /// With the tallies of a latency by class, in ticks of so many seconds.
    pub(crate) fn put(
        &mut self,
        snapshot: &Snapshot,
        tallies: impl Fn(Latency) -> Vec<(Class, Option<&'static str>, Tally)>,
        seconds_per_tick: f64,
    ) {
        with_recorder(|recorder| {
            if !mem::replace(&mut self.described, true) {
                describe_all(recorder);
            }
            let before = mem::take(&mut self.gauges);
            self.put_numbers(recorder, snapshot);
            for gone in before.difference(&self.gauges) {
                recorder.register_gauge(gone, &METADATA).set(f64::NAN);
            }
            self.put_times(recorder, tallies, seconds_per_tick);
        });
    }

    /// Handles aren't kept: recorders may be replaced, and forget what is idle for long.
    fn put_numbers(&mut self, recorder: &dyn Recorder, snapshot: &Snapshot) {
        for group in &GROUPS {
            let rows = (group.rows)(snapshot);
            for (at, field) in group.fields.iter().enumerate() {
                let name = SharedString::from_shared(group.name(field).into());
                for (label, values) in &rows {
                    let Ok(value) = values[at] else { continue };
                    let key = self.key(name.clone(), group.label, label.clone());
                    if Kind::of(field) == Kind::Counter {
                        recorder.register_counter(&key, &METADATA).absolute(value as u64);
                    } else {
                        recorder.register_gauge(&key, &METADATA).set(value);
                        self.gauges.insert(key);
                    }
                }
            }
        }
    }

    fn put_times(
        &mut self,
        recorder: &dyn Recorder,
        tallies: impl Fn(Latency) -> Vec<(Class, Option<&'static str>, Tally)>,
        seconds_per_tick: f64,
    ) {
        for times in &LATENCIES {
            for (class, label, tally) in tallies(times.latency) {
                let before = self.tallies.entry((times.latency, class)).or_insert_with(Tally::new);
                let since: Vec<_> = tally.since(before).collect();
                *before = tally;
                if since.is_empty() {
                    continue;
                }
                let key = self.key(times.name().into(), times.label, label.unwrap_or(""));
                let histogram = recorder.register_histogram(&key, &METADATA);
                for (ticks, count) in since {
                    histogram.record_many(ticks * seconds_per_tick, count as usize);
                }
            }
        }
    }

    fn key(
        &self,
        name: SharedString,
        label: Option<&'static str>,
        value: impl Into<SharedString>,
    ) -> Key {
        let label = label.map(|label| Label::new(label, value));
        let labels: Vec<_> = self.labels.iter().cloned().chain(label).collect();
        Key::from_parts(name, labels)
    }
}

fn describe_all(recorder: &dyn Recorder) {
    for group in &GROUPS {
        let fields = group.fields.iter();
        fields.for_each(|field| describe(recorder, Kind::of(field), group.name(field), field));
    }
    for times in &LATENCIES {
        describe(recorder, Kind::Histogram, times.name(), &times.field);
    }
}

fn describe(recorder: &dyn Recorder, kind: Kind, name: String, field: &Field) {
    let describe = match kind {
        Kind::Counter => Recorder::describe_counter,
        Kind::Gauge => Recorder::describe_gauge,
        Kind::Histogram => Recorder::describe_histogram,
    };
    let unit = match field.unit {
        Unit::Seconds => Some(metrics::Unit::Seconds),
        Unit::Bytes => Some(metrics::Unit::Bytes),
        Unit::Count => Some(metrics::Unit::Count),
        // The facade has none: its rates are of bits, its shares in percent.
        Unit::Ratio | Unit::Cpus | Unit::BytesPerSecond => None,
    };
    describe(recorder, name.into(), unit, field.help.into());
}
