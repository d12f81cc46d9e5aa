//! async-executor: an executor that plain threads run.

use crate::common::pools::Spawner;
use crate::pools::Region;
use async_executor::StaticExecutor;
use futures_lite::future;
use std::thread;

/// The documentation calls a static one the faster.
static EXECUTOR: StaticExecutor = StaticExecutor::new();

pub struct AsyncExecutor(());

impl AsyncExecutor {
    pub fn new(workers: usize) -> Self {
        for _ in 0..workers {
            thread::spawn(|| future::block_on(EXECUTOR.run(future::pending::<()>())));
        }
        Self(())
    }
}

impl Spawner for AsyncExecutor {
    fn spawn(&self, task: impl FnOnce() + Send + 'static) {
        Self::respawn(task);
    }

    fn respawn(task: impl FnOnce() + Send + 'static) {
        EXECUTOR.spawn(async { task() }).detach();
    }
}

impl Region for AsyncExecutor {
    fn region(&mut self, pieces: u32, piece: fn(u32)) {
        let spawn = |number| EXECUTOR.spawn(async move { piece(number) });
        let tasks: Vec<_> = (0..pieces).map(spawn).collect();
        future::block_on(async {
            for task in tasks {
                task.await;
            }
        });
    }
}
