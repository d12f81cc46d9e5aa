//! Compresses every file below a directory, each whole and in memory, twice: with a lease of memory for each file, and
//! without. Says how long that took and how much memory it needed at most.

use filch::{Request, Resource, ThreadPool, ThreadPoolBuilder};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use std::{env, fs, process};

const HELP: &str = "\
Compresses every file below DIR, each whole and in memory, with a lease of memory for each and without, and
says how long that took and how much memory it needed at most. Writes nothing.

usage: compress [--memory MIB] [--threads N] DIR

  --memory MIB what leases may be for in all; default: 64
  --threads N  workers; default: 8, more than there may be CPUs, as they would be if they waited for disks, too";

/// What a process of ours is to do: with leases or without.
const PART: &str = "FILCH_EXAMPLE_COMPRESS";
/// What compressing takes beside the file and what comes of it.
const OVERHEAD: u64 = 1 << 20;

fn main() {
    if let Err(error) = run() {
        eprintln!("compress: {error}");
        process::exit(1);
    }
}

struct Arguments {
    memory: u64,
    threads: usize,
    folder: PathBuf,
}

fn parse() -> Result<Option<Arguments>, Box<dyn Error>> {
    let (mut memory, mut threads, mut folder) = (64, 8, None);
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || {
            let text = arguments.next().ok_or_else(|| format!("{argument} takes a number"))?;
            text.parse().map_err(|_| format!("{argument} takes a number, not {text}"))
        };
        match &*argument {
            "--help" | "-h" => return Ok(None),
            "--memory" => memory = number()?,
            "--threads" => threads = number()? as usize,
            _ if folder.is_none() && !argument.starts_with('-') => folder = Some(argument.into()),
            _ => Err(format!("what is {argument}? See --help"))?,
        }
    }
    let folder = folder.ok_or("name a directory; see --help")?;
    Ok(Some(Arguments { memory: memory << 20, threads, folder }))
}

fn run() -> Result<(), Box<dyn Error>> {
    let Some(arguments) = parse()? else {
        println!("{HELP}");
        return Ok(());
    };
    if let Ok(part) = env::var(PART) {
        return compress(&arguments, part == "leases");
    }
    println!("                 files   MiB in  MiB out  seconds  MiB of memory at most");
    // Processes of their own, for the most memory that one has ever had is not to be had back.
    for (part, name) in [("plain", "without leases"), ("leases", "with leases")] {
        let output = Command::new(env::current_exe()?)
            .args(env::args_os().skip(1))
            .env(PART, part)
            .output()?;
        if !output.status.success() {
            Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())?;
        }
        print!("{name:14} {}", String::from_utf8_lossy(&output.stdout));
    }
    Ok(())
}

/// What came of it all.
#[derive(Default)]
struct Sum {
    read: AtomicU64,
    written: AtomicU64,
    failures: AtomicU64,
}

fn compress(arguments: &Arguments, leases: bool) -> Result<(), Box<dyn Error>> {
    let mut files = vec![];
    walk(&arguments.folder, &mut files)?;
    let pool: ThreadPool = ThreadPoolBuilder::new()
        .num_threads(arguments.threads)
        .budget(Resource::Memory, arguments.memory)
        .build()?;
    let (start, count, sum) = (Instant::now(), files.len(), Arc::new(Sum::default()));
    for (path, size) in files {
        let sum = Arc::clone(&sum);
        let task = move || match gzip(&path) {
            Ok([read, written]) => {
                sum.read.fetch_add(read, Ordering::Relaxed);
                sum.written.fetch_add(written, Ordering::Relaxed);
            }
            Err(_) => _ = sum.failures.fetch_add(1, Ordering::Relaxed),
        };
        if leases {
            // What comes of it is hardly larger than the file. One that is larger than the budget runs alone.
            let needed = (2 * size + OVERHEAD).min(arguments.memory);
            pool.spawn_with(&Request::new().memory(needed), move |_| task())?;
        } else {
            pool.spawn(task);
        }
    }
    pool.shutdown()?;
    let mib = |bytes: &AtomicU64| bytes.load(Ordering::Relaxed) >> 20;
    let (seconds, peak) = (start.elapsed().as_secs_f64(), peak() >> 20);
    println!("{count:7} {:8} {:8} {seconds:8.1} {peak:8}", mib(&sum.read), mib(&sum.written));
    match sum.failures.load(Ordering::Relaxed) {
        0 => Ok(()),
        failures => Err(format!("{failures} files could not be read"))?,
    }
}

fn gzip(path: &Path) -> std::io::Result<[u64; 2]> {
    let content = fs::read(path)?;
    let mut encoder = GzEncoder::new(Vec::with_capacity(content.len()), Compression::fast());
    encoder.write_all(&content)?;
    Ok([content.len(), encoder.finish()?.len()].map(|length| length as u64))
}

/// Regular files and their sizes.
fn walk(folder: &Path, files: &mut Vec<(PathBuf, u64)>) -> Result<(), Box<dyn Error>> {
    let entries = fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            walk(&entry.path(), files)?;
        } else if kind.is_file() {
            files.push((entry.path(), entry.metadata()?.len()));
        }
    }
    Ok(())
}

/// The most that has ever been in memory of this process, in bytes; 0 where that can't be told.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse::<u64>().ok()).map_or(0, |kib| kib << 10)
}
