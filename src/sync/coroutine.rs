//! What shuttle lacks of the standard library's threads, or has with another meaning. Its threads are
//! coroutines of one thread of the system, and it switches between them only where they use what comes
//! from here or from shuttle.
//!
//! Time is a count of steps, so that a seed says all about a run; and whoever waits for a time may have it
//! pass at once, as if all others had been kept from running for as long.
//!
//! This file is `unsafe` where a static says that it is one.

use shuttle::current::{self, TaskId};
use shuttle::rand::Rng;
use shuttle::thread::{self, AccessError, Scope, ScopedJoinHandle, Thread};
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::marker::PhantomData;
use std::mem::needs_drop;
use std::ops::Deref;
use std::ptr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// How long a step takes: so that 20 us are some turns of a worker, and not a whole run.
const STEP: Duration = Duration::from_nanos(50);

/// By how much more the time of this run has passed, in nanoseconds.
static PASSED: LazyLock<AtomicU64> = LazyLock::new(AtomicU64::default);

/// As the standard library's.
#[derive(Clone, Copy, Debug)]
pub struct Instant(Duration);

impl Instant {
    pub fn now() -> Self {
        let passed = Duration::from_nanos(PASSED.load(Ordering::Relaxed));
        Self(STEP * current::context_switches() as u32 + passed)
    }

    pub fn elapsed(&self) -> Duration {
        Self::now().duration_since(*self)
    }

    pub fn duration_since(&self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// Has others run. Perhaps so much time has passed then, perhaps next to none.
fn pass(time: Duration) {
    if shuttle::rand::thread_rng().gen_bool(0.5) {
        PASSED.fetch_add(time.as_nanos() as u64, Ordering::Relaxed);
    }
    thread::yield_now();
}

pub fn sleep(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        pass(time);
    }
}

/// Returns early, now and then. Takes no token: the thread that has one looks around sooner.
pub fn park_timeout(timeout: Duration) {
    pass(timeout);
}

/// Has others run, perhaps, where shuttle can't see that what follows concerns them.
pub fn interleave() {
    // shuttle's has no time, and unlike a yield doesn't say that others had better run.
    thread::sleep(Duration::ZERO);
}

/// A value that is made when it is first used, in each run anew.
pub struct LazyLock<T: Sync + 'static>(shuttle::lazy_static::Lazy<T>);

impl<T: Sync> LazyLock<T> {
    pub const fn new(init: fn() -> T) -> Self {
        Self(shuttle::lazy_static::Lazy::new(init))
    }
}

impl<T: Sync> Deref for LazyLock<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: there are statics only.
        let this: &'static Self = unsafe { &*ptr::from_ref(self) };
        this.0.get()
    }
}

macro_rules! local {
    ($($(#[$attribute:meta])* $vis:vis static $name:ident: $type:ty = $init:expr;)*) => {$(
        $(#[$attribute])*
        $vis static $name: $crate::sync::LocalKey<$type> =
            $crate::sync::LocalKey::new(|| $init);
    )*};
}

pub(crate) use local as thread_local;

/// A value that each coroutine has of its own. As with the standard library's, one without a destructor is
/// there until the very end, for the destructors of others.
pub struct LocalKey<T: 'static> {
    key: thread::LocalKey<T>,
    init: fn() -> T,
}

/// The values of a coroutine that have no destructor. Those that it starts are given a clone, which is none
/// of theirs.
#[derive(Clone, Default)]
struct Plain {
    of: Option<TaskId>,
    values: HashMap<usize, Rc<dyn Any>>,
}

impl<T> LocalKey<T> {
    pub const fn new(init: fn() -> T) -> Self {
        Self { key: thread::LocalKey { init, _p: PhantomData }, init }
    }

    pub fn try_with<R>(&'static self, f: impl FnOnce(&T) -> R) -> Result<R, AccessError> {
        if needs_drop::<T>() {
            return self.key.try_with(f);
        }
        let me = current::me();
        let value = current::with_labels_for_task(me, |labels| {
            let plain = labels.get_or_insert_default::<Plain>();
            if plain.of != Some(me) {
                *plain = Plain { of: Some(me), values: HashMap::new() };
            }
            let key = ptr::from_ref(self).addr();
            Rc::clone(plain.values.entry(key).or_insert_with(|| Rc::new((self.init)())))
        });
        Ok(f(value.downcast_ref().expect("a key has values of one type")))
    }

    pub fn with<R>(&'static self, f: impl FnOnce(&T) -> R) -> R {
        self.try_with(f).expect("a thread-local that is gone")
    }
}

impl<T> LocalKey<Cell<T>> {
    pub fn get(&'static self) -> T
    where
        T: Copy,
    {
        self.with(Cell::get)
    }

    pub fn set(&'static self, value: T) {
        self.replace(value);
    }

    pub fn replace(&'static self, value: T) -> T {
        self.with(|cell| cell.replace(value))
    }
}

impl<T> LocalKey<RefCell<T>> {
    pub fn with_borrow_mut<R>(&'static self, f: impl FnOnce(&mut T) -> R) -> R {
        self.with(|cell| f(&mut cell.borrow_mut()))
    }
}

#[cfg(feature = "tracing")]
impl<T> LocalKey<RefCell<T>> {
    pub fn replace(&'static self, value: T) -> T {
        self.with(|cell| cell.replace(value))
    }

    pub fn with_borrow<R>(&'static self, f: impl FnOnce(&T) -> R) -> R {
        self.with(|cell| f(&cell.borrow()))
    }
}

/// Starts threads.
#[derive(Debug, Default)]
pub struct Builder(thread::Builder);

impl Builder {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn name(self, name: String) -> Self {
        Self(self.0.name(name))
    }

    pub fn stack_size(self, size: usize) -> Self {
        Self(self.0.stack_size(size))
    }

    pub fn spawn<T: Send + 'static>(
        self,
        body: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<JoinHandle<T>> {
        let ends = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&ends);
        let body = move || {
            let result = body();
            ends.store(true, Ordering::Relaxed);
            result
        };
        Ok(JoinHandle { thread: self.0.spawn(body)?, ended })
    }

    pub fn spawn_scoped<'scope, T: Send + 'scope>(
        self,
        scope: &'scope Scope<'scope, '_>,
        body: impl FnOnce() -> T + Send + 'scope,
    ) -> io::Result<ScopedJoinHandle<'scope, T>> {
        Ok(scope.spawn(body))
    }
}

#[derive(Debug)]
pub struct JoinHandle<T> {
    thread: thread::JoinHandle<T>,
    ended: Arc<AtomicBool>,
}

impl<T> JoinHandle<T> {
    pub fn join(self) -> thread::Result<T> {
        self.thread.join()
    }

    pub fn thread(&self) -> &Thread {
        self.thread.thread()
    }

    pub fn is_finished(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }
}
