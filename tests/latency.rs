//! How long tasks wait and run, by label and by worker. Times are compared with sleeps, which may be
//! longer than asked for and never shorter.

mod common;

use filch::{
    Latency, LatencySnapshot, Monitoring, Status, TaskBuilder, ThreadPool, ThreadPoolBuilder,
};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

const NAP: Duration = Duration::from_millis(20);
/// A length is known to 3 %.
const NEARLY: Duration = Duration::from_millis(19);

fn pool(workers: usize, one_in: u32) -> ThreadPool {
    let monitoring = Monitoring::new().latency(one_in);
    // No spares, who would run what waits for one who sleeps.
    let builder = ThreadPoolBuilder::new().num_threads(workers).max_threads(workers);
    builder.monitoring(monitoring).build().unwrap()
}

/// When every task that has been waited for is counted: a handle is told before that.
fn latency(pool: &ThreadPool, tasks: u64) -> LatencySnapshot {
    common::wait_until(|| pool.counters().tasks >= tasks);
    pool.snapshot().latency
}

#[test]
fn every_kind_of_task_is_timed_from_its_submission() {
    let pool = pool(1, 1);
    pool.install(|| thread::sleep(NAP));
    pool.spawn(|| thread::sleep(NAP));
    pool.spawn_fifo(|| thread::sleep(NAP));
    pool.spawn_handle(|| thread::sleep(NAP)).join().unwrap();
    pool.in_place_scope(|scope| scope.spawn(|_| thread::sleep(NAP)));
    pool.scope_fifo(|scope| scope.spawn_fifo(|_| thread::sleep(NAP)));
    // A call and the task in it.
    let latency = latency(&pool, 7);
    assert_eq!((latency.one_in, latency.all.run_time.count), (1, 7));
    assert!(latency.all.run_time.sum >= 7 * NEARLY);
    assert!(latency.all.run_time.median >= NEARLY);
    // The third waits for the second, the fourth for both.
    assert!(latency.all.queue_wait.sum >= 3 * NEARLY);
    let sum = latency.all.queue_wait.sum + latency.all.run_time.sum;
    assert!(latency.all.response_time.sum.abs_diff(sum) < Duration::from_micros(1));
    assert!(latency.labelled.is_empty());
}

#[test]
fn tasks_that_follow_one_another_share_a_stamp_and_no_time_is_counted_twice() {
    let pool = pool(1, 1);
    // The second one's start is the first one's end; the third runs within the fourth.
    pool.scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|_| thread::sleep(NAP));
        }
    });
    pool.spawn_handle(|| filch::scope(|scope| scope.spawn(|_| thread::sleep(NAP)))).join().unwrap();
    pool.spawn_handle(|| ()).join().unwrap();
    let run_time = latency(&pool, 6).all.run_time;
    assert_eq!(run_time.count, 6);
    // The scope's call: two naps; its tasks: one each; the fourth and the one within: one each.
    assert!(run_time.sum >= 6 * NEARLY && run_time.max >= 2 * NEARLY);
    let pool = pool_of_chain();
    let run_time = latency(&pool, 1001).all.run_time;
    assert_eq!(run_time.count, 1001);
}

/// A pool whose worker has run a thousand tasks, each begun where the last one ended.
fn pool_of_chain() -> ThreadPool {
    fn chain(left: u32, done: mpsc::Sender<()>) {
        match left {
            0 => done.send(()).unwrap(),
            _ => filch::spawn(move || chain(left - 1, done)),
        }
    }
    let (pool, (sender, receiver)) = (pool(1, 1), mpsc::channel());
    pool.spawn(move || chain(1000, sender));
    receiver.recv().unwrap();
    pool
}

#[test]
fn what_a_worker_does_between_two_tasks_is_part_of_neither() {
    let pool = pool(1, 1);
    let (start, go) = mpsc::channel::<()>();
    let (sender, receiver) = mpsc::channel();
    let done = || {
        let sender = sender.clone();
        move || sender.send(()).unwrap()
    };
    pool.spawn(move || assert!(go.recv().is_err()));
    // To be run between the two, and not timed.
    pool.spawn_broadcast(|_| thread::sleep(NAP));
    pool.spawn(done());
    drop(start);
    receiver.recv().unwrap();
    // Nor is there anything to be timed while nothing is to be done.
    thread::sleep(NAP);
    pool.spawn(done());
    receiver.recv().unwrap();
    // Nor is the rest of a task that others are run in the midst of.
    pool.spawn_handle(|| {
        filch::scope(|scope| scope.spawn(|_| ()));
        thread::sleep(NAP);
        filch::scope(|scope| scope.spawn(|_| ()));
    })
    .join()
    .unwrap();
    let run_time = latency(&pool, 7).all.run_time;
    assert_eq!(run_time.count, 6, "three tasks, and one with two scopes");
    let histogram = pool.histogram(Latency::RunTime);
    let naps = histogram.count_between(NEARLY.as_nanos() as u64, u64::MAX / 2);
    assert_eq!(naps, 1, "{histogram:?}");
}

