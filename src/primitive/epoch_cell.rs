//! A value that many read and now and then one replaces. Readers wait for nobody: who reads the old one
//! while it is replaced goes on with that, and it is freed when nobody can have it any more, which
//! `crossbeam-epoch` sees to.
//!
//! | reader                                   | writer, one at a time                |
//! |------------------------------------------|--------------------------------------|
//! | 1. pin: nothing is freed that it may see | 1. make the new value                |
//! | 2. load the pointer, read what it is to  | 2. swap the pointer                  |
//! | 3. unpin                                 | 3. the old value goes when all who   |
//! |                                          |    were pinned then have unpinned    |
//!
//! Under loom, which can't see into crossbeam-epoch, nothing is ever freed; the orderings of what
//! leads to the value are the same.
//!
//! Model: loom-tests/tests/epoch_cell.rs. This file is `unsafe` for the pointer.

use crate::sync::Ordering;
use std::fmt;

pub struct EpochCell<T>(kernel::Atomic<T>);

impl<T: Send + Sync + 'static> EpochCell<T> {
    pub fn new(value: T) -> Self {
        Self(kernel::Atomic::new(value))
    }

    pub fn with<R>(&self, read: impl FnOnce(&T) -> R) -> R {
        let guard = kernel::pin();
        // ORDERING: Acquire; pairs with set: the value is whole.
        let value = self.0.load(Ordering::Acquire, &guard);
        // SAFETY: never null, and not freed while we are pinned.
        read(unsafe { value.deref() })
    }

    /// For one at a time.
    pub fn set(&self, value: T) {
        let guard = kernel::pin();
        // ORDERING: Release; pairs with with. Who replaces the new one comes after us.
        let old = self.0.swap(kernel::Owned::new(value), Ordering::Release, &guard);
        // SAFETY: nobody finds it any more.
        unsafe { guard.defer_destroy(old) };
    }
}

#[cfg(not(loom))]
impl<T> Drop for EpochCell<T> {
    fn drop(&mut self) {
        let cell = std::mem::replace(&mut self.0, kernel::Atomic::null());
        // SAFETY: nobody else has a reference to the cell, and it is never null.
        drop(unsafe { cell.into_owned() });
    }
}

impl<T> fmt::Debug for EpochCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EpochCell").finish_non_exhaustive()
    }
}

#[cfg(not(loom))]
use crossbeam_epoch as kernel;

#[cfg(loom)]
mod kernel {
    use crate::sync::{AtomicPtr, Ordering};

    pub struct Atomic<T>(AtomicPtr<T>);
    pub struct Owned<T>(*mut T);
    pub struct Shared<T>(*mut T);
    pub struct Guard;

    pub fn pin() -> Guard {
        Guard
    }

    impl Guard {
        /// It stays.
        pub unsafe fn defer_destroy<T>(&self, _: Shared<T>) {}
    }

    impl<T> Owned<T> {
        pub fn new(value: T) -> Self {
            Self(Box::into_raw(Box::new(value)))
        }
    }

    impl<T> Shared<T> {
        pub unsafe fn deref<'a>(&self) -> &'a T {
            // SAFETY: from a box that stays.
            unsafe { &*self.0 }
        }
    }

    impl<T> Atomic<T> {
        pub fn new(value: T) -> Self {
            Self(AtomicPtr::new(Owned::new(value).0))
        }

        pub fn load(&self, order: Ordering, _: &Guard) -> Shared<T> {
            Shared(self.0.load(order))
        }

        pub fn swap(&self, new: Owned<T>, order: Ordering, _: &Guard) -> Shared<T> {
            Shared(self.0.swap(new.0, order))
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::EpochCell;
    use std::sync::Arc;

    #[test]
    fn readers_see_whole_values_and_the_last_one_goes_with_the_cell() {
        const SWAPS: usize = if cfg!(miri) { 20 } else { 1000 };
        // Of the last value only: those before it go whenever some thread of this process gets to it.
        let last = Arc::new(());
        let cell = EpochCell::new((0, 0, None));
        std::thread::scope(|threads| {
            threads.spawn(|| {
                (1..=SWAPS).for_each(|n| cell.set((n, n, (n == SWAPS).then(|| Arc::clone(&last)))));
            });
            let mut seen = 0;
            while seen < SWAPS {
                let (one, other) = cell.with(|value| (value.0, value.1));
                assert!(one == other && one >= seen);
                seen = one;
            }
        });
        assert_eq!(Arc::strong_count(&last), 2);
        drop(cell);
        assert_eq!(Arc::strong_count(&last), 1);
    }
}
