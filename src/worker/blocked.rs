//! Why a worker sleeps in a wait, as one word that others read.

/// Why a worker sleeps although it is not idle, so that those who make work for it know
/// to wake it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocked {
    /// It doesn't.
    No,
    /// It waits for a scope, a handle or a broadcast.
    Latch,
    /// It waits for another pool, and meanwhile runs calls from outside.
    Call,
    /// It is a guest that waits for a handle, and meanwhile runs calls and detached tasks.
    Guest,
    /// It waits, and meanwhile runs anything (`WaitPolicy::Any`).
    Any,
    /// It waits for a frame that the worker with this index runs.
    Thief(usize),
}

impl Blocked {
    pub fn into_word(self) -> usize {
        match self {
            Self::No => 0,
            Self::Latch => 1,
            Self::Call => 2,
            Self::Guest => 3,
            Self::Any => 4,
            Self::Thief(index) => 5 + index,
        }
    }

    pub fn from_word(word: usize) -> Self {
        match word {
            0 => Self::No,
            1 => Self::Latch,
            2 => Self::Call,
            3 => Self::Guest,
            4 => Self::Any,
            index => Self::Thief(index - 5),
        }
    }
}

/// Of those who wait only a guest at leisure runs tasks that nobody waits for.
pub fn concerns_guests(_: usize, why: Blocked) -> bool {
    why == Blocked::Guest
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Blocked, concerns_guests};

    #[test]
    fn each_reason_is_a_word_of_its_own() {
        use Blocked::{Any, Call, Guest, Latch, No, Thief};
        let reasons = [No, Latch, Call, Guest, Any, Thief(0), Thief(1), Thief(7)];
        for why in reasons {
            let word = why.into_word();
            assert_eq!(Blocked::from_word(word), why);
            assert_eq!(reasons.iter().filter(|other| other.into_word() == word).count(), 1);
            assert_eq!(concerns_guests(0, why), why == Guest);
        }
    }
}
