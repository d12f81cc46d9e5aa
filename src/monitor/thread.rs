//! What the kernel says of one thread: `/proc/self/task/TID/{schedstat,stat}`.
//!
//! `schedstat` begins with the CPU time in nanoseconds, brought up to date at each switch and
//! tick (Documentation/scheduler/sched-stats.rst); `stat` has the state behind the name, in
//! parentheses, which may itself hold any character (proc_pid_stat(5)).

use crate::policy::stall::Activity;
use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::Path;

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

/// One thread's files, opened once.
#[derive(Debug)]
pub struct ThreadFiles {
    schedstat: File,
    stat: File,
}

impl ThreadFiles {
    pub fn open(tid: u32) -> io::Result<Self> {
        Self::open_in(&Path::new("/proc/self/task").join(tid.to_string()))
    }

    fn open_in(folder: &Path) -> io::Result<Self> {
        let open = |name| File::open(folder.join(name));
        Ok(Self { schedstat: open("schedstat")?, stat: open("stat")? })
    }

    /// None if a file can't be read, as when the thread has ended, or is garbled.
    pub fn read(&self) -> Option<Activity> {
        // The state first: whoever falls asleep between the two has used some CPU.
        let asleep = state(read(&self.stat, &mut [0; 128])?)?;
        let cpu = cpu(read(&self.schedstat, &mut [0; 64])?)?;
        Some(Activity { cpu, asleep: matches!(asleep, b'S' | b'D') })
    }
}

fn read<'a>(mut file: &File, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    file.rewind().ok()?;
    let length = file.read(buffer).ok()?;
    Some(&buffer[..length])
}

fn state(stat: &[u8]) -> Option<u8> {
    let name_end = stat.iter().rposition(|&byte| byte == b')')?;
    stat.get(name_end + 2).copied()
}

fn cpu(schedstat: &[u8]) -> Option<u64> {
    let end = schedstat.iter().position(|&byte| byte == b' ')?;
    std::str::from_utf8(&schedstat[..end]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{ThreadFiles, cpu, current_tid, state};
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
        for text in ["", "123", " 1", "x 1 2", "99999999999999999999999 1 2"] {
            assert_eq!(cpu(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(cpu(b"123 4 5\n"), Some(123));
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
        let files = ThreadFiles::open(tid).unwrap();
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
