//! On which CPU each worker was last seen, and whether it is awake.
//!
//! A worker that looks for work may not get to look: in a pool with more workers than CPUs it may
//! stand in line for its CPU behind the very worker that has some. Publishers rely on it all the
//! same, and another CPU idles for as long as a time slice, some milliseconds, unless the kernel
//! finds it worthwhile to move a thread there. So a worker that has work where everybody awake is wakes
//! one that fell asleep elsewhere.
//!
//! All of it is a guess: threads migrate, and what is read may be old. A wrong one costs a wake or
//! a delay, never work.
//!
//! Tests: tests/victims.rs.

use crate::sync::cpu::current_cpu;
use crate::sync::{AtomicU32, Ordering};

/// `cpu << 1 | awake`, for each worker but spares.
#[derive(Debug)]
pub struct Whereabouts(Box<[AtomicU32]>);

const AWAKE: u32 = 1;

impl Whereabouts {
    /// Of workers that haven't been seen yet.
    pub fn new(workers: usize) -> Self {
        Self((0..workers).map(|_| AtomicU32::new(0)).collect())
    }

    /// For that worker, now and then.
    pub fn here(&self, worker: usize) {
        self.seen(worker, current_cpu(), AWAKE);
    }

    /// For that worker, when it is about to sleep.
    pub fn sleeps(&self, worker: usize) {
        self.seen(worker, current_cpu(), 0);
    }

    pub(super) fn seen(&self, worker: usize, cpu: Option<u32>, awake: u32) {
        let (Some(cpu), Some(place)) = (cpu, self.0.get(worker)) else { return };
        let now = cpu << 1 | awake;
        // All read this, and it changes seldom.
        if place.load(Ordering::Relaxed) != now {
            place.store(now, Ordering::Relaxed);
        }
    }

    /// For whoever wakes it: it may be long before it gets its CPU.
    pub fn woken(&self, worker: usize) {
        if let Some(place) = self.0.get(worker) {
            place.fetch_or(AWAKE, Ordering::Relaxed);
        }
    }

    /// If everybody awake is where the current thread is: whether a worker that sleeps was last
    /// seen elsewhere.
    pub fn elsewhere(&self) -> Option<impl Fn(usize) -> bool> {
        self.elsewhere_than(current_cpu()?)
    }

    fn elsewhere_than(&self, here: u32) -> Option<impl Fn(usize) -> bool> {
        let is_here = move |place: u32| place >> 1 == here;
        let mut places = self.0.iter().map(|place| place.load(Ordering::Relaxed));
        let all_here = places.all(|place| place & AWAKE == 0 || is_here(place));
        all_here.then_some(move |worker: usize| !is_here(self.0[worker].load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::{AWAKE, Whereabouts, current_cpu};
    use crate::sync::Ordering;

    fn asleep_elsewhere(workers: &Whereabouts, here: u32) -> Option<Vec<usize>> {
        let elsewhere = workers.elsewhere_than(here)?;
        Some((0..3).filter(|&worker| elsewhere(worker)).collect())
    }

    #[test]
    fn who_sleeps_elsewhere_counts_while_all_awake_are_here() {
        let workers = Whereabouts::new(3);
        workers.seen(0, Some(4), AWAKE);
        workers.seen(1, Some(4), AWAKE);
        workers.seen(2, Some(5), 0);
        assert_eq!(asleep_elsewhere(&workers, 4), Some(vec![2]));
        assert_eq!(asleep_elsewhere(&workers, 5), None);
        workers.woken(2);
        assert_eq!(asleep_elsewhere(&workers, 4), None);
        workers.seen(2, Some(4), AWAKE);
        assert_eq!(asleep_elsewhere(&workers, 4), Some(vec![]));
    }

    #[test]
    fn spares_and_systems_that_cannot_tell_leave_no_trace() {
        let workers = Whereabouts::new(3);
        workers.seen(0, Some(4), AWAKE);
        workers.seen(0, None, 0);
        workers.seen(3, Some(5), AWAKE);
        workers.woken(3);
        assert_eq!(asleep_elsewhere(&workers, 4), Some(vec![1, 2]));
    }

    #[test]
    fn a_worker_is_where_its_thread_was_seen_last() {
        let Some(_) = current_cpu() else { return };
        // The thread may move between two looks at where it is.
        assert!((0..100).any(|_| {
            let (workers, cpu) = (Whereabouts::new(2), current_cpu().unwrap());
            workers.here(0);
            workers.sleeps(1);
            let places = || workers.0.iter().map(|place| place.load(Ordering::Relaxed));
            let awake_and_asleep = places().eq([cpu << 1 | AWAKE, cpu << 1]);
            workers.sleeps(0);
            workers.here(1);
            awake_and_asleep && places().eq([cpu << 1, cpu << 1 | AWAKE])
        }));
    }
}
