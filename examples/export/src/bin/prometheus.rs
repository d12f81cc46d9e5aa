//! Serves a pool's metrics to Prometheus.

use filch::MetricsPublisher;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::{env, process};

const USAGE: &str = "\
Counts the words of FILEs once a second, and serves the pool's metrics over HTTP.

usage: prometheus [--listen ADDRESS:PORT] FILE...

  --listen  default: 127.0.0.1:9000";

/// Seconds, from a microsecond on. Without them, times are summaries, which can't be added up.
const BUCKETS: [f64; 8] = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0];

fn main() {
    if let Err(error) = run() {
        eprintln!("prometheus: {error}");
        process::exit(1);
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args_os().skip(1).peekable();
    let mut address = SocketAddr::from(([127, 0, 0, 1], 9000));
    if arguments.next_if(|argument| argument == "--listen").is_some() {
        let given = arguments.next().ok_or(USAGE)?;
        address =
            given.to_str().ok_or(USAGE)?.parse().map_err(|error| format!("{given:?}: {error}"))?;
    }
    let files: Vec<_> = arguments.map(PathBuf::from).collect();
    if files.is_empty() || files[0].to_string_lossy().starts_with('-') {
        return Err(USAGE.into());
    }
    let times = Matcher::Suffix("_seconds".into());
    PrometheusBuilder::new()
        .with_http_listener(address)
        .set_buckets_for_metric(times, &BUCKETS)?
        .install()?;
    println!("metrics at http://{address}/metrics");
    let mut publisher = MetricsPublisher::new().pool("words");
    export::run(&files, |pool| publisher.publish(pool))
}
