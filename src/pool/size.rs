//! How many workers a pool has.

use crate::error::{Error, Kind};
use crate::monitor::quota::CpuQuota;
use crate::pool::affinity;
use crate::sync;

/// The most threads that a pool can have.
///
/// # Examples
///
/// ```
/// assert!(filch::max_num_threads() >= 1024);
/// ```
pub fn max_num_threads() -> usize {
    // Far above what any machine can use; keeps a mistyped number from eating its memory.
    1 << 14
}

/// The variable that sets the default number of threads.
const NUM_THREADS: &str = "FILCH_NUM_THREADS";

/// The number that was asked for, or else the default; and whether it was asked for.
pub fn num_threads(asked: usize, quota: Option<CpuQuota>) -> Result<(usize, bool), Error> {
    if asked > 0 {
        return Ok((within_limit("num_threads", asked)?, true));
    }
    match from_environment()? {
        Some(asked) => {
            Ok((within_limit("the environment variable FILCH_NUM_THREADS", asked)?, true))
        }
        None => Ok((default_num_threads(quota), false)),
    }
}

/// `asker` is what the user set to that number.
fn within_limit(asker: &'static str, asked: usize) -> Result<usize, Error> {
    let limit = max_num_threads();
    if asked > limit {
        return Err(Error::new(Kind::TooManyThreads { asker, asked, limit }));
    }
    Ok(asked)
}

/// The least that a pool may have at most unless it was told, however few its workers: waits that nest
/// leave some asleep, and a stack that nobody uses is no burden.
const MAX_THREADS: usize = 10;

/// The largest number of threads of a pool with this many workers.
pub fn max_threads(asked: Option<usize>, workers: usize, hires: bool) -> Result<usize, Error> {
    match asked {
        None if hires => Ok((2 * workers).clamp(MAX_THREADS, max_num_threads())),
        None => Ok(workers),
        Some(max) if max < workers => Err(Error::new(Kind::MaxBelowThreads { max, workers })),
        Some(max) if max > workers && !hires => Err(Error::new(Kind::NoSpares { max, workers })),
        Some(max) => within_limit("max_threads", max),
    }
}

fn from_environment() -> Result<Option<usize>, Error> {
    let Some(value) = std::env::var_os(NUM_THREADS) else { return Ok(None) };
    let value = value.to_string_lossy();
    match value.trim().parse() {
        Ok(0) => Ok(None),
        Ok(threads) => Ok(Some(threads)),
        Err(_) => {
            let value = value.into_owned();
            Err(Error::new(Kind::BadVariable { name: NUM_THREADS, value }))
        }
    }
}

fn default_num_threads(quota: Option<CpuQuota>) -> usize {
    let cpus = match affinity::process_cpus().len() {
        0 => sync::available_parallelism().map_or(1, usize::from),
        cpus => cpus,
    };
    cpus.min(quota.map_or(usize::MAX, CpuQuota::whole_cpus)).clamp(1, max_num_threads())
}
