//! The comparison: every workload on every pool that it fits, in alternating runs in this one
//! process, printed as a Markdown table for docs/BENCHMARKS.md. What comes before it goes to
//! standard error.
//!
//! An argument restricts it to the rows whose names contain it:
//! `cargo bench --bench compare -- fib`.

mod common;
mod workloads;

use common::machine;
use common::measure::{Measured, Run, Times, alternate};
use common::pools::{Chili, Filch, Pool, Rayon, Serial, Spawner, Tokio};
use common::size;
use hdrhistogram::Histogram;
use std::time::Duration;
use workloads::fib::Fib;
use workloads::leaves::Leaves;
use workloads::queens::Queens;
use workloads::sort::Sort;
use workloads::spawn::{Nested, Outside, done, done_by_all, wait_for};
use workloads::tree::Tree;
use workloads::{About, ForkJoin, Spawning, Verdict, idle, latency};

fn main() {
    println!("{}\n", machine::line());
    println!(
        "| workload | unit | serial | filch | rayon | chili | tokio | what filch comes to | disturbed |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let wanted = std::env::args().skip(1).filter(|argument| !argument.starts_with('-'));
    let table = Table { wanted: wanted.collect() };
    let pools = [Pools::new(1), Pools::new(2)];
    machine::sleep_precisely();
    table.fork_join(&pools, &Fib::new());
    table.fork_join(&pools, &Tree::small());
    table.fork_join(&pools, &Tree::large());
    table.fork_join(&pools, &Queens::new());
    table.fork_join(&pools, &Sort::new());
    for leaves in [2, 16, 128] {
        table.fork_join(&pools[1..], &Leaves::new(leaves));
    }
    table.spawning(&pools, &Outside::new());
    table.spawning(&pools, &Nested::new());
    table.wake(&pools[1]);
    table.under_load(&pools[1]);
    drop(pools);
    table.idle();
}

struct Pools {
    workers: usize,
    filch: Filch,
    rayon: Rayon,
    chili: Chili,
    tokio: Tokio,
}

impl Pools {
    fn new(workers: usize) -> Self {
        Self {
            workers,
            filch: Filch::new(workers),
            rayon: Rayon::new(workers),
            chili: Chili::new(workers),
            tokio: Tokio::new(workers),
        }
    }
}

/// The contenders' columns, in this order.
const PEERS: [&str; 5] = ["serial", "filch", "rayon", "chili", "tokio"];
const SERIAL: usize = 0;
const FILCH: usize = 1;
const RAYON: usize = 2;

/// One figure for each column that has one.
type Columns<T> = [Option<T>; PEERS.len()];

struct Table {
    wanted: Vec<String>,
}

impl Table {
    /// The name of a row, or none if nobody asked for it.
    fn row(&self, workload: &str, workers: usize) -> Option<String> {
        let plural = if workers == 1 { "" } else { "s" };
        let name = format!("{workload}; {workers} worker{plural}");
        let wanted = self.wanted.is_empty() || self.wanted.iter().any(|part| name.contains(part));
        if wanted {
            eprintln!("{name} ...");
        }
        wanted.then_some(name)
    }

    fn fork_join(&self, pools: &[Pools], work: &impl ForkJoin) {
        let about = work.about();
        for pools in pools {
            let Some(name) = self.row(&about.name, pools.workers) else { continue };
            fn run<'a>(work: &'a impl ForkJoin, pool: &'a impl Pool) -> Run<'a> {
                Box::new(move || work.run(pool))
            }
            let mut contenders = [
                run(work, &Serial),
                run(work, &pools.filch),
                run(work, &pools.rayon),
                run(work, &pools.chili),
            ];
            let measured = alternate(size(15, 2), &mut contenders);
            let [serial, filch, rayon, chili] = measured.times[..] else { unreachable!() };
            let times = [Some(serial), Some(filch), Some(rayon), Some(chili), None];
            print_times(&name, &about, pools.workers, times, &measured);
        }
    }

    fn spawning(&self, pools: &[Pools], work: &impl Spawning) {
        let about = work.about();
        for pools in pools {
            let Some(name) = self.row(&about.name, pools.workers) else { continue };
            fn run<'a>(work: &'a impl Spawning, pool: &'a impl Spawner) -> Run<'a> {
                Box::new(move || work.run(pool))
            }
            let mut contenders =
                [run(work, &pools.filch), run(work, &pools.rayon), run(work, &pools.tokio)];
            let measured = alternate(size(9, 2), &mut contenders);
            let [filch, rayon, tokio] = measured.times[..] else { unreachable!() };
            let times = [None, Some(filch), Some(rayon), None, Some(tokio)];
            print_times(&name, &about, pools.workers, times, &measured);
        }
    }

    fn wake(&self, pools: &Pools) {
        let Some(name) = self.row("wake of an idle pool", pools.workers) else { return };
        /// For each run, how long tasks waited and how long the calls took.
        type Runs = Vec<[Histogram<u64>; 2]>;
        fn run<'a>(pool: &'a impl Spawner, runs: &'a mut Runs) -> Run<'a> {
            Box::new(move || {
                let [mut waits, mut calls] = [latency::histogram(), latency::histogram()];
                let took = latency::wake(pool, size(400, 50), &mut waits, &mut calls);
                runs.push([waits, calls]);
                took
            })
        }
        let (mut filch, mut rayon, mut tokio) = (Runs::new(), Runs::new(), Runs::new());
        let mut contenders = [
            run(&pools.filch, &mut filch),
            run(&pools.rayon, &mut rayon),
            run(&pools.tokio, &mut tokio),
        ];
        let measured = alternate(size(10, 2), &mut contenders);
        drop(contenders);
        for (which, what) in ["", ": the call that spawns"].iter().enumerate() {
            let sum = |runs: &Runs| sum(runs.iter().map(|run| &run[which]));
            print_waits(&format!("{name}{what}"), [&filch, &rayon, &tokio].map(sum), &measured);
        }
    }

    fn under_load(&self, pools: &Pools) {
        let workload = "a task from outside every 50 us beside tasks of 10 us";
        let Some(name) = self.row(workload, pools.workers) else { return };
        /// For each run, how long tasks waited, and how many longer than the load lasted.
        type Runs = Vec<(Histogram<u64>, u64)>;
        fn run<'a>(pool: &'a impl Spawner, runs: &'a mut Runs) -> Run<'a> {
            Box::new(move || {
                let lasting = Duration::from_millis(size(1000, 100));
                let mut waits = latency::histogram();
                let starved = latency::under_load(pool, lasting, &mut waits);
                runs.push((waits, starved));
                lasting
            })
        }
        let (mut filch, mut rayon, mut tokio) = (Runs::new(), Runs::new(), Runs::new());
        let mut contenders = [
            run(&pools.filch, &mut filch),
            run(&pools.rayon, &mut rayon),
            run(&pools.tokio, &mut tokio),
        ];
        let measured = alternate(size(5, 1), &mut contenders);
        drop(contenders);
        let runs = [&filch, &rayon, &tokio];
        let waits = runs.map(|runs| sum(runs.iter().map(|(waits, _)| waits)));
        let starved = runs.map(|runs| runs.iter().skip(1).map(|(_, starved)| starved).sum::<u64>());
        let share = |i: usize| 100.0 * starved[i] as f64 / waits[i].len() as f64;
        let cells = spread_out([0, 1, 2].map(|i| format!("{:.1}", share(i))));
        print_waits(&name, waits, &measured);
        print_row(&format!("{name}: begun after its end"), "%", cells, "", &measured);
    }

    /// Builds its own pools, one at a time, as only the whole process can be measured.
    fn idle(&self) {
        let Some(name) = self.row("CPU time of an idle pool after work", 2) else { return };
        if machine::cpu_time_of_other_threads().is_none() {
            return eprintln!("skipped: this system doesn't tell");
        }
        fn measure(work: impl FnOnce()) -> Duration {
            idle::cpu_time_per_second(work, Duration::from_millis(size(2000, 200))).unwrap()
        }
        fn join(pool: &impl Pool) {
            let work = Fib::new();
            for _ in 0..10 {
                work.run(pool);
            }
        }
        fn spawn(pool: &impl Spawner) {
            let tasks = 10_000;
            let before = done_by_all();
            (0..tasks).for_each(|_| pool.spawn(|| done(1)));
            wait_for(before + tasks);
        }
        let mut contenders: [Run; 4] = [
            Box::new(|| {
                let pool = Filch::new(2);
                measure(|| (join(&pool), spawn(&pool)).0)
            }),
            Box::new(|| {
                let pool = Rayon::new(2);
                measure(|| (join(&pool), spawn(&pool)).0)
            }),
            Box::new(|| {
                let pool = Chili::new(2);
                measure(|| join(&pool))
            }),
            Box::new(|| {
                let pool = Tokio::new(2);
                measure(|| spawn(&pool))
            }),
        ];
        let measured = alternate(size(3, 1), &mut contenders);
        let [filch, rayon, chili, tokio] = measured.times[..] else { unreachable!() };
        let times = [None, Some(filch), Some(rayon), Some(chili), Some(tokio)];
        let cells = times.map(|times| times.map(|times| cell(times, |nanos| nanos / 1e6)));
        print_row(&name, "ms/s", cells, "", &measured);
    }
}

fn print_times(
    name: &str,
    about: &About,
    workers: usize,
    times: Columns<Times>,
    measured: &Measured,
) {
    let cells = times.map(|times| times.map(|times| cell(times, |ns| about.unit.of_nanos(ns))));
    let medians = times.map(|times| times.map(|times| times.median));
    let verdict = verdict(&about.verdict, workers, &medians).unwrap_or_default();
    print_row(name, &about.unit.name(), cells, &verdict, measured);
}

/// The answer to the workload's question for filch, and for the others in brackets or as
/// what filch's is compared with.
fn verdict(question: &Verdict, workers: usize, medians: &Columns<f64>) -> Option<String> {
    let filch = medians[FILCH]?;
    let peers = || (RAYON..PEERS.len()).filter_map(|i| Some((PEERS[i], medians[i]?)));
    let listed =
        |each: &dyn Fn((&str, f64)) -> String| peers().map(each).collect::<Vec<_>>().join(", ");
    Some(match question {
        Verdict::Overhead => {
            // Each worker's even share, as several of them may well be faster than one
            // without a pool.
            let share = medians[SERIAL]? / workers as f64;
            let ratio = |(peer, time): (&str, f64)| {
                format!("{:.2}x {peer}'s", (filch - share) / (time - share))
            };
            format!("overhead {}", listed(&ratio))
        }
        Verdict::SpeedUp => {
            let serial = medians[SERIAL]?;
            let others = listed(&|(peer, time)| format!("{peer} {:.2}x", serial / time));
            format!("{:.2}x serial ({others})", serial / filch)
        }
        Verdict::Perfect => {
            let perfect = medians[SERIAL]? / workers as f64;
            let others = listed(&|(peer, time)| format!("{peer} {:.3}x", time / perfect));
            format!("{:.3}x perfect ({others})", filch / perfect)
        }
        Verdict::Peers => {
            format!("time {}", listed(&|(peer, time)| format!("{:.2}x {peer}'s", filch / time)))
        }
    })
}

/// All runs but the first, which warms up.
fn sum<'a>(runs: impl Iterator<Item = &'a Histogram<u64>>) -> Histogram<u64> {
    runs.skip(1).fold(latency::histogram(), |mut all, run| {
        all += run;
        all
    })
}

