//! A queue that anybody may push to and take from, first in first out: work from
//! outside, broadcasts, jobs that a waiter may not run. crossbeam's; under loom a
//! four-slot one that orders no more than the hand-over of each job.
//!
//! Model: loom-tests/tests/injector_inbox.rs. This file is `unsafe` where that one hands over plain data.

pub use kernel::Injector;

#[cfg(not(loom))]
mod kernel {
    use crate::job::Pointer;
    use crate::queue::deque::Deque;
    use crate::sync::interleave;
    use crossbeam_deque::Steal;

    pub struct Injector<T>(crossbeam_deque::Injector<T>);

    impl<T> Injector<T> {
        pub fn new() -> Self {
            Self(crossbeam_deque::Injector::new())
        }

        pub fn push(&self, job: T) {
            interleave();
            self.0.push(job);
        }

        pub fn steal(&self) -> Option<T> {
            self.steal_by(crossbeam_deque::Injector::steal)
        }

        fn steal_by(&self, steal: impl Fn(&crossbeam_deque::Injector<T>) -> Steal<T>) -> Option<T> {
            interleave();
            // Most calls find nothing, and this is a mere two loads.
            if self.0.is_empty() {
                return None;
            }
            loop {
                match steal(&self.0) {
                    Steal::Success(job) => return Some(job),
                    Steal::Empty => return None,
                    // Somebody else got one, so the crowd as a whole moves on.
                    Steal::Retry => std::hint::spin_loop(),
                }
            }
        }

        pub fn is_empty(&self) -> bool {
            interleave();
            self.0.is_empty()
        }

        pub fn len(&self) -> usize {
            interleave();
            self.0.len()
        }
    }

    impl<T: Pointer> Injector<T> {
        /// The oldest job. Others, fewer than `batch`, go to `rest` in their order: about half of what there
        /// is, or all that lie in the oldest of crossbeam's blocks, if there is a younger one.
        pub fn steal_batch(&self, batch: usize, rest: &Deque<T>) -> Option<T> {
            self.steal_by(|jobs| jobs.steal_batch_with_limit_and_pop(&rest.ends, batch))
        }
    }
}

#[cfg(loom)]
mod kernel {
    use crate::job::Pointer;
    use crate::queue::deque::Deque;
    use crate::sync::cell::UnsafeCell;
    use crate::sync::{AtomicBool, AtomicUsize, Ordering};

    /// For the whole life of a model: slots are not used again.
    const SLOTS: usize = 4;

    struct Slot<T> {
        full: AtomicBool,
        job: UnsafeCell<Option<T>>,
    }

    pub struct Injector<T> {
        head: AtomicUsize,
        tail: AtomicUsize,
        slots: [Slot<T>; SLOTS],
    }

    // SAFETY: a job is handed over whole: by `full`, then by the exchange of `head`.
    unsafe impl<T: Send> Sync for Injector<T> {}

    impl<T> Injector<T> {
        pub fn new() -> Self {
            let slot = |_| Slot { full: AtomicBool::new(false), job: UnsafeCell::new(None) };
            Self {
                head: AtomicUsize::new(0),
                tail: AtomicUsize::new(0),
                slots: std::array::from_fn(slot),
            }
        }

        pub fn push(&self, job: T) {
            let slot = &self.slots[self.tail.fetch_add(1, Ordering::Relaxed)];
            // SAFETY: the slot is ours until it is full.
            slot.job.with_mut(|place| unsafe { *place = Some(job) });
            // ORDERING: Release; pairs with steal and is_empty: the job is seen.
            slot.full.store(true, Ordering::Release);
        }

        pub fn steal(&self) -> Option<T> {
            loop {
                let head = self.head.load(Ordering::Relaxed);
                let slot = self.slots.get(head)?;
                // ORDERING: Acquire; pairs with push.
                if !slot.full.load(Ordering::Acquire) {
                    return None;
                }
                let won = self.head.compare_exchange(
                    head,
                    head + 1,
                    Ordering::Relaxed,
                    Ordering::Relaxed,
                );
                if won.is_ok() {
                    // SAFETY: the exchange made the full slot ours.
                    return slot.job.with_mut(|place| unsafe { (*place).take() });
                }
            }
        }

        pub fn is_empty(&self) -> bool {
            let head = self.head.load(Ordering::Relaxed);
            // ORDERING: Acquire; pairs with push.
            self.slots.get(head).is_none_or(|slot| !slot.full.load(Ordering::Acquire))
        }

        pub fn len(&self) -> usize {
            let head = self.head.load(Ordering::Relaxed).min(SLOTS);
            let full = |slot: &&Slot<T>| slot.full.load(Ordering::Relaxed);
            self.slots[head..].iter().filter(full).count()
        }
    }

    impl<T: Pointer> Injector<T> {
        pub fn steal_batch(&self, batch: usize, rest: &Deque<T>) -> Option<T> {
            let first = self.steal()?;
            (1..batch).map_while(|_| self.steal()).for_each(|job| rest.push(job));
            Some(first)
        }
    }
}

impl<T> Default for Injector<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Injector;
    use crate::queue::deque::Deque;

    #[test]
    fn jobs_come_out_in_the_order_in_which_they_went_in() {
        let jobs = Injector::default();
        assert_eq!((jobs.is_empty(), jobs.len(), jobs.steal()), (true, 0, None));
        (0..5).for_each(|job| jobs.push(job));
        assert_eq!((jobs.is_empty(), jobs.len()), (false, 5));
        assert!((0..5).all(|job| jobs.steal() == Some(job)));
        assert_eq!(jobs.steal(), None);
    }

    #[test]
    fn a_batch_is_the_oldest_half_or_less() {
        for (batch, taken) in [(2, 2), (9, 3)] {
            let (jobs, rest) = (Injector::new(), Deque::queue());
            assert_eq!(jobs.steal_batch(batch, &rest), None);
            (0..6).for_each(|job: usize| jobs.push(job));
            assert_eq!(jobs.steal_batch(batch, &rest), Some(0));
            assert!((1..taken).all(|job| rest.pop() == Some(job)));
            assert_eq!((rest.pop(), jobs.steal()), (None, Some(taken)));
        }
    }
}
