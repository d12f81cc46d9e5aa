//! What `tracing` is told, with the feature of this name: of each task a span, of workers and panics
//! events. Without it nothing, at no cost.
//!
//! | target          | level | what                                                        |
//! |-----------------|-------|-------------------------------------------------------------|
//! | `filch::task`   | debug | a span from submission to end, within that of the submitter |
//! | `filch::task`   | error | a task panicked                                             |
//! | `filch::worker` | debug | a worker started or stopped                                 |
//! | `filch::worker` | info  | a spare took the seat of a worker that blocks, or gave it up |

#[cfg(feature = "tracing")]
mod told {
    use crate::job::Payload;
    use crate::sync::panicking;
    use std::cell::Cell;
    use std::time::Duration;
    use tracing::field::Empty;
    use tracing::span::EnteredSpan;
    use tracing::{Level, Span, debug, error, info, span, span_enabled};

    const OK: &str = "ok";
    const FAILED: &str = "failed";
    const PANICKED: &str = "panicked";

    thread_local! {
        /// How the innermost task of this thread has ended, as far as is known: some panics are
        /// caught, and kept for the caller, before the task's span ends.
        static OUTCOME: Cell<&'static str> = const { Cell::new(OK) };
    }

    /// A task's span, from its submission.
    #[derive(Debug)]
    pub struct TaskSpan(Span);

    impl TaskSpan {
        /// Whether anybody wants to know of tasks.
        #[inline]
        pub fn is_wanted() -> bool {
            span_enabled!(target: "filch::task", Level::DEBUG)
        }

        pub fn new(label: Option<&'static str>) -> Self {
            Self(span!(
                target: "filch::task",
                Level::DEBUG,
                "task",
                label,
                worker = Empty,
                queue_wait_seconds = Empty,
                outcome = Empty,
            ))
        }

        pub fn start(self, worker: usize, queue_wait: impl FnOnce() -> Duration) -> RunningSpan {
            let span = self.0.entered();
            if !span.is_disabled() {
                span.record("worker", worker);
                span.record("queue_wait_seconds", queue_wait().as_secs_f64());
            }
            RunningSpan { span, outer: OUTCOME.replace(OK) }
        }
    }

    /// That of a task that runs; on drop it has ended.
    #[derive(Debug)]
    pub struct RunningSpan {
        span: EnteredSpan,
        /// What is known of the task in whose midst this one runs.
        outer: &'static str,
    }

    impl Drop for RunningSpan {
        fn drop(&mut self) {
            let outcome = OUTCOME.replace(self.outer);
            let outcome = if panicking() { PANICKED } else { outcome };
            self.span.record("outcome", outcome);
        }
    }

    /// The innermost task of this thread has returned an error.
    pub fn failed() {
        OUTCOME.set(FAILED);
    }

    /// The innermost task of this thread has panicked.
    pub fn panicked(payload: &Payload) {
        OUTCOME.set(PANICKED);
        let text = payload.downcast_ref::<&str>().copied();
        let message = text.or_else(|| payload.downcast_ref::<String>().map(|text| &**text));
        error!(target: "filch::task", panic = message.unwrap_or("no text"), "a task panicked");
    }

    pub fn started(worker: usize) {
        debug!(target: "filch::worker", worker, "a worker started");
    }

    pub fn stopped(worker: usize) {
        debug!(target: "filch::worker", worker, "a worker stopped");
    }

    pub fn seated(spare: usize) {
        info!(target: "filch::worker", worker = spare, "a spare took a seat");
    }

    pub fn benched(spare: usize) {
        info!(target: "filch::worker", worker = spare, "a spare gave up its seat");
    }
}

#[cfg(not(feature = "tracing"))]
mod told {
    use crate::job::Payload;
    use std::time::Duration;

    #[derive(Debug)]
    pub struct TaskSpan;

    impl TaskSpan {
        #[inline(always)]
        pub fn is_wanted() -> bool {
            false
        }

        #[inline(always)]
        pub fn new(_: Option<&'static str>) -> Self {
            Self
        }

        #[inline(always)]
        pub fn start(self, _: usize, _: impl FnOnce() -> Duration) -> RunningSpan {
            RunningSpan
        }
    }

    #[derive(Debug)]
    pub struct RunningSpan;

    pub fn failed() {}
    pub fn panicked(_: &Payload) {}
    pub fn started(_: usize) {}
    pub fn stopped(_: usize) {}
    pub fn seated(_: usize) {}
    pub fn benched(_: usize) {}
}

pub use told::*;
