//! What threads outside a pool ask of it.

use crate::block_on::block_on;
use crate::board::BOARD;
use crate::books::{Books, Work, one};
use crate::common::{explode, fib};
use crate::life::{Fault, victim_policy};
use crate::program::{Choose, Oracle, Place, Program, Totals, outcome_of, run};
use filch::{
    CancelToken, Cpu, Disk, Expired, Latency, Memory, Network, ScopeBuilder, TaskBuilder,
    ThreadPool,
};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

pub struct Caller<'l> {
    pub rng: &'l mut (dyn Choose + Send),
    pub pool: &'l ThreadPool,
    pub books: &'l Arc<Books>,
    pub leases: bool,
    pub resizes: bool,
    /// Whether it does only what takes no time to speak of.
    pub hurries: bool,
    pub scratch: &'l Path,
    pub fault: Fault,
    pub what: &'l str,
}

type Call<C> = fn(&mut C);

/// One in so many tasks panics.
const PANICS: u64 = 16;

impl Caller<'_> {
    /// Something, whose name is returned.
    pub fn call(&mut self) -> &'static str {
        let calls: &[(_, Call<Self>)] = &[
            ("programs", Self::program),
            ("programs", Self::program),
            ("tasks", Self::tasks),
            ("tasks", Self::tasks),
            ("tasks of tasks", Self::tasks_of_tasks),
            ("tried tasks", Self::tried),
            ("handles", Self::handles),
            ("handles", Self::handles),
            ("limits", Self::limits),
            ("scopes", Self::scopes),
            ("scopes", Self::scopes),
            ("broadcasts", Self::broadcasts),
            ("futures of tasks", Self::asyncs),
            ("joins", Self::joins),
            ("sizes", Self::resize),
            ("victim policies", Self::victims),
            ("leases", Self::lease),
            ("leases", Self::lease),
            ("leases", Self::lease),
            // Those that take their time.
            ("blocking", Self::blocking),
            ("looks", Self::look),
            ("looks", Self::look),
            ("traces", Self::trace),
            ("pools within", Self::pool_within),
            ("guests", Self::guest),
        ];
        let calls = if self.hurries { &calls[..19] } else { calls };
        let (name, call) = calls[self.rng.below(calls.len() as u64) as usize];
        BOARD.noting(format!("{}: {name}", self.what), || {
            self.do_wrong();
            call(self);
        });
        name
    }

    fn do_wrong(&mut self) {
        match self.fault {
            Fault::None | Fault::Keep => {}
            Fault::Leak => _ = Box::leak(vec![1_u8; 1 << 17].into_boxed_slice()),
            Fault::File | Fault::Thread if self.rng.below(1000) > 0 => {}
            Fault::File => std::mem::forget(std::fs::File::open("/proc/self/statm").unwrap()),
            Fault::Thread => _ = thread::spawn(thread::park),
            Fault::Lose => std::mem::forget(Work::new(self.books, 1)),
            Fault::Hang => self.pool.install(|| {
                loop {
                    filch::blocking(thread::park);
                }
            }),
        }
    }

    pub fn work(&mut self) -> Work {
        Work::new(self.books, self.rng.below(1000))
    }

    /// One that panics now and then, where a panic comes to the handler.
    fn detached(&mut self) -> impl FnOnce() + Send + use<> {
        let (panics, books, work) =
            (self.rng.below(PANICS) == 0, Arc::clone(self.books), self.work());
        move || {
            work.run();
            if panics {
                one(&books.panicked);
                explode("detached");
            }
        }
    }

    pub fn count(&mut self) -> u64 {
        1 + self.rng.below(30)
    }

    /// Which may need a spare for each that blocks: nothing for a pool that is told to have fewer threads.
    fn program(&mut self) {
        if self.resizes {
            return self.joins();
        }
        let workers = self.pool.current_num_threads() as u64;
        let mut oracle = Oracle { workers, totals: Totals::default() };
        let program = Program::random(self.rng, 40, Place::default());
        let expected = oracle.run(&program);
        self.books.add(1 + oracle.totals.tasks, oracle.totals.joins);
        self.books.add_aside(oracle.totals.aside);
        let outcome = outcome_of(|| self.pool.install(|| run(&program, &self.books.world)));
        assert_eq!(outcome, expected, "{}", self.what);
    }

    fn tasks(&mut self) {
        for _ in 0..self.count() {
            let task = self.detached();
            match self.rng.below(5) {
                0 => self.pool.spawn(task),
                1 => self.pool.spawn_fifo(task),
                2 => self.pool.spawn_named("named", task),
                3 => TaskBuilder::new().pool(self.pool).label("built").spawn_fifo(task),
                _ => _ = self.pool.spawn_placed(task),
            }
        }
    }

    fn tasks_of_tasks(&mut self) {
        let tasks: Vec<_> = (0..self.count()).map(|_| self.detached()).collect();
        let fifo = self.rng.below(2) == 0;
        self.books.add(1, 0);
        self.pool.install(|| {
            for task in tasks {
                if fifo { filch::spawn_fifo(task) } else { filch::spawn(task) }
            }
        });
    }

    fn tried(&mut self) {
        for _ in 0..self.count() {
            let task = self.detached();
            if self.pool.try_spawn(task).is_err() {
                one(&self.books.refused);
            }
        }
    }

    fn handles(&mut self) {
        let count = self.count();
        let handles: Vec<_> = (0..count)
            .map(|_| {
                let (work, panics) = (self.work(), self.rng.below(PANICS) == 0);
                self.pool.spawn_handle(move || {
                    let value = work.run();
                    if panics { explode("told") } else { value }
                })
            })
            .collect();
        for handle in handles {
            match self.rng.below(4) {
                0 => _ = handle.join(),
                1 => _ = block_on(handle),
                2 => {
                    handle.cancel();
                    assert!(handle.is_finished() || !handle.cancel());
                }
                _ => drop(handle),
            }
        }
    }

    fn limits(&mut self) {
        let root = CancelToken::new();
        let child = root.child();
        let mut handles = Vec::new();
        for _ in 0..self.count() {
            let task = TaskBuilder::new().pool(self.pool);
            let task = match self.rng.below(3) {
                0 => task.token(&root),
                1 => task.token(&child).label("limited"),
                _ => task.deadline(Instant::now() + Duration::from_micros(self.rng.below(2000))),
            };
            let work = self.work();
            match self.rng.below(3) {
                0 => task.spawn(move || _ = work.run()),
                1 => task.spawn_fifo(move || _ = work.run()),
                _ => handles.push(task.spawn_handle(move || work.run())),
            }
            match self.rng.below(30) {
                0 => root.cancel(),
                1 => child.cancel(),
                _ => {}
            }
        }
        for handle in handles {
            if let Err(payload) = handle.join() {
                let known = payload.is::<filch::Cancelled>()
                    || payload.is::<Expired>()
                    || payload.is::<filch::Shed>();
                assert!(known, "another payload");
            }
        }
    }

    /// A scope whose tasks spawn tasks, cancelled or with a panic now and then.
    fn scopes(&mut self) {
        let (token, books) = (CancelToken::new(), self.books);
        let token = &token;
        let builder = ScopeBuilder::new().pool(self.pool);
        let builder = if self.rng.below(2) == 0 { builder.token(token) } else { builder };
        let builder = builder.cancel_on_panic(self.rng.below(2) == 0);
        let works: Vec<_> = (0..self.count()).map(|_| self.work()).collect();
        let (cancels, panics) = (self.rng.below(60) as usize, self.rng.below(100) as usize);
        let part = move |at: usize, work: Work| {
            work.run();
            if at == cancels {
                token.cancel();
            }
            if at == panics {
                explode("of a scope");
            }
        };
        let manner = self.rng.below(4);
        self.books.add(u64::from(manner < 2), 0);
        let scope = move || match manner {
            0 => builder.scope(|scope| pairs(scope, works, books, part)),
            1 => builder.scope_fifo(|scope| fifo_pairs(scope, works, books, part)),
            2 => builder.in_place_scope(|scope| pairs(scope, works, books, part)),
            _ => builder.in_place_scope_fifo(|scope| fifo_pairs(scope, works, books, part)),
        };
        let _ = catch_unwind(AssertUnwindSafe(scope));
    }

    fn broadcasts(&mut self) {
        let workers = self.pool.current_num_threads();
        self.books.add(workers as u64, 0);
        if self.rng.below(2) == 0 {
            let parts = self.pool.broadcast(|part| part.index());
            assert!(parts.into_iter().eq(0..workers), "{}", self.what);
        } else {
            self.pool.spawn_broadcast(|part| assert!(part.index() < part.num_threads()));
        }
    }

    fn blocking(&mut self) {
        // Now and then for long enough to be found.
        let longest = if self.rng.below(20) == 0 { 50_000 } else { 1000 };
        let time = Duration::from_micros(self.rng.below(longest));
        let told = self.rng.below(2) == 0;
        self.books.add(1, 1);
        self.pool.join(
            // Half of the time it is for the watch to find.
            || if told { filch::blocking(|| thread::sleep(time)) } else { thread::sleep(time) },
            || fib(1),
        );
    }

    fn asyncs(&mut self) {
        for _ in 0..self.count() {
            let mut task = pin!(self.pool.spawn_async(self.detached()));
            match self.rng.below(3) {
                0 => one(&self.books.refused),
                1 => match task.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(_)) | Poll::Pending => one(&self.books.refused),
                },
                _ if block_on(task).is_err() => one(&self.books.refused),
                _ => {}
            }
        }
    }

    fn joins(&mut self) {
        // fib(14) has as many joins as it takes to count up to it by ones, less one.
        let (joins, value) = (609, 377);
        self.books.add(1, joins);
        assert_eq!(self.pool.install(|| fib(14)), value, "{}", self.what);
    }

    fn resize(&mut self) {
        if !self.resizes {
            return self.tasks();
        }
        let most = self.pool.max_thread_index().min(12) as u64;
        let max = 1 + self.rng.below(most);
        let min = 1 + self.rng.below(max);
        self.pool.resize(min as usize..=max as usize).unwrap();
    }

    fn look(&mut self) {
        match self.rng.below(5) {
            0 => {
                let snapshot = self.pool.snapshot();
                assert!(snapshot.to_string().contains("workers"), "{snapshot}");
                assert!(!format!("{snapshot:?}").is_empty());
            }
            1 => {
                let all = self.pool.histogram(Latency::QueueWait).len();
                let built = self.pool.histogram_of("built", Latency::QueueWait);
                assert!(
                    built.is_none_or(
                        |built| built.len() <= self.pool.histogram(Latency::QueueWait).len()
                    ),
                    "{all}"
                );
            }
            2 => {
                let ages = self.pool.history::<Cpu>();
                assert!(ages.is_sorted_by(|a, b| a.age >= b.age));
                let others = (self.pool.history::<Memory>(), self.pool.history::<Network>());
                assert!(others.0.len() <= 20 && others.1.len() <= 20);
                assert!(self.pool.history::<Disk>().len() <= 20);
            }
            3 => {
                for alert in self.pool.alerts() {
                    self.pool.ack(alert.id);
                }
            }
            _ => {
                self.pool.leases().iter().for_each(|lease| assert!(!lease.to_string().is_empty()));
                assert!(self.pool.leaks().len() <= 64);
            }
        }
    }

    fn trace(&mut self) {
        match self.pool.write_trace(self.scratch) {
            Ok(()) => {}
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::Unsupported, "{error}"),
        }
    }

    fn victims(&mut self) {
        self.pool.set_victim_policy(victim_policy(self.rng));
    }

    /// Of one worker, which is called by one of the other pool, and calls back.
    fn pool_within(&mut self) {
        if self.rng.below(8) > 0 {
            return self.joins();
        }
        self.books.add(2, 609);
        let value = self.pool.install(|| {
            let other = filch::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
            other.install(|| self.pool.install(|| fib(14)))
        });
        assert_eq!(value, 377);
    }

    /// A thread that is a worker for a while.
    fn guest(&mut self) {
        if self.rng.below(8) > 0 {
            return self.tasks();
        }
        thread::scope(|scope| {
            scope.spawn(|| {
                let pool = filch::ThreadPoolBuilder::new()
                    .num_threads(2)
                    .use_current_thread()
                    .build()
                    .unwrap();
                assert_eq!(fib(10), 55);
                assert_eq!(pool.spawn_handle(|| fib(10)).join().unwrap(), 55);
            });
        });
    }
}

/// Tasks of a scope, each of which spawns another one, that does its part. Both kinds of scopes have the same verbs, and no trait.
macro_rules! pairs {
    ($name:ident, $scope:ident, $spawn:ident) => {
        fn $name<'s>(
            scope: &filch::$scope<'s>,
            works: Vec<Work>,
            books: &'s Arc<Books>,
            part: impl Fn(usize, Work) + Copy + Send + 's,
        ) {
            for (at, work) in works.into_iter().enumerate() {
                scope.$spawn(move |scope| {
                    let inner = Work::new(books, 10);
                    scope.$spawn(move |_| part(at, inner));
                    work.run();
                });
            }
        }
    };
}
pairs!(pairs, Scope, spawn);
pairs!(fifo_pairs, ScopeFifo, spawn_fifo);
