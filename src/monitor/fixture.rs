//! The root directory of a made-up machine, for tests, and recorded ones.

use crate::monitor::file::below;
use crate::sync::statistic::{AtomicU64, Ordering};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Removed at the end.
pub struct Tree(PathBuf);

impl Tree {
    pub fn new() -> Self {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let root = std::env::temp_dir().join(format!("filch-{}-{number}", std::process::id()));
        fs::create_dir(&root).unwrap();
        Self(root)
    }

    pub fn root(&self) -> &Path {
        &self.0
    }

    pub fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.write(path, content);
        self
    }

    /// What is open stays the same file.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = below(&self.0, Path::new(path));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

/// A machine as `scripts/record-machine` prints it: `@ seconds`, then what has changed, each file after
/// `> path`.
pub struct Recording<'t> {
    steps: Vec<(Duration, Vec<File<'t>>)>,
}

/// Its path, and what stands in it.
type File<'t> = (&'t str, Vec<u8>);

impl<'t> Recording<'t> {
    /// None if the text is none.
    pub fn parse(text: &'t [u8]) -> Option<Self> {
        let mut steps: Vec<(Duration, Vec<File<'_>>)> = Vec::new();
        for line in text.split_inclusive(|&byte| byte == b'\n') {
            let after = |sign| std::str::from_utf8(line.strip_prefix(sign)?.trim_ascii_end()).ok();
            if let Some(seconds) = after(b"@ ") {
                steps.push((Duration::from_secs(seconds.parse::<u32>().ok()?.into()), Vec::new()));
                continue;
            }
            let (_, files) = steps.last_mut()?;
            match after(b"> ") {
                Some(path) => files.push((path, Vec::new())),
                None => files.last_mut()?.1.extend(line),
            }
        }
        Some(Self { steps })
    }

    /// The files that it is about.
    #[cfg(fuzzing)]
    pub fn paths(&self) -> impl Iterator<Item = &'t str> {
        self.steps.iter().flat_map(|(_, files)| files.iter().map(|file| file.0))
    }

    /// Without files other than these.
    #[cfg(fuzzing)]
    pub fn only(mut self, known: &[&str]) -> Self {
        self.steps.iter_mut().for_each(|(_, files)| files.retain(|file| known.contains(&file.0)));
        self
    }

    /// Calls `f` with the machine as it was at each time.
    pub fn play(&self, mut f: impl FnMut(Duration, &Tree)) {
        let tree = Tree::new();
        for (at, files) in &self.steps {
            files.iter().for_each(|(path, content)| tree.write(path, content));
            f(*at, &tree);
        }
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
