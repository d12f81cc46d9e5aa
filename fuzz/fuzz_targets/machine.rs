//! A made-up machine, as `scripts/record-machine` prints one, in whose files anything may stand. Nothing
//! that is read of it makes a monitor panic or say what can't be. `scripts/fuzz` runs this.

#![no_main]

use libfuzzer_sys::fuzz_target;

/// Of other files than these have, nothing is read.
const KNOWN: [&str; 4] = [
    include_str!("../../tests/machines/container-v2.txt"),
    include_str!("../../tests/machines/firecracker-v1.txt"),
    include_str!("../../tests/machines/numa-256.txt"),
    include_str!("../../tests/machines/numa-v2.txt"),
];

fuzz_target!(|recording: &[u8]| filch::fuzzed::play(recording, &KNOWN));
