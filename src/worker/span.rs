//! What `tracing` is told, with the feature of this name: of each task a span, of workers and panics
//! events. Without it nothing, at no cost.
//!
//! | target          | level | what                                                        |
//! |-----------------|-------|-------------------------------------------------------------|
//! | `filch::task`   | debug | a span, `task`, from submission to end; without a worker or an outcome if it never began |
//! | `filch::task`   | error | a task panicked                                             |
//! | `filch::worker` | debug | a worker started or stopped                                 |
//! | `filch::worker` | info  | a spare took the seat of a worker that blocks, or gave it up |
//! | `filch::pool`   | info  | how it is, whenever the alert rules are looked at           |
//! | `filch::alert`  | warn, error, info | an alert fires, is critical, is over            |
//!
//! Who waits for a task, a scope or a caller, submits it within its own span. The spans of other tasks
//! lie within the span around the first of them: were each within its submitter's, a task that starts
//! the next, which starts the next, would keep all of their spans open. They follow from it.
//!
//! Subscribers are users' code, and called where nothing may unwind: what they throw is dropped here.
//!
//! Tests, with the feature: tests/tracing.rs.

#[cfg(feature = "tracing")]
mod told {
    use crate::job::Payload;
    use crate::sync::panicking;
    use crate::telemetry::alert::{Alert, Severity};
    use crate::telemetry::unavailable::Fact;
    use std::cell::{Cell, RefCell};
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::time::Duration;
    use tracing::field::Empty;
    use tracing::level_filters::LevelFilter;
    use tracing::span::EnteredSpan;
    use tracing::{Level, Span, debug, error, info, span, warn};

    const OK: &str = "ok";
    const FAILED: &str = "failed";
    const PANICKED: &str = "panicked";

    thread_local! {
        /// How the innermost task of this thread has ended, as far as is known: some panics are
        /// caught, and kept for the caller, before the task's span ends.
        static OUTCOME: Cell<&'static str> = const { Cell::new(OK) };
        /// The span that tasks which the innermost task of this thread submits lie within if nobody
        /// waits for them; `None` outside tasks.
        static AROUND: RefCell<Option<Span>> = const { RefCell::new(None) };
    }

    fn tell<R>(tell: impl FnOnce() -> R) -> Option<R> {
        catch_unwind(AssertUnwindSafe(tell)).ok()
    }

    /// A task's span, from its submission.
    #[derive(Debug)]
    pub struct TaskSpan {
        span: Span,
        around: Span,
    }

    impl TaskSpan {
        /// Whether anybody may want to know of tasks.
        #[inline]
        pub fn is_wanted() -> bool {
            LevelFilter::current() >= Level::DEBUG
        }

        pub fn new(label: Option<&'static str>, waited_for: bool) -> Self {
            let new = || {
                let current = Span::current();
                let around = AROUND.with_borrow(|around| around.clone());
                let around = around.unwrap_or_else(|| current.clone());
                let span = span!(
                    target: "filch::task",
                    parent: if waited_for { &current } else { &around },
                    Level::DEBUG,
                    "task",
                    label,
                    worker = Empty,
                    queue_wait_seconds = Empty,
                    outcome = Empty,
                );
                if !waited_for && current != around {
                    span.follows_from(&current);
                }
                Self { span, around }
            };
            tell(new).unwrap_or_else(|| Self { span: Span::none(), around: Span::none() })
        }

        /// Whether nobody does.
        pub fn is_disabled(&self) -> bool {
            self.span.is_disabled()
        }

        pub fn start(self, worker: usize, queue_wait: impl FnOnce() -> Duration) -> RunningSpan {
            let Self { span, around } = self;
            let enter = || {
                let span = span.entered();
                if !span.is_disabled() {
                    span.record("worker", worker);
                    span.record("queue_wait_seconds", queue_wait().as_secs_f64());
                }
                span
            };
            RunningSpan {
                span: tell(enter),
                outer: OUTCOME.replace(OK),
                around: AROUND.replace(Some(around)),
            }
        }
    }

