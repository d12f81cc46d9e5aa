//! Sends a pool's spans to a collector of OpenTelemetry.

use export::otlp::Otlp;
use export::receiver::{Receiver, attribute};
use export::words;
use filch::ThreadPoolBuilder;
use opentelemetry_proto::tonic::trace::v1::Span;
use std::collections::HashMap;
use std::error::Error;
use std::path::PathBuf;
use std::{env, process};
use tracing::info_span;

const USAGE: &str = "\
Counts the words of FILEs, and sends a span for each task to a collector of OpenTelemetry, by OTLP over HTTP.

usage: otlp [--endpoint URL] FILE...

  --endpoint  such as http://localhost:4318/v1/traces; default: OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, or
              OTEL_EXPORTER_OTLP_ENDPOINT with /v1/traces, or else a receiver in this process, which
              prints what has arrived";

fn main() {
    if let Err(error) = run() {
        eprintln!("otlp: {error}");
        process::exit(1);
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args_os().skip(1).peekable();
    let base = env::var("OTEL_EXPORTER_OTLP_ENDPOINT");
    let default = base.map(|base| format!("{}/v1/traces", base.trim_end_matches('/')));
    let mut endpoint = env::var("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").or(default).ok();
    if arguments.next_if(|argument| argument == "--endpoint").is_some() {
        let given = arguments.next().and_then(|given| given.into_string().ok());
        endpoint = Some(given.ok_or(USAGE)?);
    }
    let files: Vec<_> = arguments.map(PathBuf::from).collect();
    if files.is_empty() || files[0].to_string_lossy().starts_with('-') {
        return Err(USAGE.into());
    }
    let receiver = if endpoint.is_none() { Some(Receiver::start()?) } else { None };
    let endpoint = endpoint.or_else(|| Some(receiver.as_ref()?.endpoint())).ok_or(USAGE)?;
    // A task for each file, and its work; all of them, and the call that waits for them.
    let otlp = Otlp::new(&endpoint, 2 * files.len() + 2)?;
    let pool = ThreadPoolBuilder::new().build()?;
    let words = info_span!("files").in_scope(|| words::count(&pool, &files));
    drop(pool);
    otlp.end().map_err(|error| format!("can't send to {endpoint}: {error}"))?;
    let words = words?;
    println!("{} words, {} different ones", words.values().sum::<u64>(), words.len());
    receiver.inspect(print);
    Ok(())
}

fn print(receiver: &Receiver) {
    println!(
        "{:8} {:24} {:>8} {:>14} {:>14}  {:8} within",
        "span", "label", "worker", "waited us", "took us", "outcome"
    );
    let mut spans = receiver.spans();
    spans.sort_by_key(|span| span.start_time_unix_nano);
    let what = |span: &Span| {
        let text = |key| attribute(span, key).unwrap_or_default();
        text("label") + &text("file")
    };
    let names: HashMap<_, _> =
        spans.iter().map(|span| (&span.span_id, format!("{} {}", span.name, what(span)))).collect();
    for span in &spans {
        let text = |key| attribute(span, key).unwrap_or_default();
        let waited = text("queue_wait_seconds").parse().map(|seconds: f64| seconds * 1e6);
        let waited = waited.map_or_else(|_| String::new(), |waited| format!("{waited:.1}"));
        let took = (span.end_time_unix_nano - span.start_time_unix_nano) as f64 / 1e3;
        let within = names.get(&span.parent_span_id).map_or("", |name| name.trim_end());
        let (name, label, worker, outcome) =
            (&span.name, what(span), text("worker"), text("outcome"));
        println!("{name:8} {label:24} {worker:>8} {waited:>14} {took:>14.1}  {outcome:8} {within}");
    }
}
