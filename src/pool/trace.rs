//! What a pool's workers did last: whether that is kept, and the file it is written to.

use crate::error::{Error, Kind};
use crate::export::save::save;
use crate::pool::builder::ThreadPoolBuilder;
use crate::pool::thread_pool::ThreadPool;
use crate::worker::handlers::{Recording, Save};
use crate::worker::shared::Shared;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};

/// 256 MiB a worker: above any use, low enough to catch a typo.
const MOST_EVENTS: usize = 1 << 24;

impl<S> ThreadPoolBuilder<S> {
    /// Keeps the last events of each worker, so many of them, for
    /// [`ThreadPool::write_trace`] and [`trace_on_panic`](Self::trace_on_panic): the begin and end of
    /// each job (a task, a task of a scope, a call from outside, or the part of a join that another
    /// worker has taken), from whom a job was stolen or pulled, when joins were exposed to the others,
    /// whom a worker woke, and when it searched, slept and blocked. Default: none.
    ///
    /// A join costs what it costs otherwise: it is recorded only if another worker gets a part of it. (Where
    /// there is no `membarrier`, and each join is exposed, no exposure is recorded.)
    /// A task takes some 11 ns longer, for two looks at the clock. The memory is 16 bytes an event, for
    /// each thread there has ever been, spares included.
    ///
    /// Not recorded are wakes by threads outside the pool, and by the end of what somebody waits for; nor
    /// blocking that the [watch](Self::detect_blocking) finds. What a worker runs in the midst of a job,
    /// such as a task that it [joins](crate::JoinHandle::join) before anybody has begun it, is part of
    /// that job.
    ///
    /// A number of events that is 0, or above 16,777,216, is an error when the pool is built.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = filch::ThreadPoolBuilder::new().flight_recorder(10_000).build()?;
    /// pool.install(|| ());
    /// let path = std::env::temp_dir().join("filch-example-trace.json");
    /// pool.write_trace(&path).unwrap(); // open it at https://ui.perfetto.dev
    /// # std::fs::remove_file(path).unwrap();
    /// # Ok::<(), filch::Error>(())
    /// ```
    pub fn flight_recorder(mut self, events_per_worker: usize) -> Self {
        self.flight_recorder = Some(events_per_worker);
        self
    }

    /// Has the first panic that no caller can be told of, of those that go to the
    /// [`panic_handler`](Self::panic_handler) or abort, write the trace of
    /// [`write_trace`](ThreadPool::write_trace) to this file before it does: the task that panicked is
    /// among those that have not ended. A failure to write goes to standard error, and that is all.
    ///
    /// Without a [`flight_recorder`](Self::flight_recorder) it is an error when the pool is built.
    ///
    /// # Examples
    ///
    /// ```
    /// let path = std::env::temp_dir().join("filch-example-panic.json");
    /// let pool = filch::ThreadPoolBuilder::new()
    ///     .flight_recorder(10_000)
    ///     .trace_on_panic(&path)
    ///     .panic_handler(|_| eprintln!("a task panicked"))
    ///     .build()?;
    /// pool.spawn(|| panic!("oh no"));
    /// pool.shutdown()?;
    /// assert!(path.exists());
    /// # std::fs::remove_file(path).unwrap();
    /// # Ok::<(), filch::Error>(())
    /// ```
    pub fn trace_on_panic(mut self, path: impl Into<PathBuf>) -> Self {
        self.trace_on_panic = Some(path.into());
        self
    }

    /// Has what its workers do recorded, if that was asked for.
    pub(super) fn record(&mut self, shared: &Arc<Shared>) -> Result<(), Error> {
        let fault = |fault| Err(Error::new(Kind::BadRecorder { fault }));
        match (self.flight_recorder, self.trace_on_panic.take()) {
            (None, None) if self.monitoring.alerts.write_traces() => fault(
                "an alert is to have a trace written, which needs a flight recorder; say how many events \
                 it is to keep by ThreadPoolBuilder::flight_recorder"
                    .into(),
            ),
            (None, None) => Ok(()),
            (None, Some(_)) => fault(
                "trace_on_panic has nothing to write without a flight recorder; say how many events \
                 it is to keep by ThreadPoolBuilder::flight_recorder"
                    .into(),
            ),
            (Some(events_per_worker @ 1..=MOST_EVENTS), path) => {
                let on_panic = path.map(|path| save_once(shared, path));
                let _ = shared.recording.set(Recording { events_per_worker, on_panic });
                Ok(())
            }
            (Some(events), _) => fault(format!(
                "flight_recorder is to keep {events} events per worker, but it keeps 1 to \
                 {MOST_EVENTS}, of 16 bytes each; name a number among those, or leave it out"
            )),
        }
    }
}

impl ThreadPool {
    /// Writes what the workers did last, as far as the
    /// [flight recorder](ThreadPoolBuilder::flight_recorder) keeps it, to a file that
    /// [Perfetto](https://ui.perfetto.dev) opens (and `chrome://tracing`): a track for each worker, with
    /// its index as `tid`, in microseconds since the pool was built. Replaces what is there.
    ///
    /// May be called at any time, by any thread, after a shutdown, too. The workers go on meanwhile,
    /// and never wait for it. The file has some 80 bytes for each event.
    ///
    /// # Errors
    /// If the pool has no flight recorder ([`io::ErrorKind::Unsupported`]), or the file can't be written.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = filch::ThreadPoolBuilder::new().num_threads(1).build()?;
    /// let error = pool.write_trace("nowhere.json").unwrap_err();
    /// assert!(error.to_string().contains("flight_recorder"));
    /// # Ok::<(), filch::Error>(())
    /// ```
    pub fn write_trace(&self, path: impl AsRef<Path>) -> io::Result<()> {
        save(self.shared(), path.as_ref())
    }
}

fn save_once(shared: &Arc<Shared>, path: PathBuf) -> Box<Save> {
    // Whoever panics meanwhile waits, and doesn't end the process in the midst of it.
    let (once, weak) = (Once::new(), Arc::downgrade(shared));
    Box::new(move || {
        once.call_once(|| {
            if let Some(shared) = weak.upgrade()
                && let Err(error) = save(&shared, &path)
            {
                let path = path.display();
                // Not eprintln, which panics if nobody reads it any more.
                let _ = writeln!(
                    io::stderr(),
                    "filch: a task panicked, and the trace can't be written to {path}: {error}"
                );
            }
        });
    })
}
