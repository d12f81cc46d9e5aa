//! The interface, item by item: names, bounds, auto traits. `scripts/test-rayon.sh` runs this file
//! with rayon's own rayon-core, too, so that what it says is so.
#![allow(deprecated)]
#![allow(clippy::type_complexity)]

use rayon_core::*;
use std::any::Any;
use std::error::Error;
use std::fmt::Debug;
use std::panic::{RefUnwindSafe, UnwindSafe};

/// Whether a type has a trait, for types that lack it too: the method of the type itself comes
/// first, if its bounds hold.
macro_rules! has {
    ($type:ty: $trait:path) => {{
        struct Probe<T: ?Sized>(std::marker::PhantomData<T>);
        #[allow(dead_code)]
        trait Lacks {
            fn has(&self) -> bool {
                false
            }
        }
        impl<T: ?Sized> Lacks for Probe<T> {}
        #[allow(dead_code)]
        impl<T: ?Sized + $trait> Probe<T> {
            fn has(&self) -> bool {
                true
            }
        }
        Probe::<$type>(std::marker::PhantomData).has()
    }};
}

macro_rules! auto_traits {
    ($type:ty) => {
        [
            has!($type: Send),
            has!($type: Sync),
            has!($type: Unpin),
            has!($type: UnwindSafe),
            has!($type: RefUnwindSafe),
        ]
    };
}

