//! What a pool raises alerts for.

use crate::policy::alert::Condition;
use crate::telemetry::alert::{AlertKind, Severity};
use std::path::PathBuf;
use std::time::Duration;

/// What a pool does by itself about what it raises an alert for; for [`AlertRules::action`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AlertAction {
    /// Gives back what isn't needed: while the alert fires, the threads of workers that have left end at once, and not
    /// after the [idle timeout](crate::ThreadPoolBuilder::idle_timeout); and when it fires each worker
    /// drops the memory that it keeps for later, at its next idle moment.
    Shed,
    /// While the alert fires, has one worker less every 5 seconds, down to the minimum; then one more after 10 seconds
    /// and so on, as after any [`Strain`](crate::Strain). Of no effect in a pool that doesn't
    /// [adapt](crate::ScalingPolicy::Adaptive).
    Shrink,
    /// Writes the [trace](crate::ThreadPool::write_trace) to this file when the alert fires, and again when it gets
    /// worse: what led to it is in there. A failure is counted in
    /// [`Counters::lost_hooks`](crate::Counters::lost_hooks). Needs a
    /// [flight recorder](crate::ThreadPoolBuilder::flight_recorder).
    WriteTrace(PathBuf),
}

/// What a pool raises alerts for; for [`Monitoring::alerts`](crate::Monitoring::alerts).
///
/// | kind          | value                                     | warning | critical | lasting | why                                        |
/// |---------------|-------------------------------------------|---------|----------|---------|--------------------------------------------|
/// | `Cpu`         | share of all CPUs' time                   | 0.7     | 0.8      | 60 s    | a pool that computes uses them: only for long is it news |
/// | `Memory`      | share of the limit, or of the machine's   | 0.7     | 0.8      | 0       | the next step is swapping, or being killed |
/// | `Network`     | share of the capacity, if that is known   | 0.7     | 0.8      | 60 s    | what comes next waits                      |
/// | `Disk`        | share of a file system                    | 0.7     | 0.8      | 0       | it doesn't get better by itself            |
/// | `QueueLength` | jobs that wait, for each worker           | 100     | 1000     | 0       | more comes than is done                    |
/// | `QueueWait`   | seconds that 1 % of the tasks wait longer than | 0.1 | 1       | 0       | people notice the one and mind the other   |
/// | `ErrorRate`   | share of the tasks that failed            | 0.05    | 0.2      | 0       | something that they need is broken         |
/// | `Health`      | 1 less a worker's health                  | 0.5     | 0.8      | 0       | see [`HealthRules`](crate::HealthRules)    |
/// | `Stall`       | seconds in one task, using the CPU        | 30      | 300      | 0       | an endless loop looks like that            |
/// | `Throttled`   | share of periods stopped by the CPU quota | 0.1     | 0.5      | 60 s    | each stop is a pause for everything        |
/// | `CpuPressure` | share of time that something waits for a CPU | 0.5  | 0.8      | 60 s    | there is more to do than CPUs to do it     |
/// | `Lease`       | seconds that a lease is overdue           | 0       | 600     | 0       | somebody has forgotten it, or takes longer than thought |
/// | `Starvation`  | seconds that somebody waits for a lease   | 60      | 600     | 0       | there is too little of it, or somebody keeps it |
/// | `MemoryPressure` | as that, for memory                    | 0.1     | 0.4      | 10 s    | memory is read back as soon as it is dropped |
///
/// An alert is over when its value has been a twentieth below the warning, or unknown, for
/// [`keep_firing_for`](Self::keep_firing_for). Rules are looked at every
/// [`Monitoring::evaluations`](crate::Monitoring::evaluations), 30 seconds by default: nothing is noticed sooner.
///
/// # Examples
///
/// ```
/// use filch::{AlertAction, AlertKind, AlertRules, Monitoring, Severity};
/// use std::time::Duration;
///
/// let rules = AlertRules::new()
///     .rule(AlertKind::QueueWait, 0.02, 0.2)
///     .lasting(AlertKind::QueueWait, Duration::from_secs(120))
///     .action(AlertKind::QueueWait, Severity::Critical, AlertAction::WriteTrace("late.json".into()))
///     .without(AlertKind::Network);
/// let pool = filch::ThreadPoolBuilder::new()
///     .num_threads(2)
///     .flight_recorder(10_000)
///     .monitoring(Monitoring::new().alerts(rules))
///     .build()?;
/// # Ok::<(), filch::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct AlertRules {
    rules: [Option<Rule>; AlertKind::ALL.len()],
    actions: Vec<(AlertKind, Severity, AlertAction)>,
    threshold: f64,
    keep_firing_for: Duration,
    cooldown: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Rule {
    /// For a warning, and for critical.
    thresholds: Option<(f64, f64)>,
    lasting: Duration,
}

/// So a value that is read twice without being high ends no alert.
const KEEP: Duration = Duration::from_secs(60);
const COOLDOWN: Duration = Duration::from_secs(300);
const MINUTE: Duration = Duration::from_secs(60);