#[test]
fn labels_have_latencies_of_their_own() {
    let pool = pool(2, 1);
    pool.spawn_handle(|| ()).join().unwrap();
    TaskBuilder::new().pool(&pool).label("nap").spawn_handle(|| thread::sleep(NAP)).join().unwrap();
    pool.scope(|scope| scope.spawn_named("scoped", |_| ()));
    pool.scope_fifo(|scope| scope.spawn_fifo_named("scoped", |_| ()));
    pool.install(|| filch::spawn_named("scoped", || ()));
    let failing = TaskBuilder::new().pool(&pool).label("failing");
    failing.try_spawn_handle(|| Err::<(), _>(())).join().unwrap().unwrap_err();
    let latency = latency(&pool, 9);
    let counts = latency.labelled.iter().map(|(label, latency)| (*label, latency.run_time.count));
    assert_eq!(counts.collect::<Vec<_>>(), [("nap", 1), ("scoped", 3), ("failing", 1)]);
    assert!(latency.labelled[0].1.run_time.max >= NEARLY);
    assert_eq!(latency.all.run_time.count, 9);
    let of = |label| pool.histogram_of(label, Latency::RunTime).map(|histogram| histogram.len());
    assert_eq!([of("nap"), of("scoped"), of("none such")], [Some(1), Some(3), None]);
    assert!(pool.snapshot().to_string().contains("  nap:\n"));
}

#[test]
fn a_worker_says_which_labelled_task_it_runs_and_since_when() {
    // Labels are seen even where nothing is timed.
    let pool = pool(1, 0);
    let (sender, receiver) = mpsc::channel::<()>();
    let (end, ended) = mpsc::channel::<()>();
    pool.spawn_named("outer", move || {
        filch::scope(|scope| {
            scope.spawn_named("inner", move |_| assert!(receiver.recv().is_err()))
        });
        assert!(ended.recv().is_err());
    });
    let task = || pool.snapshot().workers[0].task;
    let label = || task().and_then(|task| task.label);
    common::wait_until(|| label() == Some("inner"));
    thread::sleep(NAP);
    assert!(task().unwrap().running_for >= NEARLY);
    drop(sender);
    common::wait_until(|| label() == Some("outer"));
    drop(end);
    common::wait_until(|| task().is_none());
    assert_eq!(pool.snapshot().latency, LatencySnapshot::default());
    assert!(pool.snapshot().to_string().contains("latency: not measured\n"));
}

#[test]
fn a_panic_ends_a_task_in_time_too() {
    let monitoring = Monitoring::new().latency(1);
    let builder = ThreadPoolBuilder::new().num_threads(1).monitoring(monitoring);
    let pool = builder.panic_handler(|_| ()).build().unwrap();
    pool.spawn_named("panics", || panic!("as planned"));
    common::wait_until(|| pool.counters().panics == 1);
    let latency = latency(&pool, 1);
    assert_eq!(latency.labelled[0].1.run_time.count, 1);
    assert_eq!(pool.snapshot().workers[0].task, None);
}

#[test]
fn one_task_in_so_many_is_timed_on_average() {
    let pool = pool(2, 8);
    pool.scope(|scope| (0..8000).for_each(|_| scope.spawn(|_| ())));
    let count = latency(&pool, 8001).all.run_time.count;
    assert!((500..2000).contains(&count), "{count} of 8000");
}

#[test]
fn wakes_are_timed() {
    let pool = pool(1, 1);
    for _ in 0..10 {
        common::wait_until(|| pool.snapshot().workers[0].status == Status::Parked);
        // Parked says that it is about to sleep.
        thread::sleep(Duration::from_millis(2));
        pool.spawn_handle(|| ()).join().unwrap();
    }
    let wake = pool.snapshot().latency.wake;
    assert!((1..=10).contains(&wake.count), "{wake}");
    // The worker has no more to do than to wake, and the task waits for that.
    assert!(wake.median <= pool.snapshot().latency.all.queue_wait.max);
    assert_eq!(pool.histogram(Latency::Wake).len(), wake.count);
}

#[test]
fn workers_are_told_apart() {
    let pool = pool(2, 1);
    pool.scope(|scope| {
        for _ in 0..100 {
            scope.spawn(|_| thread::sleep(Duration::from_micros(100)));
        }
    });
    latency(&pool, 101);
    let snapshot = pool.snapshot();
    let counts = snapshot.workers.iter().map(|worker| worker.latency.run_time.count);
    assert_eq!(counts.sum::<u64>(), snapshot.latency.all.run_time.count);
    for worker in &snapshot.workers {
        assert_eq!(worker.latency.run_time.count, worker.counters.tasks);
    }
}
