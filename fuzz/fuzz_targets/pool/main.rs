//! Whole pools: what the soak asks of them, but chosen by the bytes, and one call after the other. Programs beside
//! a sequential oracle, tasks that panic or are cancelled, leases, and sizes that change. After each input all that
//! was handed in has been run or dropped, and counted so; a pool stays for many inputs, and then ends.

#![no_main]

#[path = "../../../tests/common/block_on.rs"]
mod block_on;
#[path = "../../../tests/soak/board.rs"]
#[allow(dead_code, reason = "the soak's")]
mod board;
#[path = "../../../tests/soak/books.rs"]
mod books;
#[path = "../../../tests/soak/calls.rs"]
mod calls;
#[path = "../../../tests/common/mod.rs"]
mod common;
#[path = "../../../tests/soak/leases.rs"]
mod leases;
#[path = "../../../tests/soak/life.rs"]
#[allow(dead_code, reason = "the soak's")]
mod life;
#[path = "../../../tests/common/program.rs"]
mod program;

use books::{Books, one};
use calls::Caller;
use filch::{Monitoring, ResourceBudget, ThreadPool, ThreadPoolBuilder};
use leases::RESOURCES;
use libfuzzer_sys::fuzz_target;
use life::Fault;
use program::Choose;
use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

/// So many inputs before a pool ends.
const USES: u32 = 256;
/// Calls of one input.
const CALLS: u32 = 8;
/// Less than libFuzzer has.
const PATIENCE: Duration = Duration::from_secs(10);

/// The bytes of an input as choices; zeros when they are used up.
struct Bytes<'b>(&'b [u8]);

impl Choose for Bytes<'_> {
    fn below(&mut self, bound: u64) -> u64 {
        let mut number = 0;
        let mut reach = 1;
        while reach < bound
            && let Some((first, rest)) = self.0.split_first()
        {
            self.0 = rest;
            number = number << 8 | u64::from(*first);
            reach <<= 8;
        }
        number % bound
    }
}

/// A pool, and what it has been asked for.
struct Ground {
    pool: ThreadPool,
    books: Arc<Books>,
    leases: bool,
    resizes: bool,
    uses: u32,
}

impl Ground {
    fn new(workers: usize, leases: bool, resizes: bool) -> Self {
        let books = Arc::new(Books::default());
        let count = |which: fn(&Books) -> &AtomicU64| {
            let books = Arc::clone(&books);
            move || one(which(&books))
        };
        let (handled, began) = (count(|books| &books.handled), count(|books| &books.began));
        let ended = count(|books| &books.ended);
        // Of a pool that is watched it isn't known how many jobs its workers push to tidy up.
        let mut builder = ThreadPoolBuilder::new()
            .num_threads(workers)
            .max_threads(workers + 400)
            .monitoring(Monitoring::off())
            .panic_handler(move |_| handled())
            .start_handler(move |_| began())
            .exit_handler(move |_| ended());
        for (resource, total) in RESOURCES {
            builder = builder.budget(resource, total);
        }
        let pool = builder.build().unwrap();
        Self { pool, books, leases, resizes, uses: 0 }
    }

    fn play(&mut self, bytes: &mut Bytes) {
        for _ in 0..CALLS {
            if bytes.0.is_empty() {
                break;
            }
            let mut caller = Caller {
                rng: bytes,
                pool: &self.pool,
                books: &self.books,
                leases: self.leases,
                resizes: self.resizes,
                hurries: true,
                scratch: Path::new("/dev/null"),
                fault: Fault::None,
                what: "fuzzing",
            };
            caller.call();
        }
        self.settle();
        self.uses += 1;
    }

    /// Waits until all has been done.
    fn settle(&self) {
        let start = Instant::now();
        while !self.is_settled() {
            let (books, counters) = (&self.books, self.pool.counters());
            assert!(start.elapsed() < PATIENCE, "it doesn't settle: {books:#?} {counters:#?}");
            thread::yield_now();
        }
    }

    fn is_settled(&self) -> bool {
        let read = |count: &AtomicU64| count.load(SeqCst);
        let (books, counters) = (&self.books, self.pool.counters());
        let (made, dropped, refused) =
            (read(&books.made), read(&books.dropped), read(&books.refused));
        let totals = *books.totals.lock().unwrap();
        // Of leases it isn't known how many jobs they take.
        let counted = self.leases
            || (counters.tasks, counters.joins) == (totals.tasks + made - refused, totals.joins);
        let unrun = dropped - refused + read(&books.world.cancelled);
        let is_free = |budget: ResourceBudget| budget.free == budget.total;
        counted
            && made == read(&books.ran) + dropped
            && counters.cancelled + counters.expired == unrun
            && read(&books.world.aside) == totals.aside
            && read(&books.handled) == read(&books.panicked)
            && RESOURCES.iter().all(|&(resource, _)| is_free(self.pool.budget(resource)))
    }

    fn end(self) {
        self.pool.shutdown().unwrap();
        self.books.check(&self.pool, self.leases, false);
    }
}

thread_local! {
    static GROUNDS: RefCell<[Option<Ground>; 4]> = const { RefCell::new([const { None }; 4]) };
}

fuzz_target!(|bytes: &[u8]| {
    let Some((first, rest)) = bytes.split_first() else { return };
    GROUNDS.with_borrow_mut(|grounds| {
        let kind = usize::from(first % 4);
        let ground = &mut grounds[kind];
        let (workers, leases, resizes) =
            [(1, false, false), (2, false, false), (3, true, false), (4, false, true)][kind];
        let it = ground.get_or_insert_with(|| Ground::new(workers, leases, resizes));
        it.play(&mut Bytes(rest));
        if it.uses == USES {
            ground.take().map(Ground::end);
        }
    });
});
