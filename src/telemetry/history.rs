//! Readings over time, and tables of readings, in rings that one thread writes and any may read.

use crate::primitive::ring::Ring;
use crate::telemetry::record::{Record, width};
use std::iter;
use std::marker::PhantomData;
use std::time::{Duration, SystemTime};

/// A reading and when it was taken, since the monitors' beginning.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct At<T>(pub Duration, pub T);

/// A reading, and when it was taken.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Taken<T> {
    /// By the system's clock as it is now, if that has been set since.
    pub at: SystemTime,
    /// How long ago.
    pub age: Duration,
    /// The reading.
    pub reading: T,
}

fn to_word(at: Duration) -> u64 {
    // Good for 584 years.
    at.as_nanos() as u64
}

/// The last readings of one kind.
#[derive(Debug)]
pub struct History<T> {
    ring: Ring,
    kind: PhantomData<fn() -> T>,
}

impl<T: Record> History<T> {
    /// Of so many readings, at least one.
    pub fn new(readings: usize) -> Self {
        Self { ring: Ring::new(readings, 1 + width::<T>()), kind: PhantomData }
    }

    /// For one thread at a time.
    pub fn push(&self, at: Duration, record: &T) {
        self.ring.push(iter::once(to_word(at)).chain(record.words()));
    }

    /// The oldest first.
    pub fn all(&self) -> Vec<At<T>> {
        let words = self.ring.all();
        let of_words = |words: &[u64]| {
            let (at, record) = words.split_first()?;
            Some(At(Duration::from_nanos(*at), T::from_words(record)))
        };
        words.chunks_exact(self.ring.width()).filter_map(of_words).collect()
    }
}

/// What tells one row of a table from another: a name of up to 16 bytes, as those of network
/// interfaces are, or a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Key(pub [u8; 16]);

impl Key {
    const WORDS: usize = 2;

    /// Cuts longer names.
    pub fn name(name: &[u8]) -> Self {
        let mut key = Self::default();
        key.0.iter_mut().zip(name).for_each(|(to, &from)| *to = from);
        key
    }

    pub fn number(number: usize) -> Self {
        Self(u128::to_le_bytes(number as u128))
    }

    pub fn as_number(self) -> usize {
        u128::from_le_bytes(self.0) as usize
    }

    pub fn as_name(self) -> String {
        let end = self.0.iter().position(|&byte| byte == 0).unwrap_or(self.0.len());
        String::from_utf8_lossy(&self.0[..end]).into_owned()
    }

    fn words(self) -> [u64; Self::WORDS] {
        let all = u128::from_le_bytes(self.0);
        [all as u64, (all >> 64) as u64]
    }

    fn from_words(words: &[u64]) -> Self {
        let word = |index| u128::from(words.get(index).copied().unwrap_or(0));
        Self(u128::to_le_bytes(word(0) | word(1) << 64))
    }
}

/// The newest reading of each of several things.
#[derive(Debug)]
pub struct Table<T> {
    ring: Ring,
    rows: usize,
    kind: PhantomData<fn() -> T>,
}

impl<T: Record> Table<T> {
    const ROW: usize = Key::WORDS + width::<T>();

    /// With room for so many rows.
    pub fn new(rows: usize) -> Self {
        Self { ring: Ring::new(1, 2 + rows * Self::ROW), rows, kind: PhantomData }
    }

    /// Replaces all rows; those that there is no room for are left out. For one thread at a time.
    pub fn put(&self, at: Duration, rows: &[(Key, T)]) {
        let rows = &rows[..rows.len().min(self.rows)];
        let words = rows.iter().flat_map(|(key, row)| key.words().into_iter().chain(row.words()));
        self.ring.push([to_word(at), rows.len() as u64].into_iter().chain(words));
    }

    /// When they were put, and all rows; none before the first time.
    pub fn rows(&self) -> Option<At<Vec<(Key, T)>>> {
        let mut words = vec![0; self.ring.width()];
        if !self.ring.newest(&mut words) {
            return None;
        }
        let row = |words: &[u64]| {
            (Key::from_words(words), T::from_words(&words[Key::WORDS.min(words.len())..]))
        };
        let rows = words[2..].chunks_exact(Self::ROW).take(words[1] as usize).map(row);
        Some(At(Duration::from_nanos(words[0]), rows.collect()))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{At, History, Key, Table};
    use crate::telemetry::record::records;
    use crate::telemetry::unavailable::Unavailable;
    use std::time::Duration;

    records! {
        /// For the tests.
        "sample"
        pub struct Sample {
            /// Any.
            gauge level: u64 = Count,
        }
    }

    fn sample(level: u64) -> Sample {
        Sample { level: Ok(level) }
    }

    #[test]
    fn a_history_keeps_the_last_readings_with_their_times() {
        let history = History::new(2);
        assert_eq!(history.all(), []);
        for n in 1..=3 {
            history.push(Duration::from_millis(n), &sample(n));
        }
        let expected = [2, 3].map(|n| At(Duration::from_millis(n), sample(n)));
        assert_eq!(history.all(), expected);
    }

    #[test]
    fn a_table_holds_what_was_put_last_as_far_as_there_is_room() {
        let table = Table::new(2);
        assert_eq!(table.rows(), None);
        let missing = Sample { level: Err(Unavailable::Missing) };
        let rows = [(Key::name(b"eth0"), sample(1)), (Key::number(300), missing)];
        table.put(Duration::ZERO, &[rows[1], rows[0], rows[0]]);
        assert_eq!(table.rows().unwrap().1, [rows[1], rows[0]]);
        table.put(Duration::from_secs(1), &rows[..1]);
        assert_eq!(table.rows(), Some(At(Duration::from_secs(1), vec![rows[0]])));
    }

    #[test]
    fn keys_are_names_or_numbers() {
        assert_eq!(Key::name(b"a name longer than that").as_name(), "a name longer th");
        assert_eq!(Key::name(b"lo").as_name(), "lo");
        assert_eq!(Key::number(usize::MAX).as_number(), usize::MAX);
    }
}