fn print_waits(name: &str, waits: [Histogram<u64>; 3], measured: &Measured) {
    let cells = waits.each_ref().map(|waits| {
        let percentiles = [50.0, 90.0, 99.0, 99.9];
        let micros = |p| digits(waits.value_at_percentile(p) as f64 / 1e3);
        percentiles.map(micros).join(" / ")
    });
    let [filch, rayon, tokio] = waits.map(|waits| waits.value_at_percentile(50.0) as f64);
    let verdict = verdict(&Verdict::Peers, 0, &[None, Some(filch), Some(rayon), None, Some(tokio)]);
    let verdict = format!("p50: {}", verdict.unwrap_or_default());
    print_row(name, "us, p50 / p90 / p99 / p99.9", spread_out(cells), &verdict, measured);
}

/// Those of filch, rayon and tokio in their columns.
fn spread_out([filch, rayon, tokio]: [String; 3]) -> Columns<String> {
    [None, Some(filch), Some(rayon), None, Some(tokio)]
}

fn print_row(name: &str, unit: &str, cells: Columns<String>, verdict: &str, measured: &Measured) {
    let cells = cells.map(|cell| cell.unwrap_or_else(|| "-".to_owned())).join(" | ");
    let disturbed =
        measured.disturbed.map_or("unknown".to_owned(), |share| format!("{share:.1} %"));
    println!("| {name} | {unit} | {cells} | {verdict} | {disturbed} |");
}

/// The median, and in brackets from where to where four of five runs reach.
fn cell(times: Times, scale: impl Fn(f64) -> f64) -> String {
    let [low, median, high] = [times.low, times.median, times.high].map(|time| digits(scale(time)));
    format!("{median} ({low}-{high})")
}

/// Three significant digits.
fn digits(figure: f64) -> String {
    let decimals = match figure {
        ..0.1 => 3,
        ..10.0 => 2,
        ..100.0 => 1,
        _ => 0,
    };
    format!("{figure:.decimals$}")
}
