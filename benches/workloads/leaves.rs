//! A few long leaves that never call the pool, beside workers that sleep: does a pool keep
//! all workers busy when nobody passes by to hand out work?

use crate::common::pools::{Fork, Pool, Spawner, Task};
use crate::common::size;
use crate::workloads::spawn::COUNTDOWN;
use crate::workloads::{About, ForkJoin, Spawning, Unit, scrambled};
use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

/// Longer than any of the pools looks for work before it sleeps.
const PAUSE: Duration = Duration::from_millis(5);

pub struct Leaves {
    count: u32,
    each: Duration,
}

impl Leaves {
    pub fn new(count: u32) -> Self {
        Self { count, each: Duration::from_millis(size(80, 8)) / count }
    }
}

/// How much work a leaf of about this length is: on every machine the same, and nothing that
/// is measured first, so that runs in different processes can be compared. And work, not
/// time: a leaf that only watched the clock would end in time even where two share a CPU.
pub fn steps(length: Duration) -> u64 {
    const STEPS_PER_MICRO: u64 = 600;
    length.as_nanos() as u64 * STEPS_PER_MICRO / 1000
}

pub fn work(steps: u64) {
    let mut state = black_box(1);
    for _ in 0..steps {
        scrambled(&mut state);
    }
    black_box(state);
}

impl ForkJoin for Leaves {
    fn about(&self) -> About {
        About { name: format!("{} leaves of {:?}", self.count, self.each), unit: Unit::Millis }
    }

    fn run(&self, pool: &impl Pool) -> Duration {
        thread::sleep(PAUSE);
        let start = Instant::now();
        let done = pool.enter(Split { leaves: self.count, steps: steps(self.each) });
        let took = start.elapsed();
        assert_eq!(done, self.count);
        took
    }
}

/// The same leaves as tasks that nobody waits for, spawned one by one from outside.
pub struct Detached(pub Leaves);

impl Spawning for Detached {
    fn about(&self) -> About {
        let Leaves { count, each } = self.0;
        About { name: format!("{count} leaves of {each:?}, detached"), unit: Unit::Millis }
    }

    fn run<S: Spawner>(&self, pool: &S) -> Duration {
        thread::sleep(PAUSE);
        let (count, steps) = (self.0.count, steps(self.0.each));
        let start = Instant::now();
        COUNTDOWN.begin(count.into());
        for _ in 0..count {
            pool.spawn(move || {
                work(steps);
                COUNTDOWN.done();
            });
        }
        COUNTDOWN.wait();
        start.elapsed()
    }
}

struct Split {
    leaves: u32,
    steps: u64,
}

impl Task for Split {
    /// How many leaves there were.
    type Out = u32;

    fn run(self, fork: impl Fork) -> u32 {
        let Self { leaves, steps } = self;
        if leaves == 1 {
            work(steps);
            return 1;
        }
        let half = leaves / 2;
        let (a, b) =
            fork.join(Split { leaves: half, steps }, Split { leaves: leaves - half, steps });
        a + b
    }
}
