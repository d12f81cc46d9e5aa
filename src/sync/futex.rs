//! A word that a thread can sleep on: Linux's futex, else a mutex and a condition
//! variable with the same meaning (which is also what loom runs).
//!
//! This file is `unsafe` for the system calls alone.

pub use kernel::Futex;

#[cfg(all(target_os = "linux", not(any(loom, filch_no_futex))))]
mod kernel {
    use crate::sync::AtomicU32;

    #[derive(Debug)]
    pub struct Futex {
        pub word: AtomicU32,
    }

    impl Futex {
        pub fn new(value: u32) -> Self {
            Self { word: AtomicU32::new(value) }
        }

        /// Sleeps while the word is `expected`, until a [`wake`](Self::wake) that follows
        /// a change of the word. May return early: the caller looks at the word again.
        pub fn wait(&self, expected: u32) {
            // SAFETY: the address is that of a live, aligned u32 for the whole call, and
            // a null timeout means none. EINTR and EAGAIN are the early returns we allow.
            unsafe {
                libc::syscall(
                    libc::SYS_futex,
                    self.word.as_ptr(),
                    libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
                    expected,
                    std::ptr::null::<libc::timespec>(),
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

#[cfg(not(all(target_os = "linux", not(any(loom, filch_no_futex)))))]
mod kernel {
    use crate::sync::{AtomicU32, Ordering};
    #[cfg(loom)]
    use loom::sync::{Condvar, Mutex};
    #[cfg(not(loom))]
    use std::sync::{Condvar, Mutex};

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

        pub fn wait(&self, expected: u32) {
            let mut guard = self.lock.lock().unwrap();
            while self.word.load(Ordering::Relaxed) == expected {
                guard = self.changed.wait(guard).unwrap();
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
