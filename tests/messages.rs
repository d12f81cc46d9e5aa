//! What users read when something is amiss: it must name the cause and what to do.

mod common;

use common::*;

#[test]
fn an_error_that_main_returns_is_readable() {
    let error = builder(usize::MAX).build().unwrap_err();
    assert_eq!(format!("{error:?}"), error.to_string());
}
