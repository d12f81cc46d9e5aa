//! Random programs, and what they must come to by a sequential oracle: for the tests of stress, the soak and
//! the fuzz target of whole pools, which differ in where the choices come from.
#![allow(dead_code, reason = "each of them uses its own part of it")]

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

/// Where choices come from.
pub trait Choose {
    /// A number below the bound, which isn't 0.
    fn below(&mut self, bound: u64) -> u64;
}

/// SplitMix64 (Steele et al. 2014).
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

impl Choose for Rng {
    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// A program, or a part of one. Its value, or the number it panics with, doesn't depend on
/// who runs what.
pub enum Program {
    Leaf(u64),
    Panic(u64),
    Join(Arc<Self>, Arc<Self>),
    Scope(Vec<Arc<Self>>),
    Fifo(Vec<Arc<Self>>),
    /// Spawned one by one by tasks of the scope, each by the one before.
    Chain(Vec<Arc<Self>>),
    Handles(Vec<Arc<Self>>),
    /// As many tasks, of which some are cancelled, if they haven't been started.
    Cancelled(u64),
    Detached(Vec<Arc<Self>>),
    Broadcast,
    ScopedBroadcast,
    Yield,
    /// Within `filch::blocking`.
    Away(Arc<Self>),
    /// With one of the locks held. Where locks are nested, the inner one has a higher number.
    Locked(usize, Arc<Self>),
    /// A join whose first half doesn't end before the second has.
    Ahead(Arc<Self>, Arc<Self>),
    /// A join whose second half doesn't begin before the first has ended.
    Behind(Arc<Self>, Arc<Self>),
}

use Program::*;

pub const LOCKS: usize = 4;

/// Where in a program a part stands.
#[derive(Clone, Copy, Default)]
pub struct Place {
    /// How many locks, the lowest ones, it must leave alone.
    pub held: usize,
    /// Whether a worker may wait for it without the pool's knowing. Then it must neither
    /// volunteer for any work, which could be such a wait, nor need every worker.
    pub awaited: bool,
}

impl Program {
    pub fn random(rng: &mut dyn Choose, size: u64, place: Place) -> Arc<Self> {
        let parts = |rng: &mut dyn Choose| {
            let count = 1 + rng.below(5.min(size));
            (0..count).map(|_| Self::random(rng, size / (count + 1), place)).collect()
        };
        let Place { held, awaited } = place;
        let one = |rng: &mut dyn Choose| Self::random(rng, size - 1, place);
        let half = |rng: &mut dyn Choose| Self::random(rng, size / 2, place);
        let awaited_half =
            |rng: &mut dyn Choose| Self::random(rng, size / 2, Place { held, awaited: true });
        let program = match rng.below(if size > 1 { 25 } else { 6 }) {
            0..2 => Leaf(rng.below(2000)),
            2 => Cancelled(rng.below(4)),
            3 if !awaited => Yield,
            // Broadcasts are dear: every worker must wake up.
            4 if !awaited => match rng.below(8) {
                0 => Broadcast,
                1 => ScopedBroadcast,
                _ => Leaf(1),
            },
            5 if rng.below(8) == 0 => Panic(rng.below(1000)),
            3..6 => Leaf(2),
            6..12 => Join(half(rng), half(rng)),
            12..14 => Scope(parts(rng)),
            14..16 => Fifo(parts(rng)),
            16 => Chain(parts(rng)),
            17..19 => Handles(parts(rng)),
            19 => Detached(parts(rng)),
            20 => Away(one(rng)),
            21..23 if held < LOCKS => {
                let lock = held + rng.below((LOCKS - held) as u64) as usize;
                let place = Place { held: lock + 1, awaited: true };
                Locked(lock, Self::random(rng, size - 1, place))
            }
            21..24 => Behind(awaited_half(rng), half(rng)),
            _ => Ahead(half(rng), awaited_half(rng)),
        };
        Arc::new(program)
    }
}

/// A value, or the number of a panic. Of a scope in which several parts may be first to
/// panic the number is [`SOME`].
pub type Outcome = Result<u64, u64>;

pub const SOME: u64 = u64::MAX;

pub fn mix(a: u64, b: u64) -> u64 {
    (a ^ b.rotate_left(17)).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// The outcome of parts whose order doesn't matter.
fn gather(parts: impl Iterator<Item = Outcome>) -> Outcome {
    let mut sum = Ok(0_u64);
    for part in parts {
        sum = match (sum, part) {
            (Ok(sum), Ok(part)) => Ok(sum.wrapping_add(mix(part, 1))),
            _ => Err(SOME),
        };
    }
    sum
}

/// What the pool must have counted, and what detached tasks must have done.
#[derive(Default, Debug, PartialEq, Clone, Copy)]
pub struct Totals {
    pub tasks: u64,
    pub joins: u64,
    /// The sum over detached tasks and uncancelled ones of what they came to.
    pub aside: u64,
}

/// Runs a program sequentially.
pub struct Oracle {
    pub workers: u64,
    pub totals: Totals,
}

impl Oracle {
    pub fn run(&mut self, program: &Program) -> Outcome {
        match program {
            Leaf(work) => Ok(leaf(*work)),
            Panic(number) => Err(*number),
            Away(part) | Locked(_, part) => self.run(part),
            Join(a, b) | Ahead(a, b) | Behind(a, b) => {
                self.totals.joins += 1;
                let (a, b) = (self.run(a), self.run(b));
                Ok(mix(a?, b?))
            }
            Scope(parts) | Fifo(parts) | Chain(parts) | Handles(parts) => {
                self.totals.tasks += parts.len() as u64;
                gather(parts.iter().map(|part| self.run(part)))
            }
            Cancelled(count) => {
                self.totals.tasks += count;
                self.totals.aside += count;
                Ok(*count)
            }
            Detached(parts) => {
                self.totals.tasks += parts.len() as u64;
                for part in parts {
                    let outcome = self.run(part);
                    self.totals.aside = self.totals.aside.wrapping_add(weigh(outcome));
                }
                Ok(3)
            }
            Broadcast | ScopedBroadcast => {
                self.totals.tasks += self.workers;
                Ok(self.workers * (self.workers - 1) / 2)
            }
            Yield => Ok(4),
        }
    }
}

pub fn leaf(work: u64) -> u64 {
    (0..work).fold(work, mix)
}

fn weigh(outcome: Outcome) -> u64 {
    match outcome {
        Ok(value) => mix(value, 5),
        Err(number) => mix(number, 6),
    }
}

/// What all programs of a pool share.
#[derive(Debug, Default)]
pub struct World {
    /// What tasks that nobody waits for have come to.
    pub aside: AtomicU64,
    /// Tasks that were cancelled, of those of [`Cancelled`].
    pub cancelled: AtomicU64,
    pub locks: [Mutex<()>; LOCKS],
}

pub fn outcome_of(f: impl FnOnce() -> u64) -> Outcome {
    catch_unwind(AssertUnwindSafe(f)).map_err(|payload| *payload.downcast().unwrap())
}

fn some_panic<R>(f: impl FnOnce() -> R) -> R {
    let outcome = catch_unwind(AssertUnwindSafe(f));
    outcome.unwrap_or_else(|payload| {
        assert!(payload.is::<u64>());
        resume_unwind(Box::new(SOME))
    })
}

fn chain<'s>(
    scope: &filch::Scope<'s>,
    parts: &'s [Arc<Program>],
    sum: &'s AtomicU64,
    world: &'s Arc<World>,
) {
    if let [first, rest @ ..] = parts {
        scope.spawn(move |scope| {
            chain(scope, rest, sum, world);
            add(sum, run(first, world));
        });
    }
}

fn add(sum: &AtomicU64, part: u64) {
    sum.fetch_add(mix(part, 1), Ordering::Relaxed);
}

/// Runs a program on the current pool.
pub fn run(program: &Program, world: &Arc<World>) -> u64 {
    let sum = AtomicU64::new(0);
    match program {
        Leaf(work) => leaf(*work),
        Panic(number) => resume_unwind(Box::new(*number)),
        Join(a, b) => {
            let (a, b) = filch::join(|| run(a, world), || run(b, world));
            mix(a, b)
        }
        Ahead(a, b) => {
            let (ended, end) = mpsc::channel::<()>();
            let first = move || {
                // A panic of the second half ends the wait, too.
                let _ = filch::blocking(|| end.recv());
                run(a, world)
            };
            let (a, b) = filch::join(first, move || {
                let _ended = ended;
                run(b, world)
            });
            mix(a, b)
        }
        Behind(a, b) => {
            let (ended, end) = mpsc::channel::<()>();
            let first = move || {
                let _ended = ended;
                run(a, world)
            };
            let (a, b) = filch::join(first, move || {
                let _ = filch::blocking(|| end.recv());
                run(b, world)
            });
            mix(a, b)
        }
        Away(part) => filch::blocking(|| run(part, world)),
        Locked(lock, part) => {
            let lock = || world.locks[*lock].lock().unwrap_or_else(PoisonError::into_inner);
            let _guard = filch::blocking(lock);
            run(part, world)
        }
        Scope(parts) => {
            some_panic(|| {
                filch::scope(|scope| {
                    parts.iter().for_each(|part| scope.spawn(|_| add(&sum, run(part, world))));
                });
            });
            sum.into_inner()
        }
        Fifo(parts) => {
            some_panic(|| {
                filch::in_place_scope_fifo(|scope| {
                    parts.iter().for_each(|part| scope.spawn_fifo(|_| add(&sum, run(part, world))));
                });
            });
            sum.into_inner()
        }
        Chain(parts) => {
            some_panic(|| filch::scope(|scope| chain(scope, parts, &sum, world)));
            sum.into_inner()
        }
        Handles(parts) => {
            let start = |part: &Arc<Program>| {
                let (part, world) = (part.clone(), world.clone());
                filch::spawn_handle(move || run(&part, &world))
            };
            let handles: Vec<_> = parts.iter().map(start).collect();
            let outcomes: Vec<_> = handles
                .into_iter()
                .map(|handle| handle.join().map_err(|payload| *payload.downcast::<u64>().unwrap()))
                .collect();
            gather(outcomes.into_iter()).unwrap_or_else(|number| resume_unwind(Box::new(number)))
        }
        Cancelled(count) => {
            for i in 0..*count {
                let ran = world.clone();
                let task = filch::spawn_handle(move || ran.aside.fetch_add(1, Ordering::Relaxed));
                if i % 2 == 0 && task.cancel() {
                    world.aside.fetch_add(1, Ordering::Relaxed);
                    world.cancelled.fetch_add(1, Ordering::Relaxed);
                }
            }
            *count
        }
        Detached(parts) => {
            for (i, part) in parts.iter().enumerate() {
                let (part, world) = (part.clone(), world.clone());
                let task = move || {
                    let outcome = outcome_of(|| run(&part, &world));
                    world.aside.fetch_add(weigh(outcome), Ordering::Relaxed);
                };
                if i % 2 == 0 { filch::spawn(task) } else { filch::spawn_fifo(task) }
            }
            3
        }
        Broadcast => filch::broadcast(|part| part.index() as u64).into_iter().sum(),
        ScopedBroadcast => {
            filch::scope(|scope| {
                scope.spawn_broadcast(|_, part| {
                    sum.fetch_add(part.index() as u64, Ordering::Relaxed);
                });
            });
            sum.into_inner()
        }
        Yield => {
            filch::yield_now();
            filch::yield_local();
            4
        }
    }
}
