//! The threads of spares: workers that take the places of blocked ones.

use crate::pool::affinity;
use crate::pool::thread::run_spare;
use crate::sync::{ThreadHandle, ThreadSpawner};
use crate::worker::shared::Shared;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// The spares of a pool that have threads. None once the pool has been shut down.
pub struct Crew {
    threads: Mutex<Option<Vec<ThreadHandle<()>>>>,
    stack_size: Option<usize>,
}

impl Crew {
    pub fn new(stack_size: Option<usize>) -> Self {
        Self { threads: Mutex::new(Some(Vec::new())), stack_size }
    }

    /// Gives this spare a thread.
    pub fn hire(&self, shared: Arc<Shared>, index: usize) -> io::Result<()> {
        // Held until the thread is in the list, so that nobody shuts down past it.
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(threads) = &mut *threads else {
            return Err(io::Error::other("the pool has been shut down"));
        };
        let mut spawner = ThreadSpawner::new().name(format!("filch-spare-{index}"));
        if let Some(size) = self.stack_size {
            spawner = spawner.stack_size(size);
        }
        // Not on the CPU of the worker that blocks: another one may soon run there.
        let spawn = || spawner.spawn(move || run_spare(shared, index));
        threads.push(affinity::unpinned(spawn)?);
        Ok(())
    }

    /// Joins all, after the pool has come to its end.
    pub fn join(&self) {
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner).take();
        for thread in threads.into_iter().flatten() {
            // A panic that reached the end of the thread came from the destructor of a
            // thread-local; it has been printed, and it is no task's.
            drop(thread.join());
        }
    }
}
