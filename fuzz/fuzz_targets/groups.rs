//! As `machine`, of control groups alone: smaller, so that more are tried.

#![no_main]

use libfuzzer_sys::fuzz_target;

const KNOWN: [&str; 1] = [include_str!("../seeds/groups.txt")];

fuzz_target!(|recording: &[u8]| filch::fuzzed::play(recording, &KNOWN));
