//! What a reading is made of: named numbers with a unit, each there or with a reason why not.

use crate::telemetry::unavailable::{Fact, Unavailable};

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum Unit {
    /// A share, 1 being all.
    Ratio,
    /// As many CPUs' whole time.
    Cpus,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// Bytes a second.
    BytesPerSecond,
    /// Things that the name says.
    Count,
}

/// What is known of each value of a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Field {
    /// As the field of the struct.
    pub name: &'static str,
    /// Of the value.
    pub unit: Unit,
    /// Whether it only grows: a count since some beginning.
    pub is_total: bool,
    /// What it means.
    pub help: &'static str,
}

/// The types of numbers in readings.
pub trait Number: Copy {
    fn to_bits(self) -> u64;
    fn from_bits(bits: u64) -> Self;
    fn to_f64(self) -> f64;
    fn from_f64(number: f64) -> Self;
}

impl Number for u64 {
    fn to_bits(self) -> u64 {
        self
    }

    fn from_bits(bits: u64) -> Self {
        bits
    }

    fn to_f64(self) -> f64 {
        self as f64
    }

    fn from_f64(number: f64) -> Self {
        number.round() as Self
    }
}

impl Number for f64 {
    fn to_bits(self) -> u64 {
        self.to_bits()
    }

    fn from_bits(bits: u64) -> Self {
        Self::from_bits(bits)
    }

    fn to_f64(self) -> f64 {
        self
    }

    fn from_f64(number: f64) -> Self {
        number
    }
}

/// A reading: a struct of numbers, of which each is there or not.
///
/// # Examples
///
/// What `Display` makes of it in another form:
///
/// ```
/// use filch::Record;
///
/// let pool = filch::ThreadPoolBuilder::new().num_threads(1).build()?;
/// let memory = pool.snapshot().memory.current;
/// for (field, value) in filch::Memory::FIELDS.iter().zip(memory.values()) {
///     if let Ok(value) = value {
///         println!("memory_{} {value}", field.name);
///     }
/// }
/// # Ok::<(), filch::Error>(())
/// ```
pub trait Record: Copy + private::Sealed {
    /// Of the whole, in lower case: `cpu`.
    const NAME: &'static str;
    /// In the order of the struct.
    const FIELDS: &'static [Field];

    /// One of which nothing is there.
    fn unavailable(why: Unavailable) -> Self;

    /// The value of each field.
    fn values(&self) -> Vec<Result<f64, Unavailable>>;

    /// The mean of each field over those readings in which it is there. Totals: the last one.
    fn average(records: &[Self]) -> Self;

    /// The highest value of each field.
    fn peak(records: &[Self]) -> Self;

    /// One word a field.
    #[doc(hidden)]
    fn words(&self) -> impl Iterator<Item = u64>;

    #[doc(hidden)]
    fn from_words(words: &[u64]) -> Self;
}

/// What is in a record is filch's to say, and more may come.
pub(crate) mod private {
    pub trait Sealed {}
}

/// How many words a record takes.
pub const fn width<T: Record>() -> usize {
    T::FIELDS.len()
}

/// A number's own bits, or a word that none has: as a float it would be a NaN that no arithmetic
/// makes, and no count comes near.
pub fn to_word<N: Number>(fact: Fact<N>) -> u64 {
    match fact {
        Ok(number) => number.to_bits().min(u64::MAX - Unavailable::CODES),
        Err(why) => u64::MAX - why.code(),
    }
}

pub fn of_word<N: Number>(word: u64) -> Fact<N> {
    match Unavailable::of_code(u64::MAX - word) {
        Some(why) => Err(why),
        None => Ok(N::from_bits(word)),
    }
}

/// The newest of these as it is, if it only grows, else what `reduce` makes of those that are there.
pub fn reduce<N: Number>(
    facts: impl Iterator<Item = Fact<N>> + Clone,
    is_total: bool,
    reduce: impl FnOnce(&mut dyn Iterator<Item = f64>) -> Option<f64>,
) -> Fact<N> {
    let newest = facts.clone().last().unwrap_or(Err(Unavailable::NotYet));
    if is_total {
        return newest;
    }
    match reduce(&mut facts.filter_map(Result::ok).map(Number::to_f64)) {
        Some(number) => Ok(N::from_f64(number)),
        None => newest,
    }
}

pub fn mean(numbers: &mut dyn Iterator<Item = f64>) -> Option<f64> {
    let (count, sum) = numbers.fold((0, 0.0), |(count, sum), number| (count + 1, sum + number));
    (count > 0).then(|| sum / f64::from(count))
}

pub fn highest(numbers: &mut dyn Iterator<Item = f64>) -> Option<f64> {
    numbers.reduce(f64::max)
}

