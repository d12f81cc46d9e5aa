//! On which CPUs workers run, as the kernel says.

mod common;

use common::*;
use filch::{Pinning, ThreadPool, ThreadPoolBuilder};
use std::thread;

fn pinned(workers: usize, pinning: Pinning) -> Pool {
    builder(workers).pinning(pinning).into()
}

/// The CPUs of the pool's workers, `None` for one that floats, after the kernel has
/// confirmed them.
fn places(pool: &ThreadPool) -> Vec<Option<usize>> {
    let all = mask();
    let claimed = pool.worker_cpus();
    for (claimed, actual) in claimed.iter().zip(pool.broadcast(|_| mask())) {
        assert_eq!(actual, claimed.map_or(all.clone(), |cpu| vec![cpu]));
    }
    claimed
}

/// The CPUs that a pool's workers can be pinned to.
fn cpus() -> Vec<usize> {
    if PINS { mask() } else { Vec::new() }
}

/// A worker each, and one more that floats.
fn one_each_and_one_more(cpus: Vec<usize>) -> Vec<Option<usize>> {
    cpus.into_iter().map(Some).chain([None]).collect()
}

#[test]
fn cores_pins_a_worker_to_each_cpu_and_lets_others_float() {
    let cpus = cpus();
    let pool = pinned(cpus.len() + 1, Pinning::Cores);
    assert_eq!(places(&pool), one_each_and_one_more(cpus));
}

#[test]
fn none_lets_all_float() {
    assert_eq!(places(&pinned(3, Pinning::None)), [None; 3]);
}

#[test]
fn explicit_pins_by_index_and_lets_others_float() {
    let last = *mask().last().unwrap();
    let expected = PINS.then_some(last);
    let pool = pinned(3, Pinning::Explicit(vec![last, last]));
    assert_eq!(places(&pool), [expected, expected, None]);
    assert_eq!(places(&pinned(1, Pinning::Explicit(vec![last, 0]))), [expected], "a longer list");
}

#[test]
fn a_cpu_that_is_not_there_is_an_error() {
    let build = |list: Vec<usize>| builder(1).pinning(Pinning::Explicit(list)).build();
    let error = build(vec![]).unwrap_err().to_string();
    assert!(error.contains("names no CPU"), "{error}");
    if PINS {
        let error = build(vec![99_999]).unwrap_err().to_string();
        assert!(error.contains("CPU 99999"), "{error}");
    }
}

#[test]
fn a_pool_built_in_a_pinned_task_sees_all_cpus() {
    let (all, cpus) = (mask(), cpus());
    let outer = pinned(cpus.len().max(1), Pinning::Cores);
    outer.install(|| {
        let masks = pinned(2, Pinning::None).broadcast(|_| mask());
        assert_eq!(masks, [all.clone(), all.clone()]);
        let inner = pinned(cpus.len() + 1, Pinning::Cores);
        assert_eq!(inner.worker_cpus(), one_each_and_one_more(cpus.clone()));
        assert_eq!(inner.broadcast(|_| mask()).last(), Some(&all));
    });
}

/// The thread that builds the first pool may have a mask of its own.
#[test]
fn a_first_pool_that_is_built_on_a_pinned_thread_sees_all_cpus() {
    child_succeeds("a_first_pool_that_is_built_on_a_pinned_thread_sees_all_cpus", &[], || {
        // No more than a quota allows.
        let (all, workers) = (mask(), thread::available_parallelism().unwrap().get());
        on_new_thread(|| {
            assert!(core_affinity::set_for_current(core_affinity::CoreId { id: all[0] }));
            assert_eq!(mask(), [all[0]]);
            let pool = ThreadPoolBuilder::new().pinning(Pinning::None).build().unwrap();
            if PINS {
                assert_eq!(pool.current_num_threads(), workers);
                assert_eq!(pool.broadcast(|_| mask()), vec![all.clone(); workers]);
            }
            assert_eq!(mask(), [all[0]], "it is as it was");
        });
    });
}

#[test]
fn two_pools_of_one_worker_get_different_cpus() {
    // Alone, since every pool of the process moves the rotation on.
    child_succeeds("two_pools_of_one_worker_get_different_cpus", &[], || {
        let (first, second) = (pinned(1, Pinning::Cores), pinned(1, Pinning::Cores));
        let (first, second) = (places(&first), places(&second));
        if cpus().len() > 1 {
            assert!(first[0].is_some() && second[0].is_some());
            assert_ne!(first, second);
        } else {
            assert_eq!(first, second);
        }
    });
}

#[test]
fn by_default_the_only_pool_as_large_as_the_mask_is_pinned() {
    child_succeeds("by_default_the_only_pool_as_large_as_the_mask_is_pinned", &[], || {
        let (all, cpus) = (mask(), cpus());
        let by_default = |workers: usize| Pool::from(builder(workers));
        let (floating, pinned) = (vec![None; all.len()], cpus.iter().copied().map(Some).collect());
        let pinned: Vec<_> = if PINS { pinned } else { floating.clone() };

        assert_eq!(places(&by_default(all.len() + 1)), vec![None; all.len() + 1]);
        let first = Pool::from(ThreadPoolBuilder::new().num_threads(all.len()));
        assert_eq!(places(&first), pinned);
        assert_eq!(places(&by_default(all.len())), floating, "while another pinned pool lives");
        drop(first);
        assert_eq!(places(&by_default(all.len())), pinned);
    });
}

#[test]
fn unpinned_shows_every_cpu_and_pins_again() {
    let all = mask();
    let pool = pinned(2, Pinning::Cores);
    pool.broadcast(|_| {
        let before = mask();
        let (inside, child) = filch::unpinned(|| (mask(), thread::spawn(mask).join().unwrap()));
        assert_eq!((&inside, &child), (&all, &all));
        assert_eq!(mask(), before);
        assert_eq!(panic_of(|| filch::unpinned(|| explode("unpinned"))), "unpinned");
        assert_eq!(mask(), before, "after a panic, too");
    });
    assert_eq!(filch::unpinned(mask), all, "outside it is just a call");
}

#[test]
fn a_guest_is_never_pinned() {
    on_new_thread(|| {
        let all = mask();
        let pool = builder(2).pinning(Pinning::Cores).use_current_thread().build().unwrap();
        assert_eq!(mask(), all);
        assert_eq!(places(&pool)[0], None);
        pool.shutdown().unwrap();
    });
}
