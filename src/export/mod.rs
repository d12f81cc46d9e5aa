//! Floor 6: what a pool knows, in the formats of others.

pub mod trace;
