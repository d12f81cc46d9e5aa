//! The fences of every store-then-load handshake (Dekker) in the crate.
//!
//! A side that runs often uses [`light_fence`], its rare partner [`heavy_fence`]:
//! where the kernel offers `membarrier(PRIVATE_EXPEDITED)`, the heavy side makes
//! every other running thread of the process pass a full fence, so the light side
//! needs only keep the compiler from reordering. Elsewhere, and under loom, shuttle
//! and Miri, both are full fences.
//!
//! Accesses around a fence are `Relaxed`: SeqCst loads and stores without a fence
//! would do the same on hardware, but loom can't follow them and reports false alarms.
//!
//! This file is `unsafe` for the system call alone.
//!
//! Models: loom-tests/tests/{lane,event_count}.rs.

#[cfg(loom)]
use loom::sync::atomic::{Ordering, fence};
#[cfg(not(loom))]
use std::sync::atomic::{Ordering, fence};

// loom never switches threads between a store and a fence that follows, so it would take the
// store for published. This access orders nothing, but loom tries all its sequences.
#[cfg(loom)]
loom::lazy_static! {
    static ref TURN: loom::sync::atomic::AtomicUsize = loom::sync::atomic::AtomicUsize::new(0);
}

/// Orders every access before it against every access after it, for all threads.
#[inline]
pub fn full_fence() {
    #[cfg(loom)]
    TURN.fetch_add(1, Ordering::Relaxed);
    // ORDERING: SeqCst; pairs with the other side of whichever handshake it stands in.
    fence(Ordering::SeqCst);
}

/// The cheap side. Pairs with a [`heavy_fence`]; means what it says only after [`prepare`], which
/// every pool calls before its first worker starts.
#[inline(always)]
pub fn light_fence() {
    #[cfg(loom)]
    if LIGHT_FENCES_ARE_NONE.get() {
        return;
    }
    if asymmetric() { lane_fence() } else { full_fence() }
}

