//! A worker that blocks leaves its seat to somebody else for as long. The protocol is in primitive/seats.rs.
//!
//! Model: loom-tests/tests/wake.rs.

use crate::sync::fence::heavy_fence;
use crate::worker::local::Local;
use crate::worker::presence::Due;

impl Local {
    /// Lets others run instead, for as long as it blocks. Returns whether it held a seat;
    /// [`come_back`](Self::come_back) wants to know. A heavy_fence and a last look follow.
    #[must_use]
    pub fn leave_seat(&self) -> bool {
        let due = self.remote().presence.leave();
        if due == Some(Due::Leave) {
            self.shared.seats.leave();
        }
        due.is_some()
    }

    /// As [`leave_seat`](Self::leave_seat), unless all others are away and nobody can be had in its place.
    pub fn leave_seat_unless_last(&self) -> Option<bool> {
        match self.remote().presence.leave() {
            Some(Due::Leave) if !self.shared.seats.leave_unless_last() => {
                self.remote().presence.back();
                None
            }
            due => Some(due.is_some()),
        }
    }

    /// Takes its seat again, if it had one and hasn't left for good meanwhile. Returns whether it does.
    pub fn come_back(&self, left: bool) -> bool {
        let back = left && !self.remote().presence.is_gone();
        if back {
            self.shared.seats.come_back();
            self.remote().presence.back();
        }
        back
    }

    /// Leaves its seat, and sees to it that somebody takes its place if there is work. For
    /// code that blocks; [`come_back`](Self::come_back) follows.
    #[must_use]
    pub fn be_away(&self) -> bool {
        let left = self.leave_seat();
        self.replace_if(left);
        left
    }

    /// As [`be_away`](Self::be_away), unless all others are away and none can be had in its place.
    #[must_use]
    pub fn be_away_unless_last(&self) -> Option<bool> {
        // Or one that has been found asleep, and runs now, would count as away already.
        self.shared.resume(self.index);
        let left = self.leave_seat_unless_last()?;
        self.replace_if(left);
        Some(left)
    }

    /// Leaves its seat for good, if need be in the midst of code that blocks.
    pub fn leave_for_good(&self) {
        if self.remote().presence.leave_for_good() == Due::Leave {
            self.shared.seats.leave();
        }
        self.shared.seats.lose(self.index);
        self.replace_if(true);
    }

    fn replace_if(&self, left: bool) {
        if left {
            self.shared.raise_hunger();
            heavy_fence();
            self.shared.hand_over_or_call();
        }
    }
}
