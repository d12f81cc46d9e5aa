//! What the kernel says of one thread: `/proc/self/task/TID/{schedstat,stat}`.
//!
//! `schedstat` begins with the CPU time in nanoseconds, brought up to date at each switch and
//! tick (Documentation/scheduler/sched-stats.rst); `stat` has the state behind the name, in
//! parentheses, which may itself hold any character (proc_pid_stat(5)).

use crate::monitor::file::{SystemFile, next, words};
use crate::policy::stall::Sighting;
use crate::telemetry::unavailable::{Fact, Unavailable};
use std::fs;
use std::path::{Path, PathBuf};

/// The current thread's id, for [`ThreadFiles::open`]. None where there is no such `/proc`.
pub fn current_tid() -> Option<u32> {
    // Miri shows no files.
    if cfg!(miri) {
        return None;
    }
    // A link to PID/task/TID.
    let link = fs::read_link("/proc/thread-self").ok()?;
    link.file_name()?.to_str()?.parse().ok()
}

/// Where its files are. Always this very system's: elsewhere the thread has another number.
pub fn folder(tid: u32) -> PathBuf {
    Path::new("/proc/self/task").join(tid.to_string())
}

/// What shows whether one thread is asleep.
#[derive(Debug)]
pub struct ThreadFiles {
    schedstat: SystemFile,
    stat: SystemFile,
}

impl ThreadFiles {
    pub fn new(tid: u32) -> Self {
        Self::below(&folder(tid))
    }

    /// Those in this folder.
    pub fn below(folder: &Path) -> Self {
        let file = |name| SystemFile::new(folder, name);
        Self { schedstat: file("schedstat"), stat: file("stat") }
    }

    /// None if a file can't be read, as when the thread has ended, or is garbled.
    pub fn read(&mut self) -> Option<Sighting> {
        // The state first: whoever falls asleep between the two has used some CPU.
        let asleep = matches!(state(self.stat.read().ok()?)?, b'S' | b'D');
        let cpu = next(&mut words(self.schedstat.read().ok()?)).ok()?;
        Some(Sighting { cpu, asleep })
    }
}

fn state(stat: &[u8]) -> Option<u8> {
    words(after_name(stat).ok()?).next()?.first().copied()
}

/// The field of this number of `stat`, as proc_pid_stat(5) counts them.
pub fn field(stat: &[u8], number: usize) -> Fact<u64> {
    next(&mut words(after_name(stat)?).skip(number - 3))
}

/// From the third field on: the second is the name.
fn after_name(stat: &[u8]) -> Fact<&[u8]> {
    let name_end = stat.iter().rposition(|&byte| byte == b')').ok_or(Unavailable::Garbled)?;
    Ok(&stat[name_end + 1..])
}

#[cfg(test)]
mod tests {
    use super::{ThreadFiles, current_tid, field, state};
    use crate::telemetry::unavailable::Unavailable;
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    #[test]
    fn the_state_stands_behind_the_last_parenthesis() {
        assert_eq!(state(b"17 (a) S) R 1 2"), Some(b'R'));
        assert_eq!(state(b"17 (worker) S 1"), Some(b'S'));
    }

    #[test]
    fn garbled_files_are_not_read() {
        for text in ["", "17", "17 (x", "17 (x)", "17 (x) "] {
            assert_eq!(state(text.as_bytes()), None, "{text:?}");
        }
        for text in ["", "1", "1 (x", "1 (x)", "1 (x) S 1 2", "1 (x) S 1 2 3 4 5 6 x"] {
            assert_eq!(field(text.as_bytes(), 10), Err(Unavailable::Garbled), "{text:?}");
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "no such files")]
    fn a_thread_that_sleeps_is_seen_asleep_and_gone_when_it_has_ended() {
        let (tell, tid) = mpsc::channel();
        let (end, ended) = mpsc::channel::<()>();
        let thread = thread::spawn(move || {
            tell.send(current_tid()).unwrap();
            let _ = ended.recv();
        });
        let Some(tid) = tid.recv().unwrap() else { return println!("SKIPPED: no /proc") };
        let mut files = ThreadFiles::new(tid);
        while !files.read().unwrap().asleep {
            thread::sleep(Duration::from_millis(1));
        }
        let before = files.read();
        assert_eq!(files.read(), before, "a thread that sleeps uses no CPU");
        drop(end);
        thread.join().unwrap();
        while files.read().is_some() {
            thread::sleep(Duration::from_millis(1));
        }
    }
}
