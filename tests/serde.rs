//! Snapshots as other programs read them.

use filch::{Monitoring, Record, ThreadPoolBuilder};
use serde_json::Value;

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
