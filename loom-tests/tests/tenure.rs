//! A tenure: whoever looks sees the fields of one.

#![cfg(loom)]

use filch::protocols::tenure::Tenure;
use loom::thread;
use loom_tests::check;
use std::sync::Arc;

#[test]
fn who_looks_sees_one_tenure_and_not_halves_of_two() {
    check(|| {
        let tenure = Arc::new(Tenure::default());
        let theirs = Arc::clone(&tenure);
        let other = thread::spawn(move || {
            theirs.begin([1, 1]);
            theirs.end();
            theirs.begin([2, 2]);
        });
        if let Some([first, second]) = tenure.look() {
            assert!(first == second && first > 0, "{first} and {second}");
        }
        other.join().unwrap();
        assert_eq!(tenure.look(), Some([2, 2]));
    });
}
