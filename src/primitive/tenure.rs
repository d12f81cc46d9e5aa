//! A tenure: what is to be known of something that one has for a while, and others look at meanwhile.
//!
//! Invariant: `word` is odd while somebody has it, and another number for each tenure; the fields are written only while
//! it is even. So whoever finds the same odd number before it reads the fields and after it has those of one tenure; and
//! whoever knows that number can end this tenure and no other, and one of those who try does.
//!
//! | who has it                           | who looks                            |
//! |--------------------------------------|--------------------------------------|
//! | 1. begin: the fields, then odd       | 1. odd? if not, nobody has it        |
//! | 2. end: from that number to even     | 2. the fields, then as 1.: the same? |
//! |                                      | 3. end it, as 2. on the left         |
//!
//! Model: loom-tests/tests/tenure.rs.

use crate::sync::{AtomicU64, Ordering, statistic};

#[derive(Debug)]
pub struct Tenure<const N: usize> {
    word: AtomicU64,
    /// Of the last tenure, for who has it: one more. Apart from it, since loom knows a place's last access only: were the word read before it is
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
    /// For who has it alone, after the last one has ended. Returns the tenure's number.
    #[inline(always)]
    pub fn begin(&self, fields: [u64; N]) -> u64 {
        for (place, field) in self.fields.iter().zip(fields) {
            // ORDERING: Release; pairs with look: who sees this sees that the last tenure has ended.
            place.store(field, Ordering::Release);
        }
        let number = self.own.load(Ordering::Relaxed) + 1;
        self.own.store(number + 1, Ordering::Relaxed);
        // ORDERING: Release; pairs with look: the fields are seen.
        self.word.store(number, Ordering::Release);
        number
    }

    /// Ends the tenure with this number. Returns whether it had not ended.
    pub fn end(&self, number: u64) -> bool {
        let (relaxed, next) = (Ordering::Relaxed, number + 1);
        self.word.compare_exchange(number, next, relaxed, relaxed).is_ok()
    }

    /// The tenure's number and the fields, if somebody has it and goes on having it meanwhile.
    pub fn look(&self) -> Option<(u64, [u64; N])> {
        // ORDERING: Acquire; pairs with begin.
        let word = self.word.load(Ordering::Acquire);
        if word.is_multiple_of(2) {
            return None;
        }
        // ORDERING: Acquire; pairs with begin.
        let fields = std::array::from_fn(|at| self.fields[at].load(Ordering::Acquire));
        (self.word.load(Ordering::Relaxed) == word).then_some((word, fields))
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
            let number = tenure.begin([round, 7]);
            assert_eq!(tenure.look(), Some((number, [round, 7])));
            assert!(tenure.end(number) && !tenure.end(number));
        }
        assert_eq!(tenure.look(), None);
    }
}
