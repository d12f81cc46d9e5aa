//! The threads that a pool starts after it has been built: workers, the watch, the governor.

use crate::governor::Governor;
use crate::pool::affinity;
use crate::pool::thread::run_hired;
use crate::pool::watcher::watch;
use crate::sync::lock::Mutex;
use crate::sync::{ThreadHandle, ThreadSpawner};
use crate::worker::shared::{Post, Shared};
use std::io;
use std::sync::{Arc, OnceLock, PoisonError};

/// Those that have been started.
pub struct Crew {
    /// None once the pool has been shut down.
    threads: Mutex<Option<Vec<ThreadHandle<()>>>>,
    stack_size: Option<usize>,
    /// Of the regular workers: their names, and the CPUs they are pinned to.
    regulars: OnceLock<Vec<(Option<String>, Option<usize>)>>,
}

impl Crew {
    pub fn new(stack_size: Option<usize>) -> Self {
        Self { threads: Mutex::new(Some(Vec::new())), stack_size, regulars: OnceLock::new() }
    }

    /// Before the first of them can have left.
    pub fn know(&self, regulars: Vec<(Option<String>, Option<usize>)>) {
        let _ = self.regulars.set(regulars);
    }

    pub fn hire(&self, shared: Arc<Shared>, post: Post) -> io::Result<()> {
        match post {
            Post::Worker(index) => {
                let spare = || (Some(format!("filch-spare-{index}")), None);
                let (name, cpu) = self
                    .regulars
                    .get()
                    .and_then(|regulars| regulars.get(index))
                    .cloned()
                    .unwrap_or_else(spare);
                let mut spawner = ThreadSpawner::new();
                if let Some(name) = name {
                    spawner = spawner.name(name);
                }
                if let Some(size) = self.stack_size {
                    spawner = spawner.stack_size(size);
                }
                self.employ(spawner, move || run_hired(shared, index, cpu), |_| ())
            }
            Post::Watch => {
                let spawner = ThreadSpawner::new().name("filch-watch".into());
                self.employ(spawner, move || watch(&shared), |_| ())
            }
        }
    }

    /// Starts the thread that writes the pool's readings. The pool has a worker that can end it.
    pub fn govern(&self, shared: Arc<Shared>, governor: Governor) -> io::Result<()> {
        let spawner = ThreadSpawner::new().name("filch-governor".into());
        let pool = Arc::clone(&shared);
        self.employ(
            spawner,
            move || governor.run(&shared),
            |thread| {
                let _ = pool.governor.set(thread.thread().clone());
            },
        )
    }

    fn employ(
        &self,
        spawner: ThreadSpawner,
        body: impl FnOnce() + Send + 'static,
        started: impl FnOnce(&ThreadHandle<()>),
    ) -> io::Result<()> {
        // Held until the thread is in the list, so that nobody shuts down past it.
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(threads) = &mut *threads else {
            return Err(io::Error::other("the pool has been shut down"));
        };
        // Not on the CPU of the worker that hires: it goes on, or another one soon runs there.
        let thread = affinity::unpinned(|| spawner.spawn(body))?;
        started(&thread);
        // Else those of workers that come and go would pile up.
        let ended = threads.extract_if(.., |thread| thread.is_finished());
        ended.for_each(|thread| drop(thread.join()));
        threads.push(thread);
        Ok(())
    }

    /// Joins all, while the pool comes to its end. Whoever hires another is one of them, or is joined
    /// before; so if none is left nobody will.
    pub fn join(&self) {
        let threads = || self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let next = || threads().as_mut().and_then(Vec::pop);
        while let Some(thread) = next() {
            // A panic that reached the end of the thread came from the destructor of a
            // thread-local; it has been printed, and it is no task's.
            drop(thread.join());
        }
        *threads() = None;
    }
}
