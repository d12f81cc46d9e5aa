//! Time since a beginning, as cheaply as the machine has it.
//!
//! Where Linux itself keeps time by the CPU's time stamp counter, it has found those of all CPUs to
//! agree and to go at one rate, whatever the CPUs' frequencies; so a worker may read it too, in less
//! than half the time that the system's clock takes. Elsewhere a tick is a nanosecond of that clock.
//!
//! A machine that is suspended stops the system's clock and perhaps not the counter: lengths that are read
//! after that seem shorter than they were.
//!
//! How long a tick takes is found when somebody wants to know, from the time since the beginning by
//! both clocks: no program waits for a calibration, which libraries for this do at the first use.
//!
//! This file is `unsafe` for the instruction that reads the counter.

use std::time::Duration;

/// Of the system's clock. Under shuttle of another one, as all that a pool does must come of a seed.
#[cfg(not(shuttle))]
pub use std::time::Instant;

#[cfg(shuttle)]
pub use super::coroutine::Instant;

#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    /// The counter at the start, where it is used.
    counter: Option<u64>,
}

impl Clock {
    /// One that begins now.
    pub fn new() -> Self {
        let counter = has_counter().then(read_counter);
        Self { start: Instant::now(), counter }
    }

    /// By the system's clock.
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// In an unknown unit. A reading isn't ordered with memory accesses around it.
    #[inline(always)]
    pub fn ticks(&self) -> u64 {
        match self.counter {
            // Another CPU's may be behind by a few.
            Some(start) => read_counter().saturating_sub(start),
            // A model's threads, and all their times, are over in no time.
            None if cfg!(loom) => 0,
            None => self.start.elapsed().as_nanos() as u64,
        }
    }

    /// How many nanoseconds a tick takes: the better known the older the clock is.
    pub fn nanoseconds_per_tick(&self) -> f64 {
        if self.counter.is_none() {
            return 1.0;
        }
        let before = self.ticks();
        let elapsed = self.elapsed().as_nanos() as f64;
        // Whatever interrupts us lies between.
        let ticks = (before as f64 + self.ticks() as f64) / 2.0;
        if ticks > 0.0 { elapsed / ticks } else { 1.0 }
    }
}

#[cfg(all(target_arch = "x86_64", target_os = "linux", not(any(loom, miri, shuttle))))]
mod counter {
    use std::fs;
    use std::sync::OnceLock;

    pub fn has_counter() -> bool {
        static HAS: OnceLock<bool> = OnceLock::new();
        const SOURCE: &str = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
        *HAS.get_or_init(|| fs::read(SOURCE).is_ok_and(|source| source.trim_ascii() == b"tsc"))
    }

    #[inline(always)]
    pub fn read_counter() -> u64 {
        // SAFETY: every x86-64 CPU has the instruction, and Linux lets programs use it unless
        // they asked for the contrary (PR_SET_TSC).
        unsafe { std::arch::x86_64::_rdtsc() }
    }
}

#[cfg(not(all(target_arch = "x86_64", target_os = "linux", not(any(loom, miri, shuttle)))))]
mod counter {
    pub fn has_counter() -> bool {
        false
    }

    pub fn read_counter() -> u64 {
        0
    }
}

use counter::{has_counter, read_counter};

#[cfg(all(test, not(loom), not(miri)))]
mod tests {
    use super::{Clock, read_counter};
    use std::thread::sleep;
    use std::time::{Duration, Instant};

    #[test]
    fn ticks_are_time() {
        let mut clocks = vec![Clock::new(), Clock { counter: None, ..Clock::new() }];
        // Whether or not it is what the system trusts most.
        if cfg!(all(target_arch = "x86_64", target_os = "linux", not(shuttle))) {
            clocks.push(Clock { counter: Some(read_counter()), ..Clock::new() });
        }
        for clock in clocks {
            let (begin, from) = (Instant::now(), clock.ticks());
            sleep(Duration::from_millis(20));
            let ticks = clock.ticks() - from;
            let milliseconds = ticks as f64 * clock.nanoseconds_per_tick() / 1e6;
            // It sleeps too long, now and then, never too short. Twice: an interruption between two of its looks at
            // what time it is counts for half.
            let most = 2e3 * begin.elapsed().as_secs_f64();
            assert!((19.9..most).contains(&milliseconds), "{milliseconds} ms, or {most}");
        }
    }

    #[test]
    fn another_cpus_counter_may_be_behind() {
        let clock = Clock { counter: Some(u64::MAX), ..Clock::new() };
        assert_eq!((clock.ticks(), clock.nanoseconds_per_tick()), (0, 1.0));
    }
}
