//! A pile: a stack linked through its items, of which all are taken at once.
//!
//! | who puts one there               | who takes all           |
//! |----------------------------------|-------------------------|
//! | 1. link the item to the top seen | 1. swap in an empty top |
//! | 2. exchange the top, or from 1.  |                         |
//!
//! Invariant: items on the pile belong to the pile, and an item comes off it only with all
//! those below. So a top that is the same as before has the same below it, and no exchange can be
//! misled by one that has gone and come back.
//!
//! Model: loom-tests/tests/pile.rs.

use crate::sync::{AtomicPtr, Ordering};
use std::ptr;

#[derive(Debug)]
pub struct Pile<T> {
    top: AtomicPtr<T>,
}

impl<T> Pile<T> {
    pub fn new() -> Self {
        Self { top: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Puts `item` on top; `link` notes in it what lies below.
    pub fn put(&self, item: *mut T, link: impl Fn(*mut T)) {
        let mut top = self.top.load(Ordering::Relaxed);
        loop {
            link(top);
            // ORDERING: Release; pairs with take_all: the item and its link are seen. Those
            // below, too: every later exchange goes on with their release.
            match self.top.compare_exchange_weak(top, item, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => top = now,
            }
        }
    }

    /// All items, the youngest first, each linked to the next; null if there is none. They
    /// are the caller's.
    pub fn take_all(&self) -> *mut T {
        if self.top.load(Ordering::Relaxed).is_null() {
            return ptr::null_mut();
        }
        // ORDERING: Acquire; pairs with put.
        self.top.swap(ptr::null_mut(), Ordering::Acquire)
    }
}

impl<T> Default for Pile<T> {
    fn default() -> Self {
        Self::new()
    }
}
