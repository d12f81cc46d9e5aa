//! The process's control groups: in which directories the limits on it are.
//!
//! The kernel says in `/proc/self/cgroup` in which group the process is, once for each
//! hierarchy: version 1 has several, each for some controllers, version 2 has one for all.
//! Both may be mounted at once (a hybrid system), each with a controller's files only where that
//! controller is; so both are looked at, and what isn't there limits nothing.
//! `/proc/self/mountinfo` says where each hierarchy is mounted, and which of its groups is
//! at the top there: in a container not always the root, nor always one above ours.

use crate::monitor::file::{SystemFile, below};
use std::fs;
use std::path::{Component, Path, PathBuf};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    One,
    Two,
}

/// A group that the process is in, or one above that.
#[derive(Debug)]
pub struct Level {
    pub version: Version,
    pub directory: PathBuf,
}

/// The process's group for a controller, and those above it as far up as they are mounted: the
/// innermost first, of each version. `root` is `/`, except in tests.
pub fn levels(root: &Path, controller: &str) -> Vec<Level> {
    let read = |path| fs::read(below(root, Path::new(path))).unwrap_or_default();
    // Any other path than UTF-8 comes to name no file, which costs that one limit.
    let groups = String::from_utf8_lossy(&read("/proc/self/cgroup")).into_owned();
    let mounts = String::from_utf8_lossy(&read("/proc/self/mountinfo")).into_owned();
    let mounts: Vec<_> = mounts.lines().filter_map(|line| Mount::parse(line, controller)).collect();
    groups
        .lines()
        .filter_map(|line| Group::parse(line, controller))
        .flat_map(|group| group.directories(&mounts))
        .map(|(version, directory)| Level { version, directory: below(root, &directory) })
        .collect()
}

/// In which groups the process is: changes when it has been moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stay(u64);

/// Notices when the process is moved to another group.
#[derive(Debug)]
pub struct Membership {
    groups: SystemFile,
    last: Vec<u8>,
    stay: Stay,
}

impl Membership {
    pub fn new(root: &Path) -> Self {
        Self { groups: SystemFile::new(root, "/proc/self/cgroup"), last: Vec::new(), stay: Stay(1) }
    }

    pub fn stay(&mut self) -> Stay {
        let now = self.groups.read().unwrap_or_default();
        if now != self.last {
            self.last.clear();
            self.last.extend_from_slice(now);
            self.stay.0 += 1;
        }
        self.stay
    }
}

/// A hierarchy that may know of a limit, and the process's place in it.
struct Group {
    version: Version,
    path: PathBuf,
}

impl Group {
    /// Of a line `hierarchy:controllers:path`.
    fn parse(line: &str, controller: &str) -> Option<Self> {
        let mut fields = line.splitn(3, ':');
        let (hierarchy, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        let version = match (hierarchy, controllers) {
            ("0", "") => Version::Two,
            (_, controllers) if lists(controllers, controller) => Version::One,
            _ => return None,
        };
        Some(Self { version, path: path.into() })
    }

    /// The directories of the group and those above it, through every mount that shows them.
    fn directories(self, mounts: &[Mount]) -> Vec<(Version, PathBuf)> {
        let ours = mounts.iter().filter(|mount| mount.version == self.version);
        let mut directories: Vec<_> =
            ours.clone().filter_map(|mount| mount.directories(&self.path)).flatten().collect();
        if directories.is_empty() {
            // A container whose view of the groups is not that of its mounts: the process
            // is somewhere below what is mounted.
            directories = ours.map(|mount| mount.point.clone()).collect();
        }
        directories.into_iter().map(|directory| (self.version, directory)).collect()
    }
}

/// A place where such a hierarchy is mounted.
struct Mount {
    version: Version,
    /// The group that is at the top there.
    root: PathBuf,
    point: PathBuf,
}

impl Mount {
    /// Of a line `id parent device root point options tag... - type source options`.
    fn parse(line: &str, controller: &str) -> Option<Self> {
        let (mount, file_system) = line.split_once(" - ")?;
        let mut file_system = file_system.split(' ');
        let version = match (file_system.next()?, file_system.nth(1)) {
            ("cgroup2", _) => Version::Two,
            ("cgroup", Some(options)) if lists(options, controller) => Version::One,
            _ => return None,
        };
        let mut mount = mount.split(' ').skip(3);
        let (root, point) = (mount.next()?, mount.next()?);
        Some(Self { version, root: unescape(root).into(), point: unescape(point).into() })
    }

