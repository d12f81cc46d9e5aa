//! A worker's deque: its owner pushes at one end and pops there, or, from a *queue*, at the other,
//! where thieves steal the oldest job. crossbeam's Chase-Lev deque; under loom, which can't see into
//! crossbeam, a four-slot one with the orderings of Lê et al. 2013, no stronger.
//!
//! Model: loom-tests/tests/lane.rs. This file is `unsafe` where that one makes a job of a word again.

use crate::job::Pointer;
use crate::sync::interleave;

/// The owner's end.
pub struct Deque<T> {
    pub(super) ends: kernel::Worker<T>,
}

/// Everybody else's end.
pub struct Stealer<T> {
    ends: kernel::Stealer<T>,
}

impl<T: Pointer> Deque<T> {
    pub fn new() -> Self {
        Self { ends: kernel::Worker::new_lifo() }
    }

    /// One whose owner pops the oldest job, too.
    pub fn queue() -> Self {
        Self { ends: kernel::Worker::new_fifo() }
    }

    pub fn stealer(&self) -> Stealer<T> {
        Stealer { ends: self.ends.stealer() }
    }

    pub fn push(&self, job: T) {
        interleave();
        self.ends.push(job);
    }

    /// The youngest job, or a queue's oldest. Misses none: `None` means that thieves have them all.
    pub fn pop(&self) -> Option<T> {
        interleave();
        self.ends.pop()
    }

    pub fn is_empty(&self) -> bool {
        interleave();
        self.ends.is_empty()
    }

    /// Gives back the memory of a buffer that is larger than what lies in it. `nothing` is a job that
    /// whoever steals it may run.
    pub fn shrink(&self, nothing: T) {
        // crossbeam's can't be told to, but halves its buffer whenever a pop leaves it less than a quarter
        // full and not empty.
        self.push(nothing);
        for _ in 0..usize::BITS {
            self.push(nothing);
            self.pop();
        }
        self.pop();
    }
}

