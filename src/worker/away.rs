//! A worker that blocks leaves its seat to somebody else for as long. The protocol is in primitive/seats.rs.
//!
//! Model: loom-tests/tests/wake.rs.

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

    fn replace_if(&self, left: bool) {
        if left {
            self.shared.hand_over_if_any();
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use crate::sync::Ordering::Relaxed;
    use crate::worker::bare::{count_hired, task, workers};
    use crate::worker::local::Local;
    use crate::worker::shared::Job;
    use std::sync::atomic::Ordering::SeqCst;

    /// How many block.
    fn away(local: &Local) -> usize {
        local.shared.seats.exceptions.load(Relaxed)
    }

    #[test]
    fn who_blocks_in_code_that_blocks_leaves_its_seat_once() {
        let [local, _other] = workers(2, None);
        for leave in [Local::leave_seat, Local::be_away] {
            assert!(leave(&local) && !leave(&local));
            assert_eq!((away(&local), local.remote().presence.is_busy()), (1, false));
            assert!(!local.come_back(false));
            assert_eq!((away(&local), local.remote().presence.is_busy()), (1, false));
            assert!(local.come_back(true));
            assert_eq!((away(&local), local.remote().presence.is_busy()), (0, true));
        }
    }

    #[test]
    fn the_last_one_does_not_block_unless_another_is_to_be_had() {
        let [first, last] = workers(2, None);
        for leave in [Local::leave_seat_unless_last, Local::be_away_unless_last] {
            assert_eq!((leave(&first), leave(&first)), (Some(true), Some(false)));
            // The watch has found it asleep; now it runs.
            last.shared.stall(last.index);
            last.shared.resume(last.index);
            assert_eq!((leave(&last), away(&last)), (None, 1));
            assert!(last.remote().presence.is_busy());
            assert!(first.come_back(true));
        }
        last.shared.stall(last.index);
        assert_eq!(first.be_away_unless_last(), None);
        let [alone] = workers(1, None);
        alone.shared.stall(alone.index);
        assert_eq!((alone.be_away_unless_last(), away(&alone)), (None, 0), "it runs, as it asks");
        let [alone] = workers(2, None);
        count_hired(&alone.shared);
        assert_eq!(alone.be_away_unless_last(), Some(true));
    }

    #[test]
    fn somebody_takes_the_place_of_who_blocks_if_there_is_work() {
        for leave in [
            |local: &Local| assert!(local.be_away()),
            |local: &Local| assert_eq!(local.be_away_unless_last(), Some(true)),
            |local: &Local| local.shared.lose(local.index),
        ] {
            for has_work in [false, true] {
                let [local] = workers(2, None);
                let hired = count_hired(&local.shared);
                if has_work {
                    local.shared.injected.push(task());
                }
                leave(&local);
                assert_eq!(hired.load(SeqCst), usize::from(has_work));
                if let Some(task) = local.shared.injected.steal() {
                    local.execute(Job::Task(task));
                }
            }
        }
    }

    #[test]
    fn who_leaves_for_good_counts_as_nobody_and_stays_away() {
        for blocks in [false, true] {
            let [local, other] = workers(2, None);
            if blocks {
                assert!(local.be_away());
            }
            local.shared.lose(local.index);
            assert_eq!((away(&local), local.come_back(blocks)), (0, false));
            assert!(local.remote().presence.is_gone());
            assert_eq!(other.be_away_unless_last(), None, "it is the last one now");
        }
    }
}
