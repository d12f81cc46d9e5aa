//! What the example understands, and what it prints.
#![cfg(not(any(miri, loom)))]

#[path = "../examples/index/arguments.rs"]
mod arguments;
#[allow(dead_code, reason = "the test takes no time")]
#[path = "../examples/index/report.rs"]
mod report;
#[allow(dead_code, reason = "the test reads no file")]
#[path = "../examples/index/tally.rs"]
mod tally;
#[allow(dead_code, reason = "the test reads no file")]
#[path = "../examples/index/walk.rs"]
mod walk;
#[allow(dead_code, reason = "the test reads no file")]
#[path = "../examples/index/words.rs"]
mod words;

use arguments::Arguments;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tally::Summary;

#[test]
fn binary_files_are_named_as_such() {
    let findings = |binary| {
        let mut out = Vec::new();
        let summary = Summary { binary, ..Summary::default() };
        report::print_findings(&mut out, Path::new("dir"), &summary).unwrap();
        String::from_utf8(out).unwrap()
    };
    assert!(findings(3).contains("3  of the files are binary"), "{}", findings(3));
    assert!(!findings(0).contains("binary"));
}

#[test]
fn the_report_shows_no_more_than_there_is() {
    let report = |teams: &[usize], tasks: u64| {
        let pass = |&workers: &usize| report::Pass {
            workers,
            elapsed: Duration::from_millis(6 / workers as u64),
            cpu_time: None,
            counters: filch::Counters::default(),
            latencies: (0..tasks).map(Duration::from_micros).collect(),
            summary: Summary::default(),
        };
        let mut out = Vec::new();
        let passes = teams.iter().map(|workers| vec![pass(workers), pass(workers)]).collect();
        report::print_times(&mut out, passes).unwrap();
        String::from_utf8(out).unwrap()
    };
    let large = report(&[1, 3], 100);
    assert!(large.contains("3.00  speed-up") && large.contains("p99"), "{large}");
    let small = report(&[1], 99);
    assert_eq!(small.matches("0.006 s").count(), 1, "{small}");
    assert!(!small.contains("speed-up") && !small.contains("p99"), "{small}");
    assert!(small.contains("99  tasks, too few"), "{small}");
}

#[test]
fn arguments_are_understood_or_named() {
    let parse = |line: &str| arguments::parse(line.split_whitespace().map(OsString::from));
    let asked = |dir: Option<&str>, threads| {
        Ok(Some(Arguments { dir: dir.map(PathBuf::from), threads, trace: None }))
    };
    assert_eq!(parse(""), asked(None, 0));
    assert_eq!(parse("src"), asked(Some("src"), 0));
    for line in ["--threads 3 src", "--threads=3 src", "src --threads 3", "src --threads=3"] {
        assert_eq!(parse(line), asked(Some("src"), 3), "{line}");
    }
    let traced = parse("--trace out.json src").unwrap().unwrap();
    assert_eq!((traced.dir, traced.trace), (Some("src".into()), Some("out.json".into())));
    for line in ["-h", "--help", "src --help", "--threads 3 -h"] {
        assert_eq!(parse(line), Ok(None), "{line}");
    }
    for (line, named) in [
        ("--threads", "--threads needs a number"),
        ("--threads many", "\"many\""),
        ("--threads=", "\"\""),
        ("--threads=-1 src", "\"-1\""),
        ("--thread=1", "\"--thread=1\""),
        ("src --trace", "--trace needs a file"),
        ("-v src", "\"-v\""),
        ("src tests", "\"tests\""),
    ] {
        let error = parse(line).unwrap_err();
        assert!(error.contains(named) && error.contains("--help"), "{line}: {error}");
    }
}