impl<T: Pointer> Default for Deque<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Pointer> Stealer<T> {
    /// The oldest job.
    pub fn steal(&self) -> Option<T> {
        interleave();
        loop {
            match self.ends.steal() {
                kernel::Steal::Success(job) => return Some(job),
                kernel::Steal::Empty => return None,
                // Somebody else got one, so the crowd as a whole moves on.
                kernel::Steal::Retry => crate::sync::spin_loop(),
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        interleave();
        self.ends.is_empty()
    }

    pub fn len(&self) -> usize {
        interleave();
        self.ends.len()
    }
}

#[cfg(not(loom))]
use crossbeam_deque as kernel;

#[cfg(loom)]
mod kernel {
    use crate::job::Pointer;
    use crate::sync::fence::full_fence;
    use crate::sync::{AtomicIsize, AtomicPtr, Ordering};
    use std::marker::PhantomData;
    use std::sync::Arc;

    /// Models keep few jobs alive; a small array keeps them quick.
    const SLOTS: usize = 4;

    struct Shared {
        top: AtomicIsize,
        bottom: AtomicIsize,
        slots: [AtomicPtr<()>; SLOTS],
    }

    pub struct Worker<T> {
        shared: Arc<Shared>,
        fifo: bool,
        _jobs: PhantomData<fn(T)>,
    }

    pub struct Stealer<T>(Arc<Shared>, PhantomData<fn(T)>);

    pub enum Steal<T> {
        Success(T),
        Empty,
        Retry,
    }

    impl Shared {
        fn slot(&self, index: isize) -> &AtomicPtr<()> {
            &self.slots[index as usize % SLOTS]
        }

        fn len(&self) -> usize {
            // As crossbeam's: two acquiring loads, exact only for the owner.
            // ORDERING: Acquire; pairs with the exchanges of top: no older bottom is read below.
            let top = self.top.load(Ordering::Acquire);
            full_fence();
            // ORDERING: Acquire; pairs with push.
            let bottom = self.bottom.load(Ordering::Acquire);
            (bottom - top).max(0) as usize
        }
    }

    impl<T: Pointer> Worker<T> {
        pub fn new_lifo() -> Self {
            Self::new(false)
        }

        pub fn new_fifo() -> Self {
            Self::new(true)
        }

        fn new(fifo: bool) -> Self {
            let shared = Shared {
                top: AtomicIsize::new(0),
                bottom: AtomicIsize::new(0),
                slots: std::array::from_fn(|_| AtomicPtr::new(std::ptr::null_mut())),
            };
            Self { shared: Arc::new(shared), fifo, _jobs: PhantomData }
        }

        pub fn stealer(&self) -> Stealer<T> {
            Stealer(Arc::clone(&self.shared), PhantomData)
        }

        pub fn push(&self, job: T) {
            let bottom = self.shared.bottom.load(Ordering::Relaxed);
            assert!(
                // ORDERING: Acquire; pairs with steal: the slot is free again.
                bottom - self.shared.top.load(Ordering::Acquire) < SLOTS as isize,
                "a model with more than {SLOTS} jobs in a deque"
            );
            self.shared.slot(bottom).store(job.into_raw(), Ordering::Relaxed);
            // ORDERING: Release; pairs with steal: the slot is seen.
            self.shared.bottom.store(bottom + 1, Ordering::Release);
        }

        pub fn pop(&self) -> Option<T> {
            if self.fifo { self.pop_oldest() } else { self.pop_youngest() }
        }

        fn pop_oldest(&self) -> Option<T> {
            loop {
                match self.stealer().steal() {
                    Steal::Success(job) => return Some(job),
                    Steal::Empty => return None,
                    Steal::Retry => {}
                }
            }
        }

        fn pop_youngest(&self) -> Option<T> {
            let bottom = self.shared.bottom.load(Ordering::Relaxed) - 1;
            self.shared.bottom.store(bottom, Ordering::Relaxed);
            full_fence();
            let top = self.shared.top.load(Ordering::Relaxed);
            if top > bottom {
                self.shared.bottom.store(bottom + 1, Ordering::Relaxed);
                return None;
            }
            let job = self.shared.slot(bottom).load(Ordering::Relaxed);
            if top == bottom {
                let won = self
                    .shared
                    .top
                    // ORDERING: SeqCst, as in the paper: pop or steal has the last one.
                    .compare_exchange(top, top + 1, Ordering::SeqCst, Ordering::Relaxed)
                    .is_ok();
                self.shared.bottom.store(bottom + 1, Ordering::Relaxed);
                if !won {
                    return None;
                }
            }
            // SAFETY: it was pushed and nobody else got it.
            Some(unsafe { T::from_raw(job) })
        }

        pub fn is_empty(&self) -> bool {
            self.shared.len() == 0
        }
    }

    impl<T: Pointer> Stealer<T> {
        pub fn steal(&self) -> Steal<T> {
            // ORDERING: Acquire; pairs with the exchanges of top.
            let top = self.0.top.load(Ordering::Acquire);
            full_fence();
            // ORDERING: Acquire; pairs with push.
            if top >= self.0.bottom.load(Ordering::Acquire) {
                return Steal::Empty;
            }
            let job = self.0.slot(top).load(Ordering::Relaxed);
            // ORDERING: SeqCst, as in the paper; decides against pop and other thieves.
            match self.0.top.compare_exchange(top, top + 1, Ordering::SeqCst, Ordering::Relaxed) {
                // SAFETY: it was pushed and nobody else got it.
                Ok(_) => Steal::Success(unsafe { T::from_raw(job) }),
                Err(_) => Steal::Retry,
            }
        }

        pub fn is_empty(&self) -> bool {
            self.0.len() == 0
        }

        pub fn len(&self) -> usize {
            self.0.len()
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Deque;
    use crate::job::Pointer;
    use std::ptr;

    impl Pointer for usize {
        fn into_raw(self) -> *mut () {
            ptr::without_provenance_mut(self)
        }

        unsafe fn from_raw(raw: *mut ()) -> Self {
            raw.addr()
        }
    }

    #[test]
    fn owners_pop_the_youngest_those_of_a_queue_and_thieves_the_oldest() {
        for (deque, order) in [(Deque::new(), [0, 2, 1]), (Deque::queue(), [0, 1, 2])] {
            let thief = deque.stealer();
            assert_eq!((deque.is_empty(), thief.is_empty(), thief.len()), (true, true, 0));
            (0..3).for_each(|job| deque.push(job));
            assert_eq!((deque.is_empty(), thief.is_empty(), thief.len()), (false, false, 3));
            assert_eq!([thief.steal(), deque.pop(), deque.pop()], order.map(Some));
            assert_eq!((deque.pop(), thief.steal()), (None, None));
        }
    }
}
