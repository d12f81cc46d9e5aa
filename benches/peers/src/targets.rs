//! What filch's figures are to be: all targets, in one table. Nearly all are ratios to figures
//! of the same run, as absolute ones move with the machine.

use crate::contender::Contender::{self, *};
use crate::outcome::Outcome;
use crate::table::digits;

/// An upper bound of a figure.
#[derive(Clone, Copy)]
pub enum Bound {
    /// In the figure's own unit.
    AtMost(f64),
    /// Times somebody's figure.
    Of(Contender, f64),
    OfBestPeer(f64),
    /// Times an even share of the serial figure.
    OfShare(f64),
    /// Times the own figure with two workers.
    OfTwoWorkers(f64),
}

use Bound::*;

pub struct Target {
    row: &'static str,
    workers: usize,
    figure: &'static str,
    /// filch, as it is or floating.
    who: Contender,
    /// One of them is to hold.
    bounds: &'static [Bound],
}

const fn target(
    row: &'static str,
    workers: usize,
    figure: &'static str,
    bounds: &'static [Bound],
) -> Target {
    Target { row, workers, figure, who: Filch, bounds }
}

impl Target {
    const fn floating(mut self) -> Self {
        self.who = FilchFloating;
        self
    }
}

pub const TARGETS: &[Target] = &[
    target("fib", 1, "", &[Of(Rayon, 0.31)]),
    target("fib", 1, "", &[Of(Chili, 1.0)]),
    target("fib", 2, "", &[Of(Rayon, 0.33)]),
    target("fib", 2, "", &[Of(Chili, 0.875)]),
    target("fib", 8, "", &[OfTwoWorkers(1.1)]),
    target("small-tree", 1, "", &[OfBestPeer(0.94)]),
    target("small-tree", 2, "", &[OfBestPeer(0.63)]),
    target("small-tree", 8, "", &[OfTwoWorkers(1.1)]),
    target("large-tree", 2, "", &[Of(Chili, 0.95)]),
    target("queens", 2, "", &[Of(Rayon, 0.58)]),
    target("queens", 2, "", &[OfBestPeer(1.0)]),
    target("uts", 2, "", &[Of(Chili, 0.92)]),
    target("quicksort", 2, "", &[Of(Rayon, 0.99)]),
    target("leaves-2", 2, "", &[OfShare(1.02)]),
    target("leaves-16", 2, "", &[OfShare(1.02)]),
    target("leaves-128", 2, "", &[OfShare(1.02)]),
    target("detached-leaves", 2, "", &[OfShare(1.02)]),
    target("spawn-outside", 2, "", &[Of(Rayon, 0.4)]),
    target("spawn-outside", 2, "", &[OfBestPeer(0.61)]),
    target("spawn-outside", 8, "", &[OfTwoWorkers(1.1)]),
    target("spawn-nested", 1, "", &[Of(Rayon, 0.87)]),
    target("spawn-nested", 2, "", &[Of(Rayon, 0.21)]),
    target("scope-tree", 2, "", &[Of(Rayon, 0.5)]),
    target("pending-tasks", 1, "", &[AtMost(57.0)]),
    target("wake", 2, "p50", &[Of(RawFutex, 1.1)]),
    target("wake", 2, "p50", &[Of(RawFutexFloating, 1.1)]).floating(),
    target("wake", 2, "p99", &[Of(RawFutex, 1.1)]),
    target("wake", 2, "p99", &[Of(RawFutexFloating, 1.1)]).floating(),
    target("wake", 2, "the call that spawns, p50", &[Of(RawFutex, 1.0)]),
    target("wake", 2, "the call that spawns, p50", &[Of(RawFutexFloating, 1.0)]).floating(),
    target("wake", 8, "p50", &[OfTwoWorkers(1.1)]),
    target("wake", 8, "p99", &[OfTwoWorkers(1.1)]),
    target("fairness", 2, "p99", &[AtMost(27.0)]),
    // One or two may be on their way as the load ends.
    target("fairness", 2, "begun after their end", &[AtMost(0.02)]),
    target("fairness", 8, "p99", &[OfTwoWorkers(1.1)]),
    target("fairness", 8, "begun after their end", &[AtMost(0.02)]),
    target("ticks", 2, "", &[AtMost(18.0), Of(RawFutex, 1.36)]),
    target("region", 2, "p50", &[Of(RawFutex, 1.03)]),
    target("region", 2, "p50", &[Of(RawFutexFloating, 1.03)]).floating(),
    target("region", 2, "CPU time", &[AtMost(165.0)]),
    target("region", 8, "p50", &[OfTwoWorkers(1.1)]),
    target("region", 8, "CPU time", &[OfTwoWorkers(1.1)]),
    target("idle", 2, "", &[OfBestPeer(1.0)]),
    target("pool-size", 2, "", &[AtMost(250.0)]),
];

