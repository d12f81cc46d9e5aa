//! How a pool has free heap memory go back to the system.

use crate::monitor::memory;
use crate::policy::shortage::MemoryPressure;
use crate::pool::builder::ThreadPoolBuilder;
use crate::pool::thread_pool::ThreadPool;
use crate::telemetry::unavailable::Unavailable;
use std::sync::Arc;

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

    /// Called when memory runs out: when more than [`Monitoring::max_memory`](crate::Monitoring::max_memory) of the
    /// control group's limit, or of the machine's memory, is in use, and every 30 seconds while that lasts. For caches
    /// that can be emptied, say. Needs [monitoring](Self::monitoring).
    ///
    /// On a thread of its own, one call after the other. A call that takes longer than 10 seconds is counted
    /// ([`Counters::overdue_hooks`](crate::Counters::overdue_hooks)) and left to itself, also at the end of the
    /// pool; a panic in it is counted, too ([`Counters::lost_hooks`](crate::Counters::lost_hooks)).
    ///
    /// The pool itself gives back what its workers keep for later, ends threads that nobody needs, and, if it
    /// [adapts](Self::scaling), has fewer workers run.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = filch::ThreadPoolBuilder::new()
    ///     .num_threads(2)
    ///     .on_memory_pressure(|pressure| println!("{:.0} % in use", 100.0 * pressure.used))
    ///     .build()?;
    /// # Ok::<(), filch::Error>(())
    /// ```
    pub fn on_memory_pressure<H>(mut self, hook: H) -> Self
    where
        H: Fn(MemoryPressure) + Send + Sync + 'static,
    {
        self.handlers.memory = Some(Arc::new(hook));
        self
    }

    /// Whether free heap memory goes back to the system when memory runs out, as by
    /// [`ThreadPool::trim_heap`]. Default: no, as that holds up all who allocate meanwhile.
    pub fn trim_on_memory_pressure(mut self, trim: bool) -> Self {
        self.handlers.trims = trim;
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
