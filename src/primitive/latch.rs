//! A latch: unset, then set once, with at most one thread or future that waits.
//!
//! The whole state is one word, made by a single store:
//!
//! | word             | meaning                                                         |
//! |------------------|-----------------------------------------------------------------|
//! | `UNSET`          | nobody waits, nobody is known to work on it                     |
//! | `SET`            | done                                                            |
//! | `index << 2 \| 2`| worker `index` works on it (a hint for the waiter whom to help) |
//! | pointer          | an `Arc<Parker>`, low bits 00: that thread sleeps on it         |
//! | pointer `\| 3`   | a `Box<Waker>`: that future is to be polled                     |
//!
//! Invariant: a reference in the word belongs to the word, and only the setter's swap
//! or the waiter's own exchange takes one out. So the setter touches nothing of the
//! latch after its swap (the waiter may have freed it), nor a waiter that is gone. The
//! waiter keeps the latch alive until it is `SET`.
//!
//! Model: loom-tests/tests/latch.rs. This file is `unsafe` for the references that
//! the word holds.

use crate::primitive::parker::Parker;
use crate::sync::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::task::Waker;

const UNSET: usize = 0;
const SET: usize = 1;
const KIND: usize = 0b11;
const TAKEN: usize = 0b10;
const WAKER: usize = 0b11;
const PARKER: usize = 0b00;

#[derive(Debug)]
pub struct Latch {
    word: AtomicUsize,
}

/// What the word says of the waiter.
enum Waiter {
    Nobody,
    Parker(*const Parker),
    Waker(*mut Waker),
}

impl Waiter {
    fn of(word: usize) -> Self {
        match word & KIND {
            PARKER if word != UNSET => Self::Parker(word as *const Parker),
            WAKER => Self::Waker((word & !KIND) as *mut Waker),
            _ => Self::Nobody,
        }
    }

    /// # Safety
    /// The caller has just taken the word out, and with it the word's reference.
    unsafe fn wake(self) {
        match self {
            Self::Nobody => {}
            Self::Parker(parker) => {
                // SAFETY: the reference is ours, by the caller's promise.
                let parker = unsafe { Arc::from_raw(parker) };
                parker.unpark();
            }
            // SAFETY: as above.
            Self::Waker(waker) => unsafe { Box::from_raw(waker) }.wake(),
        }
    }

    /// # Safety
    /// As for [`wake`](Self::wake).
    unsafe fn forget(self) {
        match self {
            Self::Nobody => {}
            // SAFETY: the reference is ours, by the caller's promise.
            Self::Parker(parker) => drop(unsafe { Arc::from_raw(parker) }),
            // SAFETY: as above.
            Self::Waker(waker) => drop(unsafe { Box::from_raw(waker) }),
        }
    }
}

impl Latch {
    #[inline(always)]
    pub fn new() -> Self {
        Self { word: AtomicUsize::new(UNSET) }
    }

    #[inline]
    pub fn is_set(&self) -> bool {
        // ORDERING: Acquire; pairs with set's swap: the result is seen.
        self.word.load(Ordering::Acquire) == SET
    }

    /// Tells the waiter that worker `index` works on it, unless the waiter sleeps already.
    pub fn take(&self, index: usize) {
        // ORDERING: Release; pairs with taker: the waiter may look into that worker's
        // queues, and must find in them only what was put there after this.
        let taken = (index << 2) | TAKEN;
        let _ = self.word.compare_exchange(UNSET, taken, Ordering::Release, Ordering::Relaxed);
    }

    /// The worker that works on it, if it said so before the waiter went to sleep.
    pub fn taker(&self) -> Option<usize> {
        // ORDERING: Acquire; pairs with take.
        let word = self.word.load(Ordering::Acquire);
        (word & KIND == TAKEN).then_some(word >> 2)
    }

    /// Sets the latch and wakes who waits for it.
    ///
    /// # Safety
    /// `this` points to a live latch that is not set. It may be gone when this returns:
    /// as soon as the word is `SET`, its owner may free it.
    pub unsafe fn set(this: *const Self) {
        // SAFETY: live until the swap, by the caller's promise.
        let word = unsafe { &(*this).word };
        // ORDERING: AcqRel. Release pairs with is_set: the result is seen. Acquire pairs
        // with the exchange of register: the parker or waker is whole.
        let before = word.swap(SET, Ordering::AcqRel);
        // SAFETY: the swap took the reference out.
        unsafe { Waiter::of(before).wake() }
    }

    /// Makes `parker` the thread that [`set`](Self::set) will wake. Returns false if
    /// the latch is set already. For the one waiter, who may call it again.
    pub fn register(&self, parker: Arc<Parker>) -> bool {
        self.replace(Arc::into_raw(parker) as usize | PARKER)
    }

    /// As [`register`](Self::register), for a future.
    pub fn register_waker(&self, waker: Waker) -> bool {
        self.replace(Box::into_raw(Box::new(waker)) as usize | WAKER)
    }

    fn replace(&self, ours: usize) -> bool {
        let mut seen = self.word.load(Ordering::Relaxed);
        loop {
            if seen == SET {
                // SAFETY: the word never took our reference.
                unsafe { Waiter::of(ours).forget() };
                return false;
            }
            // ORDERING: Release; pairs with the Acquire of set. Relaxed is
            // enough for taking out what was there: this same waiter put it in.
            match self.word.compare_exchange(seen, ours, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => {
                    // SAFETY: the exchange took the reference out.
                    unsafe { Waiter::of(seen).forget() };
                    return true;
                }
                Err(now) => seen = now,
            }
        }
    }
}

impl Default for Latch {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Latch;

    #[test]
    fn whoever_works_on_it_first_is_known() {
        let latch = Latch::new();
        assert_eq!(latch.taker(), None);
        latch.take(5);
        latch.take(6);
        assert_eq!(latch.taker(), Some(5));
        // SAFETY: alive, and not set.
        unsafe { Latch::set(&latch) };
        assert_eq!((latch.taker(), latch.is_set()), (None, true));
    }
}
