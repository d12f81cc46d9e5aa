//! Who comes and who goes: a worker's thread ends when nobody needs it, its place stays, and another
//! thread may move in later.
//!
//! A worker leaves by three steps, of which each may be the last: its seat is *lent* from now on, so that
//! it goes to the bench when it finds nothing, or there are too many; it lies there; it is *dismissed*,
//! and ends. What lies in its queues is there for others all the time. What is addressed to it alone
//! brings it back: whoever puts something into its inbox summons it, and one that leaves its seat, or
//! ends, looks into the inbox after that.
//!
//! Models: loom-tests/tests/{seats,wake}.rs.
//! Tests: tests/elastic.rs.

#[cfg(any(loom, test))]
use crate::primitive::seats::Place;
use crate::sync::fence::full_fence;
use crate::sync::{Ordering, statistic};
use crate::telemetry::strain::Strain;
use crate::worker::local::Deques;
use crate::worker::remote::Remote;
use crate::worker::shared::Shared;
use std::sync::PoisonError;

/// What the governor does between two looks at who is there: a guess, as nothing depends on it.
const LOOKS: u32 = 0;
const RESTS: u32 = 1;
const CALLED: u32 = 2;

impl Shared {
    /// For the governor: nobody runs, and nobody is to leave, so it looks again much later, unless
    /// somebody takes a seat.
    pub fn governor_rests(&self, rests: bool) {
        let word = if rests { RESTS } else { LOOKS };
        self.rest.store(word, statistic::Ordering::Relaxed);
    }

    pub fn has_called_governor(&self) -> bool {
        self.rest.load(statistic::Ordering::Relaxed) == CALLED
    }

    /// Somebody takes a seat, who will have to leave it again.
    pub(super) fn call_governor(&self) {
        let relaxed = statistic::Ordering::Relaxed;
        if self.rest.load(relaxed) == RESTS
            && self.rest.compare_exchange(RESTS, CALLED, relaxed, relaxed).is_ok()
            && let Some(governor) = self.governor.get()
        {
            governor.unpark();
        }
    }

    /// How many workers have a seat or block.
    pub fn num_threads(&self) -> usize {
        self.staffed.load(Ordering::Relaxed)
    }

    /// Why not more may run at a time, if strain is the reason.
    pub fn strain(&self) -> Option<Strain> {
        Strain::from_word(self.strain.load(statistic::Ordering::Relaxed))
    }

    pub fn strains(&self, why: Option<Strain>) {
        self.strain.store(why.map_or(0, Strain::into_word), statistic::Ordering::Relaxed);
    }

    /// From now on at most so many workers run at a time. If they are fewer than before, the first ones of
    /// `order` that are settled leave when they find nothing, or after a job. For one at a time.
    pub fn resize(&self, seats: usize, order: impl IntoIterator<Item = usize>) {
        let grows = seats > self.seats.count();
        self.seats.resize(seats, order, |worker, settled| {
            self.worker(worker).presence.lend(!settled);
        });
        if grows {
            self.hand_over_if_any();
        } else {
            (0..self.regulars.len()).for_each(|worker| self.wake_to_leave(worker));
        }
    }

    /// Has this worker leave its seat when it finds nothing. The seat stays, for whoever is needed.
    pub fn let_go(&self, worker: usize) {
        let presence = &self.worker(worker).presence;
        if self.seats.unsettle(worker, || presence.lend(true)) {
            self.wake_to_leave(worker);
        }
    }

    /// If it sleeps in a seat that isn't its own any more.
    fn wake_to_leave(&self, worker: usize) {
        if self.worker(worker).presence.is_lent() {
            // Either it sees that, or we see it sleep: its own fence is in `sleep`.
            full_fence();
            if let Some(worker) = self.idle.wake_one_of(|member| member == worker) {
                self.unpark(worker);
            }
        }
    }

