//! What is done about work that nobody comes for: those who were to come may not run, being frozen, stopped by a debugger or
//! without a CPU, and threads may have been refused.

use crate::sync::fence::heavy_fence;
use crate::sync::statistic;
use crate::worker::shared::Shared;

impl Shared {
    /// For the governor, every second or less often. Returns whether there is such work, and so another look to be taken soon.
    pub fn rescue(&self) -> bool {
        // Who has left its seat has asked once, and nobody may push again.
        if self.unhired.swap(0, statistic::Ordering::Relaxed) > 0 {
            self.seats.hope();
            self.watch.pardon();
            self.raise_hunger();
            heavy_fence();
            if self.has_work() {
                self.hand_over_or_call();
                self.arm_watch();
            }
        }
        let waits = self.has_visible();
        // Whoever searches, publishers rely on it; it is perhaps the one that doesn't run.
        if waits {
            match self.wake_one() {
                Some(worker) => self.unpark(worker),
                None => _ = self.start_spare(),
            }
        }
        waits
    }
}
