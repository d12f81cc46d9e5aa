//! Classes of tasks: by the labels that users give them, a few at most.

use std::sync::OnceLock;

/// So many labels are told apart; tasks with others share one class.
pub const LABELS: usize = 30;
/// What their label is called.
pub const OTHERS: &str = "others";

/// A class of tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Class(u8);

impl Class {
    /// How many there are at most.
    pub const ALL: usize = LABELS + 2;
    /// Tasks without a label.
    pub const UNLABELLED: Self = Self(0);
    const OTHERS: Self = Self(LABELS as u8 + 1);

    /// That of a label's place in the list.
    fn of(place: usize) -> Self {
        Self(place as u8 + 1)
    }

    /// Below [`ALL`](Self::ALL).
    pub fn index(self) -> usize {
        self.0.into()
    }

    pub fn from_index(index: usize) -> Self {
        Self(index as u8)
    }
}

/// The labels that a pool has seen.
#[derive(Debug)]
pub struct Labels([OnceLock<&'static str>; LABELS]);

impl Labels {
    pub fn new() -> Self {
        Self([const { OnceLock::new() }; LABELS])
    }

    /// The class of tasks with this label. Compares it with all that there are, at worst.
    pub fn class(&self, label: &'static str) -> Class {
        // Set by us or, if somebody was faster, for another label perhaps.
        let is = |place: &OnceLock<_>| *place.get_or_init(|| label) == label;
        self.0.iter().position(is).map_or(Class::OTHERS, Class::of)
    }

    /// The class of tasks with this label, if there have been any.
    pub fn find(&self, label: &str) -> Option<Class> {
        self.classes().find(|class| self.name(*class) == Some(label))
    }

    /// Those that there are names for.
    pub fn classes(&self) -> impl Iterator<Item = Class> {
        (0..Class::ALL).map(Class::from_index).filter(|&class| self.name(class).is_some())
    }

    /// None of tasks that have no label.
    pub fn name(&self, class: Class) -> Option<&'static str> {
        if class == Class::OTHERS {
            // None before all places are taken.
            return self.0[LABELS - 1].get().map(|_| OTHERS);
        }
        self.0.get(class.index().checked_sub(1)?)?.get().copied()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Class, LABELS, Labels, OTHERS};
    use std::sync::LazyLock;

    static NAMES: LazyLock<Vec<String>> =
        LazyLock::new(|| (0..LABELS + 2).map(|i| format!("label {i}")).collect());

    #[test]
    fn a_label_has_one_class_and_those_too_many_share_one() {
        let labels = Labels::new();
        let names: Vec<&'static str> = NAMES.iter().map(|name| &**name).collect();
        for _ in 0..2 {
            let classes: Vec<_> = names.iter().map(|name| labels.class(name)).collect();
            for (i, class) in classes.iter().enumerate() {
                assert!((1..Class::ALL).contains(&class.index()));
                let expected = if i < LABELS { names[i] } else { OTHERS };
                assert_eq!(labels.name(*class), Some(expected));
                assert_eq!(labels.find(expected), Some(*class));
            }
        }
        assert_eq!(labels.classes().count(), LABELS + 1);
        assert_eq!(labels.name(Class::UNLABELLED), None);
        assert_eq!(Labels::new().find(OTHERS), None);
        assert_eq!(labels.find("none such"), None);
    }
}
