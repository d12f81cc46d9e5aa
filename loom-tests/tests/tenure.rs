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
            let first = theirs.begin([1, 1]);
            theirs.end(first);
            theirs.begin([2, 2]);
        });
        if let Some((_, [first, second])) = tenure.look() {
            assert!(first == second && first > 0, "{first} and {second}");
        }
        other.join().unwrap();
        assert_eq!(tenure.look().map(|(_, fields)| fields), Some([2, 2]));
    });
}

#[test]
fn of_who_has_it_and_who_takes_it_away_one_ends_it() {
    check(|| {
        let tenure = Arc::new(Tenure::default());
        let first = tenure.begin([1]);
        let theirs = Arc::clone(&tenure);
        let other = thread::spawn(move || {
            theirs.look().map(|(number, _)| number).filter(|&number| theirs.end(number))
        });
        let ended = tenure.end(first);
        // If the other one hasn't taken it away there may be another one, which it may have seen or not.
        let second = ended.then(|| tenure.begin([2]));
        let taken = other.join().unwrap();
        assert_eq!(ended, taken != Some(first));
        let left = second.filter(|_| taken != second).map(|number| (number, [2]));
        assert_eq!(tenure.look(), left);
    });
}
