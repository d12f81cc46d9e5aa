//! What a subscriber of `tracing` is told of tasks and workers.

mod common;

use filch::{AlertKind, AlertRules, Monitoring, TaskBuilder, ThreadPool, ThreadPoolBuilder};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};
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
        // Were each link of a chain within the one before, there would be hundreds.
        if span.scope().count() > 20 {
            self.0.lock().unwrap().push(Fields::from([("open", "many".to_owned())]));
        }
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
        let mut about = Fields::new();
        event.record(&mut Collect(&mut about));
        assert!(about.get("panic").is_none_or(|panic| panic != "unwelcome"), "unwelcome");
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
    let start = Instant::now();
    pool.scope(|scope| {
        scope.spawn_named("queued", |_| ());
        // Before anybody can take it.
        std::thread::sleep(nap);
    });
    let whole = start.elapsed();
    assert_eq!(outcomes("queued", 1), ["ok"]);
    let wait: f64 = notes("label", "queued")[0]["queue_wait_seconds"].parse().unwrap();
    let [least, most] = [0.9 * nap.as_secs_f64(), 1.1 * whole.as_secs_f64()];
    assert!((least..=most).contains(&wait), "{wait} {whole:?}");
}

#[test]
fn the_span_of_a_task_that_never_began_names_no_worker_and_no_outcome() {
    let pool = pool();
    let late = TaskBuilder::new().pool(&pool).label("dropped").deadline(Instant::now());
    late.spawn(|| unreachable!());
    assert!(late.spawn_handle(|| unreachable!()).join().is_err());
    pool.scope(|scope| {
        scope.cancel();
        scope.spawn_named("dropped", |_| unreachable!());
    });
    common::wait_until(|| notes("label", "dropped").len() == 3);
    let spans = notes("label", "dropped");
    let told = ["worker", "queue_wait_seconds", "outcome"];
    assert!(
        spans.iter().all(|span| told.iter().all(|field| !span.contains_key(field))),
        "{spans:?}"
    );
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
    // Nobody knows that the call waits for the task.
    common::wait_until(|| notes("parent", "call").len() == 2);
    let spans = notes("parent", "call");
    assert!(spans.iter().all(|note| note["outcome"] == "ok" && !note.contains_key("label")));
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
fn a_spare_comes_and_goes() {
    notes("", "");
    let pool = ThreadPoolBuilder::new().num_threads(5).max_threads(6).build().unwrap();
    let told = |what| {
        let mut told = notes("worker", "5").into_iter();
        told.any(|note| note.get("message").is_some_and(|message| message == what))
    };
    let (seated, benched) = ("a spare took a seat", "a spare gave up its seat");
    // It lies on the bench until all block again.
    common::wait_until(|| {
        let (gate, blocked) = (Arc::new(common::Gate::default()), AtomicUsize::new(0));
        std::thread::scope(|threads| {
            threads.spawn(|| {
                pool.broadcast(|_| {
                    blocked.fetch_add(1, Ordering::Relaxed);
                    filch::blocking(|| gate.wait());
                })
            });
            common::wait_until(|| blocked.load(Ordering::Relaxed) == 5);
            let open = Arc::clone(&gate);
            pool.spawn(move || open.open());
        });
        std::thread::sleep(Duration::from_millis(10));
        told(benched) && told(seated)
    });
}

#[test]
#[cfg(all(target_os = "linux", not(miri)))]
fn an_alert_fires_and_is_over() {
    notes("", "");
    let rules = AlertRules::none().rule(AlertKind::ErrorRate, 0.53, 2.0);
    let rules = rules.keep_firing_for(Duration::ZERO);
    let monitoring = Monitoring::new().alerts(rules).evaluations(Duration::from_millis(10));
    let pool = ThreadPoolBuilder::new().num_threads(1).monitoring(monitoring).build().unwrap();
    let until_told = |fails, level, what| {
        common::wait_until(|| {
            let outcome = if fails { Err(()) } else { Ok(()) };
            let _ = pool.try_spawn_handle(move || outcome).join();
            let mut told = notes("threshold", "0.53").into_iter();
            told.any(|note| note["level"] == level && note["message"].contains(what))
        });
    };
    until_told(true, "WARN", "of the tasks fail");
    assert_eq!(notes("threshold", "0.53")[0]["level"], "WARN");
    until_told(false, "INFO", "over: ");
}

#[test]
fn a_subscriber_that_panics_stops_no_task_no_wait_and_no_pool() {
    let pool = pool();
    // In the span of the submission, by turns from outside and within a scope,
    let ran = || {
        let (sender, receiver) = std::sync::mpsc::channel();
        (move || sender.send(()).unwrap(), receiver)
    };
    let (task, receiver) = ran();
    pool.spawn_named("unwelcome", task);
    receiver.recv().unwrap();
    let (task, receiver) = ran();
    pool.in_place_scope(|scope| scope.spawn_named("unwelcome", |_| task()));
    receiver.recv().unwrap();
    // and in the event of a panic.
    let panic = || common::explode("unwelcome");
    pool.spawn(panic);
    assert!(pool.spawn_handle(panic).join().is_err());
    let scope = || pool.scope(|scope| scope.spawn(|_| common::explode("unwelcome")));
    assert_eq!(common::panic_of(scope), "unwelcome");
    assert_eq!(pool.join(|| 1, || 2), (1, 2));
    pool.shutdown().unwrap();
}

#[test]
fn tasks_that_start_one_another_keep_no_spans_open() {
    fn chain(left: usize, end: std::sync::mpsc::Sender<()>) {
        match left {
            0 => end.send(()).unwrap(),
            _ => TaskBuilder::new().label("link").spawn(move || chain(left - 1, end)),
        }
    }
    let (pool, (sender, receiver)) = (pool(), std::sync::mpsc::channel());
    info_span!("first").in_scope(|| {
        TaskBuilder::new().pool(&pool).label("link").spawn(move || chain(1000, sender));
    });
    receiver.recv().unwrap();
    common::wait_until(|| notes("label", "link").len() == 1001);
    // The span around the first is around all.
    assert!(notes("label", "link").iter().all(|note| note["parent"] == "first"));
    // Each has ended before the next but one.
    let open = notes("open", "many");
    assert_eq!(open, []);
}

#[test]
fn a_panic_of_a_task_within_another_says_nothing_of_that_one() {
    let pool = pool();
    let outer = TaskBuilder::new().pool(&pool).label("bears").spawn_handle(|| {
        let inner = TaskBuilder::new().label("bursts");
        assert!(inner.spawn_handle(|| panic!("within")).join().is_err());
    });
    outer.join().unwrap();
    assert_eq!(
        (outcomes("bursts", 1), outcomes("bears", 1)),
        (vec!["panicked".into()], vec!["ok".into()])
    );
}

#[test]
#[cfg(all(target_os = "linux", not(miri)))]
fn a_summary_comes_whenever_the_alert_rules_are_looked_at() {
    // The first, before anybody listens, is lost otherwise.
    notes("", "");
    let monitoring = Monitoring::new().evaluations(Duration::from_millis(10));
    let pool = ThreadPoolBuilder::new().num_threads(3).monitoring(monitoring).build().unwrap();
    let summaries = || {
        let all = notes("message", "a pool").into_iter();
        all.filter(|note| note["workers"] == "3" && note.contains_key("memory")).count()
    };
    common::wait_until(|| summaries() > 1);
    drop(pool);
}
