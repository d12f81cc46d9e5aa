//! `blocking`: code that may keep a worker from running.

use crate::telemetry::activity::Status;
use crate::worker::local::Local;

/// Runs `f`, which may block: wait for a lock, for I/O, or for another thread. Meanwhile
/// another worker takes this one's place, if there is work for it; so a pool keeps its CPUs
/// busy, and tasks that wait for one another don't stand still because each holds a worker.
///
/// It runs on this thread, and at once. Calls may be nested; outside a pool it just calls
/// `f`. Costs under a microsecond while there is no other work, a wake-up call or, at
/// first, the start of a thread if there is.
///
/// # Examples
///
/// ```
/// use std::sync::mpsc;
///
/// let pool = filch::ThreadPoolBuilder::new().num_threads(1).build()?;
/// let (sender, receiver) = mpsc::channel();
/// let received = pool.spawn_handle(move || filch::blocking(|| receiver.recv().unwrap()));
/// pool.spawn(move || sender.send(42).unwrap());
/// assert_eq!(received.join().unwrap(), 42);
/// # Ok::<(), filch::Error>(())
/// ```
pub fn blocking<R>(f: impl FnOnce() -> R) -> R {
    away(|local| Some(local.be_away()), f).expect("filch: no reason to stay")
}

/// As [`blocking`], unless all others of this worker's pool are away and none can be had in its place.
pub fn blocking_unless_last<R>(f: impl FnOnce() -> R) -> Option<R> {
    away(Local::be_away_unless_last, f)
}

fn away<R>(leave: impl FnOnce(&Local) -> Option<bool>, f: impl FnOnce() -> R) -> Option<R> {
    /// Comes back even if `f` panics.
    struct Away<'a> {
        local: &'a Local,
        left: bool,
    }

    impl Drop for Away<'_> {
        fn drop(&mut self) {
            if self.local.come_back(self.left) {
                self.local.is_now(Status::Running);
            }
            self.local.shared.seats.hope();
        }
    }

    Local::with_current(|current| {
        let _away = match current {
            None => None,
            Some(local) => {
                let left = leave(local)?;
                if left {
                    local.is_now(Status::Blocked);
                }
                Some(Away { local, left })
            }
        };
        Some(f())
    })
}
