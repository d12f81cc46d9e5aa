//! Who has a seat, who lies on the bench, who has no thread: what seats.rs keeps behind its lock.
//! Plain data.

/// A worker that has been given a seat: it is to be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spare {
    /// Its thread sleeps.
    Benched(usize),
    /// It has no thread.
    Unborn(usize),
}

/// Where a worker with a thread is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It has a seat, or blocks and will take one.
    Seated,
    Benched,
    /// It has been told to end.
    Dismissed,
}

#[derive(Debug)]
pub struct Seating {
    pub seats: isize,
    pub free: isize,
    /// How many of those who block will be back soon, whatever the others do.
    pub expected: isize,
    bench: Vec<usize>,
    /// Those that have no thread, the next one last.
    unborn: Vec<usize>,
    dismissed: Vec<usize>,
    all: usize,
    /// How many may have a seat or block.
    pub most: usize,
    /// For each regular worker.
    settled: Vec<bool>,
    /// No thread could be had, last time. Nobody tries until somebody has reason to hope.
    pub barren: bool,
}

impl Seating {
    /// All regular workers are settled in their seats.
    pub fn new(regulars: usize, max: usize) -> Self {
        Self {
            seats: regulars as isize,
            free: 0,
            expected: 0,
            bench: Vec::new(),
            unborn: (regulars..max).rev().collect(),
            dismissed: Vec::new(),
            all: max,
            most: max,
            settled: vec![true; regulars],
            barren: false,
        }
    }

    /// Whether a seat is free and somebody to be had for it.
    pub fn is_short(&self) -> bool {
        let spare = !self.bench.is_empty() || !(self.barren || self.unborn.is_empty());
        self.free > 0 && spare && self.has_place()
    }

    fn has_place(&self) -> bool {
        self.places() > 0
    }

    /// How many more may have a seat or block.
    fn places(&self) -> usize {
        let present = self.all - self.bench.len() - self.unborn.len() - self.dismissed.len();
        self.most.saturating_sub(present)
    }

    /// Whether work goes on without one who has a seat: somebody else has one, or takes this one.
    pub fn can_spare_one(&self) -> bool {
        let unborn = if self.barren { 0 } else { self.unborn.len() };
        let spares = self.places().min(self.bench.len() + unborn);
        self.free + 1 - self.expected < self.seats || spares > 0
    }

    pub fn place(&self, worker: usize) -> Place {
        if self.bench.contains(&worker) {
            Place::Benched
        } else if self.dismissed.contains(&worker) {
            Place::Dismissed
        } else {
            Place::Seated
        }
    }

    pub fn is_settled(&self, worker: usize) -> bool {
        self.settled.get(worker).is_some_and(|&settled| settled)
    }

    /// Whether one more may settle.
    fn has_room(&self) -> bool {
        (self.settled.iter().filter(|&&settled| settled).count() as isize) < self.seats
    }

    /// Returns whether it was settled.
    pub fn unsettle(&mut self, worker: usize) -> bool {
        self.settled.get_mut(worker).is_some_and(std::mem::take)
    }

    fn seat(&mut self, spare: Spare) -> Spare {
        let (Spare::Benched(worker) | Spare::Unborn(worker)) = spare;
        self.free -= 1;
        if self.has_room()
            && let Some(settled) = self.settled.get_mut(worker)
        {
            *settled = true;
        }
        spare
    }

    /// Gives a free seat to one who has a thread rather than to one who has none, then to a regular who
    /// can settle, then to the one that came last.
    pub fn fill(&mut self) -> Option<Spare> {
        if self.free <= 0 || !self.has_place() {
            return None;
        }
        let settling = if self.has_room() { self.settled.len() } else { 0 };
        let take = |list: &mut Vec<usize>| {
            let regular = list.iter().rposition(|&worker| worker < settling);
            Some(list.remove(regular.or(list.len().checked_sub(1))?))
        };
        let spare = match take(&mut self.bench) {
            Some(worker) => Spare::Benched(worker),
            None if self.barren => return None,
            None => Spare::Unborn(take(&mut self.unborn)?),
        };
        Some(self.seat(spare))
    }

    /// Gives this very worker a seat, be one free or not.
    pub fn summon(&mut self, worker: usize) -> Option<Spare> {
        let spare = if take(&mut self.bench, worker) {
            Spare::Benched(worker)
        } else if take(&mut self.unborn, worker) {
            Spare::Unborn(worker)
        } else {
            return None;
        };
        Some(self.seat(spare))
    }

    /// It leaves its seat.
    pub fn bench(&mut self, worker: usize) {
        self.unsettle(worker);
        self.bench.push(worker);
        self.free += 1;
    }

    /// It has left its seat for good: as if told to end, and it never will have.
    pub fn lose(&mut self, worker: usize) {
        self.unsettle(worker);
        self.dismissed.push(worker);
    }

    /// It has been given a seat, but gets no thread.
    pub fn stay_unborn(&mut self, worker: usize) {
        self.unsettle(worker);
        self.unborn.push(worker);
        self.free += 1;
        self.barren = true;
    }

    /// Returns whether it lay on the bench.
    pub fn dismiss(&mut self, worker: usize) -> bool {
        let benched = take(&mut self.bench, worker);
        if benched {
            self.dismissed.push(worker);
        }
        benched
    }

    pub fn retire(&mut self, worker: usize) {
        take(&mut self.dismissed, worker);
        self.unborn.push(worker);
    }

