//! Floor 1: one protocol a file. None of them knows what a job or a worker is.

pub mod account;
pub mod claim;
pub mod count_latch;
pub mod credits;
pub mod epoch_cell;
pub mod event_count;
pub mod gate;
pub mod latch;
pub mod loan;
pub mod parker;
pub mod pile;
pub mod ring;
pub mod rng;
pub mod seating;
pub mod seats;
pub mod slots;
pub mod tenure;
