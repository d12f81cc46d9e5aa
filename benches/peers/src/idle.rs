//! CPU time of a process whose pool has nothing or next to nothing to do.

use crate::common::pools::Spawner;
use crate::common::size;
use crate::contender::{Contender, OfRegion, OfSpawner, regional, spawning};
use crate::pools::Region;
use crate::region;
use crate::report::{Report, cpu_time};
use crate::workloads::spawn::{done, done_by_all, wait_for};
use std::thread;
use std::time::{Duration, Instant};

struct Idle;

pub fn idle(contender: Contender, workers: usize) -> Report {
    regional(contender, workers, Idle)
}

impl OfRegion for Idle {
    fn of(self, mut pool: impl Region) -> Report {
        region::warm_up(&mut pool);
        thread::sleep(Duration::from_millis(100));
        // Long, as there is so little to see.
        let lasting = Duration::from_millis(size(20_000, 50));
        let used = cpu_time_per_second(|| thread::sleep(lasting));
        Report::new("CPU time of an idle pool after work", 1).with("", "ms/s", used)
    }
}

struct Ticks;

pub fn ticks(contender: Contender, workers: usize) -> Report {
    spawning(contender, workers, Ticks)
}

impl OfSpawner for Ticks {
    fn of<S: Spawner>(self, pool: S) -> Report {
        const PERIOD: Duration = Duration::from_millis(1);
        let warm_up = done_by_all() + 1;
        pool.spawn(|| done(1));
        wait_for(warm_up);
        let tasks = size(1000, 50);
        let before = done_by_all();
        let used = cpu_time_per_second(|| {
            for _ in 0..tasks {
                thread::sleep(PERIOD);
                pool.spawn(|| done(1));
            }
        });
        wait_for(before + tasks);
        Report::new("CPU time with a tiny task each ms", tasks as usize).with("", "ms/s", used)
    }
}

fn cpu_time_per_second(pass: impl FnOnce()) -> f64 {
    let (start, before) = (Instant::now(), cpu_time());
    pass();
    (cpu_time() - before).as_secs_f64() * 1e3 / start.elapsed().as_secs_f64()
}
