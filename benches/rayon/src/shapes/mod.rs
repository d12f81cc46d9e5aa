//! The shapes.

pub mod control;
mod joins;
mod numeric;
mod search;
mod sequences;
mod sorting;

use crate::timing::Cost;

/// Its name, and what measures it.
type Shape = (&'static str, fn() -> Cost);

pub const ALL: &[Shape] = &[
    ("fibonacci", joins::fibonacci),
    ("fibonacci_cutoff", joins::fibonacci_cutoff),
    ("join_microbench", joins::increment_all),
    ("nqueens", joins::queens),
    ("noop", joins::noop),
    ("quicksort", sorting::quicksort),
    ("mergesort", sorting::mergesort),
    ("par_sort_unstable", sorting::par_sort_unstable),
    ("nbody", numeric::nbody),
    ("matmul", numeric::matmul),
    ("life", numeric::life),
    ("sieve", numeric::sieve),
    ("tsp", search::tsp),
    ("find", search::find),
    ("map_collect", sequences::map_collect),
    ("filter_collect", sequences::filter_collect),
    ("par_bridge", sequences::bridge),
    ("string_words", sequences::words),
    ("control_loop", control::ticks),
];
