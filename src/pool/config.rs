//! How a pool is to be, as a value: to be written in a file, say. What makes no sense in it: faults.rs.

use crate::error::{Error, Kind};
use crate::monitor::monitoring::Monitoring;
use crate::policy::admission::AdmissionPolicy;
use crate::policy::fairness::AllocationStrategy;
use crate::policy::health::HealthRules;
use crate::policy::victim::VictimPolicy;
use crate::pool::builder::ThreadPoolBuilder;
#[cfg(feature = "serde")]
use crate::pool::seconds;
use crate::pool::thread_pool::ThreadPool;
use crate::resources::admission::AdmissionConfig;
use crate::telemetry::alert::AlertKind;
use std::collections::BTreeMap;
use std::time::Duration;

/// How a pool is to be, as a value: what a program reads from a file (with the feature `serde`; what isn't there has its
/// default, what has no meaning is an error), and checks before anything is started.
///
/// | field | default | what it does |
/// |-------|---------|--------------|
/// | `num_threads` | 0: by the machine | how many workers run at a time: [`num_threads`](ThreadPoolBuilder::num_threads) |
/// | `min_threads` | none: 2, or 1 on one CPU | how many are kept, needed or not: [`min_threads`](ThreadPoolBuilder::min_threads) |
/// | `max_threads` | none: 10, or twice the workers | how many threads there are at most, those that block included: [`max_threads`](ThreadPoolBuilder::max_threads) |
/// | `idle_timeout` | 300 s | who has had nothing to do for as long leaves: [`idle_timeout`](ThreadPoolBuilder::idle_timeout) |
/// | `max_queued_per_worker` | 100 | more queued jobs call for another worker: [`max_queued_per_worker`](ThreadPoolBuilder::max_queued_per_worker) |
/// | `max_queued` | none | how many tasks may wait before none is accepted from outside: [`max_queued`](ThreadPoolBuilder::max_queued) |
/// | `admission_target` | none: nothing is shed | the longest wait that is put up with for long: [`AdmissionPolicy::Adaptive`] |
/// | `admission_interval` | 0.1 s | for how long, if there is a target |
/// | `victim_policy` | `round_robin` | whom workers steal from: [`VictimPolicy`]; `least_loaded` and `health_weighted`, too |
/// | `monitoring` | true | whether the machine is read at all: [`Monitoring::off`] |
/// | `cpu`, `memory`, `network`, `disk` | | what is watched of each: the next four |
/// | `….threshold` | 70 % | above that an alert is a warning |
/// | `….max_usage` | 80 % | above that it is critical; so much of it is the [budget](ThreadPoolBuilder::budget) for leases; of memory, too, when it counts as [running out](Monitoring::max_memory) |
/// | `….check_interval` | 5, 5, 10, 30 s | how often it is read: [`Monitoring::cpu`] and so on |
/// | `health_check_interval` | 30 s | how often workers' health is judged: [`Monitoring::health_checks`] |
/// | `load_check_interval` | 10 s | how often the victim policy is told: [`Monitoring::load_checks`] |
/// | `reference_health` | false | whether any CPU time above 80 % counts as ill: [`HealthRules::reference`] |
/// | `monitoring_interval` | 30 s | how often the alert rules are looked at, and a summary goes to `tracing`: [`Monitoring::evaluations`] |
/// | `alert_threshold` | 80 % | the threshold of rules that have none of their own: [`AlertRules::threshold`](crate::AlertRules::threshold) |
/// | `alert_cooldown` | 300 s | after how long anything is told of again: [`AlertRules::cooldown`](crate::AlertRules::cooldown) |
/// | `allocation_strategy` | `fair` | who is next for a lease: [`AllocationStrategy`]; `fifo` and `priority`, too |
/// | `allocation_timeout` | 600 s | for how long a lease is meant: [`Request::time_to_live`](crate::Request::time_to_live) |
/// | `allocation_check_interval` | 60 s | how often all leases are looked at, at least, for those that are overdue |
/// | `alerts` | none | [rules](AlertConfig) of one's own, by [kind](AlertKind), in place of those of [`AlertRules::new`](crate::AlertRules::new) |
///
/// Shares are per cent here, and times are seconds in a file.
///
/// # Examples
///
/// ```
/// use filch::{Config, VictimPolicy};
///
/// let mut config = Config::new();
/// config.victim_policy = VictimPolicy::LeastLoaded;
/// config.memory.threshold = 60.0;
/// let pool = config.build()?;
/// # drop(pool);
///
/// config.memory.threshold = 95.0;
/// let error = config.build().unwrap_err().to_string();
/// assert!(error.contains("memory.threshold is 95"), "{error}");
/// # Ok::<(), filch::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
#[non_exhaustive]
#[expect(missing_docs, reason = "they are in the table")]
pub struct Config {
    pub num_threads: usize,
    pub min_threads: Option<usize>,
    pub max_threads: Option<usize>,
    #[cfg_attr(feature = "serde", serde(with = "seconds"))]
    pub idle_timeout: Duration,
    pub max_queued_per_worker: usize,
    pub max_queued: Option<usize>,
    #[cfg_attr(feature = "serde", serde(with = "seconds::optional"))]
    pub admission_target: Option<Duration>,
    #[cfg_attr(feature = "serde", serde(with = "seconds"))]
    pub admission_interval: Duration,
    pub victim_policy: VictimPolicy,
    pub monitoring: bool,
    pub cpu: ResourceConfig,
    pub memory: ResourceConfig,
    pub network: ResourceConfig,
    pub disk: ResourceConfig,
    #[cfg_attr(feature = "serde", serde(with = "seconds"))]
    pub health_check_interval: Duration,
    #[cfg_attr(feature = "serde", serde(with = "seconds"))]
    pub load_check_interval: Duration,
    pub reference_health: bool,
    #[cfg_attr(feature = "serde", serde(with = "seconds"))]
    pub monitoring_interval: Duration,
    pub alert_threshold: f64,
    #[cfg_attr(feature = "serde", serde(with = "seconds"))]
    pub alert_cooldown: Duration,
    pub alerts: BTreeMap<AlertKind, AlertConfig>,
    pub allocation_strategy: AllocationStrategy,
    #[cfg_attr(feature = "serde", serde(with = "seconds"))]
    pub allocation_timeout: Duration,
    #[cfg_attr(feature = "serde", serde(with = "seconds"))]
    pub allocation_check_interval: Duration,
}

