//! What the flight recorder writes down: the last things that each worker did, and when.

use crate::primitive::ring::Ring;
use crate::telemetry::activity::Status;

/// What kind of job a worker runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobKind {
    /// The second half of another worker's join.
    Frame,
    /// What a thread outside the pool waits for.
    Call,
    /// A task of a scope.
    Scoped,
    /// A task that nobody waits for, one with a handle, or a part of a broadcast.
    Task,
}

impl JobKind {
    const ALL: [Self; 4] = [Self::Frame, Self::Call, Self::Scoped, Self::Task];
}

/// What a worker does, at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It begins to run a job.
    Begin(JobKind),
    /// It has run one: the last that it has begun and not ended.
    End(JobKind),
    /// What it is about from now on.
    Is(Status),
    /// It has taken a job from the deque of the worker with this index.
    Steal(usize),
    /// It has taken a frame from the lane of that one.
    Pull(usize),
    /// It has shown its hidden frames to the others.
    Expose,
    /// It has woken that one.
    Wake(usize),
}

/// Bits of the word that hold the kind of event; the others hold what it is about.
const BITS: u32 = 8;

impl Event {
    fn into_word(self) -> u64 {
        let (kind, about) = match self {
            Self::Begin(job) => (0, job as usize),
            Self::End(job) => (1, job as usize),
            Self::Is(status) => (2, status as usize),
            Self::Steal(worker) => (3, worker),
            Self::Pull(worker) => (4, worker),
            Self::Expose => (5, 0),
            Self::Wake(worker) => (6, worker),
        };
        (about as u64) << BITS | kind
    }

    fn from_word(word: u64) -> Option<Self> {
        let about = (word >> BITS) as usize;
        let job = || JobKind::ALL.get(about).copied();
        Some(match word & ((1 << BITS) - 1) {
            0 => Self::Begin(job()?),
            1 => Self::End(job()?),
            2 => Self::Is(*Status::ALL.get(about)?),
            3 => Self::Steal(about),
            4 => Self::Pull(about),
            5 => Self::Expose,
            6 => Self::Wake(about),
            _ => return None,
        })
    }
}

/// The last events of one worker, which alone writes them.
#[derive(Debug)]
pub struct Recorder {
    /// The name of its thread, if that has one.
    pub thread: Option<String>,
    ring: Ring,
}

impl Recorder {
    /// Words an event: when, and what.
    const WIDTH: usize = 2;

    /// Of so many events, at least one.
    pub fn new(events: usize, thread: Option<String>) -> Self {
        Self { thread, ring: Ring::new(events, Self::WIDTH) }
    }

    /// For its worker's own thread.
    #[inline]
    pub fn push(&self, ticks: u64, event: Event) {
        self.ring.push([ticks, event.into_word()]);
    }

    /// The oldest first, with the ticks of the pool's clock. Never waits for the worker.
    pub fn read(&self) -> Vec<(u64, Event)> {
        let words = self.ring.all();
        let events = words.chunks_exact(Self::WIDTH);
        events.filter_map(|words| Some((words[0], Event::from_word(words[1])?))).collect()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Event, JobKind, Recorder};
    use crate::telemetry::activity::Status;

    #[test]
    fn every_event_survives() {
        let jobs = JobKind::ALL.into_iter().flat_map(|job| [Event::Begin(job), Event::End(job)]);
        let others = [0, 1, 16_383].into_iter().flat_map(|worker| {
            [Event::Steal(worker), Event::Pull(worker), Event::Wake(worker), Event::Expose]
        });
        let all: Vec<_> = jobs.chain(others).chain(Status::ALL.map(Event::Is)).collect();
        let recorder = Recorder::new(all.len(), None);
        for (ticks, &event) in all.iter().enumerate() {
            recorder.push(ticks as u64, event);
        }
        let (ticks, events): (Vec<_>, Vec<_>) = recorder.read().into_iter().unzip();
        assert_eq!(events, all);
        assert_eq!(ticks, (0..all.len() as u64).collect::<Vec<_>>());
        assert_eq!(Event::from_word(7), None);
    }
}
