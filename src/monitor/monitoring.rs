//! What a pool reads of its machine, and how often.

use crate::policy::alert_rules::AlertRules;
use crate::policy::health::HealthRules;
use crate::telemetry::readings::Lengths;
use std::path::PathBuf;
use std::time::Duration;

/// What a pool reads of its machine, and how often; for
/// [`ThreadPoolBuilder::monitoring`](crate::ThreadPoolBuilder::monitoring).
///
/// A thread of its own does that: it sleeps until the next reading is due, and costs about 100
/// microseconds of CPU time a second with these defaults while the pool is idle.
///
/// # Examples
///
/// ```
/// use filch::Monitoring;
/// use std::time::Duration;
///
/// let pool = filch::ThreadPoolBuilder::new()
///     .num_threads(2)
///     .monitoring(Monitoring::new().cpu(Duration::from_secs(1), 600).mounts(["/", "/tmp"]))
///     .build()?;
/// let busy = pool.snapshot().cpu.current.system_utilisation;
/// # let _ = busy;
/// # Ok::<(), filch::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Monitoring {
    pub(crate) on: bool,
    pub(crate) latency: u32,
    pub(crate) cpu: Series,
    pub(crate) memory: Series,
    pub(crate) network: Series,
    pub(crate) disk: Series,
    pub(crate) health: HealthRules,
    pub(crate) health_checks: Duration,
    pub(crate) load_checks: Duration,
    pub(crate) max_memory: f64,
    pub(crate) alerts: AlertRules,
    pub(crate) evaluations: Duration,
    pub(crate) network_capacity: Option<f64>,
    pub(crate) mounts: Vec<PathBuf>,
    pub(crate) root: PathBuf,
}

/// How often something is read, and how many readings are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Series {
    pub every: Duration,
    pub readings: usize,
}

/// One task in so many is timed.
const ONE_IN: u32 = 64;
/// Ten minutes of CPU readings, an hour of those of disks.
const READINGS: usize = 120;
/// More would cost more memory than anybody means.
const MOST_READINGS: usize = 1 << 20;
/// Clock ticks, in which the kernel counts, are as long as that.
const SHORTEST: Duration = Duration::from_millis(10);

impl Monitoring {
    /// One task in 64 is timed; CPU and memory are read every 5 seconds, the network every 10, the disks every 30 and the file system
    /// of `/`; of each the last 120 readings are kept.
    pub fn new() -> Self {
        let every = |seconds| Series { every: Duration::from_secs(seconds), readings: READINGS };
        Self {
            on: true,
            latency: ONE_IN,
            cpu: every(5),
            memory: every(5),
            network: every(10),
            disk: every(30),
            health: HealthRules::new(),
            health_checks: Duration::from_secs(30),
            load_checks: Duration::from_secs(10),
            max_memory: 0.8,
            alerts: AlertRules::new(),
            evaluations: Duration::from_secs(30),
            network_capacity: None,
            mounts: vec!["/".into()],
            root: "/".into(),
        }
    }

    /// Nothing, and no thread.
    pub fn off() -> Self {
        Self { on: false, latency: 0, ..Self::new() }
    }

    /// Times one task in so many, on average: how long it waits in a queue and how long it runs. With
    /// 1 all are, with 0 none, nor how long workers take to wake. Joins and parts of broadcasts are no
    /// tasks in this sense. Default: 64.
    ///
    /// A task that is timed costs some 30 ns more; the first one on each worker needs memory, 18 kB for each
    /// [label](crate::TaskBuilder::label).
    pub fn latency(mut self, one_in: u32) -> Self {
        self.latency = one_in;
        self
    }

    /// How often the CPUs are read, and how many readings are kept. An interval below 10 ms, or no
    /// reading, is an error when the pool is built; so for the others.
    pub fn cpu(mut self, every: Duration, readings: usize) -> Self {
        self.cpu = Series { every, readings };
        self
    }

    /// As [`cpu`](Self::cpu), for memory.
    pub fn memory(mut self, every: Duration, readings: usize) -> Self {
        self.memory = Series { every, readings };
        self
    }

    /// As [`cpu`](Self::cpu), for the network.
    pub fn network(mut self, every: Duration, readings: usize) -> Self {
        self.network = Series { every, readings };
        self
    }

    /// As [`cpu`](Self::cpu), for the disks.
    pub fn disk(mut self, every: Duration, readings: usize) -> Self {
        self.disk = Series { every, readings };
        self
    }

    /// By what the health of workers is judged. Default: [`HealthRules::new`].
    pub fn health(mut self, rules: HealthRules) -> Self {
        self.health = rules;
        self
    }

    /// How often it is, with the next reading of the CPUs: at once, but at most once a second, after a panic and
    /// when a worker has been found asleep in the midst of a task. Default: 30 seconds. Below 10 ms is an error when the pool is built.
    pub fn health_checks(mut self, every: Duration) -> Self {
        self.health_checks = every;
        self
    }

    /// How often what is known of each worker goes to the [policy](crate::VictimPolicy) by which workers
    /// are chosen: health, response time and error rate, as of the last health check. Their load it reads itself, each
    /// time. Default: 10 seconds. Below 10 ms is an error when the pool is built.
    pub fn load_checks(mut self, every: Duration) -> Self {
        self.load_checks = every;
        self
    }

    /// What the pool raises alerts for. Default: [`AlertRules::new`].
    pub fn alerts(mut self, rules: AlertRules) -> Self {
        self.alerts = rules;
        self
    }

    /// How often these rules are looked at. Default: 30 seconds. Below 10 ms is an error when the pool is built.
    pub fn evaluations(mut self, every: Duration) -> Self {
        self.evaluations = every;
        self
    }

