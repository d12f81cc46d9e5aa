//! A word that a thread can sleep on: Linux's futex, where its times have 64 bits, else a mutex
//! and a condition variable with the same meaning (which is also what loom and shuttle run).
//!
//! This file is `unsafe` for the system calls alone.
//!
//! Model: loom-tests/tests/parker.rs.

pub use kernel::Futex;

#[cfg(all(
    target_os = "linux",
    target_pointer_width = "64",
    not(any(loom, shuttle, filch_no_futex))
))]
mod kernel {
    use crate::sync::AtomicU32;
    use std::ptr;
    use std::time::Duration;

    #[derive(Debug)]
    pub struct Futex {
        pub word: AtomicU32,
    }

    impl Futex {
        pub fn new(value: u32) -> Self {
            Self { word: AtomicU32::new(value) }
        }

        /// Sleeps while the word is `expected`, until a [`wake`](Self::wake) that follows
        /// a change of the word, or for as long as `timeout` says. May return early: the
        /// caller looks at the word again.
        pub fn wait(&self, expected: u32, timeout: Option<Duration>) {
            let timeout = timeout.map(|timeout| libc::timespec {
                tv_sec: timeout.as_secs().try_into().unwrap_or(libc::time_t::MAX),
                tv_nsec: timeout.subsec_nanos().into(),
            });
            let timeout = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
            // SAFETY: the address is that of a live, aligned u32 for the whole call, and
            // so is the timeout's, or it is null, which means none. EINTR and EAGAIN are the
            // early returns we allow.
            unsafe {
                libc::syscall(
                    libc::SYS_futex,
                    self.word.as_ptr(),
                    libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
                    expected,
                    timeout,
                );
            }
        }

        /// Wakes one thread that sleeps on the word.
        pub fn wake(&self) {
            // SAFETY: the kernel uses the address as a key and reads nothing through it.
            unsafe {
                libc::syscall(
                    libc::SYS_futex,
                    self.word.as_ptr(),
                    libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG,
                    1,
                );
            }
        }
    }
}

#[cfg(not(all(
    target_os = "linux",
    target_pointer_width = "64",
    not(any(loom, shuttle, filch_no_futex))
)))]
mod kernel {
    #[cfg(not(loom))]
    use crate::sync::lock::Condvar;
    use crate::sync::{AtomicU32, Mutex, Ordering, park_timeout};
    #[cfg(loom)]
    use loom::sync::Condvar;
    use std::time::Duration;

    #[derive(Debug)]
    pub struct Futex {
        pub word: AtomicU32,
        lock: Mutex<()>,
        changed: Condvar,
    }

    impl Futex {
        pub fn new(value: u32) -> Self {
            Self { word: AtomicU32::new(value), lock: Mutex::new(()), changed: Condvar::new() }
        }

        pub fn wait(&self, expected: u32, timeout: Option<Duration>) {
            let mut guard = self.lock.lock().unwrap();
            while self.word.load(Ordering::Relaxed) == expected {
                let Some(timeout) = timeout else {
                    guard = self.changed.wait(guard).unwrap();
                    continue;
                };
                // Early returns, perhaps.
                if cfg!(shuttle) {
                    // Its condition variables know no time.
                    drop(guard);
                    park_timeout(timeout);
                    return;
                }
                let _ = self.changed.wait_timeout(guard, timeout).unwrap();
                return;
            }
        }

        pub fn wake(&self) {
            // Taking the lock puts the change of the word before or after the whole
            // check-then-sleep of `wait`, never into its middle.
            drop(self.lock.lock().unwrap());
            self.changed.notify_one();
        }
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::Futex;
    use crate::sync::Ordering;
    use std::sync::Arc;
    use std::thread;
    use std::time::{Duration, Instant};

    const LONG: Duration = Duration::from_secs(10);

    #[test]
    fn it_sleeps_while_the_word_is_what_was_expected() {
        let (futex, short) = (Futex::new(7), Duration::from_millis(20));
        let (start, mut waits) = (Instant::now(), 0);
        while start.elapsed() < short {
            futex.wait(7, Some(short));
            waits += 1;
        }
        // One, but for what makes it return early.
        assert!(waits < 100, "{waits}");
        futex.wait(6, Some(LONG));
        assert!(start.elapsed() < LONG / 2);
    }

    #[test]
    fn it_is_woken_when_the_word_has_changed() {
        let start = Instant::now();
        // Now and then it hasn't fallen asleep yet.
        for _ in 0..10 {
            let futex = Arc::new(Futex::new(0));
            let theirs = Arc::clone(&futex);
            let sleeper = thread::spawn(move || {
                while theirs.word.load(Ordering::Relaxed) == 0 {
                    theirs.wait(0, Some(LONG));
                }
            });
            thread::sleep(Duration::from_millis(2));
            futex.word.store(1, Ordering::Relaxed);
            futex.wake();
            sleeper.join().unwrap();
        }
        assert!(start.elapsed() < LONG / 2);
    }
}