/// What is watched of a resource; part of [`Config`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[non_exhaustive]
pub struct ResourceConfig {
    /// Per cent above which an alert is critical.
    #[cfg_attr(feature = "serde", serde(default = "max_usage"))]
    pub max_usage: f64,
    /// Per cent above which it is a warning.
    #[cfg_attr(feature = "serde", serde(default = "threshold"))]
    pub threshold: f64,
    /// How often it is read.
    #[cfg_attr(feature = "serde", serde(with = "seconds"))]
    pub check_interval: Duration,
}

/// A rule for alerts; part of [`Config`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
#[non_exhaustive]
pub struct AlertConfig {
    /// Whether there is to be one. Default: true.
    pub enabled: bool,
    /// Above that it is a warning: per cent if it is about a share, else in the unit of its [kind](crate::AlertRules). Default:
    /// `alert_threshold`.
    pub warning: Option<f64>,
    /// Above that it is critical. Default: never.
    pub critical: Option<f64>,
    /// For how long it has to be above. Default: as in [`AlertRules::new`](crate::AlertRules::new).
    #[cfg_attr(feature = "serde", serde(with = "seconds::optional"))]
    pub lasting: Option<Duration>,
}

#[cfg(feature = "serde")]
fn max_usage() -> f64 {
    MAX_USAGE
}

#[cfg(feature = "serde")]
fn threshold() -> f64 {
    THRESHOLD
}

const MAX_USAGE: f64 = 80.0;
const THRESHOLD: f64 = 70.0;

impl Default for AlertConfig {
    fn default() -> Self {
        Self { enabled: true, warning: None, critical: None, lasting: None }
    }
}

impl Default for Config {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        let every = |interval| ResourceConfig {
            max_usage: MAX_USAGE,
            threshold: THRESHOLD,
            check_interval: seconds(interval),
        };
        Self {
            num_threads: 0,
            min_threads: None,
            max_threads: None,
            idle_timeout: seconds(300),
            max_queued_per_worker: 100,
            max_queued: None,
            admission_target: None,
            admission_interval: Duration::from_millis(100),
            victim_policy: VictimPolicy::RoundRobin,
            monitoring: true,
            cpu: every(5),
            memory: every(5),
            network: every(10),
            disk: every(30),
            health_check_interval: seconds(30),
            load_check_interval: seconds(10),
            reference_health: false,
            monitoring_interval: seconds(30),
            alert_threshold: 80.0,
            alert_cooldown: seconds(300),
            alerts: BTreeMap::new(),
            allocation_strategy: AllocationStrategy::Fair,
            allocation_timeout: seconds(600),
            allocation_check_interval: seconds(60),
        }
    }
}

impl Config {
    /// With every default.
    pub fn new() -> Self {
        Self::default()
    }

