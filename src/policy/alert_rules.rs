//! What a pool raises alerts for.

use crate::policy::alert::Condition;
use crate::telemetry::alert::AlertKind;
use std::time::Duration;

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
///
/// An alert is over when its value has been a twentieth below the warning, or unknown, for
/// [`keep_firing_for`](Self::keep_firing_for). Rules are looked at every
/// [`Monitoring::evaluations`](crate::Monitoring::evaluations), 30 seconds by default: nothing is noticed sooner.
///
/// # Examples
///
/// ```
/// use filch::{AlertKind, AlertRules, Monitoring};
/// use std::time::Duration;
///
/// let rules = AlertRules::new()
///     .rule(AlertKind::QueueWait, 0.02, 0.2)
///     .lasting(AlertKind::QueueWait, Duration::from_secs(120))
///     .without(AlertKind::Network);
/// let pool = filch::ThreadPoolBuilder::new()
///     .num_threads(2)
///     .monitoring(Monitoring::new().alerts(rules))
///     .build()?;
/// # Ok::<(), filch::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct AlertRules([Option<Condition>; AlertKind::ALL.len()]);

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
    }

    /// None at all.
    pub fn none() -> Self {
        Self([None; AlertKind::ALL.len()])
    }

    /// Above `warning` it is one, above `critical` it is critical.
    pub fn rule(mut self, kind: AlertKind, warning: f64, critical: f64) -> Self {
        let new = Condition {
            warning,
            critical,
            lasting: Duration::ZERO,
            keep_firing_for: KEEP,
            cooldown: COOLDOWN,
        };
        let before = self.0[kind as usize].unwrap_or(new);
        self.0[kind as usize] = Some(Condition { warning, critical, ..before });
        self
    }

    /// This raises no alerts.
    pub fn without(mut self, kind: AlertKind) -> Self {
        self.0[kind as usize] = None;
        self
    }

    /// For how long this has to be above before it fires. Of no effect without a rule for it.
    pub fn lasting(mut self, kind: AlertKind, time: Duration) -> Self {
        self.0[kind as usize].iter_mut().for_each(|condition| condition.lasting = time);
        self
    }

    /// For how long anything has to be below before it is over. Default: a minute.
    pub fn keep_firing_for(mut self, time: Duration) -> Self {
        self.0.iter_mut().flatten().for_each(|condition| condition.keep_firing_for = time);
        self
    }

    /// After how long anything is told of again. Default: 5 minutes.
    pub fn cooldown(mut self, time: Duration) -> Self {
        self.0.iter_mut().flatten().for_each(|condition| condition.cooldown = time);
        self
    }

    pub(crate) fn condition(&self, kind: AlertKind) -> Option<&Condition> {
        self.0[kind as usize].as_ref()
    }

    /// What is wrong with them, if anything.
    pub(crate) fn fault(&self) -> Option<String> {
        AlertKind::ALL.into_iter().find_map(|kind| {
            let &Condition { warning, critical, .. } = self.condition(kind)?;
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
    use super::AlertRules;
    use crate::telemetry::alert::AlertKind;
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
        let rules = rule(0.5, 0.6).lasting(AlertKind::Disk, second).cooldown(second);
        let rules = rules.rule(AlertKind::Disk, 0.1, 0.2).keep_firing_for(second * 2);
        let condition = rules.condition(AlertKind::Disk).unwrap();
        assert_eq!(
            (condition.warning, condition.lasting, condition.cooldown),
            (0.1, second, second)
        );
        assert_eq!(condition.keep_firing_for, second * 2);
        assert!(rules.condition(AlertKind::Cpu).is_none());
        assert_eq!(rules.without(AlertKind::Disk), AlertRules::none());
    }
}
