//! Floor 7: what a pool knows, in the formats of others.

#[cfg(feature = "metrics")]
pub mod catalogue;
#[cfg(feature = "metrics")]
mod group;
#[cfg(feature = "metrics")]
pub mod publisher;
pub mod save;
pub mod trace;
