//! Joins, spawns, leases and snapshots to be counted, not timed: `scripts/instructions` runs this under
//! valgrind with two sizes, and the difference is what one costs.

use filch::{Monitoring, Request, ThreadPoolBuilder};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

/// Takes the place of the C library's. By that clock a program under valgrind, fifty times slower than usual and
/// never the same, would look outside at every task or two (policy/turn.rs). By this one it does so as usual, and
/// always as often: each time that somebody looks, the 64 shortest tasks between two looks have been run.
#[unsafe(no_mangle)]
extern "C" fn clock_gettime(_: libc::clockid_t, time: &mut libc::timespec) -> libc::c_int {
    static NANOSECONDS: AtomicU64 = AtomicU64::new(0);
    let now = NANOSECONDS.fetch_add(640, Relaxed);
    (time.tv_sec, time.tv_nsec) = ((now / 1_000_000_000) as _, (now % 1_000_000_000) as _);
    0
}

fn fib(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let (a, b) = filch::join(|| fib(n - 1), || fib(n - 2));
    a + b
}

fn chain(n: u64) {
    if n > 0 {
        filch::spawn(move || chain(n - 1));
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (Some(what), Some(size)) = (arguments.next(), arguments.next()) else {
        return println!("scripts/instructions runs this");
    };
    // `cargo bench` calls with arguments of its own.
    let Ok(size) = size.parse() else { return };
    let monitored = arguments.next().is_some_and(|argument| argument == "monitored");
    let monitoring = if monitored { Monitoring::new() } else { Monitoring::off() };
    let pool = ThreadPoolBuilder::new().num_threads(1).monitoring(monitoring).build().unwrap();
    // Past the first reading, the only one of the next five seconds. Not on this thread, as how often depends.
    let is_early = || monitored && pool.history::<filch::Disk>().is_empty();
    thread::scope(|scope| {
        scope.spawn(|| {
            while is_early() {
                thread::sleep(Duration::from_millis(10));
            }
        });
    });
    match &*what {
        "join" => _ = black_box(pool.install(|| fib(size))),
        "spawn" => pool.spawn(move || chain(size)),
        "scope" => pool.scope(|scope| (0..size).for_each(|_| scope.spawn(|_| ()))),
        "lease" => {
            let request = Request::new().memory(1);
            (0..size).for_each(|_| drop(black_box(pool.try_acquire(&request).unwrap())));
        }
        "snapshot" => (0..size).for_each(|_| drop(black_box(pool.snapshot()))),
        _ => panic!("join, spawn, scope, lease or snapshot"),
    }
}