    /// Unsettles as many as there are seats too few for, the first of `order` first, or settles who has a
    /// seat and room. `mark` is told of each.
    pub fn resize(
        &mut self,
        seats: usize,
        order: impl IntoIterator<Item = usize>,
        mut mark: impl FnMut(usize, bool),
    ) {
        self.free += seats as isize - self.seats;
        self.seats = seats as isize;
        let too_many = |this: &Self| {
            this.settled.iter().filter(|&&settled| settled).count() as isize > this.seats
        };
        for worker in order {
            if too_many(self) && self.unsettle(worker) {
                mark(worker, false);
            }
        }
        for worker in 0..self.settled.len() {
            let seated = self.place(worker) == Place::Seated && !self.unborn.contains(&worker);
            if seated && !self.settled[worker] && self.has_room() {
                self.settled[worker] = true;
                mark(worker, true);
            }
        }
    }
}

/// Takes it out of the list. Returns whether it was there.
fn take(list: &mut Vec<usize>, worker: usize) -> bool {
    let at = list.iter().position(|&other| other == worker);
    at.inspect(|&at| _ = list.remove(at)).is_some()
}

#[cfg(test)]
mod tests {
    use super::{Place, Seating, Spare};

    fn resize(seating: &mut Seating, seats: usize, order: &[usize]) -> Vec<(usize, bool)> {
        let mut marks = Vec::new();
        let order = order.iter().copied();
        seating.resize(seats, order, |worker, settled| marks.push((worker, settled)));
        marks
    }

    #[test]
    fn the_first_of_the_order_lose_their_seats_and_get_them_back_while_they_still_have_them() {
        let mut seating = Seating::new(4, 6);
        assert_eq!(resize(&mut seating, 2, &[3, 1, 0]), [(3, false), (1, false)]);
        assert_eq!((seating.free, seating.is_short()), (-2, false));
        seating.bench(3);
        assert_eq!(resize(&mut seating, 4, &[]), [(1, true)]);
        assert_eq!((seating.free, seating.is_short()), (1, true));
        assert_eq!(seating.fill(), Some(Spare::Benched(3)));
        assert!(seating.is_settled(3) && seating.fill().is_none());
    }

    #[test]
    fn a_regular_is_given_a_seat_before_a_spare_if_it_can_settle_and_threads_before_either() {
        let mut seating = Seating::new(2, 4);
        seating.free += 1;
        assert_eq!(seating.fill(), Some(Spare::Unborn(2)));
        seating.bench(1);
        seating.bench(2);
        assert_eq!(seating.fill(), Some(Spare::Benched(1)));
        seating.bench(1);
        assert!(seating.dismiss(1) && !seating.dismiss(1));
        assert_eq!(seating.place(1), Place::Dismissed);
        seating.retire(1);
        assert_eq!(seating.fill(), Some(Spare::Benched(2)));
        assert_eq!(seating.fill(), Some(Spare::Unborn(1)));
        assert_eq!((seating.place(1), seating.free), (Place::Seated, 0));
    }

    #[test]
    fn nobody_is_hired_beyond_the_most_or_while_none_can_be_had() {
        let mut seating = Seating::new(1, 3);
        seating.free += 2;
        seating.most = 2;
        assert_eq!(seating.fill(), Some(Spare::Unborn(1)));
        assert!(!seating.is_short() && seating.fill().is_none());
        seating.most = 3;
        seating.stay_unborn(1);
        assert_eq!(seating.free, 2);
        assert!(!seating.is_short() && seating.fill().is_none());
        seating.barren = false;
        assert_eq!(seating.fill(), Some(Spare::Unborn(1)));
    }

    #[test]
    fn who_is_told_to_end_makes_room_for_another() {
        let mut seating = Seating::new(3, 3);
        seating.bench(1);
        seating.bench(2);
        assert!(seating.dismiss(1) && seating.is_short());
        seating.most = 2;
        assert_eq!(seating.fill(), Some(Spare::Benched(2)));
        assert!(!seating.is_short());
        seating.bench(2);
        assert_eq!((resize(&mut seating, 1, &[]), seating.free), (vec![], 0));
        assert!(!seating.is_short() && seating.fill().is_none());
    }

    #[test]
    fn who_has_left_for_good_is_none_of_the_most_and_settled_nowhere() {
        let mut seating = Seating::new(2, 2);
        assert_eq!(resize(&mut seating, 1, &[1]), [(1, false)]);
        seating.most = 1;
        seating.bench(1);
        seating.free += 1;
        assert!(!seating.is_short(), "who blocks is one of them");
        seating.lose(0);
        assert_eq!((seating.fill(), seating.free), (Some(Spare::Benched(1)), 0));
        assert!(seating.is_settled(1) && !seating.is_settled(0));
        assert_eq!(resize(&mut seating, 2, &[]), []);
        assert!(!seating.is_settled(0), "there is room, and nobody for it");
    }

    #[test]
    fn whoever_is_wanted_gets_a_seat_that_is_not_there() {
        let mut seating = Seating::new(2, 2);
        assert_eq!(seating.summon(1), None);
        seating.bench(1);
        resize(&mut seating, 1, &[]);
        assert_eq!((seating.summon(1), seating.free), (Some(Spare::Benched(1)), -1));
        assert!(!seating.is_settled(1));
    }

    #[test]
    fn the_last_one_stays_unless_another_takes_its_seat_or_will_be_back() {
        let mut seating = Seating::new(2, 3);
        assert!(seating.can_spare_one());
        seating.free += 1;
        assert!(seating.can_spare_one(), "a spare is to be had for one of the two seats");
        assert_eq!(seating.fill(), Some(Spare::Unborn(2)));
        seating.free += 1;
        assert!(!seating.can_spare_one());
        seating.expected += 1;
        assert!(seating.can_spare_one());
        seating.expected -= 1;
        seating.bench(2);
        seating.barren = true;
        assert!(seating.can_spare_one(), "who lies on the bench has a thread");
    }
}
