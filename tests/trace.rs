//! The flight recorder writes down what happened, once, in order, and as Perfetto reads it.
#![cfg(not(any(miri, loom)))]

mod common;

use common::*;
use filch::{ThreadPool, ThreadPoolBuilder};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// A file that isn't there yet.
fn file(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("trace-{name}.json"));
    let _ = fs::remove_file(&path);
    path
}

/// A slice of one worker's track.
#[derive(Clone, Debug)]
struct Slice {
    worker: u64,
    name: String,
    from: f64,
    to: f64,
    depth: usize,
}

/// An instant on one worker's track.
#[derive(Debug)]
struct Instantaneous {
    worker: u64,
    name: String,
    args: Value,
}

#[derive(Debug, Default)]
struct Trace {
    names: BTreeMap<u64, String>,
    slices: Vec<Slice>,
    instants: Vec<Instantaneous>,
    /// The times of all events, in microseconds.
    times: Vec<f64>,
}

impl Trace {
    /// What Perfetto would make of it; fails where that would complain.
    fn parse(text: &str) -> Self {
        let mut trace = Self::default();
        let json: Value = serde_json::from_str(text).unwrap();
        let mut tracks: BTreeMap<u64, (f64, Vec<Slice>)> = BTreeMap::new();
        for event in json["traceEvents"].as_array().unwrap() {
            assert_eq!(event["pid"], std::process::id());
            let name = event["name"].as_str().unwrap_or("").to_owned();
            if event["ph"] == "M" {
                let text = event["args"]["name"].as_str().unwrap().to_owned();
                match &*name {
                    "process_name" => assert!(text.starts_with("filch pool ")),
                    "thread_name" => {
                        let again = trace.names.insert(event["tid"].as_u64().unwrap(), text);
                        assert_eq!(again, None);
                    }
                    _ => panic!("{event}"),
                }
                continue;
            }
            let (worker, at) = (event["tid"].as_u64().unwrap(), event["ts"].as_f64().unwrap());
            assert!(trace.names.contains_key(&worker), "{event}");
            let (last, open) = tracks.entry(worker).or_default();
            assert!(at >= *last, "{at} after {last}");
            *last = at;
            trace.times.push(at);
            match event["ph"].as_str().unwrap() {
                "B" => {
                    let depth = open.len();
                    open.push(Slice { worker, name, from: at, to: f64::NAN, depth });
                }
                "E" => {
                    let slice = open.pop().expect("an end without a begin");
                    trace.slices.push(Slice { to: at, ..slice });
                }
                "i" => {
                    assert_eq!(event["s"], "t");
                    trace.instants.push(Instantaneous {
                        worker,
                        name,
                        args: event["args"].clone(),
                    });
                }
                _ => panic!("{event}"),
            }
        }
        assert!(tracks.values().all(|(_, open)| open.is_empty()), "a begin without an end");
        trace
    }

    fn of(pool: &ThreadPool, name: &str) -> Self {
        let path = file(name);
        pool.write_trace(&path).unwrap();
        Self::parse(&fs::read_to_string(path).unwrap())
    }

    fn count(&self, name: &str) -> usize {
        self.named(name).count()
    }

    fn named(&self, name: &str) -> impl Iterator<Item = &Slice> {
        self.slices.iter().filter(move |slice| slice.name == name)
    }

    fn instants(&self, name: &str) -> impl Iterator<Item = &Instantaneous> {
        self.instants.iter().filter(move |instant| instant.name == name)
    }
}

fn recorded(workers: usize) -> ThreadPoolBuilder {
    builder(workers).flight_recorder(10_000)
}

