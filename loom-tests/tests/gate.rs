//! The gate: what was accepted is found after the seal, and the seal is reported.

#![cfg(loom)]

use filch::protocols::gate::Gate;
use filch::protocols::injector::Injector;
use loom::sync::Arc;
use loom::thread::{self, JoinHandle};
use loom_tests::{Times, check};
use std::sync::atomic::AtomicUsize as Tally;
use std::sync::atomic::Ordering::SeqCst;

#[derive(Default)]
struct Door {
    gate: Gate,
    queue: Injector<()>,
    accepted: Tally,
    seals_reported: Tally,
}

fn submitters<const N: usize>(door: &Arc<Door>) -> [JoinHandle<()>; N] {
    [(); N].map(|()| {
        let door = Arc::clone(door);
        thread::spawn(move || {
            if door.gate.enter() {
                door.accepted.fetch_add(1, SeqCst);
                door.queue.push(());
                if door.gate.leave() {
                    door.seals_reported.fetch_add(1, SeqCst);
                }
            }
        })
    })
}

#[test]
fn a_sealed_gate_shows_every_job_that_was_accepted() {
    check(|| {
        let door = Arc::<Door>::default();
        let submitters = submitters::<2>(&door);
        door.gate.close();
        let found = door.gate.is_sealed().then(|| {
            let accepted = door.accepted.load(SeqCst);
            assert_eq!(std::iter::from_fn(|| door.queue.steal()).count(), accepted);
            accepted
        });
        for submitter in submitters {
            submitter.join().unwrap();
        }
        assert!(found.is_none_or(|found| found == door.accepted.load(SeqCst)));
    });
}

/// By the last one out, unless whoever closed the gate saw that nobody was inside.
#[test]
fn the_seal_is_reported() {
    check(|| {
        let door = Arc::<Door>::default();
        let submitters = submitters::<2>(&door);
        door.gate.close();
        let seen = usize::from(door.gate.is_sealed());
        for submitter in submitters {
            submitter.join().unwrap();
        }
        let reported = door.seals_reported.load(SeqCst);
        assert!(reported <= 1 && seen + reported >= 1);
        assert!(door.gate.is_sealed() && !door.gate.enter());
    });
}

/// Also if nobody was inside: the closer has arranged for the end before.
#[test]
fn a_sealed_gate_shows_what_its_closer_did() {
    check(|| {
        let it = Arc::new((Gate::new(), Times::none()));
        let closer = Arc::clone(&it);
        let closer = thread::spawn(move || {
            closer.1.once_more();
            closer.0.close();
        });
        if it.0.is_sealed() {
            assert_eq!(it.1.get(), 1);
        }
        closer.join().unwrap();
    });
}

#[test]
fn whoever_comes_before_it_closes_gets_in() {
    check(|| {
        let gate = Gate::new();
        assert!(gate.enter() && gate.enter());
        assert!(!gate.leave());
        gate.close();
        assert!(!gate.enter() && !gate.is_sealed());
        assert!(gate.leave() && gate.is_sealed());
    });
}
