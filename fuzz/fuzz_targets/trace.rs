//! The flight recorder and what is written of it: whatever workers did, and whatever the names of their threads,
//! the last events are kept in order, and come out as JSON in which slices nest and time doesn't go back.

#![no_main]

use filch::Status;
use filch::fuzzed::event::{Event, JobKind, Recorder};
use filch::fuzzed::trace::{Trace, Track};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fn event(kind: u8, about: u8) -> Event {
    let job = [JobKind::Frame, JobKind::Call, JobKind::Scoped, JobKind::Task];
    let status = [
        Status::Starting,
        Status::Running,
        Status::Searching,
        Status::Parked,
        Status::Blocked,
        Status::Stopped,
        Status::Retiring,
    ];
    match kind % 7 {
        0 => Event::Begin(job[usize::from(about % 4)]),
        1 => Event::End(job[usize::from(about % 4)]),
        2 => Event::Is(status[usize::from(about % 7)]),
        3 => Event::Steal(about.into()),
        4 => Event::Pull(about.into()),
        5 => Event::Expose,
        _ => Event::Wake(about.into()),
    }
}

/// The slices of a track balance, and its times are in order.
fn is_sound(track: u64, events: &[Value]) {
    let (mut depth, mut last) = (0_u64, f64::NEG_INFINITY);
    for event in events.iter().filter(|event| event["tid"] == track && event["ph"] != "M") {
        let now = event["ts"].as_f64().unwrap();
        assert!(now >= last, "{now} after {last}");
        last = now;
        match event["ph"].as_str().unwrap() {
            "B" => depth += 1,
            "E" => depth = depth.checked_sub(1).expect("an end without a begin"),
            "i" => assert!(event["name"].is_string()),
            other => panic!("an event of kind {other}"),
        }
    }
    assert_eq!(depth, 0, "slices that don't end");
}

fuzz_target!(|bytes: &[u8]| {
    let [kept, length, bytes @ ..] = bytes else { return };
    let (name, bytes) = bytes.split_at(usize::from(*length).min(bytes.len()));
    let name = String::from_utf8_lossy(name).into_owned();
    let recorder = Recorder::new(usize::from(*kept), Some(name.clone()));
    let mut ticks = 1000_u64;
    let mut pushed = Vec::new();
    for chunk in bytes.chunks_exact(3) {
        // Another CPU's counter may be behind by a few.
        ticks = ticks.saturating_add_signed(i64::from(chunk[0].cast_signed()).max(-20));
        pushed.push((ticks, event(chunk[1], chunk[2])));
        recorder.push(ticks, pushed[pushed.len() - 1].1);
    }
    let events = recorder.read();
    assert!(pushed.ends_with(&events));
    assert_eq!(events.len(), pushed.len().min(usize::from(*kept).max(1)));
    let track = |worker, events| Track { worker, name: name.clone(), events };
    let tracks = vec![track(0, pushed), track(1, events), track(2, Vec::new())];
    let trace = Trace { pid: 7, pool: 1, tracks, taken: ticks, nanoseconds_per_tick: 0.3 };
    let mut text = Vec::new();
    trace.write(&mut text).unwrap();
    let json: Value = serde_json::from_slice(&text).unwrap();
    let events = json["traceEvents"].as_array().unwrap();
    let names = events.iter().filter(|event| event["name"] == "thread_name");
    assert_eq!(names.filter(|event| event["args"]["name"] == *name).count(), 3);
    (0..3).for_each(|track| is_sound(track, events));
});
