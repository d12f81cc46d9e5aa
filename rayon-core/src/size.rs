//! How many threads a pool has.

use std::env;
use std::thread;

/// The most threads that a pool may have. More than that, asked for in whichever way, are
/// reduced to it.
pub fn max_num_threads() -> usize {
    filch::max_num_threads()
}

/// The number of threads for a pool that was asked to have so many, 0 for the default.
pub fn num_threads(asked: usize) -> usize {
    let default = || thread::available_parallelism().map_or(1, usize::from);
    let threads = match asked {
        // The second is the variable's old name; a value that is no number doesn't count.
        0 => match variable("RAYON_NUM_THREADS") {
            Some(0) => default(),
            Some(threads) => threads,
            None => variable("RAYON_RS_NUM_CPUS").filter(|&cpus| cpus > 0).unwrap_or_else(default),
        },
        asked => asked,
    };
    threads.min(max_num_threads())
}

fn variable(name: &str) -> Option<usize> {
    env::var(name).ok()?.parse().ok()
}
