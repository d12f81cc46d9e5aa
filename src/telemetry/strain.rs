//! Why a pool has fewer seats than CPUs to use.

/// Why fewer workers may run at a time than there are CPUs to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum Strain {
    /// Its control group used up its CPU quota, and was stopped.
    Throttled,
    /// Its workers waited for a CPU for too large a share of the time.
    RunDelay,
    /// Threads of its control group did.
    Pressure,
    /// Memory ran out.
    Memory,
    /// An [alert](crate::AlertAction::Shrink) asks for it.
    Alert,
}

impl Strain {
    const ALL: [Self; 5] =
        [Self::Throttled, Self::RunDelay, Self::Pressure, Self::Memory, Self::Alert];

    pub(crate) fn into_word(self) -> u64 {
        self as u64 + 1
    }

    pub(crate) fn from_word(word: u64) -> Option<Self> {
        Self::ALL.get((word as usize).checked_sub(1)?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::Strain;

    #[test]
    fn every_strain_survives() {
        for strain in Strain::ALL {
            assert_eq!(Strain::from_word(strain.into_word()), Some(strain));
        }
        assert_eq!([0, 6].map(Strain::from_word), [None; 2]);
    }
}