    /// As the system that these defaults come from: 2 to 10 threads, and health judged by
    /// [its rules](HealthRules::reference).
    pub fn reference() -> Self {
        let (min_threads, max_threads) = (Some(2), Some(10));
        Self { min_threads, max_threads, reference_health: true, ..Self::default() }
    }

    /// A builder with all of this, for what isn't in here: handlers, pinning and the like.
    ///
    /// # Errors
    /// If a field makes no sense by itself or beside another: the message names it.
    pub fn builder(&self) -> Result<ThreadPoolBuilder, Error> {
        if let Some(fault) = self.fault() {
            return Err(Error::new(Kind::BadConfig { fault }));
        }
        let builder = ThreadPoolBuilder {
            num_threads: self.num_threads,
            min_threads: self.min_threads,
            max_threads: self.max_threads,
            admission: self.admission(),
            ..ThreadPoolBuilder::new()
        };
        Ok(builder
            .idle_timeout(self.idle_timeout)
            .max_queued_per_worker(self.max_queued_per_worker)
            .victim_policy(self.victim_policy.clone())
            .allocation(self.allocation_strategy)
            .lease_times(self.allocation_timeout, self.allocation_check_interval)
            .budget_shares(self.resources().map(|(.., resource)| resource.max_usage / 100.0))
            .monitoring(self.monitoring()))
    }

    /// A pool like that.
    ///
    /// # Errors
    /// Those of [`builder`](Self::builder) and [`ThreadPoolBuilder::build`].
    pub fn build(&self) -> Result<ThreadPool, Error> {
        self.builder()?.build()
    }

    pub(super) fn admission(&self) -> AdmissionConfig {
        let interval = self.admission_interval;
        let adaptive = |target| AdmissionPolicy::Adaptive { target, interval };
        let policy = self.admission_target.map_or(AdmissionPolicy::Room, adaptive);
        AdmissionConfig { max_queued: self.max_queued, policy }
    }

