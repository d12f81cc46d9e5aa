//! A ring of records, which one thread writes and any may read: the newest is a snapshot, all of
//! them are a history.
//!
//! A seqlock of atomic words. Record n lies in slot n modulo the number of slots, which is two more
//! than what the ring keeps, so that one more record meanwhile disturbs no reader. Invariant: once `written` is w, no other slot is written to than that
//! of record w, until `written` is w + 1. So whoever finds it at w, after having read, knows that
//! every record above w - slots was whole.
//!
//! | writer                                | reader                                               |
//! |---------------------------------------|------------------------------------------------------|
//! | 1. the words of record `written`      | 1. w = written                                       |
//! | 2. written + 1                        | 2. the words of records below w                      |
//! |                                       | 3. w = written: those up to w - slots are dropped    |
//!
//! None of the records that are kept is the one that is being written: nobody waits for a writer that
//! has been preempted. A reader drops what has been overwritten meanwhile, the oldest records, and reads
//! again only if nothing is left: so a writer that never pauses doesn't keep it for ever.
//!
//! Model: loom-tests/tests/ring.rs.

use crate::sync::{AtomicU64, Ordering, statistic};

/// One slot for the record that is being written, one for that which comes while a reader reads.
const SPARE: usize = 2;

#[derive(Debug)]
pub struct Ring {
    written: AtomicU64,
    /// The writer's own copy. A model forgets that readers have looked at `written` when the writer
    /// itself reads it before it writes, and tries no other sequence.
    next: statistic::AtomicU64,
    /// Words a record.
    width: usize,
    words: Box<[AtomicU64]>,
}

impl Ring {
    /// One that keeps so many records, at least one, of so many words, at least one.
    pub fn new(records: usize, width: usize) -> Self {
        let width = width.max(1);
        let words = (records.max(1) + SPARE).saturating_mul(width);
        Self {
            written: AtomicU64::new(0),
            next: statistic::AtomicU64::new(0),
            width,
            words: (0..words).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    pub fn width(&self) -> usize {
        self.width
    }

    fn slots(&self) -> u64 {
        (self.words.len() / self.width) as u64
    }

    fn slot(&self, record: u64) -> &[AtomicU64] {
        let start = (record % self.slots()) as usize * self.width;
        &self.words[start..start + self.width]
    }

    /// Adds a record, in place of the oldest one. Of words that it lacks, any may be read. For one
    /// thread at a time: two would mix their records.
    pub fn push(&self, record: impl IntoIterator<Item = u64>) {
        let written = self.next.load(statistic::Ordering::Relaxed);
        self.next.store(written + 1, statistic::Ordering::Relaxed);
        for (word, value) in self.slot(written).iter().zip(record) {
            // ORDERING: Release; pairs with the loads in `read`: who sees a word of this record sees
            // that the slot's last one is to be dropped.
            word.store(value, Ordering::Release);
        }
        // ORDERING: Release; pairs with the load in `count`: the record is whole.
        self.written.store(written + 1, Ordering::Release);
    }

    fn count(&self) -> u64 {
        // ORDERING: Acquire; pairs with the store in `push`.
        self.written.load(Ordering::Acquire)
    }

    fn read(&self, record: u64, into: &mut [u64]) {
        for (value, word) in into.iter_mut().zip(self.slot(record)) {
            // ORDERING: Acquire; pairs with the stores in `push`, and keeps the second look at
            // `written` behind it.
            *value = word.load(Ordering::Acquire);
        }
    }

    /// The first record that was whole until now.
    fn oldest(&self) -> u64 {
        // Relaxed: the words that have been read are ordered.
        (self.written.load(Ordering::Relaxed) + 1).saturating_sub(self.slots())
    }

    /// Reads the newest record. Returns false if there is none yet.
    pub fn newest(&self, into: &mut [u64]) -> bool {
        loop {
            let Some(newest) = self.count().checked_sub(1) else { return false };
            self.read(newest, into);
            if newest >= self.oldest() {
                return true;
            }
        }
    }

    /// All records that are kept, the oldest first, one after the other; but for those that have been
    /// overwritten meanwhile.
    pub fn all(&self) -> Vec<u64> {
        let kept = self.slots() - SPARE as u64;
        let mut records = Vec::new();
        loop {
            let count = self.count();
            let first = count.saturating_sub(kept);
            records.resize((count - first) as usize * self.width, 0);
            for (record, into) in (first..count).zip(records.chunks_exact_mut(self.width)) {
                self.read(record, into);
            }
            let lost = self.oldest().saturating_sub(first);
            if lost == 0 || lost < count - first {
                records.drain(..lost as usize * self.width);
                return records;
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Ring;

    #[test]
    fn an_empty_ring_has_no_newest() {
        let ring = Ring::new(3, 2);
        assert!(!ring.newest(&mut [0; 2]));
        assert!(ring.all().is_empty());
    }

    #[test]
    fn the_last_records_are_kept_in_order() {
        let ring = Ring::new(3, 2);
        let mut newest = [0; 2];
        for n in 1..=9 {
            ring.push([n, 10 * n]);
            assert!(ring.newest(&mut newest));
            assert_eq!(newest, [n, 10 * n]);
            let kept: Vec<_> = (n.saturating_sub(2).max(1)..=n).flat_map(|n| [n, 10 * n]).collect();
            assert_eq!(ring.all(), kept);
        }
    }

    #[test]
    fn long_records_are_cut_and_short_ones_end_in_anything() {
        let ring = Ring::new(0, 2);
        assert_eq!(ring.width(), 2);
        ring.push([1, 2, 3]);
        assert_eq!(ring.all(), [1, 2]);
        ring.push([4]);
        assert_eq!(ring.all()[0], 4);
    }
}
