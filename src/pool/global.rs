//! The pool that the free functions use.

use crate::error::{Error, Kind};
use crate::pool::builder::ThreadPoolBuilder;
use crate::pool::spawner::ThreadSpawn;
use crate::pool::thread_pool::ThreadPool;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

static GLOBAL: OnceLock<ThreadPool> = OnceLock::new();

/// Held while the global pool is built, so that it is built once.
fn building() -> MutexGuard<'static, ()> {
    static BUILDING: Mutex<()> = Mutex::new(());
    BUILDING.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S: ThreadSpawn> ThreadPoolBuilder<S> {
    /// Builds the global pool, which the free functions use. Without this call, the first
    /// use builds it with every default.
    ///
    /// # Errors
    /// As [`build`](Self::build), and if there is a global pool already.
    pub fn build_global(self) -> Result<(), Error> {
        let _building = building();
        if GLOBAL.get().is_some() {
            return Err(Error::new(Kind::GlobalPoolExists));
        }
        let pool = self.build()?;
        assert!(GLOBAL.set(pool).is_ok(), "filch: only the lock's holder sets the global pool");
        Ok(())
    }
}

/// The global pool, built with every default if need be.
///
/// # Panics
/// If it can't be built; the message says why.
#[track_caller]
pub fn get() -> &'static ThreadPool {
    if let Some(pool) = GLOBAL.get() {
        return pool;
    }
    match ThreadPoolBuilder::new().build_global() {
        Ok(()) => {}
        Err(error) if error.is_global_pool_exists() => {}
        Err(error) => panic!("filch: the global thread pool could not be built: {error}"),
    }
    GLOBAL.get().expect("filch: a global pool that was built is there")
}

/// Shuts down the global pool: waits until every accepted task has run and every thread
/// has ended. Without one nothing happens, and a later use builds it.
///
/// # Errors
/// As [`ThreadPool::shutdown`].
///
/// # Examples
///
/// ```
/// filch::spawn(|| println!("runs before main ends"));
/// filch::shutdown_global()?;
/// # Ok::<(), filch::Error>(())
/// ```
pub fn shutdown_global() -> Result<(), Error> {
    GLOBAL.get().map_or(Ok(()), ThreadPool::shutdown)
}
