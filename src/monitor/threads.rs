//! What the kernel says of a pool's threads: `/proc/self/task/TID/{schedstat,status,stat}`.

use crate::monitor::file::{SystemFile, entry, next, words};
use crate::monitor::rate::Growth;
use crate::monitor::thread::{field, folder};
use crate::telemetry::history::Key;
use crate::telemetry::record::Record;
use crate::telemetry::unavailable::{Fact, Unavailable};
use crate::telemetry::work::Thread;
use std::path::Path;
use std::time::Duration;

/// The threads by the workers that they are.
#[derive(Default)]
pub struct ThreadsMonitor {
    /// By index, with their ids; none for a worker that has had no thread yet.
    threads: Vec<Option<(u32, WatchedThread)>>,
    rows: Vec<(Key, Thread)>,
}

/// What is known of one.
#[derive(Debug)]
pub struct WatchedThread {
    schedstat: SystemFile,
    status: SystemFile,
    stat: SystemFile,
    cpu_time: Growth,
    run_delay: Growth,
    pub last: Thread,
}

impl ThreadsMonitor {
    /// Reads those of the workers with these indices and thread ids, if they have any; of the files that
    /// cost more only if `all`, else what they said last.
    pub fn read(
        &mut self,
        at: Duration,
        all: bool,
        workers: impl Iterator<Item = (usize, Option<u32>)>,
    ) -> &[(Key, Thread)] {
        self.rows.clear();
        for (index, tid) in workers {
            if self.threads.len() <= index {
                self.threads.resize_with(index + 1, || None);
            }
            let Some(tid) = tid else {
                self.rows.push((Key::number(index), Thread::unavailable(Unavailable::Missing)));
                continue;
            };
            let known = &mut self.threads[index];
            let new = known.as_ref().is_none_or(|&(id, _)| id != tid);
            if new {
                *known = Some((tid, WatchedThread::new(tid)));
            }
            let Some((_, watched)) = known else { continue };
            watched.read(at, all || new);
            self.rows.push((Key::number(index), watched.last));
        }
        &self.rows
    }
}

impl ThreadsMonitor {
    /// What was read last.
    pub fn rows(&self) -> &[(Key, Thread)] {
        &self.rows
    }
}

impl WatchedThread {
    fn new(tid: u32) -> Self {
        Self::below(&folder(tid))
    }

    /// By the files in this folder.
    pub fn below(folder: &Path) -> Self {
        let file = |name| SystemFile::new(folder, name);
        Self {
            schedstat: file("schedstat"),
            status: file("status"),
            stat: file("stat"),
            cpu_time: Growth::default(),
            run_delay: Growth::default(),
            last: Thread::unavailable(Unavailable::NotYet),
        }
    }

    /// Of the files that cost more only if `all`.
    pub fn read(&mut self, at: Duration, all: bool) {
        let last = &mut self.last;
        // CPU time and run delay in nanoseconds, and how often it ran
        // (Documentation/scheduler/sched-stats.rst).
        let text = self.schedstat.read();
        let mut words = words(text.unwrap_or_default());
        let mut number = || text.and_then(|_| next(&mut words));
        let (cpu_time, run_delay, slices) = (number(), number(), number());
        // Where the kernel keeps no such statistics, all are zero, also of a thread that has run.
        let kept = |fact: Fact<u64>| if slices == Ok(0) { Err(Unavailable::Missing) } else { fact };
        let (cpu_time, run_delay, slices) = (kept(cpu_time), kept(run_delay), kept(slices));
        let seconds = |nanoseconds: u64| nanoseconds as f64 / 1e9;
        (last.cpu_time, last.run_delay, last.slices) =
            (cpu_time.map(seconds), run_delay.map(seconds), slices);
        let share = |nanoseconds: f64| nanoseconds / 1e9;
        last.utilisation = self.cpu_time.rate(at, cpu_time).map(share);
        last.delayed = self.run_delay.rate(at, run_delay).map(share);
        if !all {
            return;
        }
        let text = self.status.read();
        let count = |name| entry(text?, name);
        last.voluntary_switches = count("voluntary_ctxt_switches:");
        last.involuntary_switches = count("nonvoluntary_ctxt_switches:");
        let text = self.stat.read();
        last.minor_faults = text.and_then(|text| field(text, 10));
        last.major_faults = text.and_then(|text| field(text, 12));
        last.cpu = text.and_then(|text| field(text, 39));
    }
}

