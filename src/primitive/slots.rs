//! Slots: places for things, each for one at a time, that are found without a lock.
//!
//! Invariant: the free slots form a stack, linked by their numbers. Whoever takes one off it has it alone until it puts
//! it back. The word that names the top has a tag, too, which each exchange changes: so a top that has gone and come back
//! meanwhile, with others below it, isn't taken for the one that was seen. (In 32 bits: for that one would have to sleep
//! through four billion exchanges, to the very one.)
//!
//! | take                                   | put back                          |
//! |----------------------------------------|-----------------------------------|
//! | 1. read the top, and what lies below it | 1. link the slot to the top       |
//! | 2. exchange the top for that, or from 1. | 2. exchange the top for it, or from 1. |
//!
//! Model: loom-tests/tests/slots.rs.

use crate::sync::{AtomicU32, AtomicU64, Mutex, Ordering};
use std::sync::{OnceLock, PoisonError};

/// Made at once, and how many times at most. For Miri fewer, which takes seconds to make so many.
const CHUNK: usize = if cfg!(loom) {
    2
} else if cfg!(miri) {
    8
} else {
    256
};
const CHUNKS: usize = if cfg!(loom) {
    1
} else if cfg!(miri) {
    32
} else {
    256
};

pub struct Slots<T> {
    chunks: Box<[Chunk<T>]>,
    /// A tag in the upper half; in the lower one the number of the top slot and 1, or 0 if none is free.
    top: AtomicU64,
    /// How many chunks there are: locked while one is made.
    made: Mutex<usize>,
}

type Chunk<T> = OnceLock<Box<[Slot<T>]>>;

struct Slot<T> {
    /// As the lower half of the top.
    below: AtomicU32,
    thing: T,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self {
            chunks: (0..CHUNKS).map(|_| OnceLock::new()).collect(),
            top: AtomicU64::new(0),
            made: Mutex::new(0),
        }
    }
}

impl<T: Default> Slots<T> {
    fn slot(&self, number: usize) -> &Slot<T> {
        let chunk = self.chunks[number / CHUNK].get().expect("filch: a slot that was never made");
        &chunk[number % CHUNK]
    }

    pub fn get(&self, number: usize) -> &T {
        &self.slot(number).thing
    }

    /// All there are, free or not, with their numbers.
    pub fn all(&self) -> impl Iterator<Item = (usize, &T)> {
        let chunks = self.chunks.iter().map_while(OnceLock::get);
        chunks.flatten().map(|slot| &slot.thing).enumerate()
    }

    /// One that was free, and its number; none if all that there can be are taken.
    pub fn take(&self) -> Option<(usize, &T)> {
        // ORDERING: Acquire; pairs with put_back, as the exchange does: what lies below it is read.
        let mut top = self.top.load(Ordering::Acquire);
        loop {
            let Some(number) = (top as u32).checked_sub(1) else {
                if !self.grow() {
                    return None;
                }
                // ORDERING: Acquire; as above.
                top = self.top.load(Ordering::Acquire);
                continue;
            };
            let slot = self.slot(number as usize);
            let below = slot.below.load(Ordering::Relaxed);
            // ORDERING: Acquire; pairs with put_back: what was done to the slot before is seen.
            match self.top.compare_exchange_weak(
                top,
                next(top, below),
                Ordering::Acquire,
                Ordering::Acquire,
            ) {
                Ok(_) => return Some((number as usize, &slot.thing)),
                Err(now) => top = now,
            }
        }
    }

    pub fn put_back(&self, number: usize) {
        let mut top = self.top.load(Ordering::Relaxed);
        loop {
            self.slot(number).below.store(top as u32, Ordering::Relaxed);
            // ORDERING: Release; pairs with take.
            match self.top.compare_exchange_weak(
                top,
                next(top, number as u32 + 1),
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(now) => top = now,
            }
        }
    }

    /// Makes some more, unless somebody has put one back meanwhile. False if there can't be more.
    #[cold]
    fn grow(&self) -> bool {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if self.top.load(Ordering::Relaxed) as u32 != 0 {
            return true;
        }
        let Some(chunk) = self.chunks.get(*made) else { return false };
        let slot = |_| Slot { below: AtomicU32::new(0), thing: T::default() };
        let _ = chunk.set((0..CHUNK).map(slot).collect());
        let first = *made * CHUNK;
        *made += 1;
        // Before the lock goes, or somebody who waits for it would make more, or be told that there can't be.
        (first..first + CHUNK).rev().for_each(|number| self.put_back(number));
        true
    }
}

fn next(top: u64, number: u32) -> u64 {
    let tag = (top >> 32).wrapping_add(1);
    tag << 32 | u64::from(number)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{CHUNK, CHUNKS, Slots};
    use std::collections::HashSet;

    #[test]
    fn each_is_taken_once_up_to_the_last() {
        let slots = Slots::<u8>::default();
        let take = || slots.take().map(|(number, _)| number);
        assert_eq!((slots.all().count(), take()), (0, Some(0)));
        slots.put_back(0);
        let taken: HashSet<_> = std::iter::from_fn(take).collect();
        assert_eq!((taken.len(), slots.all().count()), (CHUNK * CHUNKS, CHUNK * CHUNKS));
        assert_eq!(take(), None);
        slots.put_back(7);
        let (number, thing) = slots.take().unwrap();
        assert_eq!((number, take()), (7, None));
        assert!(std::ptr::eq(slots.get(7), thing));
    }
}