    /// Has this worker's thread end, if it lies on the bench and another can be had when it is needed.
    pub fn dismiss(&self, worker: usize) -> bool {
        let dismissed = self.hire.get().is_some() && self.seats.dismiss(worker);
        if dismissed {
            self.unpark(worker);
        }
        dismissed
    }

    #[cfg(any(loom, test))]
    pub fn is_benched(&self, worker: usize) -> bool {
        self.seats.place(worker, |_| ()) == Place::Benched
    }

    /// For a thread that is to be this worker: its ends of its deques, as they were left.
    pub fn move_in(&self, worker: usize) -> Deques {
        if let Some(slot) = worker.checked_sub(self.regulars.len())
            && self.spares[slot].get().is_none()
        {
            let deques = Deques::default();
            let opened = self.spares[slot].set(Remote::new(&deques, worker, self.regulars.len()));
            assert!(opened.is_ok(), "filch: two spares of a kind");
            self.opened.fetch_max(slot + 1, Ordering::Relaxed);
            return deques;
        }
        let mut vacated =
            self.worker(worker).vacated.lock().unwrap_or_else(PoisonError::into_inner);
        vacated.take().expect("filch: two threads for one worker")
    }

    /// For a thread that has been this worker, last of all.
    pub fn move_out(&self, worker: usize, deques: Deques) {
        let remote = self.worker(worker);
        *remote.vacated.lock().unwrap_or_else(PoisonError::into_inner) = Some(deques);
        self.seats.retire(worker);
        if !remote.inbox.is_empty() {
            self.summon(worker);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use crate::telemetry::strain::Strain;
    use crate::worker::bare::{is_told, sleep, task, workers};
    use std::thread;

    #[test]
    fn who_takes_a_seat_calls_a_governor_that_rests_once() {
        let [local] = workers(1, None);
        let shared = &local.shared;
        assert!(shared.governor.set(thread::current()).is_ok());
        for _ in 0..2 {
            shared.call_governor();
            assert!(!shared.has_called_governor(), "it looks anyway");
            shared.governor_rests(true);
            assert!(!shared.has_called_governor());
            shared.call_governor();
            assert!(shared.has_called_governor());
            // It has been woken.
            thread::park();
            shared.governor_rests(false);
        }
    }

    #[test]
    fn the_strain_is_what_was_said_last() {
        let [local] = workers(1, None);
        for why in [None, Some(Strain::Memory), Some(Strain::Alert), None] {
            local.shared.strains(why);
            assert_eq!(local.shared.strain(), why);
        }
    }

    #[test]
    fn who_is_one_too_many_is_woken_to_leave_and_started_again_for_work_when_there_is_room() {
        let [local, leaves] = workers(2, None);
        let shared = &local.shared;
        sleep(&leaves);
        shared.resize(2, [leaves.index]);
        assert!(!is_told(&leaves) && !leaves.remote().presence.is_lent());
        shared.resize(1, [leaves.index]);
        assert!(is_told(&leaves) && leaves.remote().presence.is_lent());
        assert!(!is_told(&local) && !local.remote().presence.is_lent());
        assert!(shared.idle.stop_searching());
        shared.seats.sit_out(leaves.index);
        shared.injected.push(task());
        shared.resize(1, [leaves.index]);
        assert!(!is_told(&leaves));
        shared.resize(2, [leaves.index]);
        assert!(is_told(&leaves) && shared.idle.searching() == 1);
        local.execute(local.find().unwrap());
    }

    #[test]
    fn who_is_let_go_is_woken_to_leave_if_it_has_settled() {
        let [local, leaves] = workers(2, None);
        for settled in [true, false] {
            sleep(&leaves);
            local.shared.let_go(leaves.index);
            assert!(leaves.remote().presence.is_lent() && is_told(&leaves) == settled);
            local.shared.idle.wake_up(leaves.index);
            assert!(local.shared.idle.stop_searching());
        }
    }
}