#[test]
fn every_job_is_there_once_and_within_the_run() {
    let start = Instant::now();
    let pool = Pool::from(recorded(2));
    for _ in 0..50 {
        pool.spawn(|| ());
    }
    pool.scope(|scope| (0..20).for_each(|_| scope.spawn(|_| ())));
    for _ in 0..3 {
        pool.install(|| ());
    }
    pool.broadcast(|_| ());
    pool.shutdown().unwrap();
    let trace = Trace::of(&pool, "once");
    let end = start.elapsed().as_secs_f64() * 1e6;
    assert_eq!(trace.count("task"), 50 + 2);
    assert_eq!(trace.count("scope task"), 20);
    // Of the scope, the first.
    assert_eq!(trace.count("call"), 1 + 3);
    assert_eq!(pool.counters().tasks, 52 + 20 + 4);
    assert!(trace.times.iter().all(|&at| at >= 0.0 && at <= end), "until {end}: {trace:?}");
    assert_eq!(trace.names.keys().copied().collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn jobs_and_what_is_in_them_last_as_long_as_they_did() {
    let pool = Pool::from(recorded(1));
    let time = Duration::from_millis(20);
    pool.spawn(move || {
        thread::sleep(time);
        filch::blocking(|| thread::sleep(time));
    });
    pool.shutdown().unwrap();
    let trace = Trace::of(&pool, "long");
    let only = |name| {
        assert_eq!(trace.count(name), 1, "{trace:?}");
        trace.named(name).next().unwrap()
    };
    let (task, blocked) = (only("task"), only("blocked"));
    assert_eq!((task.depth, blocked.depth), (0, 1));
    assert!(task.from + 19_999.0 <= blocked.from && blocked.to <= task.to, "{trace:?}");
    let (task, blocked) = (task.to - task.from, blocked.to - blocked.from);
    assert!((19_999.0..10e6).contains(&blocked) && blocked + 19_999.0 <= task, "{trace:?}");
}

#[test]
fn a_theft_names_its_victim() {
    let pool = Pool::from(recorded(2));
    let (victim, thief) = pool.install(|| {
        let stolen = Arc::new(Gate::default());
        let here = filch::current_thread_index().unwrap();
        let (open, thief) = (Arc::clone(&stolen), Arc::new(AtomicUsize::new(usize::MAX)));
        let note = Arc::clone(&thief);
        filch::spawn(move || {
            note.store(filch::current_thread_index().unwrap(), Ordering::Relaxed);
            open.open();
        });
        stolen.wait();
        (here as u64, thief.load(Ordering::Relaxed) as u64)
    });
    pool.shutdown().unwrap();
    let trace = Trace::of(&pool, "theft");
    assert_eq!(victim + thief, 1);
    let thefts: Vec<_> = trace.instants("steal").collect();
    assert_eq!(thefts.len(), 1, "{trace:?}");
    assert_eq!((thefts[0].worker, &thefts[0].args["from"]), (thief, &victim.into()));
    assert!(trace.named("task").all(|task| task.worker == thief));
}

#[test]
fn a_part_of_a_join_is_recorded_only_where_another_takes_it() {
    let alone = Pool::from(recorded(1));
    alone.install(|| fib(15));
    alone.shutdown().unwrap();
    let trace = Trace::of(&alone, "joins");
    assert!(alone.counters().joins > 900);
    assert!(trace.times.len() < 20, "{trace:?}");
    let pool = Pool::from(recorded(2));
    let (victim, thief) = pool.install(|| {
        let taken = Gate::default();
        let part = || {
            taken.open();
            here()
        };
        filch::join(
            || {
                taken.wait();
                here()
            },
            part,
        )
    });
    pool.shutdown().unwrap();
    let trace = Trace::of(&pool, "frame");
    assert_eq!((trace.count("frame"), trace.named("frame").next().unwrap().worker), (1, thief));
    let counters = pool.counters();
    let exposures = if HIDES { counters.exposures } else { 0 };
    assert_eq!(trace.instants("expose").count() as u64, exposures);
    assert_eq!(trace.instants("pull").count() as u64, counters.pulls);
    let from = |instant: &&Instantaneous| ["steal", "pull"].contains(&&*instant.name);
    let got: Vec<_> = trace.instants.iter().filter(from).collect();
    assert_eq!((got.len(), got[0].worker, &got[0].args["from"]), (1, thief, &victim.into()));
}

/// Whether a lane hides anything, and so is pulled from.
const HIDES: bool = cfg!(all(target_os = "linux", not(filch_no_membarrier)));

fn here() -> u64 {
    filch::current_thread_index().unwrap() as u64
}

#[test]
fn a_pull_names_its_victim() {
    let pool = Pool::from(recorded(2));
    let (victim, thief) = pool.install(|| {
        let (busy, go) = (Arc::new(Gate::default()), Arc::new(Gate::default()));
        let (begun, wait) = (Arc::clone(&busy), Arc::clone(&go));
        filch::spawn(move || {
            begun.open();
            wait.wait();
        });
        busy.wait();
        // Answers what hunger there is. Then nobody is hungry until this one is in a leaf.
        fib(10);
        let taken = Gate::default();
        let leaf = || {
            go.open();
            taken.wait();
            here()
        };
        let part = || {
            taken.open();
            here()
        };
        filch::join(leaf, part)
    });
    pool.shutdown().unwrap();
    let (trace, pulls) = (Trace::of(&pool, "pull"), pool.counters().pulls);
    assert!(pulls > 0 || !HIDES);
    assert_eq!(trace.instants("pull").count() as u64, pulls);
    for pull in trace.instants("pull") {
        assert_eq!((pull.worker, &pull.args["from"]), (thief, &victim.into()));
    }
}

#[test]
fn a_theft_by_one_who_waits_names_its_victim() {
    let pool = Pool::from(recorded(2));
    let (waiter, helped) = pool.install(|| {
        let (taken, helped) = (Gate::default(), Gate::default());
        let wait = || {
            taken.wait();
            here()
        };
        let long = || {
            taken.open();
            // Joins, so that it answers the hunger.
            let joins = || wait_until(|| fib(5) == 5 && helped.is_open());
            filch::join(joins, || helped.open());
            here()
        };
        filch::join(wait, long)
    });
    pool.shutdown().unwrap();
    let trace = Trace::of(&pool, "help");
    let by_waiter = |theft: &Instantaneous| theft.worker == waiter && theft.args["from"] == helped;
    assert!(trace.instants("steal").any(by_waiter), "{trace:?}");
    assert!(trace.instants("steal").count() as u64 >= pool.counters().steals, "{trace:?}");
}

#[test]
fn sleep_and_who_ended_it_are_there() {
    let pool = Pool::from(recorded(2));
    // Or the call wakes the one that it doesn't go to, and that isn't counted yet.
    wait_until(|| asleep(&pool) == 2);
    pool.install(|| {
        let here = filch::current_thread_index().unwrap();
        let wakes = || pool.snapshot().workers[here].counters.wakes;
        // One on its way to sleep needn't be woken.
        while wakes() == 0 {
            wait_until(|| asleep(&pool) == 1);
            let woken = Arc::new(Gate::default());
            let open = Arc::clone(&woken);
            filch::spawn(move || {
                assert_ne!(filch::current_thread_index(), Some(here));
                open.open();
            });
            woken.wait();
        }
    });
    pool.shutdown().unwrap();
    let trace = Trace::of(&pool, "sleep");
    let waker = trace.named("call").next().unwrap();
    let sleeper = 1 - waker.worker;
    let wakes = |instant: &Instantaneous| {
        instant.worker == waker.worker && instant.args["worker"] == sleeper
    };
    assert!(trace.instants("wake").any(wakes), "{trace:?}");
    assert!(trace.named("parked").any(|parked| parked.worker == sleeper), "{trace:?}");
    assert!(trace.count("searching") > 0);
}

#[test]
fn a_full_ring_keeps_the_newest() {
    const KEPT: usize = 16;
    let start = Instant::now();
    let pool = Pool::from(builder(1).flight_recorder(KEPT));
    let run = |tasks| {
        pool.install(|| (0..tasks).for_each(|_| filch::spawn(|| ())));
        wait_until(|| asleep(&pool) == 1);
    };
    run(500);
    let before = Trace::of(&pool, "newest");
    let first = start.elapsed().as_secs_f64() * 1e6;
    run(500);
    let after = Trace::of(&pool, "newest");
    for trace in [&before, &after] {
        // Its events, and ends of what is open.
        assert!((KEPT..=KEPT + 2).contains(&trace.times.len()), "{trace:?}");
        assert!(trace.count("task") >= KEPT / 2 - 2, "{trace:?}");
    }
    assert!(before.times.iter().all(|&at| at <= first), "{before:?}");
    assert!(after.times.iter().all(|&at| at >= before.times[0]), "{after:?}");
    let newest = |trace: &Trace| trace.named("task").map(|task| task.from).fold(0.0, f64::max);
    assert!(after.named("task").all(|task| task.from > newest(&before)), "{after:?}");
}

/// The call's begin is overwritten long before it ends.
#[test]
fn a_job_whose_begin_is_lost_is_still_around_what_it_ran() {
    let pool = Pool::from(builder(1).flight_recorder(64));
    pool.install(|| filch::scope(|scope| (0..100).for_each(|_| scope.spawn(|_| ()))));
    pool.shutdown().unwrap();
    let trace = Trace::of(&pool, "lost");
    let call = trace.named("call").next().unwrap();
    assert!(trace.count("scope task") > 20);
    for task in trace.named("scope task") {
        assert!(task.depth == 1 && call.from <= task.from && task.to <= call.to, "{trace:?}");
    }
}

#[test]
fn a_trace_can_be_taken_while_the_pool_is_busy() {
    let pool = Pool::from(builder(2).flight_recorder(1000));
    let (on, done) = (Arc::new(Gate::default()), Arc::new(AtomicU64::new(0)));
    fn chain(on: Arc<Gate>, done: Arc<AtomicU64>) {
        done.fetch_add(1, Ordering::Relaxed);
        if on.is_open() {
            filch::spawn(move || chain(on, done));
        }
    }
    on.open();
    for _ in 0..4 {
        let (on, done) = (Arc::clone(&on), Arc::clone(&done));
        pool.spawn(move || chain(on, done));
    }
    for round in 0..20 {
        // Each time the rings have been filled anew.
        let before = done.load(Ordering::Relaxed);
        wait_until(|| done.load(Ordering::Relaxed) > before + 2000);
        let trace = Trace::of(&pool, "busy");
        assert!(trace.slices.iter().any(|slice| slice.name == "task"), "{round}: {trace:?}");
    }
    on.close();
}

#[test]
fn threads_keep_their_names_whatever_is_in_them() {
    let names = ["a \"b\" \\ c\u{1}\n", "ü/日本"];
    let pool = Pool::from(recorded(2).thread_name(move |index| names[index].to_owned()));
    let trace = Trace::of(&pool, "names");
    let expected = BTreeMap::from([(0, names[0].to_owned()), (1, names[1].to_owned())]);
    assert_eq!(trace.names, expected);
    let pool = Pool::from(recorded(1));
    assert_eq!(Trace::of(&pool, "unnamed").names[&0], "worker 0");
}

#[test]
fn guests_and_spares_are_recorded_too() {
    on_new_thread(|| {
        let pool = recorded(1).max_threads(2).use_current_thread().build().unwrap();
        let done = Arc::new(Gate::default());
        let open = Arc::clone(&done);
        pool.spawn(move || open.open());
        // This thread is away, so a spare runs the task.
        filch::blocking(|| done.wait());
        pool.shutdown().unwrap();
        let trace = Trace::of(&pool, "guest");
        assert!(trace.named("blocked").any(|slice| slice.worker == 0), "{trace:?}");
        assert!(trace.named("task").any(|slice| slice.worker == 1), "{trace:?}");
        assert_eq!(trace.names[&1], "filch-spare-1");
    });
}

#[test]
fn the_first_panic_writes_the_file_before_it_is_handled() {
    let path = file("handled");
    let (looked, seen) = (path.clone(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&seen);
    let handler = move |_| {
        count.fetch_add(if looked.exists() { 1 } else { 100 }, Ordering::Relaxed);
    };
    let pool = Pool::from(recorded(1).trace_on_panic(&path).panic_handler(handler));
    // Somebody is told of this one.
    panic_of(|| pool.install(|| explode("call")));
    assert!(!path.exists());
    pool.spawn(|| explode("task"));
    wait_until(|| seen.load(Ordering::Relaxed) > 0);
    assert_eq!(seen.load(Ordering::Relaxed), 1);
    let trace = Trace::parse(&fs::read_to_string(&path).unwrap());
    assert_eq!((trace.count("call"), trace.count("task")), (1, 1));
    // Once only.
    fs::remove_file(&path).unwrap();
    pool.spawn(|| explode("again"));
    pool.shutdown().unwrap();
    assert_eq!(seen.load(Ordering::Relaxed), 101);
}

#[test]
fn a_panic_that_aborts_writes_the_file() {
    let path = file("aborted");
    child_aborts("a_panic_that_aborts_writes_the_file", "panic_handler", || {
        let pool = recorded(2).trace_on_panic(&path).build().unwrap();
        pool.spawn(|| explode("nobody is told"));
        pool.shutdown().unwrap();
    });
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("\"name\":\"task\"") && text.ends_with("\n]}\n"), "{text}");
}

#[test]
fn a_trace_that_can_not_be_written_at_a_panic_is_reported_and_no_more() {
    let test = "a_trace_that_can_not_be_written_at_a_panic_is_reported_and_no_more";
    let output = in_child(test, &[], || {
        let builder = recorded(1).trace_on_panic("/nowhere/trace.json").panic_handler(|_| ());
        let pool = builder.build().unwrap();
        pool.spawn(|| explode("first"));
        pool.spawn(|| explode("second"));
        pool.shutdown().unwrap();
        assert_eq!(pool.counters().panics, 2);
    });
    if let Some(output) = output {
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{stderr}");
        assert_eq!(
            stderr.matches("can't be written to /nowhere/trace.json").count(),
            1,
            "{stderr}"
        );
    }
}

#[test]
fn what_can_not_be_recorded_or_written_is_said() {
    let path = file("off");
    let off = pool(1);
    let error = off.write_trace(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("ThreadPoolBuilder::flight_recorder"), "{error}");
    assert!(!path.exists());
    let on = Pool::from(recorded(1));
    assert_eq!(on.write_trace("/nowhere/trace.json").unwrap_err().kind(), ErrorKind::NotFound);
    for events in [0, (1 << 24) + 1, usize::MAX] {
        let error = builder(1).flight_recorder(events).build().unwrap_err().to_string();
        let named = format!("flight_recorder is to keep {events} events");
        assert!(error.contains(&named) && error.contains("16777216"), "{error}");
    }
    let error = builder(1).trace_on_panic(&path).build().unwrap_err().to_string();
    assert!(error.contains("ThreadPoolBuilder::flight_recorder"), "{error}");
}
