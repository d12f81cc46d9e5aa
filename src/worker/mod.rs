//! Floor 6: the worker. `run` is the loop, `find` where it looks for work, `choice` at whose queues first, by what `victims` knows, `arrivals` how it
//! comes by tasks from outside, `idle` what it does when there is no work, `bench` when it isn't needed, `wait` what it does
//! while its own isn't done, and `help` what it finds to do then; `local` is what only its thread
//! touches, `shared` what all may, `submit` how work comes in from outside, `wake` who is told of it, `end` how a pool comes to its end,
//! `whereabouts` where the workers are, `facts` what they say of themselves, `timing` how long tasks take, by stamps from `stamp`, `span` what `tracing` is told, `outcome` what of tasks that fail, `record` what they write down of what they do, `guest` workers that the
//! pool didn't start, `replace` who takes the place of those who block, `staff` who comes and who goes, and `tidy` what they give back when memory runs out. `alarm` has the alerts, `rescue` what is done about work that nobody comes for, `forked` what becomes of all that in a forked child. `bare` is for tests.

pub mod alarm;
pub mod arrivals;
mod away;
#[cfg(any(loom, test))]
pub mod bare;
mod bench;
pub mod blocked;
mod choice;
mod end;
mod facts;
pub mod find;
mod forked;
mod guest;
pub mod handlers;
mod help;
pub mod idle;
mod lessee;
pub mod local;
mod outcome;
pub mod outside;
pub mod presence;
pub mod record;
pub mod remote;
mod replace;
mod rescue;
pub mod run;
pub mod shared;
pub mod span;
mod staff;
pub mod stamp;
mod submit;
mod tidy;
pub mod timing;
pub mod turn;
pub mod victims;
pub mod wait;
pub mod wake;
pub mod watch;
pub mod whereabouts;
