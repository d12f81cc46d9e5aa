//! The pile: every item is taken once, with what its owner did before, and its link is good.

#![cfg(loom)]

use filch::protocols::cell::UnsafeCell;
use filch::protocols::pile::Pile;
use loom::thread;
use loom_tests::{Times, check};
use std::ptr;
use std::sync::Arc;

struct Item {
    times: Times,
    below: UnsafeCell<*mut Item>,
}

/// What one who takes everything finds, counted in the items themselves.
fn take_all(pile: &Pile<Item>) -> usize {
    let (mut next, mut taken) = (pile.take_all(), 0);
    while !next.is_null() {
        // SAFETY: the models keep their items to the end.
        let item = unsafe { &*next };
        item.times.once_more();
        taken += 1;
        // SAFETY: checked by loom.
        next = item.below.with(|below| unsafe { *below });
    }
    taken
}

struct Items(Vec<*mut Item>);

// SAFETY: shared as raw pointers; loom checks what is done with them.
unsafe impl Send for Items {}
// SAFETY: as above.
unsafe impl Sync for Items {}

impl Items {
    fn new(count: usize) -> Arc<Self> {
        let item = || Item { times: Times::none(), below: UnsafeCell::new(ptr::null_mut()) };
        Arc::new(Self((0..count).map(|_| Box::into_raw(Box::new(item()))).collect()))
    }

    fn put(&self, index: usize, pile: &Pile<Item>) {
        // SAFETY: kept to the end.
        let item = unsafe { &*self.0[index] };
        item.times.once_more();
        // SAFETY: checked by loom.
        pile.put(self.0[index], |top| item.below.with_mut(|below| unsafe { *below = top }));
    }
}

impl Drop for Items {
    fn drop(&mut self) {
        for &item in &self.0 {
            // SAFETY: from a box, and nobody is left.
            drop(unsafe { Box::from_raw(item) });
        }
    }
}

#[test]
fn every_item_is_taken_once_with_what_was_done_before() {
    check(|| {
        let (items, pile) = (Items::new(3), Arc::new(Pile::default()));
        let putter = {
            let (items, pile) = (Arc::clone(&items), Arc::clone(&pile));
            thread::spawn(move || (0..2).for_each(|index| items.put(index, &pile)))
        };
        let taker = {
            let pile = Arc::clone(&pile);
            thread::spawn(move || take_all(&pile))
        };
        items.put(2, &pile);
        putter.join().unwrap();
        let taken = taker.join().unwrap();
        assert_eq!(taken + take_all(&pile), 3);
        // SAFETY: kept to the end.
        assert!(items.0.iter().all(|&item| unsafe { &*item }.times.get() == 2));
    });
}

#[test]
fn two_takers_never_have_the_same_item() {
    check(|| {
        let (items, pile) = (Items::new(2), Arc::new(Pile::default()));
        items.put(0, &pile);
        let taker = {
            let pile = Arc::clone(&pile);
            thread::spawn(move || take_all(&pile))
        };
        items.put(1, &pile);
        let mut taken = take_all(&pile);
        taken += taker.join().unwrap();
        assert_eq!(taken, 2);
    });
}
