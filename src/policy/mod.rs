//! Floor 4: pure decisions. Numbers in, a decision out; no threads, no clocks.

pub mod health;
#[cfg_attr(not(test), expect(dead_code, reason = "no pool scales by it yet"))]
pub mod hill_climb;
pub mod idleness;
pub mod ladder;
pub mod patience;
pub mod scaling;
pub mod stall;
pub mod turn;
pub mod victim;
pub mod wait;
