//! Which submissions from outside a pool accepts.

use std::fmt;
use std::time::Duration;

/// Which submissions from outside a pool accepts, beside the bound of
/// [`max_queued`](crate::ThreadPoolBuilder::max_queued).
///
/// # Examples
///
/// ```
/// use filch::{AdmissionPolicy, ThreadPoolBuilder};
///
/// let pool = ThreadPoolBuilder::new().admission(AdmissionPolicy::ADAPTIVE).build()?;
/// # Ok::<(), filch::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AdmissionPolicy {
    /// All for which there is room.
    #[default]
    Room,
    /// As that, and while a queue *stands* only those that would be begun soon. A queue stands when every task from
    /// outside that was begun during a whole interval had waited for longer than the target; so a burst passes. While it
    /// does, a submission is shed for which the wait would be longer than the target: as many tasks as wait already, at the
    /// rate at which they have been begun lately. It ends with an interval in which none was shed, and some task had
    /// waited for less than the target.
    ///
    /// What is accepted is run, but for tasks with a [handle](crate::spawn_handle) that have waited for a whole interval
    /// when they would be begun while the queue stands: see [`Shed`](crate::Shed).
    ///
    /// Each task takes two looks at the clock and two locks more. A target should be several times as long as a task runs,
    /// and the interval several times as long as that.
    Adaptive {
        /// The longest wait that is put up with for long.
        target: Duration,
        /// For how long.
        interval: Duration,
    },
}

impl AdmissionPolicy {
    /// With the times of CoDel's authors (Nichols and Jacobson, 2012): a target of 5 ms, an interval of 100.
    pub const ADAPTIVE: Self =
        Self::Adaptive { target: Duration::from_millis(5), interval: Duration::from_millis(100) };
}

/// The payload that [`JoinHandle::join`](crate::JoinHandle::join) returns for a task that was not run, as it had waited
/// for too long: see [`AdmissionPolicy::Adaptive`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shed {
    /// For how long it had waited.
    pub waited: Duration,
}

impl fmt::Display for Shed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the task was not run, as it had waited for {:?}; try again later", self.waited)
    }
}

impl std::error::Error for Shed {}

#[cfg(test)]
mod tests {
    use super::Shed;
    use std::time::Duration;

    #[test]
    fn who_was_shed_reads_how_long_it_had_waited() {
        let said = Shed { waited: Duration::from_millis(120) }.to_string();
        assert!(said.contains("waited for 120ms") && said.contains("again"), "{said}");
    }
}
