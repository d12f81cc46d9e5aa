//! A tenure: what is to be known of something that one has for a while, and others look at meanwhile.
//!
//! Invariant: `word` is odd while somebody has it, and another number for each tenure; the fields are written only while
//! it is even. So whoever finds the same odd number before it reads the fields and after it has those of one tenure.
//!
//! | who has it                           | who looks                        |
//! |--------------------------------------|----------------------------------|
//! | 1. begin: the fields, then odd       | 1. odd? if not, nobody has it    |
//! | 2. end: even                         | 2. the fields, then as 1.: the same? |
//!
//! Model: loom-tests/tests/tenure.rs.

use crate::sync::{AtomicU64, Ordering, statistic};

#[derive(Debug)]
pub struct Tenure<const N: usize> {
    word: AtomicU64,
    /// As the word, for who has it. Apart from it, since loom knows a place's last access only: were the word read before it is
    /// written, no model would try what somebody else who reads it sees.
    own: statistic::AtomicU64,
    fields: [AtomicU64; N],
}

impl<const N: usize> Default for Tenure<N> {
    fn default() -> Self {
        let fields = std::array::from_fn(|_| AtomicU64::new(0));
        Self { word: AtomicU64::new(0), own: statistic::AtomicU64::new(0), fields }
    }
}

impl<const N: usize> Tenure<N> {
    /// For who has it alone, and has ended the last one.
    pub fn begin(&self, fields: [u64; N]) {
        for (place, field) in self.fields.iter().zip(fields) {
            // ORDERING: Release; pairs with look: who sees this sees that the last tenure has ended.
            place.store(field, Ordering::Release);
        }
        // ORDERING: Release; pairs with look: the fields are seen.
        self.word.store(self.next(), Ordering::Release);
    }

    /// For the one who has begun it.
    pub fn end(&self) {
        self.word.store(self.next(), Ordering::Relaxed);
    }

    fn next(&self) -> u64 {
        let next = self.own.load(Ordering::Relaxed) + 1;
        self.own.store(next, Ordering::Relaxed);
        next
    }

    /// The fields, if somebody has it and goes on having it meanwhile.
    pub fn look(&self) -> Option<[u64; N]> {
        // ORDERING: Acquire; pairs with begin.
        let word = self.word.load(Ordering::Acquire);
        if word.is_multiple_of(2) {
            return None;
        }
        // ORDERING: Acquire; pairs with begin.
        let fields = std::array::from_fn(|at| self.fields[at].load(Ordering::Acquire));
        (self.word.load(Ordering::Relaxed) == word).then_some(fields)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Tenure;

    #[test]
    fn it_is_seen_while_it_lasts() {
        let tenure = Tenure::default();
        for round in 0..3 {
            assert_eq!(tenure.look(), None);
            tenure.begin([round, 7]);
            assert_eq!(tenure.look(), Some([round, 7]));
            tenure.end();
        }
        assert_eq!(tenure.look(), None);
    }
}
