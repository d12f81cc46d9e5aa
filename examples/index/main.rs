//! Indexes a directory tree with a filch pool: files, bytes, words, file types and
//! duplicates, then the time it took against that of one worker, and what the pool did.

mod arguments;
mod report;
mod tally;
mod walk;
mod words;

use indicatif::{ProgressBar, ProgressDrawTarget};
use report::Pass;
use std::error::Error;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;
use std::{env, fs, process};
use tally::Summary;

const HELP: &str = "\
Indexes every file below DIR and prints what is there, how long that takes with one
worker and with all, and what the pool did meanwhile.

usage: index [--threads N] [--trace FILE] [DIR]

  DIR          default: the sources of the crates that cargo has downloaded
  --threads N  workers; default: FILCH_NUM_THREADS, or as many as the process may use CPUs,
               or as its cgroup's CPU quota allows, if that is less
  --trace FILE what the workers did in one more pass, for https://ui.perfetto.dev";

/// Passes with one worker, and as many with all, if those are more.
const ROUNDS: usize = 3;
/// With this many files, all passes take more than about a second: there is a progress bar.
const LONG: usize = 1000;
/// Events a worker that a trace keeps, in 2 MiB: more than most trees take.
const EVENTS: usize = 1 << 17;

fn main() {
    if let Err(error) = run() {
        eprintln!("index: {error}");
        process::exit(1);
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let Some(arguments) = arguments::parse(env::args_os().skip(1))? else {
        println!("{HELP}");
        return Ok(());
    };
    let root = arguments.dir.unwrap_or_else(crates);
    if let Err(error) = fs::read_dir(&root) {
        let root = root.display();
        Err(format!(
            "cannot read {root}: {error}; name a directory, or let `cargo fetch` download crates"
        ))?;
    }
    // Not after all passes.
    if let Some(path) = &arguments.trace
        && let Err(error) = fs::File::create(path)
    {
        Err(format!("cannot write {}: {error}", path.display()))?;
    }
    // What 0 stands for, only filch knows.
    let workers = pool(arguments.threads)?.current_num_threads();
    let teams = if workers == 1 { vec![1] } else { vec![1, workers] };
    let passes = 1 + ROUNDS * teams.len() + usize::from(arguments.trace.is_some());
    let bar = ProgressBar::hidden();
    // Brings the files into the page cache; its time doesn't count.
    let first = pass(&root, &pool(workers)?, passes, &bar);
    let mut by_team: Vec<_> = teams.iter().map(|_| Vec::new()).collect();
    for _ in 0..ROUNDS {
        for (&workers, done) in teams.iter().zip(&mut by_team) {
            done.push(pass(&root, &pool(workers)?, passes, &bar));
        }
    }
    if let Some(path) = &arguments.trace {
        let pool = builder(workers).flight_recorder(EVENTS).build()?;
        pass(&root, &pool, passes, &bar);
        pool.write_trace(path)?;
    }
    bar.finish_and_clear();
    if by_team.iter().flatten().any(|pass| pass.summary != first.summary) {
        return Err("two passes found different things: do the files change?".into());
    }
    let mut out = BufWriter::new(io::stdout().lock());
    let printed = report::print_findings(&mut out, &root, &first.summary)
        .and_then(|()| report::print_times(&mut out, by_team))
        .and_then(|()| match &arguments.trace {
            Some(path) => report::print_trace(&mut out, path),
            None => Ok(()),
        })
        .and_then(|()| out.flush());
    // Whoever closed the pipe has seen enough.
    Ok(printed
        .or_else(|error| if error.kind() == ErrorKind::BrokenPipe { Ok(()) } else { Err(error) })?)
}

/// Where cargo keeps the sources of the crates that it has downloaded.
fn crates() -> PathBuf {
    env::var_os("CARGO_HOME")
        .map_or_else(|| env::home_dir().unwrap_or_default().join(".cargo"), PathBuf::from)
        .join("registry/src")
}

fn builder(workers: usize) -> filch::ThreadPoolBuilder {
    filch::ThreadPoolBuilder::new().num_threads(workers)
}

fn pool(workers: usize) -> Result<filch::ThreadPool, filch::Error> {
    builder(workers).build()
}

/// Indexes the tree with a pool of its own, so that what the pool counts is this pass, one of
/// so many.
fn pass(root: &Path, pool: &filch::ThreadPool, passes: usize, bar: &ProgressBar) -> Pass {
    let (start, cpu_time) = (Instant::now(), report::cpu_time());
    let found = pool.install(|| walk::walk(root));
    bar.set_length((found.files.len() * passes) as u64);
    if found.files.len() > LONG && bar.is_hidden() {
        bar.set_draw_target(ProgressDrawTarget::stderr());
    }
    let mut tally = pool.install(|| tally::tally(&found.files, &|| bar.inc(1)));
    let summary = Summary::new(&found, &mut tally);
    Pass {
        workers: pool.current_num_threads(),
        elapsed: start.elapsed(),
        cpu_time: cpu_time.and_then(|start| report::cpu_time()?.checked_sub(start)),
        counters: pool.counters(),
        latencies: found.latencies,
        summary,
    }
}
