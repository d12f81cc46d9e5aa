//! How the threads of a pool are started: by filch, or by the user.

use std::fmt;
use std::io;

/// A worker that has yet to be given a thread: what a
/// [`spawn_handler`](crate::ThreadPoolBuilder::spawn_handler) receives. The thread that is to become
/// the worker calls [`run`](Self::run).
pub struct ThreadBuilder {
    pub(crate) thread: filch::ThreadBuilder,
    /// As asked for: filch may give it more.
    pub(crate) stack_size: Option<usize>,
}

impl ThreadBuilder {
    /// The index of the worker, from 0 up to the number of threads.
    pub fn index(&self) -> usize {
        self.thread.index()
    }

    /// The name that the thread is to have, if the pool was given one.
    pub fn name(&self) -> Option<&str> {
        self.thread.name()
    }

    /// The stack size that the thread is to have, in bytes, if the pool was given one.
    pub fn stack_size(&self) -> Option<usize> {
        self.stack_size
    }

    /// Is the worker: returns when the pool has come to its end.
    pub fn run(self) {
        self.thread.run();
    }
}

impl fmt::Debug for ThreadBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadBuilder")
            .field("index", &self.index())
            .field("name", &self.name())
            .field("stack_size", &self.stack_size())
            .finish_non_exhaustive()
    }
}

/// How the threads of a pool are started.
pub trait ThreadSpawn: private::Sealed {
    /// Builds a pool whose threads are started so.
    #[doc(hidden)]
    fn build(
        self,
        pool: filch::ThreadPoolBuilder,
        stack_size: Option<usize>,
    ) -> Result<filch::ThreadPool, filch::Error>;
}

mod private {
    pub trait Sealed {}
}

/// Threads of the standard library.
#[derive(Debug, Default)]
pub struct DefaultSpawn;

/// Threads that the user starts.
#[derive(Debug)]
pub struct CustomSpawn<F>(pub(crate) F);

impl private::Sealed for DefaultSpawn {}
impl<F> private::Sealed for CustomSpawn<F> {}

impl ThreadSpawn for DefaultSpawn {
    fn build(
        self,
        pool: filch::ThreadPoolBuilder,
        _: Option<usize>,
    ) -> Result<filch::ThreadPool, filch::Error> {
        pool.build()
    }
}

impl<F: FnMut(ThreadBuilder) -> io::Result<()>> ThreadSpawn for CustomSpawn<F> {
    fn build(
        self,
        pool: filch::ThreadPoolBuilder,
        stack_size: Option<usize>,
    ) -> Result<filch::ThreadPool, filch::Error> {
        let mut spawn = self.0;
        pool.spawn_handler(move |thread| spawn(ThreadBuilder { thread, stack_size })).build()
    }
}
