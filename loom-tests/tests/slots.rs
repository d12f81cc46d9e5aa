//! Slots: each is one's alone, whoever takes them off the stack and puts them back meanwhile.

#![cfg(loom)]

use filch::protocols::cell::UnsafeCell;
use filch::protocols::slots::Slots;
use loom::thread;
use loom_tests::check;
use std::sync::Arc;

#[derive(Default)]
struct Place(UnsafeCell<u32>);

// SAFETY: loom checks that only the one who has it touches it.
unsafe impl Sync for Place {}

fn number(slots: &Slots<Place>) -> Option<usize> {
    slots.take().map(|(number, _)| number)
}

fn touch(slots: &Slots<Place>, number: usize) {
    // SAFETY: checked by loom.
    slots.get(number).0.with_mut(|touched| unsafe { *touched += 1 });
}

fn use_one(slots: &Slots<Place>) {
    if let Some((number, _)) = slots.take() {
        touch(slots, number);
        slots.put_back(number);
    }
}

#[test]
fn who_takes_one_has_it_alone_and_sees_what_was_done_to_it() {
    check(|| {
        let slots = Arc::new(Slots::default());
        let (number, _) = slots.take().unwrap();
        slots.put_back(number);
        let theirs = Arc::clone(&slots);
        let other = thread::spawn(move || use_one(&theirs));
        use_one(&slots);
        other.join().unwrap();
    });
}

/// One looks at the top and sleeps; another takes both and puts the first back: the top is the same, and not what
/// lies below it.
#[test]
fn a_top_that_has_come_back_is_not_the_same() {
    check(|| {
        let slots = Arc::new(Slots::default());
        slots.put_back(slots.take().unwrap().0);
        let theirs = Arc::clone(&slots);
        let other = thread::spawn(move || {
            let [first, second] = [number(&theirs), number(&theirs)];
            if let (Some(first), Some(second)) = (first, second) {
                theirs.put_back(first);
                touch(&theirs, second);
            }
        });
        let [first, second] = [number(&slots), number(&slots)];
        first.into_iter().chain(second).for_each(|number| touch(&slots, number));
        other.join().unwrap();
    });
}

#[test]
fn a_chunk_is_made_once() {
    check(|| {
        let slots = Arc::new(Slots::<Place>::default());
        let theirs = Arc::clone(&slots);
        let other = thread::spawn(move || number(&theirs));
        let own = number(&slots);
        let other = other.join().unwrap();
        assert!(own.is_some() && other.is_some() && own != other, "{own:?}, {other:?}");
        assert_eq!((number(&slots), slots.all().count()), (None, 2));
    });
}
