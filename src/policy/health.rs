//! How healthy a worker is: 1, less what each sign above its threshold takes off.

use crate::telemetry::health::{Sign, Vitals};
use crate::telemetry::unavailable::Fact;

/// What a sign takes off a worker's health, and from where on.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Rule {
    above: f64,
    minus: f64,
}

/// By what a worker's health is judged: from 1, each sign that is above its threshold takes something
/// off, down to 0 at most. What isn't known takes nothing off.
///
/// | sign                  | above  | takes off | why                                                            |
/// |-----------------------|--------|-----------|----------------------------------------------------------------|
/// | `CpuOffTasks`         | 0.8    | 0.2       | it spins, and gets nothing done                                |
/// | `Memory`              | 0.8    | 0.2       | the process is about to be killed, or to swap                  |
/// | `Inactive`            | 300 s  | 0.1       | nobody needs it                                                |
/// | `RunDelay`            | 0.2    | 0.1       | others want its CPU: what it is given takes longer             |
/// | `InvoluntarySwitches` | 1000/s | 0.1       | the same, seen otherwise: where the kernel keeps no run delay  |
/// | `MajorFaults`         | 10/s   | 0.1       | its memory is on a disk                                        |
/// | `ErrorRate`           | 0.1    | 0.1       | what it depends on is broken                                   |
/// | `Slowness`            | 2      | 0.1       | its tasks take twice as long as others'                        |
///
/// `Cpu` takes nothing off: a worker that is busy does what it is there for.
/// [`reference`](Self::reference) judges by it.
///
/// # Examples
///
/// ```
/// use filch::{HealthRules, Monitoring, Sign};
///
/// let rules = HealthRules::new().rule(Sign::ErrorRate, 0.01, 0.5).without(Sign::Inactive);
/// let pool = filch::ThreadPoolBuilder::new()
///     .num_threads(2)
///     .monitoring(Monitoring::new().health(rules))
///     .build()?;
/// # Ok::<(), filch::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct HealthRules([Option<Rule>; Sign::ALL.len()]);

impl HealthRules {
    /// Those of the table.
    pub fn new() -> Self {
        Self::reference()
            .without(Sign::Cpu)
            .rule(Sign::CpuOffTasks, 0.8, 0.2)
            .rule(Sign::RunDelay, 0.2, 0.1)
            .rule(Sign::InvoluntarySwitches, 1000.0, 0.1)
            .rule(Sign::MajorFaults, 10.0, 0.1)
            .rule(Sign::ErrorRate, 0.1, 0.1)
            .rule(Sign::Slowness, 2.0, 0.1)
    }

    /// Three only: above 80 % of a CPU, whatever for, takes off 0.2, memory above 80 % 0.2, and five
    /// minutes without activity 0.1.
    pub fn reference() -> Self {
        Self([None; Sign::ALL.len()]).rule(Sign::Cpu, 0.8, 0.2).rule(Sign::Memory, 0.8, 0.2).rule(
            Sign::Inactive,
            300.0,
            0.1,
        )
    }

    /// This sign takes off `minus` where it is above `above`, in the unit that [`Vitals`] has for it. A threshold that
    /// is no finite number, or a `minus` outside 0 to 1, is an error when the pool is built.
    pub fn rule(mut self, sign: Sign, above: f64, minus: f64) -> Self {
        self.0[sign as usize] = Some(Rule { above, minus });
        self
    }

    /// This sign takes nothing off.
    pub fn without(mut self, sign: Sign) -> Self {
        self.0[sign as usize] = None;
        self
    }

    /// What is wrong with them, if anything.
    pub(crate) fn fault(&self) -> Option<String> {
        Sign::ALL.into_iter().find_map(|sign| {
            let Rule { above, minus } = self.0[sign as usize]?;
            if !above.is_finite() {
                return Some(format!(
                    "has a health rule for {sign:?} above {above}; give a finite threshold, or leave \
                     the rule out by HealthRules::without"
                ));
            }
            (!(0.0..=1.0).contains(&minus)).then(|| {
                format!("has a health rule for {sign:?} that takes off {minus}; give 0 to 1")
            })
        })
    }

    /// The signs that take something off.
    pub(crate) fn reasons(&self, vitals: &Vitals) -> impl Iterator<Item = Sign> {
        let shows = |sign: &Sign| {
            let rule = self.0[*sign as usize];
            rule.is_some_and(|rule| value(vitals, *sign).is_ok_and(|value| value > rule.above))
        };
        Sign::ALL.into_iter().filter(shows)
    }

    pub(crate) fn score(&self, vitals: &Vitals) -> f64 {
        let minus = |sign: Sign| self.0[sign as usize].map_or(0.0, |rule| rule.minus);
        (1.0 - self.reasons(vitals).map(minus).sum::<f64>()).clamp(0.0, 1.0)
    }
}