/// Makes [`Record`]s. Each field is a `gauge`, which goes up and down, or a `total`, which only grows.
macro_rules! records {
    ($(
        $(#[$struct_doc:meta])*
        $title:literal
        pub struct $name:ident {
            $($(#[doc = $help:literal])+ $kind:ident $field:ident: $type:ty = $unit:ident,)*
        }
    )*) => {$(
        $(#[$struct_doc])*
        #[derive(Clone, Copy, Debug, PartialEq)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize))]
        #[non_exhaustive]
        pub struct $name {
            $($(#[doc = $help])+ pub $field: Result<$type, $crate::telemetry::unavailable::Unavailable>,)*
        }

        impl $crate::telemetry::record::private::Sealed for $name {}

        impl $crate::telemetry::record::Record for $name {
            const NAME: &'static str = $title;
            const FIELDS: &'static [$crate::telemetry::record::Field] = &[$(
                $crate::telemetry::record::Field {
                    name: stringify!($field),
                    unit: $crate::telemetry::record::Unit::$unit,
                    is_total: $crate::telemetry::record::records!(@ $kind),
                    help: concat!($($help),+).trim_ascii_start(),
                },
            )*];

            fn unavailable(why: $crate::telemetry::unavailable::Unavailable) -> Self {
                Self { $($field: Err(why),)* }
            }

            fn values(&self) -> Vec<Result<f64, $crate::telemetry::unavailable::Unavailable>> {
                vec![$(self.$field.map($crate::telemetry::record::Number::to_f64),)*]
            }

            fn average(records: &[Self]) -> Self {
                use $crate::telemetry::record::{mean, reduce};
                Self { $($field: {
                    let facts = records.iter().map(|record| record.$field);
                    reduce(facts, $crate::telemetry::record::records!(@ $kind), mean)
                },)* }
            }

            fn peak(records: &[Self]) -> Self {
                use $crate::telemetry::record::{highest, reduce};
                Self { $($field: {
                    let facts = records.iter().map(|record| record.$field);
                    reduce(facts, $crate::telemetry::record::records!(@ $kind), highest)
                },)* }
            }

            fn words(&self) -> impl Iterator<Item = u64> {
                [$($crate::telemetry::record::to_word(self.$field),)*].into_iter()
            }

            fn from_words(words: &[u64]) -> Self {
                let mut words = words.iter();
                Self { $($field: match words.next() {
                    Some(&word) => $crate::telemetry::record::of_word(word),
                    None => Err($crate::telemetry::unavailable::Unavailable::NotYet),
                },)* }
            }
        }
    )*};
    (@ gauge) => { false };
    (@ total) => { true };
}

pub(crate) use records;

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Record, Unavailable, width};

    records! {
        /// For the tests.
        "sample"
        pub struct Sample {
            /// Goes up
            /// and down.
            gauge level: f64 = Ratio,
            /// Only grows.
            total count: u64 = Bytes,
        }
    }

    fn sample(level: Result<f64, Unavailable>, count: u64) -> Sample {
        Sample { level, count: Ok(count) }
    }

    #[test]
    fn records_survive_as_words() {
        for record in Unavailable::ALL
            .map(Sample::unavailable)
            .into_iter()
            .chain([sample(Ok(-0.5), u64::MAX - 100), sample(Ok(f64::MAX), 0)])
        {
            let words: Vec<_> = record.words().collect();
            assert_eq!(words.len(), width::<Sample>());
            assert_eq!(Sample::from_words(&words), record);
        }
        for odd in [f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let words: Vec<_> = sample(Ok(odd), 0).words().collect();
            assert!(Sample::from_words(&words).level.is_ok());
        }
        let words: Vec<_> = sample(Ok(0.0), u64::MAX).words().collect();
        assert!(Sample::from_words(&words).count.is_ok_and(|count| count > u64::MAX - 100));
        assert_eq!(Sample::from_words(&[]), Sample::unavailable(Unavailable::NotYet));
    }

    #[test]
    fn fields_say_what_they_are() {
        assert_eq!(Sample::FIELDS[0].help, "Goes up and down.");
        assert!(!Sample::FIELDS[0].is_total && Sample::FIELDS[1].is_total);
    }

    #[test]
    fn gauges_have_averages_and_peaks_of_what_is_there_and_totals_the_last_value() {
        let missing = Err(Unavailable::Missing);
        let records = [sample(Ok(1.0), 7), sample(missing, 8), sample(Ok(0.5), 9)];
        assert_eq!(Sample::average(&records), sample(Ok(0.75), 9));
        assert_eq!(Sample::peak(&records), sample(Ok(1.0), 9));
        assert_eq!(Sample::average(&records[1..2]).level, missing);
        assert_eq!(Sample::peak(&[]), Sample::unavailable(Unavailable::NotYet));
    }
}
