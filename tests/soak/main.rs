//! Everything at once, for as long as one likes: random calls of whatever there is, by threads that come and go,
//! on pools that come and go and change their sizes. What was handed in has been run or dropped, and counted so;
//! what was leased has come back; and when all pools are gone, so are their threads, files and memory.
//!
//! `scripts/soak.sh` runs the long one, for `FILCH_SOAK_MINUTES`. `FILCH_SOAK_SEED` begins with the choices of
//! an earlier run, though not with its interleavings. `FILCH_SOAK_FAULT` does something wrong that has to be found.
//! `FILCH_SOAK_RESIDENT` is how many MiB may become resident, where a sanitizer keeps books of its own.

#![cfg(all(target_os = "linux", not(loom), not(miri)))]

#[path = "../common/block_on.rs"]
mod block_on;
mod board;
mod books;
mod calls;
#[path = "../common/mod.rs"]
mod common;
mod figures;
mod leases;
mod life;
#[path = "../common/program.rs"]
mod program;

use board::BOARD;
use common::*;
use figures::{Figures, Live};
use life::{Fault, Life, Sum};
use program::Choose;
use program::Rng;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

/// Both count, so that filch's is soaked, too.
#[global_allocator]
static ALLOCATOR: Live<filch::CountingAlloc> = Live(filch::CountingAlloc::system());

/// So many pools at a time.
const LIVES: u64 = 3;
/// So many times in a run all of them come to an end, and the process is looked at.
const RESTS: u32 = 60;

fn variable<T: std::str::FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} has no meaning")))
}

/// The run itself: in a process of its own, whose threads and memory are nobody else's.
fn run() {
    let minutes: f64 = variable("FILCH_SOAK_MINUTES").expect("FILCH_SOAK_MINUTES says how long");
    let stretch = Duration::from_secs_f64(minutes * 60.0 / f64::from(RESTS));
    let clock = || std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    let seed = variable("FILCH_SOAK_SEED").unwrap_or_else(clock);
    let fault: Fault = variable("FILCH_SOAK_FAULT").unwrap_or_default();
    eprintln!("soak: {minutes} minutes, FILCH_SOAK_SEED={seed}");
    board::watch(Duration::from_secs(variable("FILCH_SOAK_PATIENCE").unwrap_or(60)));
    let (sum, mut figures) = (Mutex::new(Sum::default()), Figures::new());
    // Nothing of what filch does once a process, such as a thread's first name, is to look like growth.
    let mut rng = Rng(seed);
    let mut said = Instant::now();
    for rest in 0..RESTS {
        let end = Instant::now() + stretch;
        thread::scope(|scope| {
            for _ in 0..LIVES {
                let (mut rng, sum) = (Rng(rng.next()), &sum);
                scope.spawn(move || {
                    while Instant::now() < end {
                        let life = Life::new(rng.next(), fault);
                        life.live(
                            end.min(Instant::now() + Duration::from_millis(50 + rng.below(3000))),
                            sum,
                        );
                    }
                });
            }
        });
        figures.look();
        if said.elapsed() >= Duration::from_secs(50) || rest + 1 == RESTS {
            said = Instant::now();
            let sum = sum.lock().unwrap();
            eprintln!("{}, {} pools, {} calls", figures.newest(), sum.pools, BOARD.calls());
        }
    }
    eprintln!("{}", sum.lock().unwrap());
    eprintln!("{}", figures.verdict().unwrap_or_else(|fault| panic!("{fault}")));
}

/// `scripts/soak.sh` runs this one.
#[test]
#[ignore = "as long as one likes: scripts/soak.sh"]
fn soak() {
    run();
}

#[test]
fn for_ten_seconds_everything_at_once() {
    let minutes = [("FILCH_SOAK_MINUTES", "0.17")];
    child_succeeds("for_ten_seconds_everything_at_once", &minutes, run);
}

/// Something wrong is done in a run of its own, which has to end with this message.
#[track_caller]
fn is_found(test: &str, fault: &str, message: &str) {
    // What is written where something went wrong is for people, who don't look at these.
    let folder = std::env::temp_dir().join(format!("filch-soak-{}-{fault}", std::process::id()));
    let env = [
        ("FILCH_SOAK_MINUTES", "0.05"),
        // A machine that others use may stand still for some.
        ("FILCH_SOAK_PATIENCE", if fault == "hang" { "2" } else { "30" }),
        ("FILCH_SOAK_FAULT", fault),
        ("TMPDIR", folder.to_str().unwrap()),
    ];
    if variable::<String>("FILCH_SOAK_FAULT").is_none() {
        std::fs::create_dir(&folder).unwrap();
    }
    let Some(output) = in_child(test, &env, run) else { return };
    std::fs::remove_dir_all(&folder).unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "nobody minded");
    assert!(said.contains(message), "{said}");
}

#[test]
fn memory_that_grows_is_found() {
    is_found("memory_that_grows_is_found", "leak", "bytes of the heap are more");
}

#[test]
fn a_file_that_is_left_open_is_found() {
    is_found("a_file_that_is_left_open_is_found", "file", "files are open");
}

#[test]
fn a_thread_that_stays_is_found() {
    is_found("a_thread_that_stays_is_found", "thread", "threads are there");
}

#[test]
fn a_task_that_is_lost_is_found() {
    is_found("a_task_that_is_lost_is_found", "lose", "run and dropped");
}

#[test]
fn a_lease_that_is_kept_is_found() {
    is_found("a_lease_that_is_kept_is_found", "keep", "is leased still");
}

#[test]
fn a_hang_is_found() {
    is_found("a_hang_is_found", "hang", "HANG: no call has ended for 2 s");
}
