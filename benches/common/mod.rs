//! What the bench targets and `peers` share: the pools they compare, and on what machine.

#![allow(dead_code, reason = "every target uses its part of it")]

pub mod machine;
pub mod pools;

use std::env;
use std::path::{Path, PathBuf};

/// Whether this is to be a smoke run, for CI: small sizes, few rounds. Without an argument,
/// as cargo's `--bench` is one, a bench target runs as a test, which is meant as a smoke
/// run, too.
pub fn quick() -> bool {
    let asked = env::var_os("FILCH_BENCH_QUICK").is_some_and(|value| value != "0");
    asked || env::args().len() == 1
}

/// `full`, or `small` in a smoke run.
pub fn size<T>(full: T, small: T) -> T {
    if quick() { small } else { full }
}

/// What stands behind `--plots`, a folder as seen from that of the project: cargo starts a bench in that of its package.
pub fn plots(words: &mut impl Iterator<Item = String>) -> PathBuf {
    let folder = words.next().expect("--plots takes a folder");
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(folder)
}
