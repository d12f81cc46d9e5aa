//! Which CPU each worker runs on.
//!
//! filch pins only threads that it starts itself. A thread inherits its parent's mask, so
//! what the process may use is looked up once, before anything is pinned: a pool built
//! inside a task, on a thread pinned to one CPU, must still see them all.
//!
//! This file is `unsafe` for the two system calls that core_affinity lacks: asking for the
//! mask of another thread, and giving a thread a mask of several CPUs back.

use crate::error::{Error, Kind};
use crate::sync::global::{AtomicUsize, Ordering};
use core_affinity::CoreId;
use std::sync::OnceLock;

/// Whether threads can be pinned; where not, all float.
const SUPPORTED: bool = !cfg!(any(filch_no_affinity, miri));

/// On which CPUs the workers of a pool run. Where a thread can't be pinned, they float.
///
/// # Examples
///
/// ```
/// use filch::{Pinning, ThreadPoolBuilder};
///
/// let pool = ThreadPoolBuilder::new().num_threads(1).pinning(Pinning::None).build()?;
/// pool.install(|| ());
/// # Ok::<(), filch::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pinning {
    /// Worker i on the i-th CPU that the process may use. A pool with fewer workers than
    /// CPUs takes them from a rotation through the whole process, so that two small pools
    /// don't share a CPU; workers beyond the number of CPUs float.
    Cores,
    /// The operating system decides.
    None,
    /// Worker i on the i-th of these CPUs; workers beyond the list float. A CPU that the
    /// process may not use is an error when the pool is built.
    Explicit(Vec<usize>),
}

/// The CPUs of the process's mask as it was before filch pinned anything. Empty where the
/// platform can't tell.
pub fn process_cpus() -> &'static [usize] {
    static CPUS: OnceLock<Vec<usize>> = OnceLock::new();
    CPUS.get_or_init(|| main_mask().or_else(current_mask).unwrap_or_default())
}

/// Pinned pools alive, so that the second one floats unless told otherwise.
static PINNED_POOLS: AtomicUsize = AtomicUsize::new(0);
/// The next CPU of the rotation.
static NEXT_CPU: AtomicUsize = AtomicUsize::new(0);

/// Where each worker of one pool goes. Counts as a pinned pool while it lives.
#[derive(Debug)]
pub struct Placement {
    cpus: Vec<Option<usize>>,
    pinned: bool,
}

impl Placement {
    /// `choice` of the builder, or the default: `Cores` for a pool as large as the mask, if
    /// no other pinned pool lives and no quota of a fraction of a CPU makes a pinned worker
    /// wait out its throttling while another CPU idles.
    pub fn new(
        choice: Option<Pinning>,
        workers: usize,
        fractional_quota: bool,
    ) -> Result<Self, Error> {
        let cpus = process_cpus();
        let by_default = choice.is_none();
        let choice =
            choice.unwrap_or(if workers == cpus.len() { Pinning::Cores } else { Pinning::None });
        let mut placed = match choice {
            Pinning::None => Vec::new(),
            Pinning::Cores if fractional_quota => Vec::new(),
            Pinning::Cores => rotation(cpus, workers),
            Pinning::Explicit(list) => {
                check(&list, cpus)?;
                list
            }
        };
        placed.truncate(if SUPPORTED { workers } else { 0 });
        let others =
            if placed.is_empty() { 0 } else { PINNED_POOLS.fetch_add(1, Ordering::Relaxed) };
        if by_default && others > 0 {
            PINNED_POOLS.fetch_sub(1, Ordering::Relaxed);
            placed.clear();
        }
        let pinned = !placed.is_empty();
        let cpus = placed.into_iter().map(Some).chain(std::iter::repeat(None)).take(workers);
        Ok(Self { cpus: cpus.collect(), pinned })
    }

    /// Lets worker `index` float: its thread is not ours to pin.
    pub fn float(&mut self, index: usize) {
        self.cpus[index] = None;
    }

    /// The CPU of worker `index`, if it doesn't float.
    pub fn cpu(&self, index: usize) -> Option<usize> {
        self.cpus.get(index).copied().flatten()
    }
}

