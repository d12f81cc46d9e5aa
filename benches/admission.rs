//! What it is worth not to accept everything: tasks that come when they come (an open loop), half as many again as the pool
//! can run, and are of use to somebody if they are done within the deadline. And what it costs.
//!
//! `cargo bench --bench admission -- [--plots FOLDER]`. The pool should have the machine to itself, but for one CPU's hundredth
//! or so that the submitter takes.

mod common;
#[path = "governor/load.rs"]
#[allow(dead_code, reason = "it is the governor's, too")]
mod load;

use common::{machine, size};
use filch::{AdmissionPolicy, Monitoring, Pinning, ThreadPool, ThreadPoolBuilder};
use hdrhistogram::Histogram;
use load::{Work, come_first, median, moments};
use plotters::prelude::*;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

const WORKERS: usize = 2;
const TASK: Duration = Duration::from_millis(1);
const DEADLINE: Duration = Duration::from_millis(100);
/// Of what the pool can run.
const OFFERED: f64 = 1.5;

type Configure = fn(ThreadPoolBuilder) -> ThreadPoolBuilder;

/// With room for less than the deadline, and for more.
const POOLS: [(&str, Configure); 4] = [
    ("no bound", |builder| builder),
    ("max_queued(64)", |builder| builder.max_queued(64)),
    ("max_queued(1000)", |builder| builder.max_queued(1000)),
    ("Adaptive", |builder| builder.admission(AdmissionPolicy::ADAPTIVE)),
];

fn main() {
    let mut arguments = env::args().skip(1).filter(|word| word != "--bench");
    let plots = arguments.find(|word| word == "--plots");
    let plots = plots.map(|_| common::plots(&mut arguments));
    println!("{}", machine::line());
    machine::sleep_precisely();
    overload(plots.as_deref());
    costs();
}

fn pool(configure: Configure) -> ThreadPool {
    let builder = ThreadPoolBuilder::new().num_threads(WORKERS).pinning(Pinning::None);
    configure(builder.monitoring(Monitoring::off())).build().unwrap()
}

