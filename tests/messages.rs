//! What users read when something is amiss: it must name the cause and what to do.

mod common;

use common::*;
use filch::{Pinning, ThreadPoolBuilder};
use std::panic::{self, Location};
use std::sync::Mutex;

#[test]
fn an_error_that_main_returns_is_readable() {
    let error = builder(usize::MAX).build().unwrap_err();
    assert_eq!(format!("{error:?}"), error.to_string());
}

#[test]
fn a_verb_that_comes_too_late_names_what_ended_the_pool() {
    let pool = pool(1);
    pool.shutdown().unwrap();
    let message = panic_of(|| pool.install(|| ()));
    assert!(message.contains("shutdown()") && message.contains("shutdown_global()"), "{message}");
}

/// The message that a build ends with, which must have all of `parts` in it.
fn refusal(builder: ThreadPoolBuilder, parts: &[&str]) {
    let message = builder.build().unwrap_err().to_string();
    for part in parts {
        assert!(message.contains(part), "{part} is missing: {message}");
    }
}

#[test]
fn too_many_threads_name_who_asked_for_them() {
    refusal(builder(99_999), &["num_threads is 99999", "max_num_threads() = 16384", "lower it"]);
    refusal(builder(2).max_threads(99_999), &["max_threads is 99999", "lower it"]);
    let test = "too_many_threads_name_who_asked_for_them";
    child_succeeds(test, &[("FILCH_NUM_THREADS", "99999")], || {
        refusal(builder(0), &["variable FILCH_NUM_THREADS is 99999", "lower it", "unset"]);
    });
}

#[test]
fn a_cpu_that_is_not_there_comes_with_a_remedy() {
    if PINS {
        let pins = Pinning::Explicit(vec![99_999]);
        refusal(builder(1).pinning(pins), &["CPU 99999", "name some of those", "taskset"]);
    }
}

#[test]
fn a_stack_that_no_system_has_is_named_first() {
    for bytes in [usize::MAX / 4, usize::MAX - 1, usize::MAX] {
        let parts = ["worker 0 of 2", "look at its ThreadPoolBuilder::stack_size", "ulimit"];
        refusal(builder(2).stack_size(bytes), &parts);
    }
}

#[test]
fn a_thread_name_that_no_thread_can_have_is_an_error() {
    let _dog = Dog::alone();
    for bad in 0..3 {
        let name = move |index: usize| if index == bad { "a\0b".into() } else { index.to_string() };
        let parts = [&*format!("worker {bad} \"a\\0b\""), "NUL"];
        refusal(builder(3).thread_name(name), &parts);
        let scoped = builder(3).thread_name(name).build_scoped(|worker| worker.run(), |_| ());
        assert!(scoped.unwrap_err().to_string().contains("NUL"));
    }
}

/// Calls `verb`, which stands on the line of this call and must panic there.
#[track_caller]
fn panics_here<R>(verb: impl FnOnce() -> R) {
    static PLACE: Mutex<String> = Mutex::new(String::new());
    let line = |place: &Location| format!("{}:{}", place.file(), place.line());
    panic::set_hook(Box::new(move |panic| {
        *PLACE.lock().unwrap() = line(panic.location().unwrap());
    }));
    let message = panic_of(verb);
    drop(panic::take_hook());
    assert_eq!(*PLACE.lock().unwrap(), line(Location::caller()), "{message}");
}

#[test]
fn a_verb_that_comes_too_late_panics_at_the_line_of_its_caller() {
    child_succeeds("a_verb_that_comes_too_late_panics_at_the_line_of_its_caller", &[], || {
        let (pool, token) = (pool(1), filch::CancelToken::new());
        pool.shutdown().unwrap();
        panics_here(|| pool.install(|| ()));
        panics_here(|| pool.join(|| (), || ()));
        panics_here(|| pool.spawn(|| ()));
        panics_here(|| pool.spawn_fifo(|| ()));
        panics_here(|| pool.spawn_handle(|| ()).is_finished());
        panics_here(|| pool.broadcast(|_| ()));
        panics_here(|| pool.spawn_broadcast(|_| ()));
        panics_here(|| pool.scope(|_| ()));
        panics_here(|| pool.scope_fifo(|_| ()));
        let scope = filch::ScopeBuilder::new().pool(&pool);
        panics_here(|| scope.scope(|_| ()));
        panics_here(|| scope.scope_fifo(|_| ()));
        let task = filch::TaskBuilder::new().pool(&pool);
        panics_here(|| task.spawn(|| ()));
        panics_here(|| task.spawn_handle(|| ()).is_finished());
        let task = task.token(&token);
        panics_here(|| task.spawn_fifo(|| ()));
        panics_here(|| task.try_spawn_handle(|| Ok::<_, ()>(())).is_finished());
        panics_here(|| pool.in_place_scope(|scope| scope.spawn(|_| ())));
        panics_here(|| pool.in_place_scope(|scope| scope.spawn_broadcast(|_, _| ())));
        panics_here(|| pool.in_place_scope_fifo(|scope| scope.spawn_fifo(|_| ())));
        panics_here(|| pool.in_place_scope_fifo(|scope| scope.spawn_broadcast(|_, _| ())));
        filch::spawn(|| ());
        filch::shutdown_global().unwrap();
        free_verbs_panic_here();
    });
}

/// The verbs that need the global pool to be there and to take work.
fn free_verbs_panic_here() {
    panics_here(|| filch::join(|| (), || ()));
    panics_here(|| filch::join_context(|_| (), |_| ()));
    panics_here(|| filch::spawn(|| ()));
    panics_here(|| filch::spawn_fifo(|| ()));
    panics_here(|| filch::spawn_handle(|| ()).is_finished());
    panics_here(|| filch::broadcast(|_| ()));
    panics_here(|| filch::spawn_broadcast(|_| ()));
    panics_here(|| filch::scope(|_| ()));
    panics_here(|| filch::scope_fifo(|_| ()));
}

#[test]
fn a_verb_that_can_not_build_the_global_pool_panics_at_the_line_of_its_caller() {
    let test = "a_verb_that_can_not_build_the_global_pool_panics_at_the_line_of_its_caller";
    child_succeeds(test, &[("FILCH_NUM_THREADS", "many")], || {
        free_verbs_panic_here();
        panics_here(|| filch::ScopeBuilder::new().scope(|_| ()));
        panics_here(|| filch::ScopeBuilder::new().in_place_scope(|_| ()));
        panics_here(|| filch::ScopeBuilder::new().in_place_scope_fifo(|_| ()));
        panics_here(|| filch::in_place_scope(|_| ()));
        panics_here(|| filch::in_place_scope_fifo(|_| ()));
        panics_here(|| filch::current_num_threads());
        panics_here(|| filch::max_thread_index());
    });
}
