//! A wall clock that jumps by decades at every look: only what is shown depends on it. The clock is this program's own.
#![cfg(all(target_os = "linux", not(miri), not(loom)))]

mod common;

use common::*;
use filch::{Cpu, Expired, Monitoring, Refusal, Request, Resource, TaskBuilder};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime};

const YEAR: i64 = 365 * 24 * 3600;

/// What the standard library asks, in place of the C library's.
///
/// # Safety
/// The time has a place.
#[unsafe(no_mangle)]
unsafe extern "C" fn clock_gettime(clock: libc::clockid_t, time: *mut libc::timespec) -> i32 {
    static LOOKS: AtomicI64 = AtomicI64::new(0);
    // SAFETY: by the caller's promise.
    let code = unsafe { libc::syscall(libc::SYS_clock_gettime, clock, time) };
    if code == 0 && clock == libc::CLOCK_REALTIME {
        // To before 1970, too.
        let years = [0, 80, -80, 20][LOOKS.fetch_add(1, Ordering::Relaxed) as usize % 4];
        // SAFETY: as above.
        unsafe { (*time).tv_sec += years * YEAR };
    }
    code as i32
}

#[test]
fn whatever_the_wall_clock_says_nothing_is_early_late_or_lost() {
    let jumps = (0..4).any(|_| SystemTime::now() < SystemTime::UNIX_EPOCH);
    assert!(jumps, "the standard library asks another clock");
    let often = Duration::from_millis(10);
    let monitoring = Monitoring::new().cpu(often, 8);
    let pool = Pool::from(builder(2).monitoring(monitoring).budget(Resource::Memory, 10));
    mix(&pool, 2);

    let lease = pool.acquire(&Request::new().memory(8)).unwrap();
    let (begun, soon) = (Instant::now(), Duration::from_millis(50));
    // Who holds one would be refused at once.
    let refused =
        on_new_thread(|| pool.acquire_timeout(&Request::new().memory(3), soon).unwrap_err());
    assert_eq!(refused, Refusal::TimedOut);
    assert!((soon..soon * 100).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    drop(lease);

    let task = |deadline| TaskBuilder::new().pool(&pool).deadline(deadline).spawn_handle(|| 1);
    assert_eq!(task(Instant::now() + Duration::from_secs(3600)).join().unwrap(), 1);
    let late = task(Instant::now()).join().unwrap_err();
    assert!(late.is::<Expired>());

    // Readings go on, and can be shown.
    wait_until(|| pool.history::<Cpu>().len() == 8);
    let last = |history: &[_]| format!("{:?}", history.last());
    let before = last(&pool.history::<Cpu>());
    wait_until(|| last(&pool.history::<Cpu>()) != before);
    assert!(pool.snapshot().to_string().len() > 100);
    pool.shutdown().unwrap();
}
