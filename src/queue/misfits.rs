//! Jobs that were taken by one who may not run them, or come from where no deque is. Anybody
//! idle takes the oldest; one who waits picks its own from among them.
//!
//! A lock, unlike everywhere else: picking from the middle has to leave the others in sight
//! of those who look meanwhile. Few jobs come here, none on the way from a worker's spawn or
//! join to its run.

use crate::sync::{AtomicUsize, Mutex, MutexGuard, Ordering};
use std::collections::VecDeque;
use std::sync::PoisonError;

pub struct Misfits<T> {
    /// Written under the lock; lets others look without it.
    len: AtomicUsize,
    jobs: Mutex<VecDeque<T>>,
}

impl<T> Misfits<T> {
    pub fn new() -> Self {
        Self { len: AtomicUsize::new(0), jobs: Mutex::new(VecDeque::new()) }
    }

    pub fn push(&self, job: T) {
        let mut jobs = self.lock();
        jobs.push_back(job);
        self.len.store(jobs.len(), Ordering::Relaxed);
    }

    /// The oldest job that is `wanted`.
    pub fn take(&self, wanted: impl Fn(&T) -> bool) -> Option<T> {
        if self.is_empty() {
            return None;
        }
        let mut jobs = self.lock();
        let index = jobs.iter().position(wanted)?;
        let job = jobs.remove(index);
        self.len.store(jobs.len(), Ordering::Relaxed);
        job
    }

    pub fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<T>> {
        // Nothing that panics runs under the lock but a failing allocation.
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Default for Misfits<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::Misfits;

    #[test]
    fn the_oldest_wanted_job_is_taken_and_the_rest_keep_their_order() {
        let misfits = Misfits::new();
        (0..5).for_each(|job| misfits.push(job));
        assert_eq!(misfits.take(|job| job % 2 == 1), Some(1));
        assert_eq!(misfits.take(|job| *job > 9), None);
        let rest: Vec<_> = std::iter::from_fn(|| misfits.take(|_| true)).collect();
        assert_eq!(rest, [0, 2, 3, 4]);
        assert!(misfits.is_empty());
    }
}
