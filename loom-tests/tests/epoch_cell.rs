//! A value that is replaced while it is read: readers see whole ones.

#![cfg(loom)]

use filch::protocols::epoch_cell::EpochCell;
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;
use loom_tests::check;

/// A value that notices who reads it without having seen it written.
struct Value(UnsafeCell<usize>);

// SAFETY: written before others know of it, and read from then on.
unsafe impl Sync for Value {}
// SAFETY: as above.
unsafe impl Send for Value {}

impl Value {
    fn new(value: usize) -> Self {
        let cell = UnsafeCell::new(0);
        // SAFETY: nobody else knows of it.
        cell.with_mut(|place| unsafe { *place = value });
        Self(cell)
    }

    fn read(&self) -> usize {
        // SAFETY: nobody writes any more.
        self.0.with(|value| unsafe { *value })
    }
}

#[test]
fn readers_see_whole_values_in_their_order() {
    check(|| {
        let cell = Arc::new(EpochCell::new(Value::new(0)));
        let theirs = Arc::clone(&cell);
        let writer = thread::spawn(move || {
            theirs.set(Value::new(1));
            theirs.set(Value::new(2));
        });
        let first = cell.with(Value::read);
        let second = cell.with(Value::read);
        assert!(first <= second);
        writer.join().unwrap();
        assert_eq!(cell.with(Value::read), 2);
    });
}
