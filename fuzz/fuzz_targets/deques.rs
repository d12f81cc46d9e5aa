//! Where jobs wait, each beside a queue that does the same: a worker's deque and its arrivals, an injector (and so
//! inboxes), misfits, tickets for what is to be first in first out. Every job comes out where it should, runs
//! once, and is dropped once; the blocks that jobs lie in are given back now and then.

#![no_main]

use filch::fuzzed::deque::Deque;
use filch::fuzzed::fifo::Fifo;
use filch::fuzzed::injector::Injector;
use filch::fuzzed::misfits::Misfits;
use filch::fuzzed::{HeapJob, JobRef, give_back};
use libfuzzer_sys::fuzz_target;
use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::Arc;

/// The job that has run last, if it hasn't been asked for.
#[derive(Default)]
struct Ran(Cell<Option<u8>>);

/// A job that says its number, with so many bytes more to carry.
fn job_of<const SIZE: usize>(number: u8, alive: &Arc<()>) -> JobRef<Ran> {
    let (alive, bytes) = (Arc::clone(alive), [number; SIZE]);
    let run = move |ran: &Ran| {
        drop(alive);
        assert!(bytes.iter().all(|&byte| byte == number), "{bytes:?} for {number}");
        assert_eq!(ran.0.replace(Some(number)), None);
    };
    // SAFETY: it borrows nothing.
    unsafe { HeapJob::boxed(run) }
}

/// Of each size that blocks have, and of one that none has.
fn job(number: u8, alive: &Arc<()>) -> JobRef<Ran> {
    match number % 6 {
        0 => job_of::<1>(number, alive),
        1 => job_of::<16>(number, alive),
        2 => job_of::<33>(number, alive),
        3 => job_of::<64>(number, alive),
        4 => job_of::<100>(number, alive),
        _ => job_of::<200>(number, alive),
    }
}

/// Runs a job that has come out. Says its number.
fn run(job: JobRef<Ran>) -> u8 {
    let ran = Ran::default();
    // SAFETY: out of its queue, and so ours; that is what is tested.
    unsafe { job.run(&ran) }
    ran.0.take().expect("a job that does nothing has come out")
}

/// A job that is kept as it is, and counted.
struct Kept(u8, #[expect(dead_code, reason = "counted")] Arc<()>);

#[derive(Default)]
struct Queues {
    deque: Deque<JobRef<Ran>>,
    injector: Injector<JobRef<Ran>>,
    misfits: Misfits<Kept>,
    inbox: Injector<Kept>,
    fifo: Fifo<Ran>,
}

/// What should be in there, the oldest first.
#[derive(Default)]
struct Model {
    /// None: a ticket.
    deque: VecDeque<Option<u8>>,
    arrivals: VecDeque<u8>,
    injector: VecDeque<u8>,
    misfits: VecDeque<u8>,
    inbox: VecDeque<u8>,
    fifo: VecDeque<u8>,
}

impl Model {
    /// A job or ticket that comes out of the deque.
    fn redeem(&mut self, job: Option<Option<u8>>) -> Option<u8> {
        job.map(|job| job.or_else(|| self.fifo.pop_front()).expect("a ticket for nothing"))
    }
}

fuzz_target!(|bytes: &[u8]| {
    let (alive, queues, arrivals) = (Arc::new(()), Queues::default(), Deque::queue());
    let Queues { deque, injector, misfits, inbox, fifo } = &queues;
    let mut model = Model::default();
    let mut number = 0_u8;
    let mut next = || {
        number = number.wrapping_add(1);
        number
    };
    for byte in bytes {
        let about = byte / 16;
        match byte % 16 {
            0 | 1 => {
                let number = next();
                deque.push(job(number, &alive));
                model.deque.push_back(Some(number));
            }
            2 => {
                let number = next();
                // SAFETY: in place until all tickets have been run.
                deque.push(unsafe { fifo.push(job(number, &alive)) });
                model.deque.push_back(None);
                model.fifo.push_back(number);
            }
            3 => {
                let youngest = model.deque.pop_back();
                assert_eq!(deque.pop().map(run), model.redeem(youngest));
            }
            4 => {
                let oldest = model.deque.pop_front();
                assert_eq!(deque.stealer().steal().map(run), model.redeem(oldest));
            }
            5 | 6 => {
                let number = next();
                injector.push(job(number, &alive));
                model.injector.push_back(number);
            }
            7 => assert_eq!(injector.steal().map(run), model.injector.pop_front()),
            8 => {
                let batch = 1 + usize::from(about);
                let first = injector.steal_batch(batch, &arrivals);
                assert_eq!(first.map(run), model.injector.pop_front());
                let moved = model.injector.len() - injector.len();
                assert!(moved < batch, "{moved} of less than {batch}");
                model.arrivals.extend(model.injector.drain(..moved));
            }
            9 => assert_eq!(arrivals.pop().map(run), model.arrivals.pop_front()),
            10 => assert_eq!(arrivals.stealer().steal().map(run), model.arrivals.pop_front()),
            11 => {
                let number = next();
                misfits.push(Kept(number, Arc::clone(&alive)));
                model.misfits.push_back(number);
            }
            12 => {
                let wanted = |number: u8| number % 16 <= about;
                let at = model.misfits.iter().position(|&number| wanted(number));
                let expected = at.and_then(|at| model.misfits.remove(at));
                assert_eq!(misfits.take(|kept| wanted(kept.0)).map(|kept| kept.0), expected);
            }
            13 => {
                let number = next();
                inbox.push(Kept(number, Arc::clone(&alive)));
                model.inbox.push_back(number);
            }
            14 => assert_eq!(inbox.steal().map(|kept| kept.0), model.inbox.pop_front()),
            _ => match about {
                0 => deque.shrink(JobRef::nothing()),
                1 => give_back(),
                // Many at a time: a buffer grows, and a segment of an injector is full.
                _ => {
                    for _ in 0..4 * about {
                        let number = next();
                        deque.push(job(number, &alive));
                        model.deque.push_back(Some(number));
                        injector.push(job(number, &alive));
                        model.injector.push_back(number);
                    }
                }
            },
        }
        let Model { deque: jobs, arrivals: arrived, .. } = &model;
        assert_eq!((deque.is_empty(), deque.stealer().len()), (jobs.is_empty(), jobs.len()));
        assert_eq!(arrivals.stealer().len(), arrived.len());
        assert_eq!(injector.len(), model.injector.len());
        assert_eq!(
            (misfits.is_empty(), misfits.len()),
            (model.misfits.is_empty(), model.misfits.len())
        );
        assert_eq!((inbox.is_empty(), inbox.len()), (model.inbox.is_empty(), model.inbox.len()));
        let waiting = [
            jobs.len(),
            arrived.len(),
            model.injector.len(),
            model.misfits.len(),
            model.inbox.len(),
        ];
        assert_eq!(Arc::strong_count(&alive), 1 + waiting.into_iter().sum::<usize>());
    }
    while let Some(job) = model.deque.pop_back() {
        assert_eq!(deque.pop().map(run), model.redeem(Some(job)));
    }
    assert!(std::iter::from_fn(|| arrivals.pop().map(run)).eq(model.arrivals));
    assert!(std::iter::from_fn(|| injector.steal().map(run)).eq(model.injector));
    assert!(deque.pop().is_none() && deque.stealer().is_empty() && model.fifo.is_empty());
    assert_eq!(Arc::strong_count(&alive), 1 + misfits.len() + inbox.len());
    drop(queues);
    assert_eq!(Arc::strong_count(&alive), 1, "what is left has not been dropped");
});