impl Default for HealthRules {
    fn default() -> Self {
        Self::new()
    }
}

fn value(vitals: &Vitals, sign: Sign) -> Fact<f64> {
    match sign {
        Sign::Cpu => vitals.cpu,
        Sign::CpuOffTasks => vitals.cpu_off_tasks,
        Sign::Memory => vitals.memory,
        Sign::Inactive => vitals.inactive,
        Sign::RunDelay => vitals.run_delay,
        Sign::InvoluntarySwitches => vitals.involuntary_switches,
        Sign::MajorFaults => vitals.major_faults,
        Sign::ErrorRate => vitals.error_rate,
        Sign::Slowness => vitals.slowness,
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{HealthRules, Sign};
    use crate::telemetry::health::Vitals;
    use crate::telemetry::record::Record;
    use crate::telemetry::unavailable::Unavailable;

    fn healthy() -> Vitals {
        Vitals::unavailable(Unavailable::NotYet)
    }

    /// All signs at their worst.
    fn ill(value: f64) -> Vitals {
        Vitals::from_words(&[value.to_bits(); Vitals::FIELDS.len()])
    }

    #[test]
    fn who_shows_nothing_is_healthy_and_who_shows_all_is_not() {
        for rules in [HealthRules::new(), HealthRules::reference()] {
            for vitals in [healthy(), ill(0.0), ill(f64::NAN), ill(f64::NEG_INFINITY)] {
                assert_eq!(rules.score(&vitals), 1.0);
                assert_eq!(rules.reasons(&vitals).count(), 0);
            }
        }
        // The sum of the table's last column.
        assert!(HealthRules::new().score(&ill(1e9)).abs() < 1e-9);
        assert!((HealthRules::reference().score(&ill(f64::INFINITY)) - 0.5).abs() < 1e-9);
        let all = Sign::ALL.into_iter();
        let harsh = all.fold(HealthRules::new(), |rules, sign| rules.rule(sign, 0.0, 1.0));
        assert_eq!(harsh.score(&ill(1.0)), 0.0);
    }

    #[test]
    fn each_sign_takes_off_what_its_rule_says_from_its_threshold_on() {
        type Set = fn(&mut Vitals, f64);
        let signs: [(Sign, f64, Set); 8] = [
            (Sign::CpuOffTasks, 0.8, |vitals, value| vitals.cpu_off_tasks = Ok(value)),
            (Sign::Memory, 0.8, |vitals, value| vitals.memory = Ok(value)),
            (Sign::Inactive, 300.0, |vitals, value| vitals.inactive = Ok(value)),
            (Sign::RunDelay, 0.2, |vitals, value| vitals.run_delay = Ok(value)),
            (Sign::InvoluntarySwitches, 1e3, |vitals, value| {
                vitals.involuntary_switches = Ok(value);
            }),
            (Sign::MajorFaults, 10.0, |vitals, value| vitals.major_faults = Ok(value)),
            (Sign::ErrorRate, 0.1, |vitals, value| vitals.error_rate = Ok(value)),
            (Sign::Slowness, 2.0, |vitals, value| vitals.slowness = Ok(value)),
        ];
        let rules = HealthRules::new();
        for (sign, threshold, set) in signs {
            let mut vitals = healthy();
            set(&mut vitals, threshold);
            assert_eq!(rules.score(&vitals), 1.0);
            set(&mut vitals, threshold * 1.01);
            let expected = match sign {
                Sign::CpuOffTasks | Sign::Memory => 0.8,
                _ => 0.9,
            };
            assert!((rules.score(&vitals) - expected).abs() < 1e-9, "{sign:?}");
            assert_eq!(rules.reasons(&vitals).collect::<Vec<_>>(), [sign]);
            assert_eq!(rules.clone().without(sign).score(&vitals), 1.0);
            assert!(rules.clone().rule(sign, threshold, 0.5).score(&vitals) < 0.6);
        }
    }

    #[test]
    fn a_busy_worker_is_healthy_but_for_the_reference() {
        let mut vitals = healthy();
        vitals.cpu = Ok(1.0);
        assert_eq!(HealthRules::new().score(&vitals), 1.0);
        assert_eq!(HealthRules::reference().score(&vitals), 0.8);
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let rule = |above, minus| HealthRules::new().rule(Sign::Memory, above, minus).fault();
        assert_eq!((HealthRules::new().fault(), rule(0.5, 1.0)), (None, None));
        for (above, minus) in [(f64::NAN, 0.1), (f64::INFINITY, 0.1), (0.5, f64::NAN), (0.5, 1.1)] {
            assert!(rule(above, minus).unwrap().contains("Memory"), "{above} {minus}");
        }
    }
}
