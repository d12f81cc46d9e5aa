//! What workers write down for the flight recorder, if there is one.
//!
//! Each writes to a ring of its own, which its thread makes as it begins. A join writes nothing: what
//! becomes of it if others are hungry does. What threads do that are no workers isn't recorded.
//!
//! Tests: tests/trace.rs.

use crate::job::Payload;
use crate::sync::current_thread;
use crate::telemetry::event::{Event, JobKind, Recorder};
use crate::worker::local::Local;
use crate::worker::shared::{Job, Shared};

impl Local {
    /// For the worker's own thread, first of all.
    pub fn begin_recording(&self) {
        if let Some(recording) = self.shared.recording.get() {
            let thread = current_thread().name().map(str::to_owned);
            let recorder = Recorder::new(recording.events_per_worker, thread);
            let _ = self.remote().recorder.set(recorder);
        }
    }

    /// Costs a load and a branch if nothing is recorded.
    #[inline(always)]
    pub fn record(&self, event: Event) {
        if let Some(recorder) = self.remote().recorder.get() {
            self.write_down(recorder, event);
        }
    }

    #[cold]
    fn write_down(&self, recorder: &Recorder, event: Event) {
        recorder.push(self.shared.clock.ticks(), event);
    }

    /// Calls `run`, which runs this job, and records that.
    #[cold]
    pub(super) fn record_job(&self, recorder: &Recorder, job: Job, run: impl FnOnce()) {
        self.write_down(recorder, Event::Begin(job.kind()));
        run();
        self.write_down(recorder, Event::End(job.kind()));
    }
}

impl Job {
    fn kind(&self) -> JobKind {
        match self {
            Self::Frame(_) => JobKind::Frame,
            Self::Call(_) | Self::QuickCall(_) => JobKind::Call,
            Self::Scoped(_) => JobKind::Scoped,
            Self::Task(_) => JobKind::Task,
        }
    }
}

impl Shared {
    /// Deals with a panic that no caller can be told of.
    pub fn report_panic(&self, payload: Payload) {
        // First, as the handler may end the process.
        if let Some(save) = self.recording.get().and_then(|recording| recording.on_panic.as_ref()) {
            save();
        }
        self.handlers.report_panic(payload);
    }
}