#[test]
fn types_have_the_auto_traits_that_they_have_in_rayon() {
    let pool = [true, true, true, false, false];
    assert_eq!(auto_traits!(ThreadPool), pool);
    assert_eq!(auto_traits!(Scope<'static>), pool);
    assert_eq!(auto_traits!(ScopeFifo<'static>), pool);
    assert_eq!(auto_traits!(ThreadBuilder), [true, false, true, false, false]);
    let builder = [false, false, true, false, false];
    assert_eq!(auto_traits!(ThreadPoolBuilder), builder);
    assert_eq!(auto_traits!(Configuration), builder);
    assert_eq!(auto_traits!(ThreadPoolBuildError), [true, true, true, false, false]);
    assert_eq!(auto_traits!(FnContext), [false, false, true, true, true]);
    assert_eq!(auto_traits!(BroadcastContext<'static>), [false, false, true, false, false]);
    assert_eq!(auto_traits!(Yield), [true; 5]);
}

#[test]
fn types_have_the_traits_that_they_have_in_rayon() {
    fn debug<T: Debug>() {}
    debug::<ThreadPool>();
    debug::<Scope<'_>>();
    debug::<ScopeFifo<'_>>();
    debug::<ThreadBuilder>();
    debug::<ThreadPoolBuilder>();
    debug::<Configuration>();
    debug::<ThreadPoolBuildError>();
    debug::<FnContext>();
    debug::<BroadcastContext<'_>>();
    debug::<Yield>();
    fn default<T: Default>() {}
    default::<ThreadPoolBuilder>();
    default::<Configuration>();
    fn error<T: Error + 'static>() {}
    error::<ThreadPoolBuildError>();
    fn copy<T: Copy + Eq>() {}
    copy::<Yield>();
}

type Payload = Box<dyn Any + Send>;

#[test]
fn functions_are_those_of_rayon() {
    let _: fn() -> usize = max_num_threads;
    let _: fn() -> usize = current_num_threads;
    let _: fn() -> Option<usize> = current_thread_index;
    let _: fn() -> Option<bool> = current_thread_has_pending_tasks;
    let _: fn() -> Option<Yield> = yield_now;
    let _: fn() -> Option<Yield> = yield_local;
    let _: fn(Configuration) -> Result<(), Box<dyn Error>> = initialize;
    let _: fn(fn() -> u8, fn() -> u16) -> (u8, u16) = join;
    let _: fn(fn(FnContext) -> u8, fn(FnContext) -> u16) -> (u8, u16) = join_context;
    let _: fn(fn(&Scope<'static>) -> u8) -> u8 = scope;
    let _: fn(fn(&ScopeFifo<'static>) -> u8) -> u8 = scope_fifo;
    let _: fn(fn(&Scope<'static>) -> *const u8) -> *const u8 = in_place_scope;
    let _: fn(fn(&ScopeFifo<'static>) -> *const u8) -> *const u8 = in_place_scope_fifo;
    let _: fn(fn()) = spawn;
    let _: fn(fn()) = spawn_fifo;
    let _: fn(fn(BroadcastContext<'_>) -> u8) -> Vec<u8> = broadcast;
    let _: fn(fn(BroadcastContext<'_>)) = spawn_broadcast;
}

#[test]
fn methods_are_those_of_rayon() {
    let _: fn(Configuration) -> Result<ThreadPool, Box<dyn Error>> = ThreadPool::new;
    let _: fn(&ThreadPool, fn() -> u8) -> u8 = ThreadPool::install;
    let _: fn(&ThreadPool, fn(BroadcastContext<'_>) -> u8) -> Vec<u8> = ThreadPool::broadcast;
    let _: fn(&ThreadPool) -> usize = ThreadPool::current_num_threads;
    let _: fn(&ThreadPool) -> Option<usize> = ThreadPool::current_thread_index;
    let _: fn(&ThreadPool) -> Option<bool> = ThreadPool::current_thread_has_pending_tasks;
    let _: fn(&ThreadPool, fn() -> u8, fn() -> u16) -> (u8, u16) = ThreadPool::join;
    let _: fn(&ThreadPool, fn(&Scope<'static>) -> u8) -> u8 = ThreadPool::scope;
    let _: fn(&ThreadPool, fn(&ScopeFifo<'static>) -> u8) -> u8 = ThreadPool::scope_fifo;
    let _: fn(&ThreadPool, fn(&Scope<'static>) -> *const u8) -> *const u8 =
        ThreadPool::in_place_scope;
    let _: fn(&ThreadPool, fn(&ScopeFifo<'static>) -> *const u8) -> *const u8 =
        ThreadPool::in_place_scope_fifo;
    let _: fn(&ThreadPool, fn()) = ThreadPool::spawn;
    let _: fn(&ThreadPool, fn()) = ThreadPool::spawn_fifo;
    let _: fn(&ThreadPool, fn(BroadcastContext<'_>)) = ThreadPool::spawn_broadcast;
    let _: fn(&ThreadPool) -> Option<Yield> = ThreadPool::yield_now;
    let _: fn(&ThreadPool) -> Option<Yield> = ThreadPool::yield_local;
    let _: fn(&Scope<'static>, fn(&Scope<'static>)) = Scope::spawn;
    let _: fn(&Scope<'static>, fn(&Scope<'static>, BroadcastContext<'_>)) = Scope::spawn_broadcast;
    let _: fn(&ScopeFifo<'static>, fn(&ScopeFifo<'static>)) = ScopeFifo::spawn_fifo;
    let _: fn(&ScopeFifo<'static>, fn(&ScopeFifo<'static>, BroadcastContext<'_>)) =
        ScopeFifo::spawn_broadcast;
    let _: fn(&BroadcastContext<'static>) -> usize = BroadcastContext::index;
    let _: fn(&BroadcastContext<'static>) -> usize = BroadcastContext::num_threads;
    let _: fn(&FnContext) -> bool = FnContext::migrated;
    let _: fn(&ThreadBuilder) -> usize = ThreadBuilder::index;
    let _: fn(&ThreadBuilder) -> Option<&str> = ThreadBuilder::name;
    let _: fn(&ThreadBuilder) -> Option<usize> = ThreadBuilder::stack_size;
    let _: fn(ThreadBuilder) = ThreadBuilder::run;
}

#[test]
fn builders_take_what_they_take_in_rayon() {
    // Names need not be Send, and handlers of threads may borrow.
    let names = std::rc::Rc::new(std::cell::Cell::new(0));
    let name = move |index: usize| {
        names.set(names.get() + 1);
        index.to_string()
    };
    let mut handles = Vec::new();
    let pool = ThreadPoolBuilder::new()
        .num_threads(1)
        .thread_name(name.clone())
        .panic_handler(|_: Payload| ())
        .start_handler(|_: usize| ())
        .exit_handler(|_: usize| ())
        .stack_size(1 << 20)
        .breadth_first()
        .spawn_handler(|thread| {
            handles.push(std::thread::spawn(|| thread.run()));
            Ok(())
        })
        .build()
        .unwrap();
    drop(pool);
    handles.into_iter().for_each(|handle| handle.join().unwrap());
    let scoped = ThreadPoolBuilder::new()
        .num_threads(1)
        .build_scoped(|thread: ThreadBuilder| thread.run(), |pool: &ThreadPool| pool.install(|| 1));
    assert_eq!(scoped.unwrap(), 1);
    let pool = Configuration::new()
        .num_threads(1)
        .thread_name(name)
        .panic_handler(|_: Payload| ())
        .start_handler(|_: usize| ())
        .exit_handler(|_: usize| ())
        .stack_size(1 << 20)
        .breadth_first()
        .build();
    assert_eq!(pool.unwrap().current_num_threads(), 1);
}
