//! What arrives at a collector, over the wire.

use export::otlp::Otlp;
use export::receiver::{Receiver, attribute, request, spans_in};
use filch::ThreadPoolBuilder;
use opentelemetry_proto::tonic::trace::v1::Span;
use std::io::{BufReader, Write};
use std::net::TcpListener;
use std::process::{Command, Output};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use tracing::info_span;

/// Without an endpoint from outside.
fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_otlp"));
    command.env_remove("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
    command.env_remove("OTEL_EXPORTER_OTLP_ENDPOINT").args(arguments);
    command
}

fn otlp(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

fn named<'s>(spans: &'s [Span], name: &str) -> Vec<&'s Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

#[test]
fn a_span_for_each_file_arrives_with_what_is_known_of_its_task() {
    let receiver = Receiver::start().unwrap();
    let files = ["Cargo.toml", "src/lib.rs", "src/words.rs"];
    let output = otlp(&[&["--endpoint", &*receiver.endpoint()], &files[..]].concat());
    assert!(output.status.success(), "{output:?}");
    let spans = receiver.spans();
    let [root] = named(&spans, "files")[..] else { panic!("{spans:#?}") };
    let tasks: Vec<_> = named(&spans, "task");
    let tasks: Vec<_> = tasks
        .into_iter()
        .filter(|task| attribute(task, "label").as_deref() == Some("file"))
        .collect();
    assert_eq!(tasks.len(), files.len(), "{spans:#?}");
    for span in &spans {
        assert_eq!(span.trace_id, root.trace_id);
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano);
    }
    for task in &tasks {
        attribute(task, "worker").unwrap().parse::<usize>().unwrap();
        assert_eq!(attribute(task, "outcome").as_deref(), Some("ok"));
        let wait: f64 = attribute(task, "queue_wait_seconds").unwrap().parse().unwrap();
        let took = (task.end_time_unix_nano - task.start_time_unix_nano) as f64 / 1e9;
        // By two clocks, of which one is known to a thousandth or so.
        assert!((0.0..=1.1 * took + 1e-3).contains(&wait), "waited {wait} s of {took} s");
        // Within the call that has the scope, which is within the root.
        let call = spans.iter().find(|span| span.span_id == task.parent_span_id).unwrap();
        assert_eq!((&*call.name, &call.parent_span_id), ("task", &root.span_id));
    }
    let inner = named(&spans, "words");
    let mut counted: Vec<_> = inner.iter().map(|span| attribute(span, "file").unwrap()).collect();
    counted.sort();
    assert_eq!(counted, files);
    for span in inner {
        assert!(tasks.iter().any(|task| task.span_id == span.parent_span_id));
    }
}

#[test]
fn a_task_that_panics_says_so() {
    let receiver = Receiver::start().unwrap();
    let otlp = Otlp::new(&receiver.endpoint(), 2).unwrap();
    let (sender, receiver_of_panics) = mpsc::channel();
    let handler = move |_| sender.send(()).unwrap();
    let builder = ThreadPoolBuilder::new().num_threads(1).panic_handler(handler);
    let pool = builder.build().unwrap();
    info_span!(target: "export", "request").in_scope(|| {
        pool.spawn_named("panics", || panic!("as planned"));
    });
    receiver_of_panics.recv().unwrap();
    drop(pool);
    otlp.end().unwrap();
    let spans = receiver.spans();
    let [task] = named(&spans, "task")[..] else { panic!("{spans:#?}") };
    assert_eq!(attribute(task, "outcome").as_deref(), Some("panicked"));
    assert_eq!(task.parent_span_id, named(&spans, "request")[0].span_id);
}

/// A collector that answers the first batch late and like this, and takes the others; what comes out is the
/// number of spans in each.
fn odd_collector(delay: Duration, answer: &'static str) -> (String, mpsc::Receiver<usize>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let endpoint = format!("http://{}/v1/traces", listener.local_addr().unwrap());
    let (sender, counts) = mpsc::channel();
    thread::spawn(move || {
        for (index, stream) in listener.incoming().enumerate() {
            let mut reader = BufReader::new(stream.unwrap());
            let body = request(&mut reader).unwrap().unwrap();
            sender.send(spans_in(&body).unwrap().len()).unwrap();
            let first = index == 0;
            thread::sleep(if first { delay } else { Duration::ZERO });
            let status = if first { answer } else { "200 OK" };
            let rest = "connection: close\r\ncontent-length: 0\r\n\r\n";
            write!(reader.get_mut(), "HTTP/1.1 {status}\r\n{rest}").unwrap();
        }
    });
    (endpoint, counts)
}

/// More than one batch has, and a queue of the usual size.
const MANY: usize = 5000;

#[test]
fn a_slow_collector_gets_every_span() {
    // While the pool is done with all.
    let (endpoint, counts) = odd_collector(Duration::from_secs(3), "200 OK");
    let output = otlp(&[&["--endpoint", &*endpoint], &["/dev/null"; MANY][..]].concat());
    assert!(output.status.success(), "{output:?}");
    assert_eq!(counts.try_iter().sum::<usize>(), 2 * MANY + 2);
}

#[test]
fn a_batch_that_is_refused_is_an_error() {
    // Whoever looks at how the last one fared sees nothing.
    let (endpoint, _counts) = odd_collector(Duration::ZERO, "400 Bad Request");
    let output = otlp(&[&["--endpoint", &*endpoint], &["/dev/null"; MANY][..]].concat());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && text.contains("status code: 400"), "{text}");
}

#[test]
fn without_a_collector_the_program_is_its_own() {
    let output = otlp(&["Cargo.toml"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.contains(" words, "), "{text}");
    let is_within = |what: &str, parent: &str| {
        text.lines().any(|line| line.starts_with(what) && line.ends_with(parent))
    };
    assert!(is_within("task     file ", " task") && is_within("words ", " task file"), "{text}");
}

#[test]
fn the_usual_variables_name_the_collector() {
    let receiver = Receiver::start().unwrap();
    let (all, base) = (receiver.endpoint(), receiver.endpoint().replace("v1/traces", ""));
    let variables =
        [("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", all), ("OTEL_EXPORTER_OTLP_ENDPOINT", base)];
    for (runs, (variable, value)) in variables.into_iter().enumerate() {
        let output = command(&["Cargo.toml"]).env(variable, value).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(named(&receiver.spans(), "files").len(), runs + 1);
    }
}

#[test]
fn what_goes_wrong_is_said() {
    let fails = |arguments: &[&str], what: &str| {
        let output = otlp(arguments);
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && text.contains(what), "{text}");
    };
    fails(&[], "usage: otlp");
    fails(&["no such file"], "no such file");
    // Nobody listens there.
    fails(
        &["--endpoint", "http://127.0.0.1:1/v1/traces", "Cargo.toml"],
        "can't send to http://127",
    );
}