/// The targets of a figure, and, if the run is to be judged, whether they are reached. `all`
/// holds the section's other outcomes.
pub fn listed(outcome: &Outcome, all: &[Outcome], figure: &str, judged: bool) -> String {
    let ours = TARGETS.iter().filter(|target| {
        (target.row, target.workers, target.figure) == (outcome.row.name, outcome.workers, figure)
    });
    let texts: Vec<_> = ours.map(|target| target.text(outcome, all, judged)).collect();
    if texts.is_empty() { "-".to_owned() } else { texts.join("; ") }
}

impl Target {
    fn text(&self, outcome: &Outcome, all: &[Outcome], judged: bool) -> String {
        let names: Vec<_> = self.bounds.iter().map(|bound| bound.describe()).collect();
        let who = if self.who == Filch { "" } else { "floating " };
        let text = format!("{who}{}", names.join(" or "));
        match self.reached(outcome, all).filter(|_| judged) {
            Some(true) => format!("{text}: yes"),
            Some(false) => format!("{text}: **no**"),
            None => text,
        }
    }

    /// None if that can't be told, as somebody's figure is missing.
    fn reached(&self, outcome: &Outcome, all: &[Outcome]) -> Option<bool> {
        let figure = outcome.median(self.who, self.figure)?;
        let limits = self.bounds.iter().filter_map(|bound| bound.limit(self, outcome, all));
        limits.map(|limit| figure <= limit).reduce(|one, other| one || other)
    }
}

impl Bound {
    fn limit(self, target: &Target, outcome: &Outcome, all: &[Outcome]) -> Option<f64> {
        let figure = target.figure;
        let with_two = || all.iter().find(|it| it.row.name == target.row && it.workers == 2);
        Some(match self {
            AtMost(figure) => figure,
            Of(contender, times) => times * outcome.median(contender, figure)?,
            OfBestPeer(times) => times * outcome.best_peer(figure)?.1,
            OfShare(times) => times * outcome.share(figure)?,
            OfTwoWorkers(times) => times * with_two()?.median(target.who, figure)?,
        })
    }

    fn describe(self) -> String {
        match self {
            AtMost(0.0) => "0".to_owned(),
            AtMost(figure) => digits(figure),
            Of(contender, times) => format!("{times}x {contender}"),
            OfBestPeer(times) => format!("{times}x best peer"),
            OfShare(times) => format!("{times}x share"),
            OfTwoWorkers(times) => format!("{times}x with 2"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::tests::outcome;
    use crate::rows;

    #[test]
    fn every_target_is_of_a_figure_that_is_measured() {
        for target in TARGETS {
            let Target { row, workers, figure, who, bounds } = target;
            let found = rows::all().find(|it| it.name == *row).expect(row);
            assert!(found.workers.contains(workers), "{row} {workers}");
            assert!(found.figures.contains(figure), "{row} {figure}");
            let contenders: Vec<_> = found.contenders().collect();
            assert!(contenders.contains(who), "{row} {who}");
            for bound in *bounds {
                match bound {
                    Of(contender, _) => assert!(contenders.contains(contender), "{row}"),
                    OfShare(_) => assert!(contenders.contains(&Serial), "{row}"),
                    OfTwoWorkers(_) => assert!(found.workers.contains(&2), "{row}"),
                    AtMost(_) | OfBestPeer(_) => {}
                }
            }
        }
    }

    #[test]
    fn ratios_are_to_figures_of_the_same_run() {
        let figures = |filch| [(Filch, "", filch), (Rayon, "", 100.0), (Chili, "", 20.0)];
        let text = |filch| listed(&outcome("fib", 1, &figures(filch)), &[], "", true);
        assert_eq!(text(15.0), "0.31x rayon: yes; 1x chili: yes");
        assert_eq!(text(25.0), "0.31x rayon: yes; 1x chili: **no**");
    }

    #[test]
    fn of_two_bounds_one_will_do() {
        let ticks = |filch| {
            let figures = [(Filch, "", filch), (RawFutex, "", 20.0)];
            listed(&outcome("ticks", 2, &figures), &[], "", true)
        };
        assert_eq!(ticks(25.0), "18.0 or 1.36x raw futex: yes");
        assert_eq!(ticks(28.0), "18.0 or 1.36x raw futex: **no**");
    }

    #[test]
    fn eight_workers_are_held_against_two() {
        let of = |workers, filch| outcome("fib", workers, &[(Filch, "", filch)]);
        let two = [of(2, 10.0)];
        assert_eq!(listed(&of(8, 10.5), &two, "", true), "1.1x with 2: yes");
        assert_eq!(listed(&of(8, 11.5), &two, "", true), "1.1x with 2: **no**");
    }

    #[test]
    fn nothing_is_judged_without_the_figure_it_is_held_against_or_in_a_quick_run() {
        let alone = outcome("quicksort", 2, &[(Filch, "", 1.0)]);
        assert_eq!(listed(&alone, &[], "", true), "0.99x rayon");
        let both = outcome("quicksort", 2, &[(Filch, "", 1.0), (Rayon, "", 1.0)]);
        assert_eq!(listed(&both, &[], "", false), "0.99x rayon");
    }
}
