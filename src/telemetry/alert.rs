//! Alerts, as users see them.

use std::collections::VecDeque;
use std::fmt;
use std::time::SystemTime;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum Severity {
    /// Somebody should have a look.
    Warning,
    /// Somebody should do something.
    Critical,
}

#[cfg(feature = "metrics")]
impl Severity {
    pub(crate) const ALL: [Self; 2] = [Self::Warning, Self::Critical];
}

/// What an alert is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum AlertKind {
    /// The machine's CPUs: the share of their time that was spent on anything.
    Cpu,
    /// Memory in use, of the control group's limit or the machine's.
    Memory,
    /// What of the network's capacity is used.
    Network,
    /// What of a file system is used.
    Disk,
    /// Jobs that wait, for each worker.
    QueueLength,
    /// What one in a hundred tasks waits longer than, in seconds.
    QueueWait,
    /// Tasks that fail, as a share of all.
    ErrorRate,
    /// What is missing to a worker's health.
    Health,
    /// For how long a worker has run one task and used its CPU, in seconds.
    Stall,
    /// Share of the periods in which the control group was stopped, its CPU quota used up.
    Throttled,
    /// Share of the time in which something waited for a CPU: of the process's own control group where the kernel
    /// says (version 2), else of the machine.
    CpuPressure,
    /// As that, for memory.
    MemoryPressure,
    /// By how much a lease has been held for longer than it was meant, in seconds.
    Lease,
    /// For how long somebody has waited for a lease, in seconds.
    Starvation,
}

impl AlertKind {
    pub(crate) const ALL: [Self; 14] = [
        Self::Cpu,
        Self::Memory,
        Self::Network,
        Self::Disk,
        Self::QueueLength,
        Self::QueueWait,
        Self::ErrorRate,
        Self::Health,
        Self::Stall,
        Self::Throttled,
        Self::CpuPressure,
        Self::MemoryPressure,
        Self::Lease,
        Self::Starvation,
    ];

    /// Whether its value is a share of what there is, or could be.
    pub(crate) fn is_share(self) -> bool {
        !matches!(
            self,
            Self::QueueLength | Self::QueueWait | Self::Stall | Self::Lease | Self::Starvation
        )
    }

    /// What it is that is `value`, for people.
    pub(crate) fn describe(self, resource: &str, value: f64) -> String {
        let percent = 100.0 * value;
        match self {
            Self::Cpu => format!("{percent:.0} % of the CPUs' time is used"),
            Self::Memory => format!("{percent:.0} % of the memory is in use"),
            Self::Network => format!("{percent:.0} % of the network's capacity is used"),
            Self::Disk => format!("{percent:.0} % of the file system at {resource} is used"),
            Self::QueueLength => format!("{value:.0} jobs wait for each worker"),
            Self::QueueWait => format!("one task in a hundred waits longer than {value:.3} s"),
            Self::ErrorRate => format!("{percent:.1} % of the tasks fail"),
            Self::Health => format!("the health of worker {resource} is {:.2}", 1.0 - value),
            Self::Stall => {
                format!("worker {resource} has been computing in one task for {value:.0} s")
            }
            Self::Throttled => format!(
                "in {percent:.0} % of the periods the process was stopped, its CPU quota used up"
            ),
            Self::CpuPressure => {
                format!("in {percent:.0} % of the time something that could run waited for a CPU")
            }
            Self::Lease => format!(
                "a lease that was asked for at {resource} is held for {value:.0} s longer than it was meant"
            ),
            Self::Starvation => {
                format!("a request for a lease at {resource} has waited for {value:.0} s")
            }
            Self::MemoryPressure => {
                format!("in {percent:.0} % of the time something waited for memory")
            }
        }
    }
}

/// Something that is, or was, not as it should be.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Alert {
    /// Tells it from all others of its pool, later ones included.
    pub id: u64,
    /// By what it has been found.
    pub kind: AlertKind,
    /// The worst so far.
    pub severity: Severity,
    /// For people.
    pub message: String,
    /// Which file system or worker, or where in the program a lease is asked for; empty where there is only one.
    pub resource: String,
    /// What it was when this was last told of.
    pub value: f64,
    /// What it is above.
    pub threshold: f64,
    /// Since when it has fired.
    pub since: SystemTime,
    /// When it was over; `None` while it fires.
    pub resolved: Option<SystemTime>,
    /// Whether somebody has [said](crate::ThreadPool::ack) that they know.
    pub acknowledged: bool,
}

impl Alert {
    pub(crate) fn new(kind: AlertKind, resource: String) -> Self {
        Self {
            id: 0,
            kind,
            severity: Severity::Warning,
            message: String::new(),
            resource,
            value: 0.0,
            threshold: 0.0,
            since: SystemTime::now(),
            resolved: None,
            acknowledged: false,
        }
    }
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, severity, message, .. } = self;
        let over = if self.resolved.is_some() { " (over)" } else { "" };
        write!(f, "alert {id}: {severity:?}: {message}{over}")
    }
}

/// So many that are over are kept.
const PAST: usize = 64;

/// Those that fire and the last ones that did.
#[derive(Debug, Default)]
pub struct Alerts {
    pub firing: Vec<Alert>,
    past: VecDeque<Alert>,
    last_id: u64,
}

impl Alerts {
    /// Returns its number.
    pub fn begin(&mut self, alert: Alert) -> u64 {
        self.last_id += 1;
        self.firing.push(Alert { id: self.last_id, ..alert });
        self.last_id
    }

    pub fn get(&mut self, id: u64) -> Option<&mut Alert> {
        self.firing.iter_mut().find(|alert| alert.id == id)
    }

    /// It is over.
    pub fn end(&mut self, id: u64) -> Option<Alert> {
        let at = self.firing.iter().position(|alert| alert.id == id)?;
        let alert = Alert { resolved: Some(SystemTime::now()), ..self.firing.remove(at) };
        if self.past.len() == PAST {
            self.past.pop_front();
        }
        self.past.push_back(alert.clone());
        Some(alert)
    }

    /// The oldest first, those that are over before those that fire.
    pub fn all(&self) -> Vec<Alert> {
        self.past.iter().chain(&self.firing).cloned().collect()
    }
}

#[cfg(all(test, not(loom), not(miri)))]
mod tests {
    use super::{Alert, AlertKind, Alerts, PAST};

    fn alert() -> Alert {
        Alert { message: "busy".into(), ..Alert::new(AlertKind::Cpu, String::new()) }
    }

    #[test]
    fn the_last_ones_that_are_over_are_kept() {
        let mut alerts = Alerts::default();
        for id in 1..=PAST as u64 + 2 {
            assert_eq!(alerts.begin(alert()), id);
            assert!(alerts.end(id).unwrap().resolved.is_some());
            assert_eq!(alerts.end(id), None);
        }
        let firing = alerts.begin(alert());
        alerts.get(firing).unwrap().acknowledged = true;
        let all = alerts.all();
        assert_eq!((all.len(), all[0].id, all.last().unwrap().id), (PAST + 1, 3, firing));
        assert!(all.last().unwrap().acknowledged && alerts.get(1).is_none());
        assert_eq!(all[0].to_string(), "alert 3: Warning: busy (over)");
    }
}
