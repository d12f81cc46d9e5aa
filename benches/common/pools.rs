//! The pools that are compared, behind three small traits, so that each workload is
//! written once and each pool runs the same code.

use std::num::NonZero;

/// A piece of work that may fork.
///
/// A trait and not a closure, because chili hands its scope on to each side of a join: a
/// closure would have to take that scope whatever its lifetime, and other pools would carry
/// an argument that they don't need. Here the handle is of no size for all but chili.
pub trait Task: Send {
    type Out: Send;

    fn run(self, fork: impl Fork) -> Self::Out;
}

/// How to fork from within a task.
pub trait Fork {
    fn join<A: Task, B: Task>(self, a: A, b: B) -> (A::Out, B::Out);

    /// The same handle, for a task that forks several times in turn.
    fn again(&mut self) -> impl Fork;
}

/// A pool that can be entered from outside.
pub trait Pool {
    fn enter<T: Task>(&self, task: T) -> T::Out;
}

/// A pool that takes tasks nobody waits for.
pub trait Spawner {
    /// From outside.
    fn spawn(&self, task: impl FnOnce() + Send + 'static);

    /// From within a task, into the same pool.
    fn respawn(task: impl FnOnce() + Send + 'static);
}

/// Plain calls: what the work costs without a pool.
#[derive(Clone, Copy)]
pub struct Serial;

impl Fork for Serial {
    #[inline(always)]
    fn join<A: Task, B: Task>(self, a: A, b: B) -> (A::Out, B::Out) {
        (a.run(self), b.run(self))
    }

    fn again(&mut self) -> impl Fork {
        *self
    }
}

impl Pool for Serial {
    fn enter<T: Task>(&self, task: T) -> T::Out {
        task.run(Serial)
    }
}

impl Spawner for Serial {
    fn spawn(&self, task: impl FnOnce() + Send + 'static) {
        task();
    }

    /// A task that spawned itself for ever would never return.
    fn respawn(_: impl FnOnce() + Send + 'static) {
        panic!("without a pool no task can spawn the next one")
    }
}

pub struct Filch(pub filch::ThreadPool);

impl Filch {
    pub fn new(workers: usize) -> Self {
        Self(filch::ThreadPoolBuilder::new().num_threads(workers).build().unwrap())
    }

    /// On no CPUs in particular, as the other pools.
    pub fn floating(workers: usize) -> Self {
        let builder = filch::ThreadPoolBuilder::new().num_threads(workers);
        Self(builder.pinning(filch::Pinning::None).build().unwrap())
    }
}

#[derive(Clone, Copy)]
struct FilchFork;

impl Fork for FilchFork {
    #[inline(always)]
    fn join<A: Task, B: Task>(self, a: A, b: B) -> (A::Out, B::Out) {
        filch::join(move || a.run(self), move || b.run(self))
    }

    fn again(&mut self) -> impl Fork {
        *self
    }
}

impl Pool for Filch {
    fn enter<T: Task>(&self, task: T) -> T::Out {
        self.0.install(|| task.run(FilchFork))
    }
}

impl Spawner for Filch {
    fn spawn(&self, task: impl FnOnce() + Send + 'static) {
        self.0.spawn(task);
    }

    fn respawn(task: impl FnOnce() + Send + 'static) {
        filch::spawn(task);
    }
}

pub struct Rayon(pub rayon::ThreadPool);

impl Rayon {
    pub fn new(workers: usize) -> Self {
        Self(rayon::ThreadPoolBuilder::new().num_threads(workers).build().unwrap())
    }
}

#[derive(Clone, Copy)]
struct RayonFork;

impl Fork for RayonFork {
    #[inline(always)]
    fn join<A: Task, B: Task>(self, a: A, b: B) -> (A::Out, B::Out) {
        rayon::join(move || a.run(self), move || b.run(self))
    }

    fn again(&mut self) -> impl Fork {
        *self
    }
}

impl Pool for Rayon {
    fn enter<T: Task>(&self, task: T) -> T::Out {
        self.0.install(|| task.run(RayonFork))
    }
}

impl Spawner for Rayon {
    fn spawn(&self, task: impl FnOnce() + Send + 'static) {
        self.0.spawn(task);
    }

    fn respawn(task: impl FnOnce() + Send + 'static) {
        rayon::spawn(task);
    }
}

/// chili counts the thread that enters as one of its workers.
pub struct Chili(pub chili::ThreadPool);

impl Chili {
    pub fn new(workers: usize) -> Self {
        let config = chili::Config { thread_count: NonZero::new(workers), ..Default::default() };
        Self(chili::ThreadPool::with_config(config))
    }
}

impl Fork for &mut chili::Scope<'_> {
    #[inline(always)]
    fn join<A: Task, B: Task>(self, a: A, b: B) -> (A::Out, B::Out) {
        chili::Scope::join(self, |scope| a.run(scope), |scope| b.run(scope))
    }

    fn again(&mut self) -> impl Fork {
        &mut **self
    }
}

impl Pool for Chili {
    fn enter<T: Task>(&self, task: T) -> T::Out {
        task.run(&mut self.0.scope())
    }
}

pub struct Tokio(pub tokio::runtime::Runtime);

impl Tokio {
    pub fn new(workers: usize) -> Self {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        Self(builder.worker_threads(workers).build().unwrap())
    }
}

impl Spawner for Tokio {
    fn spawn(&self, task: impl FnOnce() + Send + 'static) {
        self.0.spawn(async { task() });
    }

    fn respawn(task: impl FnOnce() + Send + 'static) {
        tokio::spawn(async { task() });
    }
}
