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

#[cfg(all(test, not(loom)))]
mod tests {
    use crate::sync::Ordering::Relaxed;
    use crate::worker::bare::{count_hired, is_told, run, sleep, task, workers};
    use std::io;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;
    use std::sync::atomic::Ordering::SeqCst;
    use std::time::Duration;

    #[test]
    fn somebody_idle_or_a_spare_is_sent_for_work_whoever_searches() {
        let [local, idle] = workers(3, Some(Duration::ZERO));
        let (shared, hired) = (&local.shared, count_hired(&local.shared));
        assert!(local.leave_seat() && !shared.rescue(), "there is no work");
        sleep(&idle);
        shared.idle.start_searching();
        shared.injected.push(task());
        assert!(shared.rescue() && is_told(&idle) && hired.load(SeqCst) == 0);
        assert!(shared.rescue() && hired.load(SeqCst) == 1);
        assert!(!shared.watch.is_armed(), "no thread has been refused");
        run(&idle);
        assert!(!shared.rescue());
    }

    #[test]
    fn threads_that_were_refused_are_asked_for_again() {
        let [local] = workers(2, Some(Duration::ZERO));
        let (shared, refuses) = (&local.shared, Arc::new(AtomicBool::new(true)));
        let refused = Arc::clone(&refuses);
        let hire = move |_| {
            let refused = refused.load(SeqCst);
            if refused { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        };
        assert!(shared.hire.set(Box::new(hire)).is_ok());
        shared.injected.push(task());
        assert!(local.be_away());
        let seen = || {
            let unhired = shared.unhired.load(Relaxed) > 0;
            (shared.num_threads(), shared.watch.is_armed(), unhired)
        };
        assert_eq!(seen(), (1, false, true));
        refuses.store(false, SeqCst);
        assert!(shared.rescue());
        assert_eq!(seen(), (2, true, false));
        run(&local);
    }
}
