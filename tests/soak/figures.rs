//! What the process has when no pool is there, and whether that grows.

use crate::common::wait_until;
use crate::variable;
use std::alloc::{GlobalAlloc, Layout};
use std::fmt;
use std::fs;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

/// Counts the bytes that are allocated and not freed, exactly.
pub struct Live<A>(pub A);

static LIVE: AtomicI64 = AtomicI64::new(0);

fn count(bytes: i64) {
    LIVE.fetch_add(bytes, Ordering::Relaxed);
}

// SAFETY: the inner one's blocks are handed on as they are.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Live<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        // SAFETY: by the caller's promise.
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        // SAFETY: by the caller's promise.
        unsafe { self.0.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as i64 - layout.size() as i64);
        // SAFETY: by the caller's promise.
        unsafe { self.0.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(-(layout.size() as i64));
        // SAFETY: by the caller's promise.
        unsafe { self.0.dealloc(block, layout) }
    }
}

#[derive(Clone, Copy)]
pub struct Figure {
    at: Duration,
    /// Resident, of which the heap has so much in use.
    resident: f64,
    heap: f64,
    files: usize,
    threads: usize,
}

const MIB: f64 = 1_048_576.0;

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, resident, heap, files, threads } = self;
        let (minutes, seconds) = (at.as_secs() / 60, at.as_secs() % 60);
        let (resident, heap) = (resident / MIB, heap / MIB);
        write!(
            f,
            "{minutes:3}:{seconds:02}  at rest {resident:.1} MiB resident, {heap:.2} in use, "
        )?;
        write!(f, "{files} files, {threads} threads")
    }
}

type Of<N> = fn(&Figure) -> N;

pub struct Figures {
    start: Instant,
    all: Vec<Figure>,
}

/// All that is allowed beyond what the first third of a run had.
///
/// Of the heap in use: filch keeps up to 2 MiB of blocks of each of eight sizes (`job/blocks.rs`), and crossbeam-epoch
/// what it has not got round to freeing. Of resident memory also what the allocator keeps: glibc has an arena for each
/// few threads, in whichever of which the next pool's memory comes to lie.
const MORE_HEAP: f64 = 4.0 * MIB;
/// In MiB.
const MORE_RESIDENT: f64 = 32.0;

fn entries(folder: &str) -> usize {
    fs::read_dir(folder).unwrap().count()
}

fn threads() -> usize {
    entries("/proc/self/task")
}

impl Figures {
    pub fn new() -> Self {
        Self { start: Instant::now(), all: Vec::new() }
    }

    /// To be called when no pool is there. The kernel may take a moment to forget threads that were joined.
    pub fn look(&mut self) {
        let patience = Instant::now() + Duration::from_millis(200);
        if let Some(first) = self.all.first() {
            wait_until(|| threads() <= first.threads || Instant::now() > patience);
        }
        let pages = fs::read_to_string("/proc/self/statm").unwrap();
        let pages: f64 = pages.split(' ').nth(1).unwrap().parse().unwrap();
        self.all.push(Figure {
            at: self.start.elapsed(),
            resident: pages * 4096.0,
            heap: LIVE.load(Ordering::Relaxed) as f64,
            files: entries("/proc/self/fd"),
            threads: threads(),
        });
    }

    pub fn newest(&self) -> Figure {
        self.all[self.all.len() - 1]
    }

    /// What a line through all but the first third of the figures gains on its way, and by how much the highest of them is above
    /// the highest of that third: neither may be more than what is allowed. Files and threads may not be more at all.
    pub fn verdict(&self) -> Result<String, String> {
        let (warm_up, rest) = self.all.split_at(self.all.len() / 3);
        let highest =
            |of: &[Figure], what: fn(&Figure) -> f64| of.iter().map(what).fold(0.0, f64::max);
        let mut said = String::new();
        let more_resident = variable("FILCH_SOAK_RESIDENT").unwrap_or(MORE_RESIDENT) * MIB;
        let memory: [(_, Of<f64>, _); 2] =
            [("of the heap", |f| f.heap, MORE_HEAP), ("resident", |f| f.resident, more_resident)];
        for (name, what, allowed) in memory {
            let before = highest(warm_up, what);
            let (slope, more) = (gain(rest, what), highest(rest, what) - before);
            said += &format!(
                "bytes {name}: {:.2} MiB at most in the first third; after that the line gains {:.2}, and the highest is {:.2} more ({:.0} are allowed)\n",
                before / MIB,
                slope / MIB,
                more / MIB,
                allowed / MIB
            );
            if slope > allowed || more > allowed {
                return Err(format!("bytes {name} are more and more:\n{said}"));
            }
        }
        let counts: [(_, Of<usize>); 2] =
            [("files are open", |f| f.files), ("threads are there", |f| f.threads)];
        for (name, what) in counts {
            let before = warm_up.iter().map(what).max().unwrap();
            let after = rest.iter().map(what).max().unwrap();
            said += &format!("{name}: {before} at most in the first third, {after} after that\n");
            if after > before {
                return Err(format!("more {name} than before:\n{said}"));
            }
        }
        Ok(said)
    }
}

/// By how much the line that fits best rises from the first figure to the last.
fn gain(figures: &[Figure], what: fn(&Figure) -> f64) -> f64 {
    let count = figures.len() as f64;
    let mean = |of: &dyn Fn(&Figure) -> f64| figures.iter().map(of).sum::<f64>() / count;
    let at = |figure: &Figure| figure.at.as_secs_f64();
    let (middle, level) = (mean(&at), mean(&what));
    let spread = mean(&|figure| (at(figure) - middle).powi(2));
    let slope = mean(&|figure| (at(figure) - middle) * (what(figure) - level)) / spread;
    slope * (at(&figures[figures.len() - 1]) - at(&figures[0]))
}

#[test]
fn the_line_that_fits_best_is_found() {
    let figure = |second: u64, heap| Figure {
        at: Duration::from_secs(second),
        resident: 0.0,
        heap,
        files: 0,
        threads: 0,
    };
    let figures = [figure(1, 10.0), figure(2, 13.0), figure(3, 12.0), figure(4, 15.0)];
    assert!((gain(&figures, |figure| figure.heap) - 4.2).abs() < 1e-9);
}
