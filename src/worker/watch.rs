//! The watch over workers that block without saying so: when it is on duty.
//!
//! A thread of its own (pool/watcher.rs) looks at the workers every few milliseconds, but
//! only while it may have something to do: *armed* by whoever makes work, finds every
//! worker busy, and can start no spare. Invariant: if work waits and every worker is busy,
//! the watch is armed, or hunger is raised, so that the next push arms it, or somebody
//! searches, who sees to it when it finds something. Like a sleeper's, its last look
//! comes after it has said that it sleeps:
//!
//! | publisher                        | the watch, off duty                           |
//! |----------------------------------|-----------------------------------------------|
//! | 1. publish the work              | 1. armed = false; hunger in every lane        |
//! | 2. light_fence                   | 2. heavy_fence                                |
//! | 3. not armed: arm, wake it       | 3. work waits: armed again; else park         |

use crate::sync::{AtomicBool, Ordering, Thread, current_thread, statistic};
use std::sync::OnceLock;
use std::time::Duration;

#[derive(Debug)]
pub struct Watch {
    /// How long a worker must have slept in a task to count as blocked. None: there is no
    /// watch, and it always counts as armed, so that nobody tries to wake it.
    pub after: Option<Duration>,
    armed: AtomicBool,
    /// Set by the watch itself, first of all: before that, it has not been off duty.
    thread: OnceLock<Thread>,
    /// When it is to be tried again to have a thread for it, in milliseconds, if none could be had.
    again: statistic::AtomicU64,
}

/// Every push that finds all workers busy would try, and a try costs as much as a hundred of them.
const BREATH: Duration = Duration::from_secs(1);

impl Watch {
    pub fn new(after: Option<Duration>) -> Self {
        Self {
            after,
            armed: AtomicBool::new(after.is_none()),
            thread: OnceLock::new(),
            again: statistic::AtomicU64::new(0),
        }
    }

    #[inline]
    pub fn is_armed(&self) -> bool {
        self.armed.load(Ordering::Relaxed)
    }

    /// Puts the watch on duty; it is then to be woken. Returns false if it was already.
    pub fn arm(&self) -> bool {
        !self.armed.swap(true, Ordering::Relaxed)
    }

    /// Whether it is no use to arm it, as there was no thread for it a moment ago.
    pub fn is_refused(&self, now: impl FnOnce() -> Duration) -> bool {
        let again = self.again.load(statistic::Ordering::Relaxed);
        again > 0 && now().as_millis() < again.into()
    }

    /// It can't have a thread now.
    pub fn refuse(&self, now: Duration) {
        let again = now.saturating_add(BREATH).as_millis() as u64;
        self.again.store(again, statistic::Ordering::Relaxed);
        self.disarm();
    }

    /// It may be tried at once.
    pub fn pardon(&self) {
        self.again.store(0, statistic::Ordering::Relaxed);
    }

    /// For the watch itself: this thread is to be woken.
    pub fn begin(&self) {
        let _ = self.thread.set(current_thread());
    }

    /// Has it look up. Returns false if it has no thread yet.
    pub fn wake(&self) -> bool {
        self.thread.get().map(Thread::unpark).is_some()
    }

    /// For the watch itself. Hunger, a heavy_fence and a last look follow.
    pub fn disarm(&self) {
        self.armed.store(false, Ordering::Relaxed);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{BREATH, Watch};
    use std::thread::park;
    use std::time::Duration;

    #[test]
    fn it_is_armed_once_until_it_goes_off_duty() {
        let never = Watch::new(None);
        assert!(never.is_armed() && !never.arm());
        let watch = Watch::new(Some(Duration::ZERO));
        for _ in 0..2 {
            assert!(!watch.is_armed());
            assert!(watch.arm() && watch.is_armed() && !watch.arm());
            watch.disarm();
        }
    }

    #[test]
    fn who_refused_it_a_thread_is_asked_again_after_a_while() {
        let (watch, now) = (Watch::new(Some(Duration::ZERO)), Duration::from_secs(3));
        assert!(!watch.is_refused(|| panic!("the clock is asked although nobody has refused")));
        assert!(watch.arm());
        watch.refuse(now);
        assert!(!watch.is_armed());
        assert!(watch.is_refused(|| now) && !watch.is_refused(|| now + BREATH));
        assert!(watch.is_refused(|| now + BREATH - Duration::from_millis(1)));
        assert!(!watch.is_refused(|| now + 2 * BREATH));
        watch.pardon();
        assert!(!watch.is_refused(|| now));
    }

    #[test]
    fn its_thread_is_woken_when_it_has_one() {
        let watch = Watch::new(Some(Duration::ZERO));
        assert!(!watch.wake());
        watch.begin();
        assert!(watch.wake());
        park();
    }
}