    /// The share of memory above which it counts as running out, of the control group's limit or the
    /// machine's memory; see [`on_memory_pressure`](crate::ThreadPoolBuilder::on_memory_pressure). Default: 0.8.
    /// Anything but a number above 0 and up to 1 is an error when the pool is built.
    pub fn max_memory(mut self, share: f64) -> Self {
        self.max_memory = share;
        self
    }

    /// What the network can carry, in bytes a second each way. Default: what the drivers say, if
    /// they do. Anything but a positive number is an error when the pool is built.
    pub fn network_capacity(mut self, bytes_per_second: f64) -> Self {
        self.network_capacity = Some(bytes_per_second);
        self
    }

    /// The directories whose file systems are watched. Default: `/`. One that doesn't exist is no
    /// error: its readings aren't there until it does. The end of the pool waits for a reading that is
    /// being taken, so leave out what hangs when a server is down.
    pub fn mounts<P: Into<PathBuf>>(mut self, mounts: impl IntoIterator<Item = P>) -> Self {
        self.mounts = mounts.into_iter().map(Into::into).collect();
        self
    }

    /// The directory in which `proc` and `sys` are to be found. Default: `/`. For tests with a made-up
    /// machine: control groups, too, are looked for below it.
    pub fn root(mut self, root: impl Into<PathBuf>) -> Self {
        self.root = root.into();
        self
    }

    /// What is wrong with it, if anything.
    pub(crate) fn fault(&self) -> Option<String> {
        let series = [
            ("cpu", self.cpu),
            ("memory", self.memory),
            ("network", self.network),
            ("disk", self.disk),
        ];
        for (name, Series { every, readings }) in series {
            if every < SHORTEST {
                return Some(format!("reads {name} every {every:?}; the least is {SHORTEST:?}"));
            }
            if !(1..=MOST_READINGS).contains(&readings) {
                return Some(format!(
                    "keeps {readings} readings of {name}; 1 to {MOST_READINGS} can be kept"
                ));
            }
        }
        let checks = [
            ("health", self.health_checks),
            ("load", self.load_checks),
            ("alert rules", self.evaluations),
        ];
        for (what, every) in checks {
            if every < SHORTEST {
                return Some(format!("checks {what} every {every:?}; the least is {SHORTEST:?}"));
            }
        }
        if let Some(fault) = self.health.fault().or_else(|| self.alerts.fault()) {
            return Some(fault);
        }
        let share = self.max_memory;
        if !(share > 0.0 && share <= 1.0) {
            return Some(format!("has a max_memory of {share}; give a share above 0 and up to 1"));
        }
        let capacity = self.network_capacity.unwrap_or(1.0);
        (!capacity.is_finite() || capacity <= 0.0).then(|| {
            format!(
                "has a network_capacity of {capacity} bytes a second; give a positive number, or \
                 none to go by the drivers"
            )
        })
    }

    pub(crate) fn lengths(&self) -> Lengths {
        Lengths {
            cpu: self.cpu.readings,
            memory: self.memory.readings,
            network: self.network.readings,
            disk: self.disk.readings,
        }
    }
}

impl Default for Monitoring {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{HealthRules, MOST_READINGS, Monitoring, SHORTEST};
    use crate::policy::alert_rules::AlertRules;
    use crate::telemetry::alert::AlertKind;
    use crate::telemetry::health::Sign;
    use std::path::PathBuf;
    use std::time::Duration;

    #[test]
    fn the_defaults_are_these() {
        let default = Monitoring::default();
        let every = [default.cpu, default.memory, default.network, default.disk];
        assert_eq!(every.map(|series| series.every.as_secs()), [5, 5, 10, 30]);
        assert_eq!([default.health_checks, default.load_checks].map(|d| d.as_secs()), [30, 10]);
        assert!(every.iter().all(|series| series.readings == 120));
        assert_eq!((default.on, default.latency, default.network_capacity), (true, 64, None));
        assert_eq!((default.mounts, default.root), (vec![PathBuf::from("/")], "/".into()));
        assert!(!Monitoring::off().on && Monitoring::off().latency == 0);
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let new = Monitoring::new;
        let fault = |monitoring: Monitoring| monitoring.fault().unwrap_or_default();
        assert_eq!(new().fault(), None);
        assert!(fault(new().cpu(Duration::ZERO, 1)).contains("cpu every 0ns"));
        assert!(fault(new().memory(SHORTEST, 0)).contains("0 readings of memory"));
        assert!(fault(new().network(SHORTEST, MOST_READINGS + 1)).contains("of network"));
        assert!(fault(new().health_checks(Duration::ZERO)).contains("health every 0ns"));
        assert!(fault(new().load_checks(Duration::ZERO)).contains("load every 0ns"));
        assert!(fault(new().evaluations(Duration::ZERO)).contains("alert rules every 0ns"));
        let rules = AlertRules::none().rule(AlertKind::Cpu, f64::NAN, 0.1);
        assert!(fault(new().alerts(rules)).contains("alert rule for Cpu"));
        let rules = HealthRules::new().rule(Sign::Cpu, f64::NAN, 0.1);
        assert!(fault(new().health(rules)).contains("Cpu above NaN"));
        for share in [0.0, 1.1, f64::NAN] {
            assert!(fault(new().max_memory(share)).contains("a max_memory of"));
        }
        assert_eq!(new().disk(SHORTEST, MOST_READINGS).fault(), None);
        for capacity in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(fault(new().network_capacity(capacity)).contains("network_capacity"));
        }
    }
}
