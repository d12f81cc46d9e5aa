//! The watch over workers that block without saying so: a worker that sleeps in the kernel
//! in the midst of a task gives up its seat until it runs again.

use crate::monitor::thread::ThreadFiles;
use crate::policy::stall::Stall;
use crate::sync::{park, park_timeout};
use crate::worker::remote::Remote;
use crate::worker::shared::Shared;

/// How many looks in a row that found nothing to do end its duty: so that a program that
/// works in bursts doesn't wake it for each.
const QUIET: u32 = 5;

/// What the watch knows of one worker.
#[derive(Default)]
struct Watched {
    /// Of the thread that it is, once that has said so.
    files: Option<(u32, ThreadFiles)>,
    stall: Stall,
}

impl Watched {
    fn is_asleep(&mut self, worker: &Remote) -> bool {
        let tid = worker.tid.get();
        if self.files.as_ref().map(|&(tid, _)| tid) != tid {
            self.files = tid.map(|tid| (tid, ThreadFiles::new(tid)));
        }
        self.stall.look(self.files.as_mut().and_then(|(_, files)| files.read()))
    }
}

/// Watches until the pool has come to its end. Called by a thread of its own.
pub fn watch(shared: &Shared) {
    let Some(after) = shared.watch.after else { return };
    let mut watched: Vec<Watched> = Vec::new();
    watched.resize_with(shared.max_workers(), Watched::default);
    let mut quiet = 0;
    shared.watch.begin();
    while !shared.is_over() {
        if !shared.watch.is_armed() {
            park();
            continue;
        }
        park_timeout(after);
        let waits = shared.has_work();
        for (index, worker) in shared.roster() {
            let watched = &mut watched[index];
            if worker.presence.is_stalled() {
                if !watched.is_asleep(worker) {
                    shared.resume(index);
                }
            } else if !waits || !worker.presence.is_busy() {
                watched.stall.forget();
            } else if watched.is_asleep(worker) {
                shared.stall(index);
            }
        }
        if waits && shared.seats.is_short() {
            // Whoever was nudged for the work has not come.
            shared.hand_over_or_call();
        }
        // Who has stalled gives notice by itself when its job is done.
        quiet = if waits { 0 } else { quiet + 1 };
        if quiet > QUIET {
            quiet = 0;
            shared.go_off_watch();
        }
    }
}
