//! Floor 9: the composition root. A pool is put together here, and taken apart.

mod admission;
pub mod affinity;
mod alerts;
pub mod budget;
pub mod build;
pub mod builder;
pub mod config;
pub mod crew;
mod elastic;
mod facts;
mod faults;
pub mod global;
mod heap;
#[cfg(feature = "metrics")]
mod publish;
mod rules;
#[cfg(feature = "serde")]
mod seconds;
pub mod size;
pub mod spawner;
pub mod thread;
pub mod thread_pool;
mod trace;
mod victims;
pub mod watcher;
