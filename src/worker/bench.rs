//! What a worker does whose seat is lent: it gives it up when there is nothing for it to do, or there are
//! too many. `primitive/seats.rs` has the protocol, `staff` who lends seats.
//!
//! Models: loom-tests/tests/{seats,wake}.rs.
//! Tests: tests/elastic.rs.

use crate::primitive::seats::Place;
use crate::telemetry::activity::Status;
use crate::worker::local::Local;
use crate::worker::presence::Due;
use crate::worker::span;

/// What came of a worker whose seat is lent.
pub enum Stay {
    Seated,
    /// It has been on the bench, and counts as searching.
    Searching,
    /// It has been there, and is to end.
    Dismissed,
}

impl Local {
    /// For one that searches and finds nothing: sleeps until it is given a seat again, and with it the
    /// duty to search, or the pool ends. Returns whether it is to end itself.
    pub(super) fn sit_out(&self) -> bool {
        let shared = &self.shared;
        self.withdraw();
        shared.seats.sit_out(self.index);
        // Not before it has left its seat: who sees nobody search must see a free seat.
        if shared.idle.stop_searching() {
            // Whoever pushes a frame from here on shows it and looks for somebody.
            shared.hand_over_if_any();
        }
        self.sleep_on_the_bench()
    }

    /// Between two jobs: goes to the bench if there are too many, and comes back searching. Whoever is
    /// left runs what there is.
    pub(super) fn sit_out_if_crowded(&self) -> Stay {
        self.credits.give_back();
        self.withdraw();
        if !self.shared.seats.sit_out_if_crowded(self.index) {
            self.remote().presence.back();
            return Stay::Seated;
        }
        self.is_now(Status::Parked);
        let dismissed = self.sleep_on_the_bench();
        self.is_now(Status::Searching);
        if dismissed { Stay::Dismissed } else { Stay::Searching }
    }

    /// Sees to it that the watch doesn't take the seat that it is about to give up.
    fn withdraw(&self) {
        if self.remote().presence.leave() == Some(Due::Nothing) {
            // It has just done so.
            self.shared.seats.come_back();
        }
    }

    /// For one that has no seat any more, and whose work is in good hands. Returns whether it is to end.
    fn sleep_on_the_bench(&self) -> bool {
        let shared = &self.shared;
        span::benched(self.index);
        shared.whereabouts.sleeps(self.index);
        debug_assert!(self.credits.are_none());
        // Whoever addressed something to it before it left its seat counted on its looking.
        if !self.remote().inbox.is_empty() {
            shared.summon(self.index);
        }
        shared.unstaff();
        let mut place = self.place();
        while place == Place::Benched && !shared.is_over() {
            self.tidy_if_asked();
            self.counters().parks.bump();
            self.park(None);
            place = self.place();
        }
        self.remote().presence.back();
        shared.whereabouts.here(self.index);
        let seated = place == Place::Seated;
        if seated {
            span::seated(self.index);
        }
        // Dismissed; or the pool has ended, and it lies on the bench still.
        !seated
    }

    fn place(&self) -> Place {
        let presence = &self.remote().presence;
        self.shared.seats.place(self.index, |settled| presence.lend(!settled))
    }
}