    pub(super) fn resources(&self) -> [(&'static str, AlertKind, &ResourceConfig); 4] {
        [
            ("cpu", AlertKind::Cpu, &self.cpu),
            ("memory", AlertKind::Memory, &self.memory),
            ("network", AlertKind::Network, &self.network),
            ("disk", AlertKind::Disk, &self.disk),
        ]
    }

    fn monitoring(&self) -> Monitoring {
        let monitoring = if self.monitoring { Monitoring::new() } else { Monitoring::off() };
        let kept = monitoring.cpu.readings;
        let health =
            if self.reference_health { HealthRules::reference() } else { HealthRules::new() };
        monitoring
            .cpu(self.cpu.check_interval, kept)
            .memory(self.memory.check_interval, kept)
            .network(self.network.check_interval, kept)
            .disk(self.disk.check_interval, kept)
            .max_memory(self.memory.max_usage / 100.0)
            .health(health)
            .health_checks(self.health_check_interval)
            .load_checks(self.load_check_interval)
            .evaluations(self.monitoring_interval)
            .alerts(self.rules())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{AlertConfig, Config};
    use crate::monitor::monitoring::Monitoring;
    use crate::policy::admission::AdmissionPolicy;
    use crate::policy::alert_rules::AlertRules;
    use crate::policy::fairness::AllocationStrategy;
    use crate::policy::health::HealthRules;
    use crate::policy::victim::VictimPolicy;
    use crate::telemetry::alert::AlertKind;
    use std::time::Duration;

    #[test]
    fn every_default_is_what_it_is() {
        let config = Config::default();
        assert_eq!((config.num_threads, config.min_threads, config.max_threads), (0, None, None));
        assert_eq!((config.idle_timeout.as_secs(), config.max_queued_per_worker), (300, 100));
        assert_eq!(config.victim_policy, VictimPolicy::RoundRobin);
        assert_eq!((config.max_queued, config.admission_target), (None, None));
        assert_eq!(config.admission_interval.as_millis(), 100);
        let resources = config.resources().map(|(.., resource)| {
            (resource.max_usage, resource.threshold, resource.check_interval.as_secs())
        });
        assert_eq!(resources, [5, 5, 10, 30].map(|seconds| (80.0, 70.0, seconds)));
        assert_eq!(config.health_check_interval.as_secs(), 30);
        assert_eq!(config.load_check_interval.as_secs(), 10);
        assert!(config.monitoring && !config.reference_health && config.alerts.is_empty());
        assert_eq!((config.monitoring_interval.as_secs(), config.alert_threshold), (30, 80.0));
        assert_eq!(config.alert_cooldown.as_secs(), 300);
        assert_eq!(config.allocation_strategy, AllocationStrategy::Fair);
        assert_eq!(config.allocation_timeout.as_secs(), 600);
        assert_eq!(config.allocation_check_interval.as_secs(), 60);
        let reference = Config::reference();
        assert_eq!((reference.min_threads, reference.max_threads), (Some(2), Some(10)));
        assert_eq!(reference.monitoring().health, HealthRules::reference());
        assert_eq!(Config { reference_health: false, ..reference }.monitoring(), Monitoring::new());
    }

    #[test]
    fn the_defaults_are_those_of_a_builder() {
        let (ours, theirs) = (Config::new().builder().unwrap(), super::ThreadPoolBuilder::new());
        assert_eq!(ours.monitoring, theirs.monitoring);
        assert_eq!(ours.idle_timeout, theirs.idle_timeout);
        assert_eq!(ours.max_queued_per_worker, theirs.max_queued_per_worker);
        assert_eq!(ours.victim_policy, theirs.victim_policy);
        assert_eq!(ours.budget, theirs.budget);
        assert_eq!(ours.admission, theirs.admission);
        assert!(!Config { monitoring: false, ..Config::new() }.monitoring().on);
    }

    #[test]
    fn every_field_arrives() {
        let mut config = Config::new();
        let second = Duration::from_secs(1);
        (config.num_threads, config.min_threads, config.max_threads) = (3, Some(2), Some(5));
        (config.idle_timeout, config.max_queued_per_worker) = (second * 2, 7);
        config.victim_policy = VictimPolicy::HealthWeighted;
        (config.max_queued, config.admission_target) = (Some(8), Some(second * 12));
        config.admission_interval = second * 13;
        config.memory.max_usage = 90.0;
        config.allocation_strategy = AllocationStrategy::Fifo;
        (config.allocation_timeout, config.allocation_check_interval) = (second * 10, second * 11);
        (config.cpu.check_interval, config.memory.check_interval) = (second * 3, second * 4);
        (config.network.check_interval, config.disk.check_interval) = (second * 5, second * 6);
        (config.health_check_interval, config.load_check_interval) = (second * 7, second * 8);
        config.monitoring_interval = second * 9;
        let builder = config.builder().unwrap();
        assert_eq!(
            (builder.num_threads, builder.min_threads, builder.max_threads),
            (3, Some(2), Some(5))
        );
        assert_eq!((builder.idle_timeout, builder.max_queued_per_worker), (second * 2, 7));
        assert_eq!(builder.victim_policy, VictimPolicy::HealthWeighted);
        let policy = AdmissionPolicy::Adaptive { target: second * 12, interval: second * 13 };
        assert_eq!((builder.admission.max_queued, builder.admission.policy), (Some(8), policy));
        assert_eq!(builder.budget.strategy, AllocationStrategy::Fifo);
        assert_eq!(
            (builder.budget.time_to_live, builder.budget.checks),
            (second * 10, second * 11)
        );
        assert_eq!(builder.budget.shares, [0.8, 0.9, 0.8, 0.8, 0.8]);
        let expected = Monitoring::new()
            .cpu(second * 3, 120)
            .memory(second * 4, 120)
            .network(second * 5, 120)
            .disk(second * 6, 120)
            .max_memory(0.9)
            .health_checks(second * 7)
            .load_checks(second * 8)
            .evaluations(second * 9)
            .alerts(AlertRules::new().rule(AlertKind::Memory, 0.7, 0.9));
        assert_eq!(builder.monitoring, expected);
    }

    #[test]
    fn rules_of_ones_own_are_in_per_cent_and_go_by_the_common_threshold_if_they_have_none() {
        let mut config = Config::new();
        let second = Duration::from_secs(1);
        (config.alert_threshold, config.alert_cooldown) = (60.0, second);
        let own = AlertConfig::default();
        let mut set = |kind, alert| config.alerts.insert(kind, alert);
        set(AlertKind::ErrorRate, own);
        set(AlertKind::Health, AlertConfig { warning: Some(25.0), ..own });
        let wait = AlertConfig { warning: Some(2.0), critical: Some(3.0), ..own };
        set(AlertKind::QueueWait, AlertConfig { lasting: Some(second), ..wait });
        set(AlertKind::Cpu, AlertConfig { lasting: Some(second), ..own });
        set(AlertKind::Stall, AlertConfig { enabled: false, ..own });
        let expected = AlertRules::new()
            .threshold(0.6)
            .cooldown(second)
            .watch(AlertKind::ErrorRate)
            .rule(AlertKind::Health, 0.25, f64::INFINITY)
            .rule(AlertKind::QueueWait, 2.0, 3.0)
            .lasting(AlertKind::QueueWait, second)
            .lasting(AlertKind::Cpu, second)
            .without(AlertKind::Stall);
        assert_eq!(config.builder().unwrap().monitoring.alerts, expected);
        assert_eq!(expected.fault(), None);
    }
}
