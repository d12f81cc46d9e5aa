//! What makes no sense in a configuration.

use crate::pool::admission;
use crate::pool::config::{AlertConfig, Config, ResourceConfig};
use crate::telemetry::alert::AlertKind;
use std::time::Duration;

/// As for `Monitoring`: that is how exactly the kernel counts.
const SHORTEST: Duration = Duration::from_millis(10);

impl Config {
    /// What is wrong with it, if anything: the field and what to give instead.
    pub(super) fn fault(&self) -> Option<String> {
        let resources = self.resources();
        let intervals = [
            ("health_check_interval", self.health_check_interval),
            ("load_check_interval", self.load_check_interval),
            ("monitoring_interval", self.monitoring_interval),
            ("allocation_timeout", self.allocation_timeout),
            ("allocation_check_interval", self.allocation_check_interval),
        ];
        let of_resources = |field| resources.map(|(name, ..)| format!("{name}.{field}"));
        let times = of_resources("check_interval")
            .into_iter()
            .zip(resources.map(|(.., resource)| resource.check_interval))
            .chain(intervals.map(|(name, every)| (name.to_owned(), every)));
        let shares = of_resources("max_usage")
            .into_iter()
            .zip(resources.map(|(.., resource)| resource.max_usage))
            .chain([("alert_threshold".to_owned(), self.alert_threshold)]);
        self.sizes_fault()
            .or_else(|| {
                let mut short = times.filter(|&(_, every)| every < SHORTEST);
                short.next().map(|(field, every)| format!("{field} is {every:?}; the least is {SHORTEST:?}"))
            })
            .or_else(|| {
                let mut bad = shares.filter(|&(_, share)| !(share > 0.0 && share <= 100.0));
                bad.next().map(|(field, share)| format!("{field} is {share}; give per cent, above 0 and up to 100"))
            })
            .or_else(|| {
                resources.into_iter().find_map(|(name, _, &ResourceConfig { threshold, max_usage, .. })| {
                    (!(0.0..=max_usage).contains(&threshold)).then(|| {
                        format!("{name}.threshold is {threshold}; give 0 to {max_usage}, its max_usage")
                    })
                })
            })
            .or_else(|| admission::fault(self.admission()))
            .or_else(|| self.alerts.iter().find_map(|(&kind, alert)| self.alert_fault(kind, alert)))
    }

    fn sizes_fault(&self) -> Option<String> {
        let (min, max) = (self.min_threads.unwrap_or(1), self.max_threads.unwrap_or(usize::MAX));
        if min == 0 {
            return Some("min_threads is 0; give 1 or more".into());
        }
        if max < min {
            return Some(format!("max_threads is {max}; give {min} or more, for min_threads"));
        }
        if self.num_threads > 0 && !(min..=max).contains(&self.num_threads) {
            let num = self.num_threads;
            return Some(format!(
                "num_threads is {num}; give 0, or min_threads to max_threads, {min} to {max}"
            ));
        }
        None
    }

    fn alert_fault(&self, kind: AlertKind, alert: &AlertConfig) -> Option<String> {
        let &AlertConfig { enabled, warning, critical, .. } = alert;
        let resource = self.resources().into_iter().find(|resource| resource.1 == kind);
        let fault = match (resource, warning, critical) {
            _ if !enabled => return None,
            (Some((name, ..)), Some(_), _) | (Some((name, ..)), _, Some(_)) => {
                format!(
                    "has thresholds, but those of its resource count; give {name}.threshold and {name}.max_usage"
                )
            }
            (None, None, Some(_)) => "has a threshold for critical and none for a warning".into(),
            (None, None, None) if !kind.is_share() => {
                "has no warning, and alert_threshold is a share, which that is not; give one".into()
            }
            (None, Some(warning), critical) => {
                let sound = warning.is_finite() && warning >= 0.0;
                if sound && critical.is_none_or(|critical| critical >= warning) {
                    return None;
                }
                let critical =
                    critical.map_or("no critical".to_owned(), |it| format!("critical {it}"));
                format!(
                    "has warning {warning} and {critical}; give numbers of at least 0, the second no less than the first"
                )
            }
            _ => return None,
        };
        Some(format!("alerts, {kind:?}, {fault}"))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{AlertConfig, AlertKind, Config};
    use std::time::Duration;

    #[test]
    fn what_makes_no_sense_is_named() {
        let check = |named: &str, spoil: &dyn Fn(&mut Config)| {
            let mut config = Config::new();
            spoil(&mut config);
            let error = config.builder().map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(named), "{named}: {error}");
        };
        let millisecond = Duration::from_millis(1);
        check("min_threads is 0", &|config| config.min_threads = Some(0));
        check("max_threads is 1", &|config| {
            (config.min_threads, config.max_threads) = (Some(2), Some(1))
        });
        check("num_threads is 1", &|config| {
            (config.num_threads, config.min_threads) = (1, Some(2))
        });
        check("num_threads is 9", &|config| {
            (config.num_threads, config.max_threads) = (9, Some(8))
        });
        check("max_queued is 0", &|config| config.max_queued = Some(0));
        check("a target of 1ms and an interval of 0ns", &|config| {
            config.admission_target = Some(millisecond);
            config.admission_interval = Duration::ZERO;
        });
        check("cpu.check_interval is 0", &|config| config.cpu.check_interval = Duration::ZERO);
        check("disk.check_interval is 1ms", &|config| config.disk.check_interval = millisecond);
        check("health_check_interval", &|config| config.health_check_interval = millisecond);
        check("load_check_interval", &|config| config.load_check_interval = millisecond);
        check("monitoring_interval", &|config| config.monitoring_interval = millisecond);
        check("allocation_timeout", &|config| config.allocation_timeout = millisecond);
        check("allocation_check_interval", &|config| {
            config.allocation_check_interval = millisecond;
        });
        check("network.max_usage is 101", &|config| config.network.max_usage = 101.0);
        check("memory.max_usage is NaN", &|config| config.memory.max_usage = f64::NAN);
        check("memory.threshold is NaN", &|config| config.memory.threshold = f64::NAN);
        check("cpu.threshold is 81", &|config| config.cpu.threshold = 81.0);
        check("disk.threshold is -1", &|config| config.disk.threshold = -1.0);
        check("alert_threshold is 0", &|config| config.alert_threshold = 0.0);
        let own = AlertConfig::default();
        let alert = |kind: AlertKind, warning, critical| {
            move |config: &mut Config| {
                config.alerts.insert(kind, AlertConfig { warning, critical, ..own });
            }
        };
        check("cpu.threshold and cpu.max_usage", &alert(AlertKind::Cpu, Some(50.0), None));
        check("cpu.threshold and cpu.max_usage", &alert(AlertKind::Cpu, None, Some(50.0)));
        check("Stall, has no warning", &alert(AlertKind::Stall, None, None));
        check("Health, has a threshold for critical", &alert(AlertKind::Health, None, Some(1.0)));
        check("Health, has warning NaN", &alert(AlertKind::Health, Some(f64::NAN), None));
        check("Health, has warning 2", &alert(AlertKind::Health, Some(2.0), Some(1.0)));
    }
}
