//! Floor 4: pure decisions. Numbers in, a decision out; no threads, no clocks.

pub mod admission;
pub mod alert;
pub mod alert_rules;
pub mod amounts;
pub mod elastic;
pub mod fairness;
pub mod health;
pub mod hill_climb;
pub mod idleness;
pub mod ladder;
pub mod patience;
pub mod scaling;
pub mod shortage;
pub mod stall;
pub mod standing;
pub mod turn;
pub mod victim;
pub mod wait;