    /// That of a task that runs; on drop it has ended.
    #[derive(Debug)]
    pub struct RunningSpan {
        span: Option<EnteredSpan>,
        /// What is known of the task in whose midst this one runs, and its span around.
        outer: &'static str,
        around: Option<Span>,
    }

    impl Drop for RunningSpan {
        fn drop(&mut self) {
            let outcome = OUTCOME.replace(self.outer);
            let outcome = if panicking() { PANICKED } else { outcome };
            let around = AROUND.replace(self.around.take());
            let span = self.span.take();
            tell(|| {
                span.inspect(|span| _ = span.record("outcome", outcome));
                drop(around);
            });
        }
    }

    /// The innermost task of this thread, whose span is open, has returned an error.
    pub fn failed() {
        OUTCOME.set(FAILED);
    }

    /// It has panicked, and the panic has been caught.
    pub fn caught() {
        OUTCOME.set(PANICKED);
    }

    pub fn panicked(payload: &Payload) {
        let text = payload.downcast_ref::<&str>().copied();
        let message = text.or_else(|| payload.downcast_ref::<String>().map(|text| &**text));
        let message = message.unwrap_or("no text");
        tell(|| error!(target: "filch::task", panic = message, "a task panicked"));
    }

    pub fn started(worker: usize) {
        tell(|| debug!(target: "filch::worker", worker, "a worker started"));
    }

    pub fn stopped(worker: usize) {
        tell(|| debug!(target: "filch::worker", worker, "a worker stopped"));
    }

    pub fn seated(spare: usize) {
        tell(|| info!(target: "filch::worker", worker = spare, "a spare took a seat"));
    }

    pub fn benched(spare: usize) {
        tell(|| info!(target: "filch::worker", worker = spare, "a spare gave up its seat"));
    }

    /// How a pool is: the shares of the machine's CPUs, memory and network that are in use, and how many alerts fire.
    pub fn summary(workers: usize, queued: usize, shares: [Fact<f64>; 3], firing: usize) {
        let [cpu, memory, network] = shares.map(Fact::ok);
        tell(|| {
            info!(target: "filch::pool", workers, queued, cpu, memory, network, firing, "a pool");
        });
    }

    pub fn alert(alert: &Alert) {
        let Alert { id, value, threshold, message, .. } = alert;
        tell(|| match alert.severity {
            _ if alert.resolved.is_some() => {
                info!(target: "filch::alert", id, value, threshold, "over: {message}");
            }
            Severity::Warning => warn!(target: "filch::alert", id, value, threshold, "{message}"),
            Severity::Critical => error!(target: "filch::alert", id, value, threshold, "{message}"),
        });
    }
}

#[cfg(not(feature = "tracing"))]
mod told {
    use crate::job::Payload;
    use crate::telemetry::alert::Alert;
    use crate::telemetry::unavailable::Fact;
    use std::time::Duration;

    #[derive(Debug)]
    pub struct TaskSpan;

    impl TaskSpan {
        #[inline(always)]
        pub fn is_wanted() -> bool {
            false
        }

        #[inline(always)]
        pub fn new(_: Option<&'static str>, _: bool) -> Self {
            Self
        }

        #[inline(always)]
        pub fn is_disabled(&self) -> bool {
            true
        }

        #[inline(always)]
        pub fn start(self, _: usize, _: impl FnOnce() -> Duration) -> RunningSpan {
            RunningSpan
        }
    }

    #[derive(Debug)]
    pub struct RunningSpan;

    pub fn failed() {}
    pub fn caught() {}
    pub fn panicked(_: &Payload) {}
    pub fn started(_: usize) {}
    pub fn stopped(_: usize) {}
    pub fn seated(_: usize) {}
    pub fn benched(_: usize) {}
    pub fn summary(_: usize, _: usize, _: [Fact<f64>; 3], _: usize) {}
    pub fn alert(_: &Alert) {}
}

pub use told::*;
