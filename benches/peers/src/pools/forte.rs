//! forte, whose pools are statics.

use crate::common::pools::{Fork, Pool, Spawner, Task};
use crate::pools::Scope;
use crate::workloads::spawn::done;
use forte::{ThreadPool, Worker};

/// The most workers, as its documentation says; whoever comes when all are there waits.
pub const SEATS: usize = 32;

static POOL: ThreadPool = ThreadPool::new();

pub struct Forte(());

impl Forte {
    /// For joins and scopes: the thread that enters is one of the workers, for which
    /// `resize_to_available` leaves a CPU, too.
    pub fn entered(workers: usize) -> Self {
        POOL.resize_to(workers - 1);
        Self(())
    }

    /// For tasks from a thread that doesn't work itself.
    pub fn fed(workers: usize) -> Self {
        POOL.resize_to(workers);
        Self(())
    }
}

impl Fork for &Worker {
    #[inline(always)]
    fn join<A: Task, B: Task>(self, a: A, b: B) -> (A::Out, B::Out) {
        Worker::join(self, |worker| a.run(worker), |worker| b.run(worker))
    }

    fn again(&mut self) -> impl Fork {
        *self
    }
}

impl Pool for Forte {
    fn enter<T: Task>(&self, task: T) -> T::Out {
        POOL.with_worker(|worker| task.run(worker))
    }
}

impl Spawner for Forte {
    fn spawn(&self, task: impl FnOnce() + Send + 'static) {
        Self::respawn(task);
    }

    fn respawn(task: impl FnOnce() + Send + 'static) {
        POOL.spawn(move |_: &Worker| task());
    }
}

impl Scope for Forte {
    fn grow(&self, depth: u32) {
        POOL.scope(|scope| grow(scope, depth));
    }
}

fn grow<'scope>(scope: &'scope forte::Scope<'scope, '_>, depth: u32) {
    if depth == 0 {
        return done(1);
    }
    for _ in 0..2 {
        scope.spawn(move |_: &Worker| grow(scope, depth - 1));
    }
}