#[cfg(all(test, not(loom), not(miri)))]
mod tests {
    use super::{ThreadsMonitor, WatchedThread};
    use crate::monitor::fixture::Tree;
    use crate::telemetry::history::Key;
    use crate::telemetry::record::Record;
    use crate::telemetry::unavailable::Unavailable;
    use crate::telemetry::work::Thread;
    use std::time::Duration;

    const STAT: &str = "77 (a b) c) R 1 2 3 4 5 6 1234 8 56 10 11 12 13 14 15 16 17 18 19 20 21 22 \
                        23 24 25 26 27 28 29 30 31 32 33 34 35 5 37 38 39 40 41";

    #[test]
    fn a_thread_is_read_from_its_files() {
        let tree = Tree::new()
            .file("/schedstat", "2000000000 500000000 17\n")
            .file("/status", "voluntary_ctxt_switches:\t5\nnonvoluntary_ctxt_switches:\t7\n")
            .file("/stat", STAT);
        let mut watched = WatchedThread::below(tree.root());
        watched.read(Duration::from_secs(1), true);
        let thread = watched.last;
        assert_eq!((thread.cpu_time, thread.run_delay), (Ok(2.0), Ok(0.5)));
        assert_eq!((thread.slices, thread.utilisation), (Ok(17), Err(Unavailable::NotYet)));
        assert_eq!((thread.voluntary_switches, thread.involuntary_switches), (Ok(5), Ok(7)));
        assert_eq!((thread.minor_faults, thread.major_faults), (Ok(1234), Ok(56)));
        assert_eq!(thread.cpu, Ok(5));

        tree.write("/schedstat", "2500000000 600000000 18\n");
        tree.write("/status", "voluntary_ctxt_switches:\t6\n");
        watched.read(Duration::from_secs(2), false);
        assert_eq!((watched.last.utilisation, watched.last.delayed), (Ok(0.5), Ok(0.1)));
        assert_eq!(watched.last.voluntary_switches, Ok(5));
        tree.write("/schedstat", "0 0 0\n");
        watched.read(Duration::from_secs(3), true);
        assert_eq!(watched.last.cpu_time, Err(Unavailable::Missing));
        assert_eq!(watched.last.voluntary_switches, Ok(6));
        assert_eq!(watched.last.involuntary_switches, Err(Unavailable::Missing));
    }

    #[test]
    fn a_thread_that_is_gone_is_missing() {
        let tree = Tree::new();
        let mut watched = WatchedThread::below(tree.root());
        watched.read(Duration::ZERO, true);
        assert_eq!(watched.last, Thread::unavailable(Unavailable::Missing));
    }

    #[test]
    fn one_file_that_is_hidden_hides_no_other() {
        let tree = Tree::new().file("/schedstat/is/a/folder", "").file("/stat", STAT);
        let mut watched = WatchedThread::below(tree.root());
        watched.read(Duration::from_secs(1), true);
        let thread = watched.last;
        let unreadable = Err(Unavailable::Unreadable);
        assert_eq!((thread.cpu_time, thread.run_delay), (unreadable, unreadable));
        assert_eq!((thread.slices, thread.utilisation), (Err(Unavailable::Unreadable), unreadable));
        assert_eq!(thread.voluntary_switches, Err(Unavailable::Missing));
        assert_eq!((thread.minor_faults, thread.cpu), (Ok(1234), Ok(5)));
    }

    #[test]
    fn a_worker_whose_thread_is_not_in_proc_has_a_row() {
        let mut monitor = ThreadsMonitor::default();
        let rows = monitor.read(Duration::ZERO, true, [(3, None)].into_iter());
        let missing = Thread::unavailable(Unavailable::Missing);
        assert_eq!(rows, [(Key::number(3), missing)]);
    }
}
