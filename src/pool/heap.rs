//! How a pool has free heap memory go back to the system.

use crate::monitor::memory;
use crate::pool::builder::ThreadPoolBuilder;
use crate::pool::thread_pool::ThreadPool;
use crate::telemetry::unavailable::Unavailable;

impl<S> ThreadPoolBuilder<S> {
    /// Called, on whatever thread, when free heap memory is to go back to the system: by
    /// [`ThreadPool::trim_heap`]. For programs with an allocator of their own, which knows how.
    /// Default: the C library's `malloc_trim`, on Linux with glibc.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    ///
    /// let calls = Arc::new(AtomicUsize::new(0));
    /// let theirs = Arc::clone(&calls);
    /// let pool = filch::ThreadPoolBuilder::new()
    ///     .num_threads(1)
    ///     // What the allocator has for this: a purge, say.
    ///     .trim_handler(move || _ = theirs.fetch_add(1, Ordering::Relaxed))
    ///     .build()?;
    /// let _ = pool.trim_heap();
    /// assert_eq!(calls.load(Ordering::Relaxed), 1);
    /// # Ok::<(), filch::Error>(())
    /// ```
    pub fn trim_handler<H>(mut self, handler: H) -> Self
    where
        H: Fn() + Send + Sync + 'static,
    {
        self.handlers.trim = Some(Box::new(handler));
        self
    }
}

impl ThreadPool {
    /// Gives heap memory that is free back to the system, on the calling thread, and returns how many
    /// bytes less of the process are in memory afterwards: 0 if others have taken more meanwhile.
    ///
    /// Workers give back what they keep for themselves, as large queues that are empty again, when they have
    /// nothing to do: what that frees goes back to the system the next time.
    ///
    /// An allocator keeps what is freed, for the next time: this is for when there won't be one soon, or
    /// others need the memory more. glibc walks through its whole heap, holds up other threads that
    /// allocate, and takes 65 to 100 ms for a gigabyte in pieces; where there is nothing to give, up to a tenth of that.
    ///
    /// # Errors
    /// Where the default can do nothing (anywhere but on Linux with glibc), and where nobody can tell
    /// what the process has in memory (anywhere but on Linux); a
    /// [`trim_handler`](ThreadPoolBuilder::trim_handler) has been called all the same.
    ///
    /// # Panics
    /// If the handler does.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = filch::ThreadPoolBuilder::new().num_threads(1).build()?;
    /// match pool.trim_heap() {
    ///     Ok(bytes) => println!("{bytes} bytes less"),
    ///     Err(why) => println!("{why}"),
    /// }
    /// # Ok::<(), filch::Error>(())
    /// ```
    pub fn trim_heap(&self) -> Result<u64, Unavailable> {
        self.shared().ask_to_tidy();
        memory::trim_heap(self.shared().handlers.trim.as_deref())
    }
}
