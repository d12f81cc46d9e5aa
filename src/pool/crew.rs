//! The threads that a pool starts when it has been built: spares, and the watch.

use crate::pool::affinity;
use crate::pool::thread::run_spare;
use crate::pool::watcher::watch;
use crate::sync::{ThreadHandle, ThreadSpawner};
use crate::worker::shared::{Post, Shared};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// Those that have been started.
pub struct Crew {
    /// None once the pool has been shut down.
    threads: Mutex<Option<Vec<ThreadHandle<()>>>>,
    stack_size: Option<usize>,
}

impl Crew {
    pub fn new(stack_size: Option<usize>) -> Self {
        Self { threads: Mutex::new(Some(Vec::new())), stack_size }
    }

    pub fn hire(&self, shared: Arc<Shared>, post: Post) -> io::Result<()> {
        // Held until the thread is in the list, so that nobody shuts down past it.
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(threads) = &mut *threads else {
            return Err(io::Error::other("the pool has been shut down"));
        };
        let mut spawner = ThreadSpawner::new();
        // Not on the CPU of the worker that hires: it goes on, or another one soon runs there.
        let thread = affinity::unpinned(|| match post {
            Post::Spare(index) => {
                if let Some(size) = self.stack_size {
                    spawner = spawner.stack_size(size);
                }
                let name = format!("filch-spare-{index}");
                spawner.name(name).spawn(move || run_spare(shared, index))
            }
            Post::Watch => spawner.name("filch-watch".into()).spawn(move || watch(&shared)),
        })?;
        threads.push(thread);
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
