//! Floor 5: the worker. `run` is the loop, `find` where it looks for work, `idle` what it
//! does when there is none, `wait` what it does while its own work isn't done, and `help` what
//! it finds to do then, `arrivals` how it comes by tasks from outside; `local` is what only its thread touches, `shared` what all may, `wake`
//! who is told of new work.

pub mod arrivals;
pub mod blocked;
pub mod find;
pub mod handlers;
mod help;
pub mod idle;
pub mod local;
pub mod outside;
pub mod presence;
pub mod run;
pub mod shared;
pub mod turn;
pub mod wait;
pub mod wake;
pub mod watch;
