//! Floor 5: what a pool's tasks share: budgets of it, leases of those, places in its queue, and who gets them.

pub mod acquire;
pub mod admission;
mod audit;
pub mod budget;
pub mod config;
mod elastic;
pub mod lease;
pub mod ledger;
pub mod lessee;
mod meter;
mod places;
pub mod purse;
pub mod refusal;
pub mod rejected;
pub mod request;
pub mod tenant;
mod ticket;
mod unused;
pub mod waiter;
