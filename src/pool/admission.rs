//! How many tasks may wait, and which others a pool accepts.

use crate::error::{Error, Kind};
use crate::policy::admission::{AdmissionPolicy, Shed};
use crate::pool::builder::ThreadPoolBuilder;
use crate::resources::admission::{Admission, AdmissionConfig};
use crate::worker::shared::Shared;

impl<S> ThreadPoolBuilder<S> {
    /// How many tasks may wait to be begun before none is accepted from outside any more. Default: no bound.
    ///
    /// In a pool that is full, [`try_spawn`](crate::ThreadPool::try_spawn) gives the task back, with
    /// [`Rejection::Saturated`](crate::Rejection::Saturated); [`spawn_async`](crate::ThreadPool::spawn_async) waits for
    /// room, and so do `spawn`, `spawn_fifo`, `spawn_handle`, `spawn_named`, `spawn_placed` and
    /// [`TaskBuilder`](crate::TaskBuilder)'s verbs, as threads that sleep. Who has waited for longest is next, and nobody
    /// goes before one who waits. On a worker of another pool they give up its seat meanwhile, as
    /// [`blocking`](crate::blocking()). A shutdown ends each wait, with the panic of a `spawn` after it.
    ///
    /// What the pool's own workers spawn counts, but is accepted in any case, since a worker that waited for room might
    /// wait for itself. `join`, scopes, `install`, broadcasts and tasks that a
    /// [`lease`](crate::ThreadPool::spawn_with) starts neither wait nor count. The thread of
    /// [`use_current_thread`](Self::use_current_thread) is one of the workers.
    ///
    /// In a pool with a bound a task takes some 35 ns longer, and one from outside some 70, for a count that all share. 0 is an error when
    /// the pool is built.
    ///
    /// # Examples
    ///
    /// ```
    /// use filch::{Rejection, ThreadPoolBuilder};
    /// use std::sync::mpsc::channel;
    ///
    /// let pool = ThreadPoolBuilder::new().num_threads(1).max_queued(1).build()?;
    /// let (begun, has_begun) = channel();
    /// let (go_on, may_go_on) = channel::<()>();
    /// pool.spawn(move || {
    ///     begun.send(()).unwrap();
    ///     let _ = may_go_on.recv();
    /// });
    /// has_begun.recv().unwrap(); // so it doesn't wait any more
    /// pool.spawn(|| ());
    /// let rejected = pool.try_spawn(|| ()).unwrap_err();
    /// assert_eq!(rejected.reason, Rejection::Saturated);
    /// drop(go_on);
    /// pool.spawn(rejected.task); // when there is room
    /// # Ok::<(), filch::Error>(())
    /// ```
    pub fn max_queued(mut self, tasks: usize) -> Self {
        self.admission.max_queued = Some(tasks);
        self
    }

    /// Which submissions from outside are accepted, of those for which there is room. Default: all. With
    /// [`AdmissionPolicy::Adaptive`], `try_spawn` and `spawn_async` give back those that are shed, with
    /// [`Rejection::Shed`](crate::Rejection::Shed). `spawn` and the others, which have no error for it, wait until they
    /// would be accepted, as for room. Times of 0, or an interval shorter than the target, are an error when the pool is
    /// built.
    pub fn admission(mut self, policy: AdmissionPolicy) -> Self {
        self.admission.policy = policy;
        self
    }

    /// Called for each task with a handle that is not run because it has waited for too long, by the worker that would
    /// have run it, before those who wait for it are told: so it should be short. A panic in it is counted, in
    /// [`Counters::lost_hooks`](crate::Counters::lost_hooks). See [`AdmissionPolicy::Adaptive`].
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = filch::ThreadPoolBuilder::new()
    ///     .num_threads(2)
    ///     .admission(filch::AdmissionPolicy::ADAPTIVE)
    ///     .on_shed(|shed| println!("{shed}"))
    ///     .build()?;
    /// # Ok::<(), filch::Error>(())
    /// ```
    pub fn on_shed<H>(mut self, hook: H) -> Self
    where
        H: Fn(Shed) + Send + Sync + 'static,
    {
        self.handlers.shed = Some(Box::new(hook));
        self
    }

    /// Before the first worker begins.
    pub(super) fn admit(&self, shared: &Shared) -> Result<(), Error> {
        if let Some(fault) = fault(self.admission) {
            return Err(Error::new(Kind::BadAdmission { fault }));
        }
        if let Some(admission) = Admission::new(self.admission) {
            let _ = shared.admission.set(admission);
        }
        Ok(())
    }
}

/// What makes no sense, and what to give instead.
pub(super) fn fault(AdmissionConfig { max_queued, policy }: AdmissionConfig) -> Option<String> {
    if max_queued == Some(0) {
        return Some(
            "max_queued is 0, so that no task would ever be accepted from outside; give 1 or more, or leave it out for \
             no bound"
                .into(),
        );
    }
    match policy {
        AdmissionPolicy::Adaptive { target, interval } if target.is_zero() || interval < target => {
            Some(format!(
                "AdmissionPolicy::Adaptive has a target of {target:?} and an interval of {interval:?}; give a target \
                 above 0, and an interval several times as long"
            ))
        }
        _ => None,
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{AdmissionConfig, AdmissionPolicy, fault};
    use std::time::Duration;

    #[test]
    fn what_makes_no_sense_is_named() {
        let of = |max_queued, target, interval| {
            let [target, interval] = [target, interval].map(Duration::from_millis);
            fault(AdmissionConfig {
                max_queued,
                policy: AdmissionPolicy::Adaptive { target, interval },
            })
        };
        assert_eq!(of(Some(1), 5, 100), None);
        assert_eq!(of(None, 5, 5), None);
        assert!(of(Some(0), 5, 100).unwrap().contains("max_queued is 0"));
        assert!(of(None, 0, 100).unwrap().contains("target of 0ns"));
        assert!(of(None, 5, 4).unwrap().contains("interval of 4ms"));
        assert_eq!(fault(AdmissionConfig::default()), None);
    }
}