#[cfg(loom)]
std::thread_local! {
    // All threads of a model are one to the system.
    static LIGHT_FENCES_ARE_NONE: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// For models of a side that pairs with other fences than a [`heavy_fence`]: it must do without its
/// light ones.
#[cfg(loom)]
pub fn without_light_fences(model: impl FnOnce()) {
    LIGHT_FENCES_ARE_NONE.set(true);
    model();
    LIGHT_FENCES_ARE_NONE.set(false);
}

/// The dear side (0.14 us alone, 1 to 4 us with other cores busy): after it, every
/// access that another thread made before its light fence is visible here, or every
/// access after that fence sees what this thread did before this one.
pub use kernel::heavy_fence;

/// [`light_fence`] for code that runs only where [`asymmetric`] is true anyway: the
/// join lane, which without it shows each frame before its join goes on.
pub use kernel::lane_fence;

/// Whether a light fence costs nothing here, and so whether join lanes are used.
pub use kernel::asymmetric;

/// Finds out once whether the kernel has membarrier (not before Linux 4.14, nor under
/// some seccomp filters) and registers the process for it.
pub use kernel::prepare;

/// For the child of a fork, in case its registration isn't its parent's.
#[cfg(all(target_os = "linux", not(any(loom, miri, shuttle))))]
pub use kernel::renew;

#[cfg(not(all(target_os = "linux", not(any(loom, miri, shuttle, filch_no_membarrier)))))]
mod kernel {
    pub use super::full_fence as heavy_fence;
    pub use super::full_fence as lane_fence;

    /// Two full fences are as symmetric as can be, but models, shuttle and Miri must
    /// see the lane at work.
    pub fn asymmetric() -> bool {
        cfg!(any(loom, miri, shuttle))
    }

    pub fn prepare() {}

    #[cfg(all(target_os = "linux", not(any(loom, miri, shuttle))))]
    pub fn renew() {}
}

#[cfg(all(target_os = "linux", not(any(loom, miri, shuttle, filch_no_membarrier))))]
mod kernel {
    use crate::sync::global::{AtomicUsize, Ordering};

    const UNKNOWN: usize = 0;
    const ABSENT: usize = 1;
    const PRESENT: usize = 2;

    /// Leaves `UNKNOWN` once, before any thread that relies on it starts.
    static MEMBARRIER: AtomicUsize = AtomicUsize::new(UNKNOWN);

    #[inline(always)]
    pub fn asymmetric() -> bool {
        MEMBARRIER.load(Ordering::Relaxed) == PRESENT
    }

    #[inline(always)]
    pub fn lane_fence() {
        // ORDERING: SeqCst, for the compiler only; pairs with heavy_fence, which puts
        // the processor's fence into this very place.
        std::sync::atomic::compiler_fence(Ordering::SeqCst);
    }

    pub fn heavy_fence() {
        // The system call orders the *other* threads; this orders the caller, for
        // whom the manual promises nothing.
        super::full_fence();
        if asymmetric() && !barrier() {
            // A seccomp filter installed after `prepare` may forbid the call. Going on
            // would lose wake-ups and run frames twice.
            eprintln!(
                "filch: membarrier worked when the pool was built and fails now ({}); \
                 install seccomp filters before building a pool",
                std::io::Error::last_os_error()
            );
            std::process::abort();
        }
    }

    pub fn prepare() {
        if MEMBARRIER.load(Ordering::Relaxed) == UNKNOWN {
            let works = membarrier(libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) && barrier();
            let found = if works { PRESENT } else { ABSENT };
            // Two first pools may race here; the first answer stands, so that a fence
            // never changes its kind while threads use it.
            let _ =
                MEMBARRIER.compare_exchange(UNKNOWN, found, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    pub fn renew() {
        if asymmetric() {
            membarrier(libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
        }
    }

    fn barrier() -> bool {
        membarrier(libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED)
    }

    fn membarrier(command: libc::c_int) -> bool {
        // SAFETY: membarrier takes three integers and touches no memory of ours.
        unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
    }
}

#[cfg(all(test, not(any(loom, miri, shuttle))))]
mod tests {
    use super::{heavy_fence, light_fence, prepare};
    use crate::sync::{AtomicU32, Ordering};
    use crossbeam_utils::CachePadded;
    use std::hint::spin_loop;
    use std::thread;

    const ROUNDS: u32 = 20_000;

    /// One side of a handshake a round.
    struct Side {
        here: CachePadded<AtomicU32>,
        over: CachePadded<AtomicU32>,
    }

    impl Side {
        const fn new() -> Self {
            Self {
                here: CachePadded::new(AtomicU32::new(0)),
                over: CachePadded::new(AtomicU32::new(0)),
            }
        }

        /// For each round whether it has not seen that the other has come.
        fn misses(&self, other: &Self, fence: fn(), delays: u32) -> Vec<bool> {
            let round = |round| {
                (0..round % delays).for_each(|_| spin_loop());
                self.here.store(round, Ordering::Relaxed);
                fence();
                let missed = other.here.load(Ordering::Relaxed) < round;
                self.over.store(round, Ordering::Relaxed);
                let mut looks = 0;
                while other.over.load(Ordering::Relaxed) < round {
                    looks += 1;
                    // The other one may need this CPU.
                    if looks % 1024 == 0 { thread::yield_now() } else { spin_loop() }
                }
                missed
            };
            (1..=ROUNDS).map(round).collect()
        }
    }

    /// Without the heavy fence one to five rounds in a hundred go wrong, if they have two CPUs.
    #[test]
    fn of_two_who_meet_one_sees_the_other() {
        static LIGHT: Side = Side::new();
        static HEAVY: Side = Side::new();
        prepare();
        let start = |side: fn() -> Vec<bool>, cpu: usize| {
            thread::spawn(move || {
                // The system may think that one is enough for both, as they wait for each other.
                let cpus = core_affinity::get_core_ids().unwrap_or_default();
                cpus.get(cpu).map(|&cpu| core_affinity::set_for_current(cpu));
                side()
            })
        };
        let light = start(|| LIGHT.misses(&HEAVY, light_fence, 4), 0);
        let heavy = start(|| HEAVY.misses(&LIGHT, heavy_fence, 1), 1);
        let both = heavy.join().unwrap().into_iter().zip(light.join().unwrap());
        assert_eq!(both.filter(|missed| *missed == (true, true)).count(), 0);
    }

    #[test]
    #[cfg(all(target_os = "linux", not(filch_no_membarrier)))]
    fn light_fences_cost_nothing_where_the_kernel_can_make_them_up() {
        // SAFETY: it takes three integers and touches no memory of ours.
        let offered =
            unsafe { libc::syscall(libc::SYS_membarrier, libc::MEMBARRIER_CMD_QUERY, 0, 0) };
        prepare();
        let expedited = libc::c_long::from(libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED);
        assert_eq!(super::asymmetric(), offered > 0 && offered & expedited != 0);
    }
}
