//! What a subscriber of `tracing` is told of tasks and workers.

mod common;

use filch::{TaskBuilder, ThreadPool, ThreadPoolBuilder};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber, info_span};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

/// Spans that have ended and events: their fields, and with `name`, `level` and `parent` in addition.
type Notes = Arc<Mutex<Vec<Fields>>>;
type Fields = BTreeMap<&'static str, String>;

struct Listener(Notes);

struct Collect<'f>(&'f mut Fields);

impl Visit for Collect<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

impl<S: Subscriber + for<'s> LookupSpan<'s>> Layer<S> for Listener {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let span = context.span(id).unwrap();
        let mut fields = Fields::from([("name", span.name().to_owned())]);
        fields.extend(span.parent().map(|parent| ("parent", parent.name().to_owned())));
        attributes.record(&mut Collect(&mut fields));
        assert!(fields.get("label").is_none_or(|label| label != "unwelcome"), "unwelcome");
        span.extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &Id, record: &Record<'_>, context: Context<'_, S>) {
        let span = context.span(id).unwrap();
        record.record(&mut Collect(span.extensions_mut().get_mut().unwrap()));
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::from([("level", event.metadata().level().to_string())]);
        fields.extend(context.event_span(event).map(|span| ("parent", span.name().to_owned())));
        event.record(&mut Collect(&mut fields));
        self.0.lock().unwrap().push(fields);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let fields = context.span(&id).unwrap().extensions_mut().remove::<Fields>();
        self.0.lock().unwrap().extend(fields);
    }
}

/// All notes so far in which this field has this value. All tests share them, as workers' threads have no
/// subscriber but the global one.
fn notes(field: &str, value: &str) -> Vec<Fields> {
    static NOTES: OnceLock<Notes> = OnceLock::new();
    let notes = NOTES.get_or_init(|| {
        let notes = Notes::default();
        let listener = Listener(Arc::clone(&notes));
        tracing::subscriber::set_global_default(tracing_subscriber::registry().with(listener))
            .unwrap();
        notes
    });
    let is_meant = |note: &&Fields| note.get(field).is_some_and(|found| found == value);
    notes.lock().unwrap().iter().filter(is_meant).cloned().collect()
}

fn pool() -> ThreadPool {
    assert_eq!(notes("name", "none such"), []);
    ThreadPoolBuilder::new().num_threads(1).panic_handler(|_| ()).build().unwrap()
}

/// Waits for the spans of tasks with this label to end.
fn outcomes(label: &str, tasks: usize) -> Vec<String> {
    common::wait_until(|| notes("label", label).len() == tasks);
    notes("label", label).into_iter().map(|note| note["outcome"].clone()).collect()
}

#[test]
fn a_task_has_a_span_within_its_submitters() {
    let pool = pool();
    let builder = TaskBuilder::new().pool(&pool).label("inner");
    info_span!("request").in_scope(|| builder.spawn_handle(|| ())).join().unwrap();
    assert_eq!(outcomes("inner", 1), ["ok"]);
    let span = &notes("label", "inner")[0];
    assert_eq!((&*span["name"], &*span["parent"], &*span["worker"]), ("task", "request", "0"));
    assert!(span["queue_wait_seconds"].parse::<f64>().unwrap() >= 0.0);
}

#[test]
fn a_span_covers_the_wait_in_the_queue() {
    let (pool, nap) = (pool(), Duration::from_millis(20));
    pool.scope(|scope| {
        scope.spawn_named("queued", |_| ());
        // Before anybody can take it.
        std::thread::sleep(nap);
    });
    assert_eq!(outcomes("queued", 1), ["ok"]);
    let wait: f64 = notes("label", "queued")[0]["queue_wait_seconds"].parse().unwrap();
    assert!(wait >= 0.9 * nap.as_secs_f64(), "{wait}");
}

#[test]
fn a_span_says_how_its_task_ended() {
    let pool = pool();
    let builder = |label| TaskBuilder::new().pool(&pool).label(label);
    builder("detached").spawn(|| panic!("by plan"));
    assert!(builder("joined").spawn_handle(|| panic!("by plan")).join().is_err());
    let scoped = || pool.scope(|scope| scope.spawn_named("scoped", |_| panic!("in a scope")));
    assert_eq!(common::panic_of(scoped), "in a scope");
    for label in ["detached", "joined", "scoped"] {
        assert_eq!(outcomes(label, 1), ["panicked"]);
    }
    builder("failing").try_spawn_handle(|| Err::<(), _>(1)).join().unwrap().unwrap_err();
    assert_eq!(outcomes("failing", 1), ["failed"]);
    // One that fails within another says nothing of that one.
    let outer = builder("outer").spawn_handle(|| {
        let inner = TaskBuilder::new().label("within").try_spawn_handle(|| Err::<(), _>(1));
        inner.join().unwrap().unwrap_err();
    });
    outer.join().unwrap();
    assert_eq!(
        (outcomes("within", 1), outcomes("outer", 1)),
        (vec!["failed".into()], vec!["ok".into()])
    );
    let panics = notes("panic", "by plan");
    assert_eq!(panics.len(), 2);
    assert!(panics.iter().all(|note| note["level"] == Level::ERROR.as_str()));
    // A detached task's span is over when its panic is caught.
    assert_eq!(notes("panic", "in a scope")[0]["parent"], "task");
}

#[test]
fn tasks_without_labels_and_calls_have_spans_too() {
    let pool = pool();
    info_span!("call").in_scope(|| pool.install(|| filch::spawn_handle(|| ()).join().unwrap()));
    common::wait_until(|| notes("parent", "call").len() == 1);
    // The task is submitted by the call.
    let within = || notes("parent", "task").into_iter().filter(|note| !note.contains_key("label"));
    common::wait_until(|| {
        within().any(|note| note.get("outcome").is_some_and(|outcome| outcome == "ok"))
    });
}

#[test]
fn workers_begin_and_end() {
    let told = |what| notes("message", what).len();
    let (started, stopped) = ("a worker started", "a worker stopped");
    let pool = pool();
    assert!(told(started) > 0);
    drop(pool);
    assert!(told(stopped) > 0);
}

#[test]
fn a_subscriber_that_panics_keeps_no_pool_and_no_scope_from_its_end() {
    let pool = pool();
    let refused = [
        common::panic_of(|| pool.spawn_named("unwelcome", || ())),
        common::panic_of(|| {
            pool.in_place_scope(|scope| scope.spawn_named("unwelcome", |_| unreachable!()));
        }),
        common::panic_of(|| pool.install(|| filch::spawn_named("unwelcome", || ()))),
    ];
    assert_eq!(refused, ["unwelcome"; 3]);
    pool.spawn_handle(|| ()).join().unwrap();
    pool.shutdown().unwrap();
}
