//! What each worker has done, counted by itself.

use crate::sync::statistic::{AtomicU64, Ordering};
use crate::telemetry::allocator::Balance;
use crate::telemetry::record::{Field, Unit};

/// A number with one writer: a plain load and store, no read-modify-write.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    #[inline(always)]
    pub fn bump(&self) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    /// As [`bump`](Self::bump), for a count with many writers.
    pub fn bump_shared(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

const fn field(name: &'static str, help: &'static str) -> Field {
    Field { name, unit: Unit::Count, is_total: true, help: help.trim_ascii_start() }
}

/// The first part is counted by the workers' lanes, the second here.
macro_rules! counters {
    (
        by_lanes { $($(#[doc = $lane_help:literal])+ $by_lanes:ident,)* }
        here { $($(#[doc = $help:literal])+ $name:ident,)* }
    ) => {
        /// One worker's counts, written by that worker alone, or those of the pool as a
        /// whole, written by any.
        #[derive(Debug, Default)]
        pub struct WorkerCounters {
            $(pub $name: Count,)*
            /// A worker's memory.
            pub balance: Balance,
        }

        /// What a pool's workers have done since it was built.
        ///
        /// Each number is a sum over the workers, read one after the other while they go
        /// on counting: exact once the pool is idle, else slightly stale.
        ///
        /// # Examples
        ///
        /// ```
        /// let pool = filch::ThreadPoolBuilder::new().num_threads(2).build()?;
        /// pool.join(|| (), || ());
        /// assert_eq!(pool.counters().joins, 1);
        /// # Ok::<(), filch::Error>(())
        /// ```
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize))]
        #[non_exhaustive]
        pub struct Counters {
            $($(#[doc = $help])+ pub $name: u64,)*
            $($(#[doc = $lane_help])+ pub $by_lanes: u64,)*
        }

        impl Counters {
            /// What is known of each number, in the order of the struct.
            ///
            /// # Examples
            ///
            /// ```
            /// let pool = filch::ThreadPoolBuilder::new().num_threads(1).build()?;
            /// for (field, value) in filch::Counters::FIELDS.iter().zip(pool.counters().values()) {
            ///     println!("{}: {value}", field.name);
            /// }
            /// # Ok::<(), filch::Error>(())
            /// ```
            pub const FIELDS: &'static [Field] = &[
                $(field(stringify!($name), concat!($($help),+)),)*
                $(field(stringify!($by_lanes), concat!($($lane_help),+)),)*
            ];

            /// Each number, in the order of [`FIELDS`](Self::FIELDS).
            pub fn values(&self) -> Vec<u64> {
                vec![$(self.$name,)* $(self.$by_lanes,)*]
            }

            pub(crate) fn add(&mut self, worker: &WorkerCounters) {
                $(self.$name += worker.$name.read();)*
            }
        }
    };
}

counters! {
    by_lanes {
        /// Calls of `join`.
        joins,
    }
    here {
        /// Tasks run to their end: spawned ones, those of scopes, broadcast parts, and calls
        /// such as `install` from outside. Now and then a job that does nothing, by which a deque is made
        /// smaller when memory is short.
        tasks,
        /// Tasks that failed: by a panic, those of scopes and those with a handle included, or of
        /// `try_spawn_handle` by an error. Not calls such as `install`, nor
        /// parts of a `broadcast`, whose panics come out of the call.
        failures,
        /// Tasks dropped before they began because they or their scope had been cancelled. They count in
        /// `tasks`, too, once a worker has taken them from its queue.
        cancelled,
        /// Tasks dropped before they began because their deadline had passed when their turn came. They
        /// count in `tasks`, too.
        expired,
        /// Jobs taken from another worker's deque.
        steals,
        /// Times a worker moved the hidden frames of its join lane to its deque because
        /// another worker was hungry.
        exposures,
        /// Frames taken out of another worker's lane because it was busy with a long leaf.
        pulls,
        /// Times a worker that looked for something to do found nothing and gave up its time slice
        /// before it looked again.
        looks_in_vain,
        /// Times a worker went to sleep.
        parks,
        /// Times somebody woke a worker: of a worker's own counts, times it woke another.
        wakes,
        /// Wakes after which the woken worker found nothing to do.
        wakes_in_vain,
        /// Jobs that a waiting worker stole but may not run, and so put into the common
        /// queue.
        misfits,
        /// Jobs that a waiting worker ran although they are no part of what it waits for,
        /// because no other worker could: each might have wanted a lock that it holds.
        last_resorts,
        /// Times a worker went to sleep in a wait without a look for work to help with, because
        /// its stack was nearly used up.
        refusals,
        /// Workers that the watch found asleep in the midst of a task.
        stalls,
        /// Readings that were not taken because filch panicked: a fault of filch's. The message is on
        /// standard error, and `Section::age` says how old the last one is.
        lost_readings,
        /// Times a victim policy of one's own panicked: it was replaced by `RoundRobin`.
        policy_panics,
        /// Alerts that fired.
        alerts,
        /// Calls of hooks, such as `on_memory_pressure`, that took too long and were left to themselves.
        overdue_hooks,
        /// Calls of hooks that panicked, or were not made: there were too many, or no thread could be had; and
        /// alerts that a full channel did not take.
        lost_hooks,
        /// Submissions from outside that found no room, by `max_queued` or an adaptive `AdmissionPolicy`: each was
        /// refused, or waited.
        saturated,
        /// Tasks from outside that an adaptive `AdmissionPolicy` did not accept, and tasks with a handle
        /// that it did not run.
        shed,
        /// Panics that no caller could be told of: in a detached task, in one whose
        /// `JoinHandle` was dropped, or beside an earlier panic of the
        /// same join, scope or broadcast. Not those in start and exit handlers.
        panics,
    }
}
