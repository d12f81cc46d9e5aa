//! What comes of one measurement: a line of JSON from the process that takes it to the one
//! that asked for it.

use crate::common::machine::Usage;
use crate::workloads::About;
use hdrhistogram::Histogram;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use std::time::Duration;

#[derive(Serialize, Deserialize)]
pub struct Report {
    /// What was done, with its sizes.
    pub title: String,
    pub figures: Vec<Figure>,
    pub curves: Vec<Curve>,
    /// How often it was done, the first time to warm up not counted.
    pub repetitions: usize,
    /// CPU time that this process took, all in all.
    pub cpu_ms: f64,
    /// The share of the machine that others took meanwhile, in per cent, where the system
    /// tells.
    pub others: Option<f64>,
}

#[derive(Serialize, Deserialize)]
pub struct Figure {
    /// What of the thing done this is, or nothing if it is the whole.
    pub name: String,
    pub unit: String,
    pub value: f64,
}

/// Microseconds at each of `shares()`.
#[derive(Serialize, Deserialize)]
pub struct Curve {
    pub name: String,
    pub micros: Vec<f64>,
}

/// Points of a curve until what is left of all tasks is a tenth.
pub const DECADE: u32 = 8;

/// The shares of all tasks at which curves have their points: from 0 to 99.9 %.
fn shares() -> impl Iterator<Item = f64> {
    (0..=3 * DECADE).map(|step| 1.0 - 10_f64.powf(-f64::from(step) / f64::from(DECADE)))
}

impl Report {
    pub fn new(title: impl Into<String>, repetitions: usize) -> Self {
        let title = title.into();
        Self { title, figures: vec![], curves: vec![], repetitions, cpu_ms: 0.0, others: None }
    }

    /// The median of some runs.
    pub fn timed(about: &About, mut runs: Vec<Duration>) -> Self {
        runs.sort();
        let median = runs[runs.len() / 2].as_nanos() as f64;
        Self::new(&*about.name, runs.len()).with(
            "",
            &about.unit.name(),
            about.unit.of_nanos(median),
        )
    }

    pub fn with(mut self, name: &str, unit: &str, value: f64) -> Self {
        self.figures.push(Figure { name: name.into(), unit: unit.into(), value });
        self
    }

    /// Some percentiles as figures, and all as a curve. `waits` are nanoseconds.
    pub fn with_waits(mut self, name: &str, waits: &Histogram<u64>, percentiles: &[f64]) -> Self {
        let micros = |share| waits.value_at_quantile(share) as f64 / 1e3;
        self.curves.push(Curve { name: name.into(), micros: shares().map(micros).collect() });
        let separator = if name.is_empty() { "" } else { ", " };
        percentiles.iter().fold(self, |report, percentile| {
            let name = format!("{name}{separator}p{percentile}");
            report.with(&name, "us", micros(percentile / 100.0))
        })
    }
}

/// Notes what the measurement takes of the machine, and what others take.
pub fn watched(measure: impl FnOnce() -> Report) -> Report {
    let before = Usage::now();
    let mut report = measure();
    report.cpu_ms = cpu_time().as_secs_f64() * 1e3;
    report.others = Usage::now().zip(before).and_then(|(now, before)| now.others_since(&before));
    report
}

/// What this process has used so far.
pub fn cpu_time() -> Duration {
    clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap()
}
