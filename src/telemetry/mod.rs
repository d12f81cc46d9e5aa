//! Floor 3: facts, as data. Nothing here judges or acts.

pub mod activity;
pub mod alert;
pub mod allocator;
pub mod buckets;
pub mod counters;
pub mod event;
pub mod health;
pub mod history;
pub mod labels;
pub mod latency;
pub mod leases;
pub mod machine;
pub mod readings;
pub mod record;
pub mod snapshot;
pub mod strain;
pub mod thefts;
pub mod unavailable;
pub mod work;
pub mod workers;
