//! Pressure stall information: who waited for what, for how long
//! (Documentation/accounting/psi.rst).

use crate::monitor::file::{SystemFile, lines, number, words};
use crate::monitor::rate::Growth;
use crate::telemetry::unavailable::{Fact, Unavailable};
use std::path::Path;
use std::time::Duration;

/// One such file.
#[derive(Debug)]
pub struct Pressure {
    file: SystemFile,
    some: Growth,
    full: Growth,
}

impl Pressure {
    pub fn new(root: &Path, path: impl AsRef<Path>) -> Self {
        let (some, full) = Default::default();
        Self { file: SystemFile::new(root, path), some, full }
    }

    /// The shares of the time since the last reading in which some waited, and all did. The kernel's
    /// own averages look back over other times.
    pub fn read(&mut self, at: Duration) -> (Fact<f64>, Fact<f64>) {
        let text = self.file.read();
        let (some, full) = (total(text, b"some"), total(text, b"full"));
        // Its clock isn't quite ours.
        let share = |microseconds: f64| (microseconds / 1e6).min(1.0);
        (self.some.rate(at, some).map(share), self.full.rate(at, full).map(share))
    }
}

/// Microseconds since the beginning.
fn total(text: Fact<&[u8]>, kind: &[u8]) -> Fact<u64> {
    let line = lines(text?).find(|line| words(line).next() == Some(kind));
    let mut words = words(line.ok_or(Unavailable::Missing)?);
    let total = words.find_map(|word| word.strip_prefix(b"total="));
    number(total.ok_or(Unavailable::Garbled)?)
}

#[cfg(all(test, not(loom), not(miri)))]
mod tests {
    use super::Pressure;
    use crate::monitor::fixture::Tree;
    use crate::telemetry::unavailable::Unavailable;
    use std::time::Duration;

    fn averages(some: u64, full: u64) -> String {
        let line =
            |kind, total| format!("{kind} avg10=2.70 avg60=9.39 avg300=13.37 total={total}\n");
        line("some", some) + &line("full", full)
    }

    #[test]
    fn shares_are_those_of_the_time_between_two_readings() {
        let tree = Tree::new().file("/proc/pressure/cpu", averages(5_000_000, 0));
        let mut pressure = Pressure::new(tree.root(), "/proc/pressure/cpu");
        let not_yet = Err(Unavailable::NotYet);
        assert_eq!(pressure.read(Duration::from_secs(1)), (not_yet, not_yet));
        tree.write("/proc/pressure/cpu", averages(5_500_000, 250_000));
        assert_eq!(pressure.read(Duration::from_secs(2)), (Ok(0.5), Ok(0.25)));
        tree.write("/proc/pressure/cpu", averages(9_000_000, 250_000));
        assert_eq!(pressure.read(Duration::from_secs(3)), (Ok(1.0), Ok(0.0)));
    }

    #[test]
    fn old_kernels_have_one_line_or_no_file() {
        let tree = Tree::new().file("/proc/pressure/cpu", "some avg10=0.00 total=7\n");
        let mut pressure = Pressure::new(tree.root(), "/proc/pressure/cpu");
        let missing = Err(Unavailable::Missing);
        assert_eq!(pressure.read(Duration::ZERO), (Err(Unavailable::NotYet), missing));
        tree.write("/proc/pressure/cpu", "some total=x\nfull avg10=0.00");
        let garbled = Err(Unavailable::Garbled);
        assert_eq!(pressure.read(Duration::ZERO), (garbled, garbled));
        let mut none = Pressure::new(tree.root(), "/proc/pressure/irq");
        assert_eq!(none.read(Duration::ZERO), (missing, missing));
    }
}