    fn directories(&self, group: &Path) -> Option<Vec<PathBuf>> {
        let inside = group.strip_prefix(&self.root).ok()?;
        // A group outside the process's namespace has a path that begins with `..`.
        if !inside.components().all(|part| matches!(part, Component::Normal(_))) {
            return None;
        }
        Some(inside.ancestors().map(|group| self.point.join(group)).collect())
    }
}

fn lists(list: &str, name: &str) -> bool {
    list.split(',').any(|word| word == name)
}

/// Undoes how mountinfo writes spaces, tabs, line feeds and backslashes: `\040` and so on.
fn unescape(field: &str) -> String {
    let mut pieces = field.split('\\');
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let code = piece.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code.filter(u8::is_ascii) {
            Some(code) => {
                plain.push(code.into());
                plain.push_str(&piece[3..]);
            }
            None => {
                plain.push('\\');
                plain.push_str(piece);
            }
        }
    }
    plain
}

#[cfg(all(test, not(loom), not(miri)))]
mod tests {
    use super::{Membership, Stay, unescape};
    use crate::monitor::fixture::Tree;
    use crate::monitor::quota::{self, CpuQuota};
    use std::path::Path;

    struct Machine(Tree);

    impl Machine {
        fn new(groups: &str, mounts: &str) -> Self {
            let tree = Tree::new().file("/proc/self/cgroup", groups);
            Self(tree.file("/proc/self/mountinfo", mounts))
        }

        fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
            Self(self.0.file(path, content))
        }

        /// A version 1 group with this quota, and the usual period.
        fn v1(self, group: &str, quota: &str) -> Self {
            self.file(&format!("{group}/cpu.cfs_quota_us"), quota)
                .file(&format!("{group}/cpu.cfs_period_us"), "100000\n")
        }

        fn v2(self, group: &str, max: &str) -> Self {
            self.file(&format!("{group}/cpu.max"), max)
        }

