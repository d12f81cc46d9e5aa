//! The ring: no record is torn, and the newest one is never waited for.

#![cfg(loom)]

use filch::protocols::ring::Ring;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;
use loom_tests::check;

/// Writes records 1, 2 and so on, each of two words that are alike.
fn writer(ring: &Arc<Ring>, records: u64) -> thread::JoinHandle<()> {
    let ring = Arc::clone(ring);
    thread::spawn(move || (1..=records).for_each(|n| ring.push([n, n])))
}

#[test]
fn the_newest_record_is_whole_and_never_older_than_the_one_before() {
    check(|| {
        let ring = Arc::new(Ring::new(1, 2));
        let writer = writer(&ring, 4);
        let (mut record, mut last) = ([0; 2], 0);
        for _ in 0..2 {
            if ring.newest(&mut record) {
                assert_eq!(record[0], record[1], "torn");
                assert!(record[0] >= last);
                last = record[0];
            }
        }
        writer.join().unwrap();
        assert!(ring.newest(&mut record));
        assert_eq!(record, [4, 4]);
    });
}

#[test]
fn a_history_is_whole_and_in_order() {
    check(|| {
        let ring = Arc::new(Ring::new(2, 2));
        let writer = writer(&ring, 6);
        let any = ring.newest(&mut [0; 2]);
        let records = ring.all();
        assert!(!any || !records.is_empty());
        for (before, after) in records.chunks(2).zip(records.chunks(2).skip(1)) {
            assert_eq!(before[0] + 1, after[0]);
        }
        assert!(records.chunks(2).all(|record| record[0] == record[1] && record[0] > 0));
        writer.join().unwrap();
        assert_eq!(ring.all(), [5, 5, 6, 6]);
    });
}

/// Who learns by other means that there is a record finds it.
#[test]
fn a_record_that_was_announced_is_there() {
    check(|| {
        let ring = Arc::new(Ring::new(1, 1));
        let told = Arc::new(AtomicBool::new(false));
        let writer = {
            let (ring, told) = (Arc::clone(&ring), Arc::clone(&told));
            thread::spawn(move || {
                ring.push([7]);
                told.store(true, Ordering::Release);
            })
        };
        let mut record = [0];
        if told.load(Ordering::Acquire) {
            assert!(ring.newest(&mut record));
        }
        if ring.newest(&mut record) {
            assert_eq!(record, [7]);
        }
        writer.join().unwrap();
    });
}
