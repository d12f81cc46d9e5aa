//! When an alert begins, gets worse, is told of and ends: the state of one rule for one thing that it watches.
//!
//! ```text
//!               above            for so long
//!   inactive ----------> pending ------------> firing: Warning --above critical--> firing: Critical
//!      ^   ^--below, unknown--'                  |                                    |
//!      '-----------------below, or unknown, for so long (keep_firing_for)-------------'
//! ```
//!
//! Whoever listens is told when it fires, gets worse and resolves, and again after each cooldown while it fires, unless
//! somebody has acknowledged it. What fires again within the cooldown of its severity is told when that
//! is over, if it still fires then: so something that comes and goes tells of itself once in a cooldown.

use crate::telemetry::alert::Severity;
use crate::telemetry::unavailable::Fact;
use std::time::Duration;

/// When a rule fires.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Condition {
    /// Above that it is a warning, above the other it is critical.
    pub warning: f64,
    pub critical: f64,
    /// For how long it has to be above.
    pub lasting: Duration,
    /// For how long it has to be below, or unknown, to be over.
    pub keep_firing_for: Duration,
    /// After how long it may be told of again, from when it was told of.
    pub cooldown: Duration,
}

/// It is below a threshold again when it is that share of it below: a value that trembles around the threshold
/// changes nothing.
const HYSTERESIS: f64 = 0.05;

impl Condition {
    fn severity(&self, value: f64) -> Option<Severity> {
        if value > self.critical {
            Some(Severity::Critical)
        } else {
            (value > self.warning).then_some(Severity::Warning)
        }
    }

    fn is_over(&self, value: f64) -> bool {
        value <= self.warning - HYSTERESIS * self.warning.abs()
    }

    pub fn threshold(&self, severity: Severity) -> f64 {
        match severity {
            Severity::Warning => self.warning,
            Severity::Critical => self.critical,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Inactive,
    Pending {
        since: Duration,
    },
    Firing {
        severity: Severity,
        over_since: Option<Duration>,
        /// Whether its listeners know of it.
        told: bool,
    },
}

/// What a step has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Fires(Severity),
    Escalates,
    Resolves,
}

/// What came of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub change: Option<Change>,
    /// Whether listeners are to be told, of the change or that it fires still.
    pub tell: bool,
}

/// One rule, for one thing.
#[derive(Clone, Copy, Debug, Default)]
pub struct AlertState {
    phase: Phase,
    /// When it was told of last, by severity.
    told: [Option<Duration>; 2],
}

impl AlertState {
    /// How bad it is, if it fires.
    pub fn severity(&self) -> Option<Severity> {
        match self.phase {
            Phase::Firing { severity, .. } => Some(severity),
            _ => None,
        }
    }

    /// The value is so much now; NaN counts as unknown. If it fires, somebody may have acknowledged that.
    pub fn step(
        &mut self,
        now: Duration,
        value: Fact<f64>,
        condition: &Condition,
        acknowledged: bool,
    ) -> Outcome {
        let value = value.ok().filter(|value| !value.is_nan());
        let severity = value.and_then(|value| condition.severity(value));
        if let Phase::Firing { severity: before, over_since, told } = self.phase {
            let over = value.is_none_or(|value| condition.is_over(value));
            if over {
                return self.pass(now, before, over_since.unwrap_or(now), told, condition);
            }
            let escalates = severity == Some(Severity::Critical) && before == Severity::Warning;
            let severity = if escalates { Severity::Critical } else { before };
            let tell = if escalates {
                // It is news, however soon.
                self.told[severity as usize] = Some(now);
                true
            } else {
                !acknowledged && self.may_tell(now, severity, condition)
            };
            self.phase = Phase::Firing { severity, over_since: None, told: told || tell };
            return Outcome { change: escalates.then_some(Change::Escalates), tell };
        }
        let Some(severity) = severity else {
            self.phase = Phase::Inactive;
            return Outcome::default();
        };
        let since = match self.phase {
            Phase::Pending { since } => since,
            _ => now,
        };
        if now.saturating_sub(since) < condition.lasting {
            self.phase = Phase::Pending { since };
            return Outcome::default();
        }
        let tell = self.may_tell(now, severity, condition);
        self.phase = Phase::Firing { severity, over_since: None, told: tell };
        Outcome { change: Some(Change::Fires(severity)), tell }
    }

