//! An inbox: an injector with one taker, who parks when it is empty.

#![cfg(loom)]

use filch::protocols::injector::Injector;
use filch::protocols::parker::Parker;
use loom::sync::Arc;
use loom::thread;
use loom_tests::{Times, check};

/// The token stands for the push. No fence is needed: taking it shows the job.
#[test]
fn every_job_in_an_inbox_is_found() {
    check(|| {
        let it = Arc::new((Injector::new(), Parker::new()));
        let senders = [(); 2].map(|()| {
            let it = Arc::clone(&it);
            thread::spawn(move || {
                let letter = Times::none();
                letter.once_more();
                it.0.push(letter);
                it.1.unpark();
            })
        });
        for _ in &senders {
            let letter = loop {
                match it.0.steal() {
                    Some(letter) => break letter,
                    None => it.1.park(),
                };
            };
            assert_eq!(letter.get(), 1);
        }
        assert!(it.0.is_empty());
        for sender in senders {
            sender.join().unwrap();
        }
    });
}

#[test]
fn a_job_goes_to_one_taker() {
    check(|| {
        let queue = Arc::new(Injector::new());
        queue.push(Times::none());
        let other = Arc::clone(&queue);
        let other = thread::spawn(move || other.steal().is_some());
        let ours = queue.steal().is_some();
        assert!(ours != other.join().unwrap());
    });
}
