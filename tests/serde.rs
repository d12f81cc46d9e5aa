//! Snapshots as other programs read them, and configurations as they write them.

use filch::{AlertKind, Config, Monitoring, Record, ThreadPoolBuilder, VictimPolicy};
use serde_json::Value;
use std::time::Duration;

#[test]
fn a_snapshot_is_all_there_as_json() {
    let monitoring = Monitoring::new().latency(1);
    let pool = ThreadPoolBuilder::new().num_threads(2).monitoring(monitoring).build().unwrap();
    pool.join(|| (), || ());
    pool.spawn_named("decode", || ());
    while pool.counters().tasks < 2 || pool.history::<filch::Disk>().is_empty() {
        std::thread::yield_now();
    }
    let snapshot = pool.snapshot();
    let json: Value = serde_json::from_str(&serde_json::to_string(&snapshot).unwrap()).unwrap();
    assert_eq!(json["pool"]["num_threads"], 2);
    assert_eq!(json["pool"]["counters"]["joins"], 1);
    assert_eq!(json["latency"]["labelled"][0][0], "decode");
    assert_eq!(json["latency"]["labelled"][0][1]["run_time"]["count"], 1);
    assert_eq!(json["workers"].as_array().map(Vec::len), Some(snapshot.workers.len()));
    assert_eq!(json["memory"]["current"]["total"]["Ok"], snapshot.memory.current.total.unwrap());
    // Rates take two readings.
    assert_eq!(json["cpu"]["current"]["system_utilisation"]["Err"], "NotYet");
    let fields = |record: &str, count| {
        assert_eq!(json[record]["current"].as_object().unwrap().len(), count, "{record}");
    };
    fields("work", filch::Work::FIELDS.len());
    fields("cpu", filch::Cpu::FIELDS.len());
    fields("memory", filch::Memory::FIELDS.len());
    fields("network", filch::Network::FIELDS.len());
    fields("disk", filch::Disk::FIELDS.len());
}

#[test]
fn a_configuration_is_read_and_what_is_not_there_has_its_default() {
    let text = r#"{
        "min_threads": 1, "idle_timeout": 1.5, "victim_policy": "health_weighted",
        "memory": { "threshold": 60, "check_interval": 2 },
        "alerts": { "error_rate": { "lasting": 60 }, "queue_wait": { "warning": 0.5 } }
    }"#;
    let config: Config = serde_json::from_str(text).unwrap();
    let mut expected = Config::new();
    expected.min_threads = Some(1);
    expected.idle_timeout = Duration::from_millis(1500);
    expected.victim_policy = VictimPolicy::HealthWeighted;
    expected.memory.threshold = 60.0;
    expected.memory.check_interval = Duration::from_secs(2);
    expected.alerts.entry(AlertKind::ErrorRate).or_default().lasting =
        Some(Duration::from_secs(60));
    expected.alerts.entry(AlertKind::QueueWait).or_default().warning = Some(0.5);
    assert_eq!(config, expected);
    let written = serde_json::to_string(&config).unwrap();
    assert_eq!(serde_json::from_str::<Config>(&written).unwrap(), config);
    assert_eq!(serde_json::from_str::<Config>("{}").unwrap(), Config::new());
}

#[test]
fn what_is_to_last_for_ever_is_read_as_it_was_written() {
    let mut config = Config::new();
    (config.num_threads, config.min_threads) = (2, Some(1));
    (config.idle_timeout, config.alert_cooldown) = (Duration::MAX, Duration::MAX);
    config.alerts.entry(AlertKind::Cpu).or_default().lasting = Some(Duration::MAX);
    let written = serde_json::to_string(&config).unwrap();
    assert_eq!(serde_json::from_str::<Config>(&written).unwrap(), config);
    let pool = config.builder().unwrap().build().unwrap();
    assert_eq!(pool.install(|| 1), 1);
    assert!(serde_json::from_str::<Config>(r#"{ "idle_timeout": 1e20 }"#).is_err());
}

#[test]
fn a_configuration_with_what_has_no_meaning_is_refused() {
    for (text, named) in [
        (r#"{ "idle_timout": 1 }"#, "idle_timout"),
        (r#"{ "cpu": { "max": 1, "check_interval": 1 } }"#, "max"),
        (r#"{ "idle_timeout": -1 }"#, "-1 seconds"),
        (r#"{ "allocation_strategy": "lifo" }"#, "lifo"),
        (r#"{ "victim_policy": "custom" }"#, "custom"),
        (r#"{ "alerts": { "cpus": {} } }"#, "cpus"),
    ] {
        let error = serde_json::from_str::<Config>(text).unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
    }
}

#[test]
fn every_field_of_a_configuration_is_in_its_table() {
    let table = include_str!("../src/pool/config.rs");
    let json = serde_json::to_value(Config::new()).unwrap();
    let of_resources = json["cpu"].as_object().unwrap().keys().map(|field| format!("….{field}"));
    for field in json.as_object().unwrap().keys().cloned().chain(of_resources) {
        let quoted = format!("`{field}`");
        let rows =
            table.lines().filter(|line| line.starts_with("/// | `") && line.contains(&quoted));
        assert!(rows.count() > 0, "{field}");
    }
}
