//! A configuration, as somebody might write it: it makes a pool that works, or an error that says what is wrong;
//! and what is written of it is read as the same.

#![no_main]

use filch::{Config, Request};
use libfuzzer_sys::fuzz_target;
use std::time::Duration;

/// As many as there is time for.
const MOST: usize = 4;

fuzz_target!(|text: &[u8]| {
    let Ok(config) = serde_json::from_slice::<Config>(text) else { return };
    let written = serde_json::to_string(&config).unwrap();
    assert_eq!(serde_json::from_str::<Config>(&written).ok(), Some(config.clone()), "{written}");
    let builder = match config.builder() {
        Ok(builder) => builder,
        Err(error) => return assert!(error.to_string().contains(" "), "{error}"),
    };
    if config.num_threads.max(config.min_threads.unwrap_or(0)) > MOST {
        return;
    }
    let pool = match builder.build() {
        Ok(pool) => pool,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    assert_eq!(pool.join(|| 1, || 2), (1, 2));
    let task = pool.spawn_handle(|| 3);
    assert!(task.join().is_ok_and(|value| value == 3));
    if let Ok(lease) = pool.acquire_timeout(&Request::new().cpu(1), Duration::ZERO) {
        assert!(lease.is_valid());
    }
    assert!(!pool.snapshot().to_string().is_empty());
    pool.shutdown().unwrap();
});
