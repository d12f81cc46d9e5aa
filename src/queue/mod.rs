//! Floor 2: where jobs wait. The join lane is ours; deques and injectors are
//! crossbeam's, behind the few operations that filch uses.

pub mod deque;
pub mod fifo;
pub mod injector;
pub mod lane;
pub mod misfits;
