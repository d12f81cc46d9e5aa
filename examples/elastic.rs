//! A cache that has all memory that nobody else wants, by an elastic lease, and jobs that want some. Prints what the lease
//! is for, what the cache holds and what the process has, while that changes. The jobs stand for processes of their own: what
//! they use is none of ours.

use filch::{Refusal, Request, Resource, ThreadPool, ThreadPoolBuilder};
use std::error::Error;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

const HELP: &str = "\
A cache that holds as much as its elastic lease is for, and jobs that need memory now and then.

usage: elastic [SECONDS]

  SECONDS how long a job keeps its memory; default: 1";

const MIB: u64 = 1 << 20;
/// What all may lease.
const BUDGET: u64 = 256 * MIB;
/// What the cache has at least.
const LEAST: u64 = 32 * MIB;
/// What a job needs.
const JOB: u64 = 80 * MIB;

fn main() {
    if let Err(error) = run() {
        eprintln!("elastic: {error}");
        process::exit(1);
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let seconds = match env::args().nth(1).as_deref() {
        None => 1.0,
        Some("--help" | "-h") => {
            println!("{HELP}");
            return Ok(());
        }
        Some(text) => text.parse().map_err(|_| format!("{text} is no number of seconds"))?,
    };
    let time = Duration::try_from_secs_f64(seconds)?;
    let pool = ThreadPoolBuilder::new().num_threads(4).budget(Resource::Memory, BUDGET).build()?;
    let (held, over) = (AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        let cache = scope.spawn(|| cache(&pool, &held, &over));
        scope.spawn(|| tell(&pool, &held, &over));
        for jobs in [0, 1, 2, 0] {
            // Those that come wait until the cache has made room.
            let request = Request::new().memory(jobs * JOB);
            // By one request for all: who holds a lease doesn't wait for another.
            let lease = (jobs > 0).then(|| pool.acquire(&request)).transpose()?;
            thread::sleep(time);
            drop(lease);
        }
        over.store(true, Ordering::Relaxed);
        cache.join().expect("the cache panicked")?;
        Ok(())
    })
}

/// Holds as much as it may, a MiB at a time, until it is told to stop.
fn cache(pool: &ThreadPool, held: &AtomicU64, over: &AtomicBool) -> Result<(), Refusal> {
    let request = Request::new().memory(LEAST).up_to(Resource::Memory, BUDGET);
    let lease = pool.acquire(&request)?;
    let (tell, told) = channel();
    lease.on_change(move |_, _| _ = tell.send(()));
    let mut blocks = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let granted = lease.granted(Resource::Memory) / MIB;
        if blocks.len() as u64 > granted {
            blocks.truncate(granted as usize);
            trim();
        }
        while (blocks.len() as u64) < granted {
            blocks.push(vec![1_u8; MIB as usize]);
        }
        held.store(blocks.len() as u64, Ordering::Relaxed);
        // What is beyond the grant has been freed: others may have it.
        lease.settle();
        let _ = told.recv_timeout(Duration::from_millis(50));
    }
    held.store(0, Ordering::Relaxed);
    Ok(())
}

fn tell(pool: &ThreadPool, held: &AtomicU64, over: &AtomicBool) {
    println!("seconds  leased  free  cache  resident  (MiB)");
    let start = Instant::now();
    while !over.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(250));
        let budget = pool.budget(Resource::Memory);
        println!(
            "{:7.2} {:7} {:5} {:6} {:9}",
            start.elapsed().as_secs_f64(),
            (budget.total - budget.free) / MIB,
            budget.free / MIB,
            held.load(Ordering::Relaxed),
            resident() / MIB
        );
    }
}

/// What has been freed is the kernel's: else the allocator keeps some of it.
fn trim() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it changes nothing that a program can see.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Bytes of the process that are in memory; 0 where that can't be told.
fn resident() -> u64 {
    let pages = fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok());
    pages.unwrap_or(0) * 4096
}