impl AlertRules {
    /// Those of the table.
    pub fn new() -> Self {
        Self::none()
            .rule(AlertKind::Cpu, 0.7, 0.8)
            .lasting(AlertKind::Cpu, MINUTE)
            .rule(AlertKind::Memory, 0.7, 0.8)
            .rule(AlertKind::Network, 0.7, 0.8)
            .lasting(AlertKind::Network, MINUTE)
            .rule(AlertKind::Disk, 0.7, 0.8)
            .rule(AlertKind::QueueLength, 100.0, 1000.0)
            .rule(AlertKind::QueueWait, 0.1, 1.0)
            .rule(AlertKind::ErrorRate, 0.05, 0.2)
            .rule(AlertKind::Health, 0.5, 0.8)
            .rule(AlertKind::Stall, 30.0, 300.0)
            .rule(AlertKind::Throttled, 0.1, 0.5)
            .lasting(AlertKind::Throttled, MINUTE)
            .rule(AlertKind::CpuPressure, 0.5, 0.8)
            .lasting(AlertKind::CpuPressure, MINUTE)
            .rule(AlertKind::Lease, 0.0, 600.0)
            .rule(AlertKind::Starvation, 60.0, 600.0)
            .rule(AlertKind::MemoryPressure, 0.1, 0.4)
            .lasting(AlertKind::MemoryPressure, Duration::from_secs(10))
    }

    /// None at all.
    pub fn none() -> Self {
        Self {
            rules: [None; AlertKind::ALL.len()],
            actions: Vec::new(),
            threshold: 0.8,
            keep_firing_for: KEEP,
            cooldown: COOLDOWN,
        }
    }

    fn set(mut self, kind: AlertKind, thresholds: Option<(f64, f64)>) -> Self {
        let rule = &mut self.rules[kind as usize];
        let lasting = rule.map_or(Duration::ZERO, |before| before.lasting);
        *rule = Some(Rule { thresholds, lasting });
        self
    }

    /// Above `warning` it is one, above `critical` it is critical.
    pub fn rule(self, kind: AlertKind, warning: f64, critical: f64) -> Self {
        self.set(kind, Some((warning, critical)))
    }

    /// Above the common [`threshold`](Self::threshold) it is a warning, and never critical. For what is a
    /// share; for a queue's length or wait and for a stall, which are none, it is an error when the pool is
    /// built.
    pub fn watch(self, kind: AlertKind) -> Self {
        self.set(kind, None)
    }

    /// The threshold of rules that have none of their own. Default: 0.8.
    pub fn threshold(mut self, share: f64) -> Self {
        self.threshold = share;
        self
    }

    /// This raises no alerts.
    pub fn without(mut self, kind: AlertKind) -> Self {
        self.rules[kind as usize] = None;
        self
    }

    /// For how long this has to be above before it fires. Of no effect without a rule for it.
    pub fn lasting(mut self, kind: AlertKind, time: Duration) -> Self {
        self.rules[kind as usize].iter_mut().for_each(|rule| rule.lasting = time);
        self
    }

    /// For how long anything has to be below before it is over. Default: a minute.
    pub fn keep_firing_for(mut self, time: Duration) -> Self {
        self.keep_firing_for = time;
        self
    }

    /// After how long anything is told of again. Default: 5 minutes.
    pub fn cooldown(mut self, time: Duration) -> Self {
        self.cooldown = time;
        self
    }

    /// What the pool does about an alert of this kind that is as bad as that, or worse, beside telling of it. There
    /// may be several. Default: nothing.
    pub fn action(mut self, kind: AlertKind, severity: Severity, action: AlertAction) -> Self {
        self.actions.push((kind, severity, action));
        self
    }

    pub(crate) fn condition(&self, kind: AlertKind) -> Option<Condition> {
        let Rule { thresholds, lasting } = self.rules[kind as usize]?;
        let (warning, critical) = thresholds.unwrap_or((self.threshold, f64::INFINITY));
        let &Self { keep_firing_for, cooldown, .. } = self;
        Some(Condition { warning, critical, lasting, keep_firing_for, cooldown })
    }

    /// What is to be done about such an alert, and how bad it is to be for that.
    pub(crate) fn actions(
        &self,
        kind: AlertKind,
    ) -> impl Iterator<Item = (Severity, &AlertAction)> {
        let of_kind = self.actions.iter().filter(move |action| action.0 == kind);
        of_kind.map(|(_, severity, action)| (*severity, action))
    }

    pub(crate) fn write_traces(&self) -> bool {
        self.actions.iter().any(|(_, _, action)| matches!(action, AlertAction::WriteTrace(_)))
    }

    /// What is wrong with them, if anything.
    pub(crate) fn fault(&self) -> Option<String> {
        AlertKind::ALL.into_iter().find_map(|kind| {
            let Condition { warning, critical, .. } = self.condition(kind)?;
            if self.rules[kind as usize]?.thresholds.is_none() && !kind.is_share() {
                return Some(format!(
                    "has an alert rule for {kind:?} without thresholds, and the common one is a share, which that is \
                     not; give it some by AlertRules::rule"
                ));
            }
            let sound = warning.is_finite() && warning >= 0.0 && critical >= warning;
            (!sound).then(|| {
                format!(
                    "has an alert rule for {kind:?} with {warning} for a warning and {critical} for critical; give \
                     numbers of at least 0, the second no less than the first"
                )
            })
        })
    }
}

