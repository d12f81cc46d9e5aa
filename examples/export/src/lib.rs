//! What the binaries share: a pool with something to do, and where to send what is to be seen of it.

pub mod otlp;
pub mod receiver;
pub mod words;

use filch::{Monitoring, ThreadPool, ThreadPoolBuilder};
use std::error::Error;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

/// From one round to the next.
const PAUSE: Duration = Duration::from_secs(1);

/// Counts the words of these files, once a second, and shows the pool to `look` after each time. Ends only if
/// a file can't be read.
pub fn run(files: &[PathBuf], mut look: impl FnMut(&ThreadPool)) -> Result<(), Box<dyn Error>> {
    // A file is a long task: to time each costs nothing to speak of.
    let monitoring = Monitoring::new().latency(1);
    let pool = ThreadPoolBuilder::new().monitoring(monitoring).build()?;
    loop {
        let words = words::count(&pool, files)?;
        look(&pool);
        println!("{} words, {} different ones", words.values().sum::<u64>(), words.len());
        thread::sleep(PAUSE);
    }
}
