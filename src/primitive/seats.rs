//! How many workers run: as many as there are seats, whoever blocks meanwhile.
//!
//! Every worker that runs, looks for work or sleeps idle holds a *seat*. A worker that
//! blocks leaves its seat, and another may take it; when the blocked one is back it sits
//! down at once, so that for a while there may be more workers than seats. Workers that
//! hold no seat lie on the *bench*, or have no thread (yet, or any more).
//!
//! `free` = seats − workers that hold one; negative while there are too many.
//!
//! | publisher                            | who leaves (a worker that blocks, or one    |
//! |                                      | that found nothing), or adds a seat         |
//! |--------------------------------------|---------------------------------------------|
//! | 1. publish the work                  | 1. leave, sit_out or resize                 |
//! | 2. light_fence                       | 2. heavy_fence                              |
//! | 3. nobody is idle, is_short: fill    | 3. look at everything once more             |
//! |    and start whom that gives         | 4. found some: fill and start whom it gives |
//!
//! A Dekker handshake: the publisher sees that a seat is free, or who left it sees the work.
//! So no job is left with nobody to run it while a thread can be had.
//!
//! Of the *regular* workers those that are *settled* sleep in their seats when they are idle. All
//! others, the *spares* among them, have their seats *lent*: they leave them when they find nothing,
//! and after a job while there are too many. There are never more settled workers than seats. So
//! of the surplus one at least has its seat lent, and within one job there are no more workers than
//! seats.
//!
//! The lock is held for a few instructions by those who are about to sleep or have just
//! woken; publishers look without it.
//!
//! Model: loom-tests/tests/seats.rs.

use crate::primitive::seating::Seating;
use crate::sync::{AtomicBool, AtomicIsize, AtomicUsize, Mutex, Ordering};
use std::sync::PoisonError;

pub use crate::primitive::seating::{Place, Spare};

#[derive(Debug)]
pub struct Seats {
    table: Mutex<Seating>,
    /// As in the table; all three are written under the lock.
    short: AtomicBool,
    free: AtomicIsize,
    seats: AtomicIsize,
    /// How many workers block, and one more while a seat is `short`, and one while the watch is off
    /// duty. Zero tells a publisher who finds nobody idle that there is nobody else to think of.
    pub exceptions: AtomicUsize,
}

impl Seats {
    /// A seat for each of the regular workers, those below `regulars`, all taken, and spares from
    /// there to `max`.
    pub fn new(regulars: usize, max: usize) -> Self {
        let table = Seating::new(regulars, max);
        Self {
            short: AtomicBool::new(false),
            free: AtomicIsize::new(table.free),
            seats: AtomicIsize::new(table.seats),
            table: Mutex::new(table),
            exceptions: AtomicUsize::new(0),
        }
    }

