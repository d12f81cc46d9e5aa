//! What the kernel tells in answer to a call, and not in a file; and what the C library is asked for.
//!
//! This file is `unsafe` for these calls alone.

use crate::telemetry::unavailable::{Fact, Unavailable};
use std::path::Path;
use std::time::Duration;

/// What the process has used since it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    pub cpu_time: Duration,
    pub minor_faults: u64,
    pub major_faults: u64,
    pub voluntary_switches: u64,
    pub involuntary_switches: u64,
}

/// The size of a file system, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    pub total: u64,
    /// Not used.
    pub unused: u64,
    /// Of that, what a process without privileges may use.
    pub free: u64,
}

#[cfg(all(target_os = "linux", not(miri)))]
mod calls {
    use super::{Fact, Path, Space, Unavailable, Usage};
    use std::ffi::CString;
    use std::mem::MaybeUninit;
    use std::os::unix::ffi::OsStrExt;
    use std::time::Duration;

    pub fn usage() -> Fact<Usage> {
        let mut usage = MaybeUninit::<libc::rusage>::zeroed();
        // SAFETY: the pointer is good for a write of that type.
        if unsafe { libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()) } != 0 {
            return Err(Unavailable::Unreadable);
        }
        // SAFETY: all zeroes are valid, and so is what the call wrote.
        let usage = unsafe { usage.assume_init() };
        let count = |count: libc::c_long| u64::try_from(count).unwrap_or(0);
        let time = |time: libc::timeval| {
            let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
            Duration::from_secs(seconds)
                + Duration::from_micros(u64::try_from(time.tv_usec).unwrap_or(0))
        };
        Ok(Usage {
            cpu_time: time(usage.ru_utime) + time(usage.ru_stime),
            minor_faults: count(usage.ru_minflt),
            major_faults: count(usage.ru_majflt),
            voluntary_switches: count(usage.ru_nvcsw),
            involuntary_switches: count(usage.ru_nivcsw),
        })
    }

    /// A path, as the kernel wants it.
    #[derive(Debug)]
    pub struct MountPoint(CString);

    impl MountPoint {
        pub fn new(path: &Path) -> Fact<Self> {
            let path = CString::new(path.as_os_str().as_bytes());
            path.map(Self).map_err(|_| Unavailable::Missing)
        }

        pub fn space(&self) -> Fact<Space> {
            let mut stat = MaybeUninit::<libc::statvfs64>::zeroed();
            // SAFETY: the path ends with a NUL, and the pointer is good for a write of that type.
            if unsafe { libc::statvfs64(self.0.as_ptr(), stat.as_mut_ptr()) } != 0 {
                return Err(last_error());
            }
            // SAFETY: all zeroes are valid, and so is what the call wrote.
            let stat = unsafe { stat.assume_init() };
            #[allow(clippy::unnecessary_cast, reason = "not of 64 bits everywhere")]
            let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize as u64);
            Ok(Space {
                total: bytes(stat.f_blocks),
                unused: bytes(stat.f_bfree),
                free: bytes(stat.f_bavail),
            })
        }

        /// Major and minor number of the device that the file system lies on.
        pub fn device(&self) -> Fact<(u64, u64)> {
            let mut stat = MaybeUninit::<libc::stat64>::zeroed();
            // SAFETY: as above.
            if unsafe { libc::stat64(self.0.as_ptr(), stat.as_mut_ptr()) } != 0 {
                return Err(last_error());
            }
            // SAFETY: as above.
            let device = unsafe { stat.assume_init() }.st_dev;
            // SAFETY: they only shift bits.
            #[allow(unused_unsafe, reason = "libc has them safe since 0.2.189")]
            let (major, minor) = unsafe { (libc::major(device), libc::minor(device)) };
            Ok((major.into(), minor.into()))
        }
    }

    /// How many CPUs the calling thread may use.
    pub fn usable_cpus() -> Fact<usize> {
        if cfg!(filch_no_affinity) {
            return Err(Unavailable::Missing);
        }
        let mut set = MaybeUninit::<libc::cpu_set_t>::zeroed();
        // SAFETY: 0 means this thread, and the pointer is good for a write of that size.
        let result =
            unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), set.as_mut_ptr()) };
        if result != 0 {
            return Err(last_error());
        }
        // SAFETY: all zeroes are valid, and so is what the call wrote.
        let set = unsafe { set.assume_init() };
        // SAFETY: it only counts.
        let cpus = unsafe { libc::CPU_COUNT(&set) };
        usize::try_from(cpus).map_err(|_| Unavailable::Garbled)
    }

    fn last_error() -> Unavailable {
        crate::monitor::file::why(std::io::Error::last_os_error())
    }

    /// Has the C library's allocator give back to the system what it keeps for later.
    #[cfg(target_env = "gnu")]
    pub fn trim_heap() -> Fact<()> {
        // SAFETY: it has no preconditions, and touches free memory only.
        unsafe { libc::malloc_trim(0) };
        Ok(())
    }

    #[cfg(not(target_env = "gnu"))]
    pub fn trim_heap() -> Fact<()> {
        Err(Unavailable::Missing)
    }

    /// How many CPUs there could ever be online; with musl, how many the process may use.
    pub fn possible_cpus() -> usize {
        // SAFETY: it has no preconditions.
        let cpus = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_CONF) };
        usize::try_from(cpus).unwrap_or(1)
    }
}

#[cfg(not(all(target_os = "linux", not(miri))))]
mod calls {
    use super::{Fact, Path, Space, Unavailable, Usage};

    pub fn usage() -> Fact<Usage> {
        Err(Unavailable::Missing)
    }

    #[derive(Debug)]
    pub struct MountPoint;

    impl MountPoint {
        pub fn new(_: &Path) -> Fact<Self> {
            Err(Unavailable::Missing)
        }

        pub fn space(&self) -> Fact<Space> {
            Err(Unavailable::Missing)
        }

        pub fn device(&self) -> Fact<(u64, u64)> {
            Err(Unavailable::Missing)
        }
    }

    pub fn trim_heap() -> Fact<()> {
        Err(Unavailable::Missing)
    }

    pub fn possible_cpus() -> usize {
        1
    }

    pub fn usable_cpus() -> Fact<usize> {
        Err(Unavailable::Missing)
    }
}

pub use calls::{MountPoint, possible_cpus, trim_heap, usable_cpus, usage};

#[cfg(all(test, target_os = "linux", not(loom), not(miri)))]
mod tests {
    use super::{MountPoint, usage};
    use crate::telemetry::unavailable::Unavailable;
    use std::path::Path;

    #[test]
    fn a_process_has_used_something() {
        let usage = usage().unwrap();
        assert!(usage.minor_faults > 0);
    }

    #[test]
    fn a_path_that_is_none_has_no_space() {
        let root = MountPoint::new(Path::new("/")).unwrap().space().unwrap();
        assert!(root.total >= root.unused && root.unused >= root.free && root.total > 0);
        let nowhere = MountPoint::new(Path::new("/nonexistent")).unwrap();
        assert_eq!(nowhere.space(), Err(Unavailable::Missing));
        assert_eq!(nowhere.device(), Err(Unavailable::Missing));
        assert!(MountPoint::new(Path::new("a\0b")).is_err());
    }
}
