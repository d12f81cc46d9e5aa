//! threadpool: one queue, whose receiver's mutex the workers take turns to hold.

use crate::common::pools::Spawner;
use crate::pools::Region;
use std::sync::OnceLock;
use threadpool::ThreadPool;

/// A static, as tasks that spawn tasks need to know it.
static POOL: OnceLock<ThreadPool> = OnceLock::new();

pub struct Threadpool(());

impl Threadpool {
    pub fn new(workers: usize) -> Self {
        POOL.get_or_init(|| ThreadPool::new(workers));
        Self(())
    }
}

impl Spawner for Threadpool {
    fn spawn(&self, task: impl FnOnce() + Send + 'static) {
        Self::respawn(task);
    }

    fn respawn(task: impl FnOnce() + Send + 'static) {
        POOL.get().unwrap().execute(task);
    }
}

impl Region for Threadpool {
    fn region(&mut self, pieces: u32, piece: fn(u32)) {
        let pool = POOL.get().unwrap();
        (0..pieces).for_each(|number| pool.execute(move || piece(number)));
        pool.join();
    }
}