impl Drop for Placement {
    fn drop(&mut self) {
        if self.pinned {
            PINNED_POOLS.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

fn rotation(cpus: &[usize], workers: usize) -> Vec<usize> {
    if workers >= cpus.len() {
        return cpus.to_vec();
    }
    let start = NEXT_CPU.fetch_add(workers, Ordering::Relaxed);
    (start..start + workers).map(|i| cpus[i % cpus.len()]).collect()
}

fn check(list: &[usize], allowed: &[usize]) -> Result<(), Error> {
    if list.is_empty() {
        return Err(Error::new(Kind::NoPins));
    }
    // Where the platform can't tell, pinning itself will fail, and the worker floats.
    let unknown = |cpu: &&usize| !allowed.is_empty() && !allowed.contains(cpu);
    match list.iter().find(unknown) {
        Some(&cpu) => Err(Error::new(Kind::BadPin { cpu, allowed: allowed.to_vec() })),
        None => Ok(()),
    }
}

/// Pins the calling thread. A CPU that was taken from the process meanwhile is no error:
/// the worker floats. Returns whether it is pinned.
pub fn pin(cpu: usize) -> bool {
    SUPPORTED && core_affinity::set_for_current(CoreId { id: cpu })
}

/// Runs `f` on a thread that may use every CPU the process may use, then pins the thread
/// again if it was pinned.
///
/// A child inherits the mask of the thread that starts it. So a task that starts a process
/// or a thread does it inside this, or the child is stuck on the worker's CPU. On a
/// thread whose mask isn't narrower than the process's this is just a call. Costs three
/// system calls.
///
/// # Panics
/// If `f` panics; the thread is pinned again before.
///
/// # Examples
///
/// ```
/// let output = filch::unpinned(|| std::process::Command::new("true").status());
/// assert!(output.is_ok());
/// ```
pub fn unpinned<R>(f: impl FnOnce() -> R) -> R {
    struct PinAgain(Option<Vec<usize>>);

    impl Drop for PinAgain {
        fn drop(&mut self) {
            if let Some(cpus) = &self.0 {
                set_mask(cpus);
            }
        }
    }

    let before = current_mask().filter(|mask| mask.len() < process_cpus().len());
    if before.is_some() {
        set_mask(process_cpus());
    }
    let _again = PinAgain(before);
    f()
}

/// The mask of the main thread: a process has none of its own, and the thread that builds the
/// first pool may have been pinned by whoever started it.
#[cfg(all(target_os = "linux", not(any(filch_no_affinity, miri))))]
fn main_mask() -> Option<Vec<usize>> {
    let main = std::process::id().try_into().ok()?;
    // SAFETY: all zeroes is a valid, empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: `set` lives during the call, and has the size that is given.
    if unsafe { libc::sched_getaffinity(main, size_of::<libc::cpu_set_t>(), &mut set) } != 0 {
        return None;
    }
    // SAFETY: below CPU_SETSIZE.
    let allowed = |&cpu: &usize| unsafe { libc::CPU_ISSET(cpu, &set) };
    Some((0..libc::CPU_SETSIZE as usize).filter(allowed).collect())
}

#[cfg(not(all(target_os = "linux", not(any(filch_no_affinity, miri)))))]
fn main_mask() -> Option<Vec<usize>> {
    None
}

fn current_mask() -> Option<Vec<usize>> {
    if !SUPPORTED {
        return None;
    }
    Some(core_affinity::get_core_ids()?.into_iter().map(|core| core.id).collect())
}

#[cfg(all(target_os = "linux", not(filch_no_affinity)))]
fn set_mask(cpus: &[usize]) {
    // SAFETY: all zeroes is a valid, empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    for &cpu in cpus {
        // SAFETY: core_affinity lists CPUs below CPU_SETSIZE only.
        unsafe { libc::CPU_SET(cpu, &mut set) };
    }
    // SAFETY: `set` lives during the call, and 0 means this thread. A failure leaves the
    // mask as it was, which is the documented degradation.
    unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set) };
}

#[cfg(not(all(target_os = "linux", not(filch_no_affinity))))]
fn set_mask(_: &[usize]) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_explicit_list_is_checked_against_the_mask() {
        assert!(check(&[], &[0, 1]).is_err());
        assert!(check(&[0, 1, 1], &[0, 1]).is_ok());
        let error = check(&[0, 7], &[0, 1]).unwrap_err();
        assert!(error.to_string().contains("CPU 7"), "{error}");
    }

    #[test]
    fn small_pools_take_different_cpus() {
        let cpus = [2, 3, 5, 7];
        let first = rotation(&cpus, 1);
        let second = rotation(&cpus, 1);
        assert_ne!(first, second);
        assert_eq!(rotation(&cpus, 9), cpus);
    }
}