    /// It has been over since then.
    fn pass(
        &mut self,
        now: Duration,
        severity: Severity,
        since: Duration,
        told: bool,
        condition: &Condition,
    ) -> Outcome {
        if now.saturating_sub(since) >= condition.keep_firing_for {
            self.phase = Phase::Inactive;
            return Outcome { change: Some(Change::Resolves), tell: told };
        }
        self.phase = Phase::Firing { severity, over_since: Some(since), told };
        Outcome::default()
    }

    fn may_tell(&mut self, now: Duration, severity: Severity, condition: &Condition) -> bool {
        let told = &mut self.told[severity as usize];
        let may = told.is_none_or(|told| now.saturating_sub(told) >= condition.cooldown);
        if may {
            *told = Some(now);
        }
        may
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{AlertState, Change, Condition, Outcome};
    use crate::telemetry::alert::Severity::{self, Critical, Warning};
    use crate::telemetry::unavailable::{Fact, Unavailable};
    use proptest::prelude::*;
    use std::time::Duration;

    const SECOND: Duration = Duration::from_secs(1);
    const CPU: Condition = Condition {
        warning: 0.7,
        critical: 0.8,
        lasting: Duration::from_secs(60),
        keep_firing_for: Duration::from_secs(30),
        cooldown: Duration::from_secs(300),
    };

    /// The steps at which something came of it, with a step every 10 seconds.
    fn play(values: impl IntoIterator<Item = Fact<f64>>) -> Vec<(u32, Outcome)> {
        let mut state = AlertState::default();
        let steps = values.into_iter().zip(0..);
        let step = |(value, at): (Fact<f64>, u32)| {
            (10 * at, state.step(SECOND * 10 * at, value, &CPU, false))
        };
        steps.map(step).filter(|(_, outcome)| *outcome != Outcome::default()).collect()
    }

    fn told(change: Change) -> Outcome {
        Outcome { change: Some(change), tell: true }
    }

    #[test]
    fn a_threshold_is_passed_above_it_and_left_a_twentieth_below() {
        assert_eq!(
            [0.7, 0.8, 0.81].map(|value| CPU.severity(value)),
            [None, Some(Warning), Some(Critical)]
        );
        assert_eq!([0.67, 0.66].map(|value| CPU.is_over(value)), [false, true]);
        assert_eq!([Warning, Critical].map(|severity| CPU.threshold(severity)), [0.7, 0.8]);
    }

    #[test]
    fn what_lasts_fires_once_and_resolves_once() {
        let day = (0..8640).map(|step| Ok(if (100..120).contains(&step) { 0.75 } else { 0.5 }));
        let expected = [(1060, told(Change::Fires(Warning))), (1230, told(Change::Resolves))];
        assert_eq!(play(day), expected);
        let short = (0..100).map(|step| Ok(if step % 10 < 6 { 0.9 } else { 0.1 }));
        assert_eq!(play(short), []);
    }

    #[test]
    fn a_warning_gets_worse_in_place_and_is_told_whatever_the_cooldown() {
        let values = (0..20).map(|step| Ok(if step < 8 { 0.75 } else { 0.85 }));
        let expected = [(60, told(Change::Fires(Warning))), (80, told(Change::Escalates))];
        assert_eq!(play(values), expected);
        // And doesn't get better before it is over.
        let values = (0..20).map(|step| Ok(if step < 8 { 0.85 } else { 0.75 }));
        assert_eq!(play(values), [(60, told(Change::Fires(Critical)))]);
    }

    #[test]
    fn who_listens_is_told_again_after_each_cooldown_unless_it_is_acknowledged() {
        let again = Outcome { change: None, tell: true };
        let values = (0..70).map(|_| Ok(0.75));
        let expected = [(60, told(Change::Fires(Warning))), (360, again), (660, again)];
        assert_eq!(play(values), expected);
        let mut state = AlertState::default();
        let mut step =
            |at, value, acknowledged| state.step(SECOND * at, Ok(value), &CPU, acknowledged);
        step(1, 1.0, false);
        assert!(step(100, 1.0, false).tell && !step(1000, 1.0, true).tell);
        assert_eq!(step(1001, 0.0, true), Outcome::default());
        assert_eq!(step(1031, 0.0, true), told(Change::Resolves));
    }

    #[test]
    fn what_comes_back_within_the_cooldown_is_told_when_that_is_over_if_it_still_fires() {
        // Twice, a minute and a half apart, the second time for long.
        let values = (0..60).map(|step| Ok(if (10..14).contains(&step) { 0.1 } else { 0.75 }));
        let silent = Outcome { change: Some(Change::Fires(Warning)), tell: false };
        let expected = [
            (60, told(Change::Fires(Warning))),
            (130, told(Change::Resolves)),
            (200, silent),
            (360, Outcome { change: None, tell: true }),
        ];
        assert_eq!(play(values), expected);
    }

    #[test]
    fn a_value_that_trembles_around_the_threshold_or_is_not_known_for_a_while_changes_nothing() {
        let values = (0..30).map(|step| match step % 3 {
            _ if step < 7 => Ok(0.75),
            0 => Ok(0.69),
            1 => Ok(0.71),
            _ => Err(Unavailable::Garbled),
        });
        assert_eq!(play(values), [(60, told(Change::Fires(Warning)))]);
        let values = (0..30).map(|step| if step < 10 { Ok(f64::INFINITY) } else { Ok(f64::NAN) });
        let expected = [(60, told(Change::Fires(Critical))), (130, told(Change::Resolves))];
        assert_eq!(play(values), expected);
    }

    fn any_value() -> impl Strategy<Value = Fact<f64>> {
        prop_oneof![
            4 => (0.0..1.0_f64).prop_map(Ok),
            1 => Just(Err(Unavailable::Missing)),
            1 => any::<f64>().prop_map(Ok),
        ]
    }

    proptest! {
        #[test]
        fn changes_alternate_and_nobody_is_told_too_often(
            steps in prop::collection::vec((any_value(), 0..120_u32, any::<bool>()), 1..300),
        ) {
            let (mut state, mut now) = (AlertState::default(), Duration::ZERO);
            let (mut firing, mut above_since) = (None::<Severity>, None);
            let mut fired_at: [Option<Duration>; 2] = [None; 2];
            for (value, seconds, acknowledged) in steps {
                now += SECOND * seconds;
                let mut twin = state;
                let outcome = state.step(now, value, &CPU, acknowledged);
                // Acknowledging changes what is told only.
                prop_assert_eq!(twin.step(now, value, &CPU, !acknowledged).change, outcome.change);
                let above = value.is_ok_and(|value| value > CPU.warning);
                above_since = if above { above_since.or(Some(now)) } else { None };
                match outcome.change {
                    Some(Change::Fires(severity)) => {
                        prop_assert!(firing.is_none());
                        prop_assert!(above_since.is_some_and(|since| now - since >= CPU.lasting));
                        firing = Some(severity);
                    }
                    Some(Change::Escalates) => {
                        prop_assert_eq!(firing, Some(Warning));
                        firing = Some(Critical);
                    }
                    Some(Change::Resolves) => {
                        prop_assert!(firing.is_some() && !above);
                        firing = None;
                    }
                    None => {}
                }
                prop_assert_eq!(state.severity().is_some(), firing.is_some());
                if outcome.tell && let Some(severity) = firing {
                    let last = fired_at[severity as usize].replace(now);
                    let soon = last.is_some_and(|last| now - last < CPU.cooldown);
                    prop_assert!(!soon || outcome.change == Some(Change::Escalates));
                }
            }
        }

        #[test]
        fn what_stays_the_same_fires_at_most_once(value in any_value(), steps in 1..300_u32) {
            let outcomes = play((0..steps).map(|_| value));
            let changes = outcomes.iter().filter(|(_, outcome)| outcome.change.is_some());
            prop_assert!(changes.count() <= 1);
        }
    }
}