impl Default for AlertRules {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{AlertAction, AlertRules};
    use crate::telemetry::alert::{AlertKind, Severity};
    use std::time::Duration;

    #[test]
    fn the_defaults_are_those_of_the_table() {
        let rules = AlertRules::default();
        let of = |kind| {
            let condition = rules.condition(kind).unwrap();
            (condition.warning, condition.critical, condition.lasting.as_secs())
        };
        assert_eq!(of(AlertKind::Cpu), (0.7, 0.8, 60));
        assert_eq!((of(AlertKind::Memory), of(AlertKind::Disk)), ((0.7, 0.8, 0), (0.7, 0.8, 0)));
        assert_eq!(of(AlertKind::Network), (0.7, 0.8, 60));
        assert_eq!(of(AlertKind::QueueLength), (100.0, 1000.0, 0));
        assert_eq!(of(AlertKind::QueueWait), (0.1, 1.0, 0));
        assert_eq!(of(AlertKind::ErrorRate), (0.05, 0.2, 0));
        assert_eq!(of(AlertKind::Health), (0.5, 0.8, 0));
        assert_eq!(of(AlertKind::Stall), (30.0, 300.0, 0));
        assert_eq!(of(AlertKind::Throttled), (0.1, 0.5, 60));
        assert_eq!(of(AlertKind::CpuPressure), (0.5, 0.8, 60));
        assert_eq!(of(AlertKind::Lease), (0.0, 600.0, 0));
        assert_eq!(of(AlertKind::Starvation), (60.0, 600.0, 0));
        assert_eq!(of(AlertKind::MemoryPressure), (0.1, 0.4, 10));
        for kind in AlertKind::ALL {
            let condition = rules.condition(kind).unwrap();
            assert_eq!(
                (condition.keep_firing_for.as_secs(), condition.cooldown.as_secs()),
                (60, 300)
            );
        }
        assert_eq!(rules.fault(), None);
    }

    #[test]
    fn what_makes_no_sense_is_named_and_what_is_changed_stays_changed() {
        let rule = |warning, critical| AlertRules::none().rule(AlertKind::Disk, warning, critical);
        assert_eq!((rule(0.0, 0.0).fault(), rule(1.0, f64::INFINITY).fault()), (None, None));
        for (warning, critical) in [(f64::NAN, 1.0), (1.0, f64::NAN), (2.0, 1.0), (-1.0, 1.0)] {
            assert!(rule(warning, critical).fault().unwrap().contains("Disk"));
        }
        let second = Duration::from_secs(1);
        let rules = rule(0.5, 0.6).lasting(AlertKind::Disk, second);
        let rules = rules.cooldown(second);
        let rules = rules.rule(AlertKind::Disk, 0.1, 0.2).keep_firing_for(second * 2);
        let condition = rules.condition(AlertKind::Disk).unwrap();
        assert_eq!(
            (condition.warning, condition.lasting, condition.cooldown),
            (0.1, second, second)
        );
        assert_eq!(condition.keep_firing_for, second * 2);
        assert!(rules.condition(AlertKind::Cpu).is_none());
        let none = AlertRules::none().cooldown(second).keep_firing_for(second * 2);
        assert_eq!(rules.without(AlertKind::Disk), none);
    }

    #[test]
    fn a_rule_without_thresholds_goes_by_the_common_one_if_it_is_about_a_share() {
        for kind in AlertKind::ALL {
            let rules = AlertRules::none().watch(kind);
            let thresholds = |rules: &AlertRules| {
                rules.condition(kind).map(|condition| (condition.warning, condition.critical))
            };
            assert_eq!(thresholds(&rules), Some((0.8, f64::INFINITY)));
            assert_eq!(rules.fault().is_none(), kind.is_share(), "{kind:?}");
            let rules = rules.threshold(0.5);
            assert_eq!(thresholds(&rules), Some((0.5, f64::INFINITY)));
            assert!(rules.threshold(f64::NAN).fault().is_some());
        }
    }

    #[test]
    fn actions_are_those_of_their_kind() {
        let trace = AlertAction::WriteTrace("trace.json".into());
        let rules = AlertRules::new()
            .action(AlertKind::Cpu, Severity::Warning, AlertAction::Shrink)
            .action(AlertKind::Disk, Severity::Warning, AlertAction::Shed);
        assert!(!rules.write_traces());
        let rules = rules.action(AlertKind::Cpu, Severity::Critical, trace.clone());
        assert!(rules.write_traces());
        let of_cpu: Vec<_> = rules.actions(AlertKind::Cpu).collect();
        let shrinks = (Severity::Warning, &AlertAction::Shrink);
        assert_eq!(of_cpu, [shrinks, (Severity::Critical, &trace)]);
        assert_eq!(rules.actions(AlertKind::Memory).count(), 0);
    }
}
