//! How many workers run: as many as there are seats, whoever blocks meanwhile.
//!
//! Every worker that runs, looks for work or sleeps idle holds a *seat*. A worker that
//! blocks leaves its seat, and a *spare* may take it; when the blocked one is back it sits
//! down at once, so that for a while there may be more workers than seats. Spares that
//! hold no seat lie on the *bench*.
//!
//! `free` = seats − workers that hold one; negative while there are too many.
//!
//! | publisher                            | who leaves (a worker that blocks, a spare   |
//! |                                      | that found nothing)                         |
//! |--------------------------------------|---------------------------------------------|
//! | 1. publish the work                  | 1. leave, or sit_out                        |
//! | 2. light_fence                       | 2. heavy_fence                              |
//! | 3. nobody is idle, is_short: fill    | 3. look at everything once more             |
//! |    and start the spare               | 4. found some: fill and start the spare     |
//!
//! A Dekker handshake: the publisher sees that a seat is free, or who left it sees the work.
//! So no job is left with nobody to run it while a spare can be had.
//!
//! A spare that has finished a job while there are too many goes to the bench. At least
//! one of the surplus is a spare, so within one job there are no more workers than seats.
//!
//! The lock is held for a few instructions by those who are about to sleep or have just
//! woken; publishers look without it.
//!
//! Model: loom-tests/tests/seats.rs.

use crate::sync::{AtomicBool, AtomicIsize, Mutex, MutexGuard, Ordering};
use std::sync::PoisonError;

/// A spare that has been given a seat: it is to be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spare {
    /// Its thread sleeps.
    Benched(usize),
    /// It has no thread yet.
    Unborn(usize),
}

#[derive(Debug)]
pub struct Seats {
    seats: isize,
    table: Mutex<Table>,
    /// Whether a seat is free and a spare to be had. Written under the lock.
    short: AtomicBool,
    /// As in the table. Written under the lock.
    free: AtomicIsize,
}

#[derive(Debug)]
struct Table {
    free: isize,
    bench: Vec<usize>,
    /// Those that have no thread, the next one last.
    unborn: Vec<usize>,
    /// No thread could be had, last time. Nobody tries until somebody has reason to hope.
    barren: bool,
}

impl Seats {
    /// A seat for each worker below `seats`, all taken, and spares from there to `max`.
    pub fn new(seats: usize, max: usize) -> Self {
        let unborn = (seats..max).rev().collect();
        let table = Table { free: 0, bench: Vec::new(), unborn, barren: false };
        Self {
            seats: seats as isize,
            table: Mutex::new(table),
            short: AtomicBool::new(false),
            free: AtomicIsize::new(0),
        }
    }

    /// Changes the table, and then what is seen of it without the lock.
    fn change<T>(&self, change: impl FnOnce(&mut Table) -> T) -> T {
        // Nothing panics while the lock is held.
        let lock: MutexGuard<'_, Table> = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let mut table = lock;
        let result = change(&mut table);
        let spare = !table.bench.is_empty() || !(table.barren || table.unborn.is_empty());
        self.short.store(table.free > 0 && spare, Ordering::Relaxed);
        self.free.store(table.free, Ordering::Relaxed);
        result
    }

    /// For a worker that blocks. A heavy_fence and a last look follow.
    pub fn leave(&self) {
        self.change(|table| table.free += 1);
    }

    /// For that worker, when it is back. It may have a job at hand, so it asks nobody.
    pub fn come_back(&self) {
        self.change(|table| table.free -= 1);
    }

    /// What somebody waited for is done: if no thread could be had, there may be one now. Not
    /// whenever somebody comes back: two who wait would wake each other in turn, each because
    /// it found none.
    pub fn hope(&self) {
        self.change(|table| table.barren = false);
    }

    /// For publishers, after their light_fence: whether [`fill`](Self::fill) may succeed.
    #[inline]
    pub fn is_short(&self) -> bool {
        self.short.load(Ordering::Relaxed)
    }

    /// Whether no worker holds a seat.
    pub fn is_deserted(&self) -> bool {
        self.free.load(Ordering::Relaxed) >= self.seats
    }

    /// Gives a free seat to a spare, the one that was benched last if there is a choice.
    pub fn fill(&self) -> Option<Spare> {
        self.change(|table| {
            if table.free <= 0 {
                return None;
            }
            let spare = match table.bench.pop() {
                Some(spare) => Spare::Benched(spare),
                None if table.barren => return None,
                None => Spare::Unborn(table.unborn.pop()?),
            };
            table.free -= 1;
            Some(spare)
        })
    }

    /// For a spare without a thread: none could be had.
    pub fn stay_unborn(&self, spare: usize) {
        self.change(|table| {
            table.unborn.push(spare);
            table.free += 1;
            table.barren = true;
        });
    }

    /// For a spare that found nothing. A heavy_fence and a last look follow.
    pub fn sit_out(&self, spare: usize) {
        self.change(|table| {
            table.bench.push(spare);
            table.free += 1;
        });
    }

    /// For a spare between two jobs: sits out if there are too many. Returns whether it does.
    pub fn sit_out_if_crowded(&self, spare: usize) -> bool {
        // A glance first: this is asked after every job.
        self.free.load(Ordering::Relaxed) < 0
            && self.change(|table| {
                let crowded = table.free < 0;
                if crowded {
                    table.bench.push(spare);
                    table.free += 1;
                }
                crowded
            })
    }

    /// Whether this spare still lies on the bench.
    pub fn is_benched(&self, spare: usize) -> bool {
        self.change(|table| table.bench.contains(&spare))
    }
}
