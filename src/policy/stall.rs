//! Whether a worker is stuck in the kernel: judged by what the kernel says of its thread.

/// What the kernel says of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// CPU time it has used, in whatever unit: only changes count.
    pub cpu: u64,
    /// Neither running nor waiting for a CPU.
    pub asleep: bool,
}

/// One worker's history: its last reading.
#[derive(Debug, Default)]
pub struct Stall {
    last: Option<Sighting>,
}

impl Stall {
    /// Whether the thread has slept since the last look, without using the CPU in between.
    /// What can't be read isn't judged.
    pub fn look(&mut self, now: Option<Sighting>) -> bool {
        let before = std::mem::replace(&mut self.last, now);
        now.is_some_and(|now| now.asleep) && now == before
    }

    /// The thread does something else now.
    pub fn forget(&mut self) {
        self.last = None;
    }
}

#[cfg(test)]
mod tests {
    use super::{Sighting, Stall};

    fn asleep(cpu: u64) -> Option<Sighting> {
        Some(Sighting { cpu, asleep: true })
    }

    fn awake(cpu: u64) -> Option<Sighting> {
        Some(Sighting { cpu, asleep: false })
    }

    #[test]
    fn two_looks_at_the_same_sleep_make_a_stall() {
        let mut stall = Stall::default();
        assert!(!stall.look(asleep(5)));
        assert!(stall.look(asleep(5)));
        assert!(stall.look(asleep(5)));
    }

    #[test]
    fn who_ran_in_between_has_not_stalled() {
        let mut stall = Stall::default();
        stall.look(asleep(5));
        assert!(!stall.look(asleep(6)));
        assert!(!stall.look(awake(6)));
        assert!(!stall.look(awake(6)), "runnable, but the kernel gives it no CPU");
        assert!(!stall.look(asleep(6)));
    }

    #[test]
    fn what_cannot_be_read_is_not_judged() {
        let mut stall = Stall::default();
        stall.look(asleep(5));
        assert!(!stall.look(None));
        assert!(!stall.look(asleep(5)));
        stall.forget();
        assert!(!stall.look(asleep(5)));
    }
}
