//! `FILCH_NUM_THREADS`, with any bytes in it: a number of threads that a pool can have, the default, or an error
//! that names the variable.

#![no_main]

use filch::fuzzed::size;
use filch::max_num_threads;
use libfuzzer_sys::fuzz_target;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

const NAME: &str = "FILCH_NUM_THREADS";

/// What it says, digit by digit: 0 stands for the default. None if it has no meaning.
fn number(text: &[u8]) -> Option<u128> {
    let text = std::str::from_utf8(text).ok()?.trim().as_bytes();
    let digits = text.strip_prefix(b"+").unwrap_or(text);
    let number = |number: u128, digit: &u8| {
        digit.is_ascii_digit().then(|| (10 * number + u128::from(digit - b'0')).min(1 << 64))
    };
    digits.iter().try_fold(0, number).filter(|_| !digits.is_empty())
}

fuzz_target!(|text: &[u8]| {
    if text.contains(&0) {
        return;
    }
    // SAFETY: nobody else reads the environment: there is one thread.
    unsafe { std::env::set_var(NAME, OsStr::from_bytes(text)) };
    let most = max_num_threads();
    match (size::num_threads(0, None), number(text)) {
        (Ok((threads, false)), Some(0)) => assert!((1..=most).contains(&threads)),
        (Ok((threads, true)), Some(number)) => assert_eq!(threads as u128, number),
        (Ok(threads), number) => panic!("{threads:?} of {number:?}"),
        (Err(error), number) => {
            assert!(error.to_string().contains(NAME), "{error}");
            assert!(number.is_none_or(|number| number > most as u128), "{number:?}: {error}");
        }
    }
    assert_eq!(size::num_threads(3, None).unwrap(), (3, true), "the variable is for the default");
});