        /// The whole CPUs of the quota, and whether it is fractional.
        fn quota(&self) -> Option<(usize, bool)> {
            quota_below(self.0.root()).map(|quota| (quota.whole_cpus(), quota.is_fractional()))
        }
    }

    fn quota_below(root: &Path) -> Option<CpuQuota> {
        quota::cpu_quota(root)
    }

    const ONE: &str = "32 31 0:29 / /cg/cpu rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct\n";
    const TWO: &str = "41 31 0:38 / /cg rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";

    #[test]
    fn version_1_reads_quota_and_period() {
        let quota_of = |quota| Machine::new("4:cpu,cpuacct:/a\n", ONE).v1("/cg/cpu/a", quota);
        assert_eq!(quota_of("-1\n").quota(), None);
        assert_eq!(quota_of("200000\n").quota(), Some((2, false)));
        assert_eq!(quota_of("150000\n").quota(), Some((2, true)));
        assert_eq!(quota_of("200001\n").quota(), Some((3, true)));
        assert_eq!(quota_of("1000\n").quota(), Some((1, true)));
    }

    #[test]
    fn version_2_reads_cpu_max() {
        let quota_of = |max| Machine::new("0::/a\n", TWO).v2("/cg/a", max);
        assert_eq!(quota_of("max 100000\n").quota(), None);
        assert_eq!(quota_of("50000 100000\n").quota(), Some((1, true)));
        assert_eq!(quota_of("3000 1000\n").quota(), Some((3, false)));
    }

    #[test]
    fn the_tightest_group_on_the_path_counts() {
        let two = Machine::new("0::/a/b/c\n", TWO)
            .v2("/cg/a/b/c", "max 100000\n")
            .v2("/cg/a/b", "30000 10000\n")
            // More microseconds but fewer CPUs.
            .v2("/cg/a", "250000 100000\n")
            .v2("/cg/other", "1000 100000\n");
        assert_eq!(two.quota(), Some((3, true)));
        let one = Machine::new("1:cpu:/a/b\n", ONE).v1("/cg/cpu/a/b", "400000\n");
        assert_eq!(one.v1("/cg/cpu", "200000\n").quota(), Some((2, false)));
    }

    #[test]
    fn the_group_need_not_exist_for_those_above_it_to_count() {
        let machine = Machine::new("0::/a/gone (deleted)\n", TWO).v2("/cg/a", "100000 100000\n");
        assert_eq!(machine.quota(), Some((1, false)));
    }

    #[test]
    fn a_hybrid_system_has_its_quota_in_version_1() {
        let groups = "9:name=systemd:/s\n2:cpuacct:/x\n1:cpu:/a\n0::/u\n";
        let mounts = "30 1 0:9 / /cg/cpuacct rw - cgroup cgroup rw,cpuacct\n".to_owned()
            + "31 1 0:8 / /cg/systemd rw - cgroup cgroup rw,name=systemd\n"
            + "32 1 0:7 / /cg/unified rw - cgroup2 cgroup2 rw\n"
            + ONE;
        let machine = Machine::new(groups, &mounts)
            .v1("/cg/cpu/a", "250000\n")
            .v1("/cg/cpuacct/x", "100000\n")
            .file("/cg/unified/u/cgroup.procs", "1\n");
        assert_eq!(machine.quota(), Some((3, true)));
        assert_eq!(machine.v2("/cg/unified/u", "100000 50000").quota(), Some((2, false)));
    }

    #[test]
    fn a_mount_may_show_a_part_of_the_hierarchy() {
        let mounts = "32 31 0:29 /docker/abc /cg/cpu rw - cgroup cgroup rw,cpu\n";
        let machine = Machine::new("1:cpu:/docker/abc/x\n", mounts).v1("/cg/cpu/x", "300000\n");
        assert_eq!(machine.quota(), Some((3, false)));
        assert_eq!(machine.v1("/cg/cpu", "100000\n").quota(), Some((1, false)));
    }

    #[test]
    fn a_group_that_no_mount_shows_is_sought_at_the_mount_point() {
        for (group, root) in [("/docker/abc", "/docker/xyz"), ("/", "/docker/abc"), ("/../x", "/")]
        {
            let mounts = format!("32 31 0:29 {root} /cg rw - cgroup2 cgroup2 rw\n");
            let machine = Machine::new(&format!("0::{group}\n"), &mounts)
                .v2("/cg", "150000 100000\n")
                .v2("/x", "1000 100000\n");
            assert_eq!(machine.quota(), Some((2, true)), "{group} {root}");
        }
    }

    #[test]
    fn a_mount_that_shows_the_group_goes_before_one_that_does_not() {
        let mounts = format!("50 1 0:38 /other /jail rw - cgroup2 cgroup2 rw\n{TWO}");
        let machine = Machine::new("0::/a\n", &mounts).v2("/jail", "1000 100000\n");
        assert_eq!(machine.quota(), None);
        assert_eq!(machine.v2("/cg/a", "200000 100000\n").quota(), Some((2, false)));
    }

    #[test]
    fn escaped_paths_are_understood() {
        let mounts = r"32 31 0:29 /a\040b /my\040cg\134\011 rw - cgroup2 cgroup2 rw";
        let machine = Machine::new("0::/a b/c:d\n", mounts);
        assert_eq!(machine.v2("/my cg\\\t/c:d", "1 1").quota(), Some((1, false)));
        for odd in [r"\", r"\04", r"a\9999", r"\777", r"\\", "\\é40", r"\+40"] {
            unescape(odd);
        }
        assert_eq!(unescape(r"a\134040\x"), r"a\040\x");
    }

    #[test]
    fn what_is_missing_or_garbled_limits_nothing() {
        assert_eq!(quota_below(Path::new("/nonexistent")), None);
        let garbled = "|\n| |max|max max|100000|0 100000|100000 0|-5 100000|1 -1|1.5 1|x y|1 2 3|\
                       \0\0 \0|18446744073709551615 1|1 99999999999999999999999";
        for max in garbled.split('|') {
            let machine = Machine::new("0::/\n", TWO).v2("/cg", max);
            assert_eq!(machine.quota(), None, "{max:?}");
        }
        for quota in ["", "0", "-1", "-100000", "many", "99999999999999999999999"] {
            assert_eq!(Machine::new("1:cpu:/\n", ONE).v1("/cg/cpu", quota).quota(), None);
        }
        let bytes = Machine::new("0::/\n", TWO).file("/cg/cpu.max", [0xff, b' ', 0xfe]);
        assert_eq!(bytes.quota(), None);
    }

    #[test]
    fn garbled_lines_do_not_hide_the_others() {
        let groups = "\n:\n::\nnonsense\n0:\n1:cpu\n0::\n7:cpu:relative\n0::/a\n";
        let mounts = " - \n - cgroup2\n1 2 3 - cgroup2 a b\n- - -\n1 2 3 / - cgroup x cpu\n\
                      1 2 3 / /cg\n1 2 3 / /cg rw - cgroup\n"
            .to_owned()
            + TWO;
        let machine = Machine::new(groups, &mounts).v2("/cg/a", "200000 100000\n");
        assert_eq!(machine.quota(), Some((2, false)));
        let cut = Machine::new(groups, &TWO[..TWO.len() / 2]).v2("/cg/a", "200000 100000\n");
        assert_eq!(cut.quota(), None);
    }

    #[test]
    fn a_move_to_another_group_is_noticed_once() {
        let machine = Machine::new("0::/a\n", TWO);
        let mut membership = Membership::new(machine.0.root());
        let first = membership.stay();
        assert_ne!(first, Stay::default());
        assert_eq!(membership.stay(), first);
        machine.0.write("/proc/self/cgroup", "0::/b\n");
        let second = membership.stay();
        assert_ne!(second, first);
        assert_eq!(membership.stay(), second);
        let mut nothing = Membership::new(Path::new("/nonexistent"));
        assert_ne!(nothing.stay(), Stay::default());
    }
}
