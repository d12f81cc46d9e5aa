//! Floor 3: facts, as data. Nothing here judges or acts.

pub mod counters;
