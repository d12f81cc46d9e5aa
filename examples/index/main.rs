//! Indexes a directory tree with a filch pool: files, bytes, words, file types and
//! duplicates, then the time it took against that of one worker, and what the pool did.

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

usage: index [--threads N] [DIR]

  DIR          default: the sources of the crates that cargo has downloaded
  --threads N  workers; default: as many as the process may use CPUs";

/// Passes with one worker, and as many with all.
const ROUNDS: usize = 3;
/// With this many files, all passes take more than about a second: there is a progress bar.
const LONG: usize = 1000;

fn main() {
    if let Err(error) = run() {
        eprintln!("index: {error}");
        process::exit(1);
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let Some((root, threads)) = arguments()? else {
        println!("{HELP}");
        return Ok(());
    };
    let bar = ProgressBar::hidden();
    // Brings the files into the page cache; its time doesn't count.
    let first = pass(&root, threads, &bar)?;
    let mut passes = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        passes[0].push(pass(&root, 1, &bar)?);
        passes[1].push(pass(&root, threads, &bar)?);
    }
    bar.finish_and_clear();
    if passes.iter().flatten().any(|pass| pass.summary != first.summary) {
        return Err("two passes found different things: do the files change?".into());
    }
    let mut out = BufWriter::new(io::stdout().lock());
    let printed = report::print_findings(&mut out, &root, &first.summary)
        .and_then(|()| report::print_times(&mut out, passes))
        .and_then(|()| out.flush());
    // Whoever closed the pipe has seen enough.
    Ok(printed
        .or_else(|error| if error.kind() == ErrorKind::BrokenPipe { Ok(()) } else { Err(error) })?)
}

/// What to index, and by how many workers (0: the default); `None` to be helped instead.
fn arguments() -> Result<Option<(PathBuf, usize)>, Box<dyn Error>> {
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    let (threads, rest) = match &arguments[..] {
        [flag, number, rest @ ..] if flag == "--threads" => {
            let number = number.to_str().and_then(|number| number.parse().ok());
            (number.ok_or("--threads needs a number; see --help")?, rest)
        }
        rest => (0, rest),
    };
    let root = match rest {
        [] => env::var_os("CARGO_HOME")
            .map_or_else(|| env::home_dir().unwrap_or_default().join(".cargo"), PathBuf::from)
            .join("registry/src"),
        [flag] if flag == "--help" || flag == "-h" => return Ok(None),
        [dir] if !dir.as_encoded_bytes().starts_with(b"-") => dir.into(),
        _ => return Err("these arguments make no sense together; see --help".into()),
    };
    match fs::read_dir(&root) {
        Ok(_) => Ok(Some((root, threads))),
        Err(error) => Err(format!(
            "cannot read {}: {error}; name a directory, or let `cargo fetch` download crates",
            root.display()
        ))?,
    }
}

/// Indexes the tree with a pool of its own, so that what the pool counts is this pass.
fn pass(root: &Path, threads: usize, bar: &ProgressBar) -> Result<Pass, filch::Error> {
    let pool = filch::ThreadPoolBuilder::new().num_threads(threads).build()?;
    let (start, cpu_time) = (Instant::now(), report::cpu_time());
    let found = pool.install(|| walk::walk(root));
    bar.set_length((found.files.len() * (1 + 2 * ROUNDS)) as u64);
    if found.files.len() > LONG && bar.is_hidden() {
        bar.set_draw_target(ProgressDrawTarget::stderr());
    }
    let mut tally = pool.install(|| tally::tally(&found.files, &|| bar.inc(1)));
    let summary = Summary::new(&found, &mut tally);
    Ok(Pass {
        workers: pool.current_num_threads(),
        elapsed: start.elapsed(),
        cpu_time: cpu_time.and_then(|start| report::cpu_time()?.checked_sub(start)),
        counters: pool.counters(),
        latencies: found.latencies,
        summary,
    })
}
