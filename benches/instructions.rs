//! Joins, spawns, leases and snapshots to be counted, not timed: `scripts/instructions` runs this under
//! valgrind with two sizes, and the difference is what one costs.

use filch::{Monitoring, Request, ThreadPoolBuilder};
use std::hint::black_box;
use std::thread;
use std::time::Duration;

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
    // Past the first reading, the only one of the next five seconds.
    while monitored && pool.history::<filch::Disk>().is_empty() {
        thread::sleep(Duration::from_millis(10));
    }
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
