//! Finds the files of a directory tree: one task a directory.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{fs, io};

/// What the walk found, in the order in which tasks came by.
#[derive(Default)]
pub struct Found {
    pub files: Vec<PathBuf>,
    /// What could not be read, and why.
    pub unreadable: Vec<(PathBuf, String)>,
    /// From the spawn of each directory's task to its start: its wait in the queue.
    pub latencies: Vec<Duration>,
}

/// Lists the regular files under `root`. Follows no symbolic link, so it ends.
pub fn walk(root: &Path) -> Found {
    let found = Mutex::default();
    filch::scope(|scope| visit(scope, root.to_owned(), &found));
    found.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn visit<'scope>(scope: &filch::Scope<'scope>, dir: PathBuf, found: &'scope Mutex<Found>) {
    let spawned = Instant::now();
    scope.spawn(move |scope| {
        let latency = spawned.elapsed();
        let mut files = Vec::new();
        let mut list = || -> io::Result<()> {
            for entry in fs::read_dir(&dir)? {
                let entry = entry?;
                let kind = entry.file_type()?;
                if kind.is_dir() {
                    visit(scope, entry.path(), found);
                } else if kind.is_file() {
                    files.push(entry.path());
                }
            }
            Ok(())
        };
        let listed = list();
        // Once a directory, and never held while another task may run.
        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
        found.files.append(&mut files);
        found.latencies.push(latency);
        found.unreadable.extend(listed.err().map(|error| (dir, error.to_string())));
    });
}
