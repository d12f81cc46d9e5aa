//! How long something takes, and how much CPU time.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

/// Of one run, in seconds.
#[derive(Clone, Copy)]
pub struct Cost {
    pub wall: f64,
    pub cpu: f64,
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:e} {:e}", self.wall, self.cpu)
    }
}

impl FromStr for Cost {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers: Vec<f64> = text.split_whitespace().flat_map(str::parse).collect();
        match numbers[..] {
            [wall, cpu] => Ok(Self { wall, cpu }),
            _ => Err(format!("no cost: {text:?}")),
        }
    }
}

fn cpu_time() -> f64 {
    // SAFETY: plain data, which the call fills.
    let mut time: libc::timespec = unsafe { std::mem::zeroed() };
    // SAFETY: `time` is alive.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) } != 0;
    assert!(!failed, "no clock of CPU time");
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Repeats `run`, which says whether its answer is right, for a third of a second after one run to
/// warm up. The median of the wall times, and the mean of the CPU times.
pub fn measure(mut run: impl FnMut() -> bool) -> Cost {
    assert!(run(), "wrong");
    let (start, cpu) = (Instant::now(), cpu_time());
    let mut walls = Vec::new();
    while walls.len() < 3 || start.elapsed() < Duration::from_millis(350) {
        let start = Instant::now();
        assert!(run(), "wrong");
        walls.push(start.elapsed().as_secs_f64());
    }
    let cpu = (cpu_time() - cpu) / walls.len() as f64;
    walls.sort_by(f64::total_cmp);
    Cost { wall: walls[walls.len() / 2], cpu }
}
