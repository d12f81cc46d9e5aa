//! What threads and tasks lease.

use crate::block_on::block_on;
use crate::books::one;
use crate::calls::Caller;
use crate::common::fib;
use crate::life::Fault;
use filch::{Refusal, Request, Resource};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

/// Of each resource so much.
pub const RESOURCES: [(Resource, u64); 5] = [
    (Resource::Cpu, 4_000),
    (Resource::Memory, 1_000),
    (Resource::Network, 10_000_000),
    (Resource::Disk, 1_000),
    (Resource::Io, 10_000_000),
];

const MILLISECOND: Duration = Duration::from_millis(1);

/// Refusals that there may be: not for want of sense.
fn is_fair(refusal: Refusal) {
    let fair = [Refusal::Busy, Refusal::TimedOut, Refusal::WouldDeadlock, Refusal::Saturated];
    assert!(fair.contains(&refusal), "{refusal}");
}

impl Caller<'_> {
    /// For up to half of what there is of one resource or several.
    fn request(&mut self) -> Request {
        let first = self.rng.below(5) as usize;
        let more = self.rng.below(3) as usize;
        let parts = RESOURCES.iter().cycle().skip(first).take(1 + more);
        let request = Request::new().priority(self.rng.below(4) as u8);
        parts.fold(request, |request, &(resource, total)| {
            request.with(resource, 1 + self.rng.below(total / 2))
        })
    }

    pub fn lease(&mut self) {
        let mut request = self.request();
        let tenant = self.pool.tenant(1 + self.rng.below(5) as u32);
        if self.rng.below(2) == 0 {
            request = request.tenant(&tenant);
        }
        if self.fault == Fault::Keep && self.rng.below(50) == 0 {
            // Of which nobody misses one.
            self.pool
                .try_acquire(&Request::new().disk(1))
                .map(std::mem::forget)
                .unwrap_or_else(is_fair);
        }
        match self.rng.below(9) {
            0 => self.at_once(&request),
            1 => self.in_time(&request),
            2 => self.as_a_future(&request),
            3 => self.elastic(&request),
            4 => self.bytes(),
            5 if self.leases => self.on_workers(&request),
            6 if self.leases => self.with_tasks(&request),
            7 if self.leases => self.handed_on(&request),
            8 if self.leases => self.cores(),
            _ => self.at_once(&request),
        }
    }

    fn at_once(&mut self, request: &Request) {
        match self.pool.try_acquire(request) {
            Ok(mut lease) => {
                assert!(lease.renew() && lease.is_valid());
                lease.shrink_to(Resource::Memory, self.rng.below(10));
                lease.release();
            }
            Err(refusal) => is_fair(refusal),
        }
    }

    fn in_time(&mut self, request: &Request) {
        match self.pool.acquire_timeout(request, MILLISECOND * self.rng.below(5) as u32) {
            Ok(lease) => drop(lease),
            Err(refusal) => is_fair(refusal),
        }
    }

    fn as_a_future(&mut self, request: &Request) {
        match self.pool.acquire_async(request) {
            Err(refusal) => is_fair(refusal),
            Ok(future) if self.rng.below(2) == 0 => {
                let _ = pin!(future).poll(&mut Context::from_waker(Waker::noop()));
            }
            Ok(future) => drop(block_on(future)),
        }
    }

    fn elastic(&mut self, request: &Request) {
        let request = request.clone().with(Resource::Memory, 10).up_to(Resource::Memory, 500);
        match self.pool.acquire_timeout(&request, 5 * MILLISECOND) {
            Ok(mut lease) => {
                let told = Arc::new(AtomicU64::new(10));
                let tell = Arc::clone(&told);
                lease.on_change(move |_, amount| tell.store(amount, SeqCst));
                for _ in 0..self.rng.below(4) {
                    thread::sleep(MILLISECOND / 4);
                    assert!((10..=500).contains(&told.load(SeqCst)), "{told:?}");
                    lease.settle();
                }
                if self.rng.below(2) == 0 {
                    lease.shrink_to(Resource::Memory, 5);
                }
            }
            Err(refusal) => is_fair(refusal),
        }
    }

    fn bytes(&mut self) {
        let request = Request::new().network(1_000_000).io(1_000_000);
        match self.pool.try_acquire(&request) {
            // A hundred thousand go at once.
            Ok(lease) => (0..4).for_each(|_| lease.take(26_000)),
            Err(refusal) => is_fair(refusal),
        }
    }

    /// Each task of a scope waits for its own.
    fn on_workers(&mut self, request: &Request) {
        let works: Vec<_> = (0..self.count()).map(|_| self.work()).collect();
        let pool = self.pool;
        self.books.add(1, 0);
        pool.scope(|scope| {
            for work in works {
                scope.spawn(move |_| {
                    match pool.acquire(request) {
                        Ok(lease) => {
                            // Another one would have to wait for it.
                            pool.acquire_timeout(request, MILLISECOND)
                                .map(drop)
                                .unwrap_or_else(is_fair);
                            drop(lease);
                        }
                        Err(refusal) => is_fair(refusal),
                    }
                    work.run();
                });
            }
        });
    }

    fn with_tasks(&mut self, request: &Request) {
        for _ in 0..self.count() {
            let work = self.work();
            let task = move |lease: &filch::Lease| {
                assert!(lease.is_valid());
                work.run();
            };
            if let Err(refusal) = self.pool.spawn_with(request, task) {
                is_fair(refusal);
                one(&self.books.refused);
            }
        }
    }

    /// Whoever asked for it has ended, and it is overdue: it may be taken back.
    fn handed_on(&mut self, request: &Request) {
        let request = request.clone().time_to_live(MILLISECOND);
        self.books.add(1, 0);
        match self.pool.install(|| self.pool.try_acquire(&request)) {
            Ok(lease) => {
                thread::sleep(3 * MILLISECOND);
                let _ = lease.is_valid();
                if self.rng.below(2) == 0 {
                    lease.renew();
                }
            }
            Err(refusal) => is_fair(refusal),
        }
    }

    /// A scope and joins within a lease of so many.
    fn cores(&mut self) {
        let cores = 1 + self.rng.below(3);
        let works: Vec<_> = (0..self.count()).map(|_| self.work()).collect();
        let (pool, books) = (self.pool, self.books);
        books.add(1, 0);
        pool.install(|| {
            let request = Request::new().cpu(1000 * cores);
            match pool.acquire_timeout(&request, 5 * MILLISECOND) {
                Err(refusal) => {
                    is_fair(refusal);
                    works.into_iter().for_each(|work| _ = work.run());
                }
                Ok(_lease) => {
                    books.add(0, 7 * works.len() as u64 + 88);
                    filch::scope(|scope| {
                        for work in works {
                            scope.spawn(move |scope| {
                                scope.spawn(|_| assert_eq!(fib(5), 5));
                                work.run();
                            });
                        }
                    });
                    assert_eq!(fib(10), 55);
                }
            }
        });
    }
}