    /// Changes the table, and then what is seen of it without the lock.
    fn change<T>(&self, change: impl FnOnce(&mut Seating) -> T) -> T {
        // Nothing panics while the lock is held.
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut table);
        let short = table.is_short();
        if short != self.is_short() {
            self.short.store(short, Ordering::Relaxed);
            if short {
                self.exceptions.fetch_add(1, Ordering::Relaxed);
            } else {
                self.exceptions.fetch_sub(1, Ordering::Relaxed);
            }
        }
        self.free.store(table.free, Ordering::Relaxed);
        self.seats.store(table.seats, Ordering::Relaxed);
        result
    }

    /// For a worker that blocks. A heavy_fence and a last look follow.
    pub fn leave(&self) {
        self.exceptions.fetch_add(1, Ordering::Relaxed);
        self.change(|table| table.free += 1);
    }

    /// As [`leave`](Self::leave), unless there would be nobody left: returns whether there is.
    pub fn leave_unless_last(&self) -> bool {
        self.exceptions.fetch_add(1, Ordering::Relaxed);
        let leaves = self.change(|table| {
            let leaves = table.can_spare_one();
            table.free += isize::from(leaves);
            leaves
        });
        if !leaves {
            self.exceptions.fetch_sub(1, Ordering::Relaxed);
        }
        leaves
    }

    /// By how many more who block will be back soon, whatever the others do. They say so again, with the sign changed, when
    /// they are back.
    pub fn expect(&self, more: isize) {
        self.change(|table| table.expected += more);
    }

    /// For that worker, when it is back. It may have a job at hand, so it asks nobody.
    pub fn come_back(&self) {
        self.change(|table| table.free -= 1);
        self.exceptions.fetch_sub(1, Ordering::Relaxed);
    }

    /// For a worker that has left and never comes back, nor gets another thread: another may be had in its
    /// place. A heavy_fence and a last look follow.
    pub fn lose(&self, worker: usize) {
        self.change(|table| table.lose(worker));
        self.exceptions.fetch_sub(1, Ordering::Relaxed);
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
        self.free.load(Ordering::Relaxed) >= self.seats.load(Ordering::Relaxed)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.seats.load(Ordering::Relaxed) as usize
    }

    /// Gives a free seat to somebody, who is to be started.
    pub fn fill(&self) -> Option<Spare> {
        self.change(Seating::fill)
    }

    /// Gives this very worker a seat, though none may be free, and it is to be started. `None` if it has
    /// one, or blocks, or is about to end, or to be started by somebody else: who leaves a seat, ends, or gets no
    /// thread is looked after by whoever sees to that.
    pub fn summon(&self, worker: usize) -> Option<Spare> {
        self.change(|table| table.summon(worker))
    }

    /// For one that was to be started: no thread could be had.
    pub fn stay_unborn(&self, worker: usize) {
        self.change(|table| table.stay_unborn(worker));
    }

    /// For one that found nothing. A heavy_fence and a last look follow.
    pub fn sit_out(&self, worker: usize) {
        self.change(|table| table.bench(worker));
    }

    /// Between two jobs: sits out if there are too many. Returns whether it does.
    pub fn sit_out_if_crowded(&self, worker: usize) -> bool {
        // A glance first: this is asked after every job.
        self.free.load(Ordering::Relaxed) < 0
            && self.change(|table| {
                let crowded = table.free < 0;
                if crowded {
                    table.bench(worker);
                }
                crowded
            })
    }

    /// Where this worker is. `mark` is told, while nobody can change it, whether it is settled.
    pub fn place(&self, worker: usize, mark: impl FnOnce(bool)) -> Place {
        self.change(|table| {
            mark(table.is_settled(worker));
            table.place(worker)
        })
    }

    /// From now on there are so many seats. `mark` is told of each worker that isn't settled any more, the
    /// first ones of `order`, or is now. If there are more seats than before, a heavy_fence and a last
    /// look follow.
    pub fn resize(
        &self,
        seats: usize,
        order: impl IntoIterator<Item = usize>,
        mark: impl FnMut(usize, bool),
    ) {
        self.change(|table| table.resize(seats, order, mark));
    }

    /// So many at most have a seat or block.
    pub fn limit(&self, most: usize) {
        self.change(|table| table.most = most);
    }

    /// Has this worker leave its seat when it finds nothing. `mark` is called, while nobody can change it,
    /// if it was settled.
    pub fn unsettle(&self, worker: usize, mark: impl FnOnce()) -> bool {
        self.change(|table| {
            let settled = table.unsettle(worker);
            if settled {
                mark();
            }
            settled
        })
    }

    /// Tells a worker on the bench to end. Returns whether it lies there; it is then to be woken.
    pub fn dismiss(&self, worker: usize) -> bool {
        self.change(|table| table.dismiss(worker))
    }

    /// For one that has been told to end, and has. It looks whether it is wanted.
    pub fn retire(&self, worker: usize) {
        self.change(|table| table.retire(worker));
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Place, Seats, Spare};
    use crate::sync::Ordering::Relaxed;

    #[test]
    fn the_last_one_leaves_no_seat_unless_somebody_is_expected() {
        let seats = Seats::new(2, 3);
        assert!(seats.leave_unless_last());
        assert_eq!((seats.count(), seats.fill()), (2, Some(Spare::Unborn(2))));
        seats.leave();
        assert_eq!((seats.leave_unless_last(), seats.exceptions.load(Relaxed)), (false, 2));
        seats.expect(1);
        assert!(seats.leave_unless_last() && seats.is_deserted());
        assert_eq!(seats.exceptions.load(Relaxed), 3);
        seats.come_back();
        seats.expect(-1);
        assert!(!seats.leave_unless_last() && !seats.is_deserted());
    }

    #[test]
    fn who_is_dismissed_has_no_thread_until_it_is_asked_for_again() {
        let seats = Seats::new(3, 3);
        let place = |worker| seats.place(worker, |_| ());
        assert!(!seats.dismiss(1) && seats.summon(1).is_none());
        seats.sit_out(1);
        seats.sit_out(2);
        assert_eq!(seats.summon(2), Some(Spare::Benched(2)));
        assert!(seats.dismiss(1) && place(1) == Place::Dismissed && place(2) == Place::Seated);
        assert!(!seats.is_short() && seats.fill().is_none());
        seats.retire(1);
        seats.limit(2);
        assert!(!seats.is_short() && seats.fill().is_none());
        seats.limit(3);
        assert!(seats.is_short());
        assert_eq!(seats.fill(), Some(Spare::Unborn(1)));
    }

    #[test]
    fn who_was_settled_is_marked_and_whoever_is_one_too_many_sits_out() {
        let seats = Seats::new(2, 2);
        let mut marked = 0;
        assert!(seats.unsettle(1, || marked += 1) && !seats.unsettle(1, || marked += 1));
        assert_eq!((marked, seats.sit_out_if_crowded(1)), (1, false));
        seats.resize(1, [], |_, _| ());
        assert!(seats.sit_out_if_crowded(1) && !seats.sit_out_if_crowded(0));
        assert_eq!(seats.place(1, |settled| assert!(!settled)), Place::Benched);
    }

    #[test]
    fn who_is_lost_blocks_no_more_and_makes_room() {
        let seats = Seats::new(1, 2);
        seats.limit(1);
        seats.leave();
        assert_eq!((seats.is_short(), seats.exceptions.load(Relaxed)), (false, 1));
        seats.lose(0);
        assert_eq!((seats.is_short(), seats.exceptions.load(Relaxed)), (true, 1));
        assert_eq!((seats.fill(), seats.exceptions.load(Relaxed)), (Some(Spare::Unborn(1)), 0));
    }
}
