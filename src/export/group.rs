//! Numbers that are published together, and how a snapshot's become them.

use crate::telemetry::counters::Counters;
use crate::telemetry::record::{Field, Record};
use crate::telemetry::snapshot::Snapshot;
use crate::telemetry::unavailable::Fact;
use crate::telemetry::workers::WorkerSnapshot;

/// Numbers of one thing, or of each of several.
pub struct Group {
    /// What their names begin with.
    pub prefix: &'static str,
    /// The label that tells the things apart, if there are several.
    pub label: Option<&'static str>,
    pub fields: &'static [Field],
    /// The things that there are.
    pub rows: fn(&Snapshot) -> Vec<Row>,
}

/// The label's value, and that of each field.
pub type Row = (String, Vec<Fact<f64>>);

/// A record of one thing, or of the sum of all.
pub const fn all<T: Record>(rows: fn(&Snapshot) -> Vec<Row>) -> Group {
    Group { prefix: T::NAME, label: None, fields: T::FIELDS, rows }
}

/// A record of each of several things.
pub const fn each<T: Record>(
    prefix: &'static str,
    label: &'static str,
    rows: fn(&Snapshot) -> Vec<Row>,
) -> Group {
    Group { prefix, label: Some(label), fields: T::FIELDS, rows }
}

pub fn one(values: Vec<Fact<f64>>) -> Vec<Row> {
    vec![(String::new(), values)]
}

pub fn by_name<K, T: Record>(rows: &[(K, T)], name: impl Fn(&K) -> String) -> Vec<Row> {
    rows.iter().map(|(key, row)| (name(key), row.values())).collect()
}

pub fn each_worker(
    snapshot: &Snapshot,
    values: impl Fn(&WorkerSnapshot) -> Vec<Fact<f64>>,
) -> Vec<Row> {
    snapshot.workers.iter().map(|worker| (worker.index.to_string(), values(worker))).collect()
}

pub fn counted(counters: &Counters) -> Vec<Fact<f64>> {
    counters.values().into_iter().map(|count| Ok(count as f64)).collect()
}

/// How many there are of each kind.
pub fn count<T: Copy + std::fmt::Debug>(all: &[T], count: impl Fn(T) -> usize) -> Vec<Row> {
    let row = |&one: &T| (format!("{one:?}").to_lowercase(), vec![Ok(count(one) as f64)]);
    all.iter().map(row).collect()
}
