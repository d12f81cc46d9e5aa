//! As `machine`, of a thread's files alone.

#![no_main]

use libfuzzer_sys::fuzz_target;

const KNOWN: [&str; 1] = [include_str!("../seeds/threads.txt")];

fuzz_target!(|recording: &[u8]| filch::fuzzed::play(recording, &KNOWN));
