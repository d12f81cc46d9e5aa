//! Numbers that may not be there, and why.

use std::fmt;

/// Why a number isn't there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum Unavailable {
    /// It has not been read, or only once, and it takes two readings.
    NotYet,
    /// The pool doesn't monitor this.
    Off,
    /// The system has no such file, or no such entry in it.
    Missing,
    /// The process may not read the file.
    Denied,
    /// The file can't be read, for another reason.
    Unreadable,
    /// The file holds something else than expected.
    Garbled,
    /// A count has gone back since the last reading: whatever counts began anew.
    WentBack,
    /// There is no limit.
    Unlimited,
    /// [`CountingAlloc`](crate::CountingAlloc) isn't the global allocator, or can't count on this system.
    NotCounted,
}

impl Unavailable {
    pub(super) const ALL: [Self; 9] = [
        Self::NotYet,
        Self::Off,
        Self::Missing,
        Self::Denied,
        Self::Unreadable,
        Self::Garbled,
        Self::WentBack,
        Self::Unlimited,
        Self::NotCounted,
    ];

    /// All codes are below.
    pub(super) const CODES: u64 = Self::ALL.len() as u64;

    pub(super) fn code(self) -> u64 {
        self as u64
    }

    pub(super) fn of_code(code: u64) -> Option<Self> {
        Self::ALL.get(usize::try_from(code).ok()?).copied()
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotYet => "not read yet",
            Self::Off => "not monitored",
            Self::Missing => "not on this system",
            Self::Denied => "permission denied",
            Self::Unreadable => "unreadable",
            Self::Garbled => "garbled",
            Self::WentBack => "counter went back",
            Self::Unlimited => "no limit",
            Self::NotCounted => "not counted",
        })
    }
}

impl std::error::Error for Unavailable {}

/// A number, or why there is none.
pub type Fact<T> = Result<T, Unavailable>;
