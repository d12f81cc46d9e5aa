//! Pools in a real control group with a CPU quota. Needs the right to make one, as root has.
#![cfg(all(target_os = "linux", not(miri), not(loom)))]

mod common;

use common::{ControlGroup, Dog, PERIOD, child_with_group, in_child, wait_until};
use filch::ThreadPoolBuilder;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{fs, io};

#[test]
fn a_pool_takes_its_size_from_a_real_quota_and_floats_under_a_fractional_one() {
    if cfg!(filch_no_affinity) {
        println!("SKIPPED: without a mask, the standard library's rounded figure is the limit");
        return;
    }
    let Some(seen) = run_in(None) else { return };
    let cpus = mask_size();
    if seen.workers != cpus {
        println!("SKIPPED: the test runs under a CPU quota already");
        return;
    }
    let quotas = [
        ("unlimited", None, cpus, false),
        ("all CPUs", Some(cpus * PERIOD), cpus, false),
        ("half a CPU", Some(PERIOD / 2), 1, true),
        // As many workers as CPUs, so they would be pinned if it were not fractional.
        ("all CPUs but a half", Some(cpus * PERIOD - PERIOD / 2), cpus, true),
    ];
    for (name, quota, workers, fractional) in quotas {
        let (outer, inner) = match groups(quota) {
            Ok(groups) => groups,
            Err(error) => {
                println!("SKIPPED: no control group with a CPU quota can be made: {error}");
                return;
            }
        };
        for (place, group) in [("the group", &outer), ("one below", &inner)] {
            let seen = run_in(Some(group)).unwrap();
            assert_eq!(seen.workers, workers, "{name}, in {place}");
            let pinned = !fractional;
            assert_eq!(seen.pinned, if pinned { workers } else { 0 }, "{name}");
            if fractional {
                assert_eq!(seen.floating, workers, "{name}");
            }
        }
    }
}

/// While it runs.
#[test]
fn a_pool_follows_a_quota_that_changes() {
    if cfg!(filch_no_affinity) || mask_size() < 2 {
        println!("SKIPPED: needs two CPUs");
        return;
    }
    child_with_group("a_pool_follows_a_quota_that_changes", "cpu", change_from_inside);
}

fn change_from_inside(group: &ControlGroup) {
    group.join();
    let dog = Dog::alone();
    let pool = ThreadPoolBuilder::new().min_threads(1).build().unwrap();
    let (cpus, over) = (pool.current_num_threads(), Arc::new(AtomicBool::new(false)));
    // Something to do for all, whatever they are.
    let tasks: Vec<_> = (0..2 * cpus)
        .map(|_| {
            let over = Arc::clone(&over);
            pool.spawn_handle(move || {
                while !over.load(Ordering::Relaxed) {
                    filch::yield_now();
                }
            })
        })
        .collect();
    for (quota, seats) in [(PERIOD, 1), (cpus * PERIOD, cpus), (PERIOD, 1)] {
        group.set_quota(Some(quota)).unwrap();
        dog.say(format!("{seats} seats, {}", pool.snapshot()));
        wait_until(|| pool.snapshot().pool.seats == seats);
    }
    over.store(true, Ordering::Relaxed);
    tasks.into_iter().for_each(|task| task.join().unwrap());
    wait_until(|| pool.num_threads() == 1);
    // Below that there is always one.
    group.set_quota(Some(PERIOD / 10)).unwrap();
    assert_eq!(pool.install(|| 6 * 7), 42);
}

/// What a child says of its default pool.
struct Seen {
    workers: usize,
    /// Workers that the pool says it gave a CPU.
    pinned: usize,
    /// Workers whose mask, as the kernel tells it, is that of the whole process.
    floating: usize,
}

/// `None` in the child.
fn run_in(group: Option<&ControlGroup>) -> Option<Seen> {
    let test = "a_pool_takes_its_size_from_a_real_quota_and_floats_under_a_fractional_one";
    let env: Vec<_> = group.map(ControlGroup::env).into_iter().collect();
    let output = in_child(test, &env, report_from_inside)?;
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    // The test runner's own words may stand before it on the line.
    let (_, numbers) = text.split_once("SEEN ").unwrap();
    let mut numbers = numbers.split_whitespace().map(|number| number.parse().unwrap());
    let mut next = || numbers.next().unwrap();
    Some(Seen { workers: next(), pinned: next(), floating: next() })
}

fn report_from_inside() {
    ControlGroup::inherited().inspect(ControlGroup::join);
    let pool = ThreadPoolBuilder::new().build().unwrap();
    let whole = allowed_cpus();
    let masks = pool.broadcast(|_| allowed_cpus());
    println!(
        "SEEN {} {} {} ",
        pool.current_num_threads(),
        pool.worker_cpus().into_iter().flatten().count(),
        masks.into_iter().filter(|mask| *mask == whole).count()
    );
}

/// This thread's mask as the kernel writes it: `0-3,8`.
fn allowed_cpus() -> String {
    let status = fs::read_to_string("/proc/thread-self/status").unwrap();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    list.unwrap().trim().to_owned()
}

fn mask_size() -> usize {
    let size = |range: &str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        last.parse::<usize>().unwrap() - first.parse::<usize>().unwrap() + 1
    };
    allowed_cpus().split(',').map(size).sum()
}

/// One with a quota, and one without below it. The one declared last is dropped first.
fn groups(quota: Option<usize>) -> io::Result<(ControlGroup, ControlGroup)> {
    let outer = ControlGroup::new("cpu")?;
    outer.set_quota(quota)?;
    let inner = outer.below("inner")?;
    Ok((outer, inner))
}