fn overload(plots: Option<&Path>) {
    if !come_first() {
        println!("Not root, so tasks may come later than they are due");
    }
    let work = Work::lasting(TASK);
    let lasting = Duration::from_millis(size(20_000, 200));
    println!(
        "\n| pool | can run, a second | offered | accepted | p50, ms | p99, ms | in time, a second | others' CPU |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let mut courses = vec![];
    for (name, configure) in POOLS {
        // Each time, since others use the machine, too.
        let capacity = capacity(work);
        let usage = machine::Usage::now();
        let course = offer(&pool(configure), work, OFFERED * capacity, lasting);
        let others = usage.zip(machine::Usage::now());
        let others = others.and_then(|(before, after)| after.others_since(&before));
        let responses = course.responses(|_| true);
        println!(
            "| {name} | {capacity:.0} | {:.0} | {:.0} % | {:.1} | {:.1} | {:.0} | {} |",
            OFFERED * capacity,
            100.0 * responses.len() as f64 / course.tasks.len() as f64,
            millis(&responses, 50.0),
            millis(&responses, 99.0),
            course.in_time(|_| true) as f64 / lasting.as_secs_f64(),
            others.map_or("?".into(), |others| format!("{others:.0} %")),
        );
        courses.push((name, course));
    }
    if let Some(folder) = plots {
        fs::create_dir_all(folder).unwrap();
        draw(&folder.join("admission.svg"), &courses, lasting);
    }
}

/// How many tasks a second the pool can run: while it always has some, and nobody waits for a place in line.
fn capacity(work: Work) -> f64 {
    let (pool, over, ran) = (pool(|it| it), AtomicBool::new(false), AtomicU64::new(0));
    let (start, mut elapsed) = (Instant::now(), Duration::ZERO);
    pool.in_place_scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|_| {
                while !over.load(Ordering::Relaxed) {
                    work.run();
                    ran.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        thread::sleep(Duration::from_millis(size(3000, 50)));
        over.store(true, Ordering::Relaxed);
        elapsed = start.elapsed();
    });
    ran.into_inner() as f64 / elapsed.as_secs_f64()
}

/// What became of a load.
struct Course {
    /// When each was due and done, unless it was refused.
    tasks: Vec<(Duration, Option<Duration>)>,
}

impl Course {
    /// From when tasks were due to their end, of those that were accepted.
    fn responses(&self, wanted: impl Fn(Duration) -> bool) -> Histogram<u64> {
        let mut responses = Histogram::new_with_bounds(1, 100_000_000_000, 3).unwrap();
        for (due, done) in self.tasks.iter().filter(|task| wanted(task.0)) {
            let response = done.map(|done| done.saturating_sub(*due).as_nanos() as u64);
            response.into_iter().for_each(|it| responses.saturating_record(it));
        }
        responses
    }

    fn in_time(&self, wanted: impl Fn(Duration) -> bool) -> usize {
        let in_time = |done: Duration, due| done.saturating_sub(due) <= DEADLINE;
        let tasks = self.tasks.iter().filter(|task| wanted(task.0));
        tasks.filter(|(due, done)| done.is_some_and(|done| in_time(done, *due))).count()
    }
}

fn millis(responses: &Histogram<u64>, percentile: f64) -> f64 {
    responses.value_at_percentile(percentile) as f64 / 1e6
}

/// Submits so many tasks a second at random moments, the same for each pool, and waits for those that are accepted.
fn offer(pool: &ThreadPool, work: Work, rate: f64, lasting: Duration) -> Course {
    let due = moments(rate, lasting, 1);
    let ends: Arc<[AtomicU64]> = due.iter().map(|_| AtomicU64::new(0)).collect();
    let mut accepted = vec![];
    let start = Instant::now();
    for (task, due) in due.iter().enumerate() {
        if let Some(pause) = due.checked_sub(start.elapsed()) {
            thread::sleep(pause);
        }
        let ends = Arc::clone(&ends);
        let outcome = pool.try_spawn(move || {
            work.run();
            ends[task].store(start.elapsed().as_nanos() as u64, Ordering::Release);
        });
        accepted.push(outcome.is_ok());
    }
    pool.shutdown().unwrap();
    let end = |task: usize| Duration::from_nanos(ends[task].load(Ordering::Acquire));
    let tasks = due.iter().zip(accepted).enumerate();
    let tasks = tasks.map(|(task, (&due, accepted))| (due, accepted.then(|| end(task)))).collect();
    Course { tasks }
}

/// By the second in which tasks were due: within which time 99 % were done, and how many were in time.
fn draw(path: &Path, courses: &[(&str, Course)], lasting: Duration) {
    const COLOURS: [RGBColor; 4] = [
        RGBColor(200, 30, 30),
        RGBColor(30, 90, 200),
        RGBColor(120, 120, 120),
        RGBColor(20, 140, 60),
    ];
    let seconds = lasting.as_secs_f64();
    let in_second = |second: u32| move |due: Duration| due.as_secs() == u64::from(second);
    let curve = |of: &dyn Fn(u32) -> f64| -> Vec<_> {
        (0..seconds.ceil() as u32).map(|second| (f64::from(second) + 0.5, of(second))).collect()
    };
    let sheet = SVGBackend::new(path, (960, 400)).into_drawing_area();
    sheet.fill(&WHITE).unwrap();
    let (left, right) = sheet.split_horizontally(480);
    let mut waits = ChartBuilder::on(&left)
        .caption("99 % of what is accepted is done within", ("sans-serif", 16))
        .margin(8)
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d(0.0..seconds, (1.0..100_000.0).log_scale())
        .unwrap();
    waits.configure_mesh().x_desc("s").y_desc("ms").draw().unwrap();
    let goodput = |course: &Course| curve(&|second| course.in_time(in_second(second)) as f64);
    let all = courses.iter().flat_map(|course| goodput(&course.1));
    let most = all.map(|point| point.1).fold(1.0, f64::max);
    let mut goods = ChartBuilder::on(&right)
        .caption("done within 100 ms", ("sans-serif", 16))
        .margin(8)
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d(0.0..seconds, 0.0..most * 1.1)
        .unwrap();
    goods.configure_mesh().x_desc("s").y_desc("tasks a second").draw().unwrap();
    for ((name, course), colour) in courses.iter().zip(COLOURS) {
        let style = colour.stroke_width(2);
        let mark = move |(x, y)| Rectangle::new([(x, y - 5), (x + 16, y + 5)], colour.filled());
        let p99 = curve(&|second| millis(&course.responses(in_second(second)), 99.0));
        // Nothing that was due in that second was accepted.
        let p99 = p99.into_iter().filter(|point| point.1 > 0.0);
        let line = LineSeries::new(p99, style);
        waits.draw_series(line).unwrap().label(*name).legend(mark);
        goods.draw_series(LineSeries::new(goodput(course), style)).unwrap();
    }
    let labels = &mut waits.configure_series_labels();
    labels.position(SeriesLabelPosition::UpperLeft).background_style(WHITE).draw().unwrap();
    sheet.present().unwrap();
}

/// Of tasks that do nothing, where all are accepted: how long one takes, and how much longer in a pool that counts them.
fn costs() {
    const ROUNDS: usize = 9;
    let tasks = size(200_000_u64, 1000);
    let pools: [(&str, Configure); 3] = [
        ("no bound", |builder| builder),
        ("max_queued", |builder| builder.max_queued(1 << 40)),
        ("Adaptive", |builder| builder.admission(AdmissionPolicy::ADAPTIVE)),
    ];
    println!("\n| pool of one worker | ns a task from outside | ns a task of its own |");
    println!("|---|---|---|");
    let pools = pools.map(|(name, configure)| {
        let builder = ThreadPoolBuilder::new().num_threads(1).monitoring(Monitoring::off());
        (name, configure(builder).build().unwrap())
    });
    let mut figures = [(); 3].map(|()| [vec![], vec![]]);
    for _ in 0..ROUNDS {
        for ((_, pool), figures) in pools.iter().zip(&mut figures) {
            let start = Instant::now();
            let mut accepted = 0;
            while accepted < tasks {
                // Below the target of an adaptive one, on any machine.
                (0..1000).for_each(|_| pool.spawn(|| ()));
                pool.spawn_handle(|| ()).join().unwrap();
                accepted += 1000;
            }
            figures[0].push(start.elapsed().as_secs_f64() * 1e9 / tasks as f64);
            let start = Instant::now();
            pool.install(|| {
                for _ in 0..tasks / 100 {
                    (0..100).for_each(|_| filch::spawn(|| ()));
                    while filch::yield_local() == Some(filch::Yield::Executed) {}
                }
            });
            figures[1].push(start.elapsed().as_secs_f64() * 1e9 / tasks as f64);
        }
    }
    for ((name, _), [outside, own]) in pools.iter().zip(figures) {
        println!("| {name} | {:.0} | {:.0} |", median(outside), median(own));
    }
}
