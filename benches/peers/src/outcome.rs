//! One row with one number of workers, as all its contenders came out.

use crate::contender::Contender;
use crate::report::Report;
use crate::rows::Row;
use crate::sample::Sample;
use std::collections::BTreeMap;
use std::fmt;

pub struct Outcome {
    pub row: &'static Row,
    pub workers: usize,
    pub cells: BTreeMap<Contender, Cell>,
    /// How many measurements were taken again, as others took part of the machine.
    pub repeated: usize,
}

#[derive(Default)]
pub struct Cell {
    /// One a round.
    pub reports: Vec<Report>,
    /// After this there were no further rounds.
    pub failure: Option<Failure>,
}

pub enum Failure {
    /// It was ended after a time that is far more than it should take.
    Hung,
    Failed(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Hung => "hung",
            Self::Failed(_) => "failed",
        })
    }
}

impl Failure {
    pub fn reason(&self) -> &str {
        match self {
            Self::Hung => "it took far too long",
            Self::Failed(reason) => reason,
        }
    }
}

impl Outcome {
    pub fn new(row: &'static Row, workers: usize) -> Self {
        let able = row.contenders().filter(|contender| (row.able)(*contender, workers));
        let cells = able.map(|contender| (contender, Cell::default())).collect();
        Self { row, workers, cells, repeated: 0 }
    }

    /// What was done, as those who did it call it.
    pub fn title(&self) -> &str {
        self.reports().next().map_or(self.row.name, |report| &report.title)
    }

    pub fn unit(&self, figure: &str) -> &str {
        let figures = self.reports().flat_map(|report| &report.figures);
        figures.into_iter().find(|it| it.name == figure).map_or("", |it| &it.unit)
    }

    pub fn sample(&self, contender: Contender, figure: &str) -> Option<Sample> {
        let reports = &self.cells.get(&contender)?.reports;
        let figures = reports.iter().flat_map(|report| &report.figures);
        Sample::of(figures.filter(|it| it.name == figure).map(|it| it.value).collect())
    }

    pub fn median(&self, contender: Contender, figure: &str) -> Option<f64> {
        self.sample(contender, figure).map(|sample| sample.median)
    }

    pub fn best_peer(&self, figure: &str) -> Option<(Contender, f64)> {
        let peers = self.cells.keys().filter(|contender| contender.is_peer());
        let figures = peers.filter_map(|peer| Some((*peer, self.median(*peer, figure)?)));
        figures.min_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// An even share of the serial figure for each worker that has a CPU.
    pub fn share(&self, figure: &str) -> Option<f64> {
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        Some(self.median(Contender::Serial, figure)? / self.workers.min(cpus) as f64)
    }

    /// At each point the median of all rounds.
    pub fn curve(&self, contender: Contender, name: &str) -> Option<Vec<f64>> {
        let reports = &self.cells.get(&contender)?.reports;
        let curves = reports.iter().flat_map(|report| &report.curves);
        let curves: Vec<_> = curves.filter(|curve| curve.name == name).collect();
        let point = |i| {
            Sample::of(curves.iter().map(|curve| curve.micros[i]).collect()).map(|it| it.median)
        };
        (0..curves.first()?.micros.len()).map(point).collect()
    }

    /// The names of the curves that there are.
    pub fn curves(&self) -> Vec<&str> {
        let first = self.reports().next();
        first.map_or(vec![], |report| report.curves.iter().map(|it| &*it.name).collect())
    }

    /// The greatest share of the machine that others took during one of the measurements.
    pub fn disturbed(&self) -> Option<f64> {
        self.reports().filter_map(|report| report.others).max_by(f64::total_cmp)
    }

    fn reports(&self) -> impl Iterator<Item = &Report> {
        self.cells.values().flat_map(|cell| &cell.reports)
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// Figures of the row with this name, one a contender and round.
    pub fn outcome(row: &str, workers: usize, figures: &[(Contender, &str, f64)]) -> Outcome {
        let row = crate::rows::all().find(|it| it.name == row).unwrap();
        let mut outcome = Outcome::new(row, workers);
        for (contender, figure, value) in figures {
            let report = Report::new("work", 1).with(figure, "ms", *value);
            outcome.cells.get_mut(contender).unwrap().reports.push(report);
        }
        outcome
    }

    #[test]
    fn neither_references_nor_filch_are_the_best_peer() {
        let figures = [
            (Contender::Serial, "", 1.0),
            (Contender::Filch, "", 2.0),
            (Contender::Rayon, "", 4.0),
            (Contender::Chili, "", 3.0),
        ];
        let outcome = outcome("fib", 1, &figures);
        assert_eq!(outcome.best_peer(""), Some((Contender::Chili, 3.0)));
    }

    #[test]
    fn figures_of_all_rounds_count() {
        let rounds = [1.0, 9.0, 2.0].map(|value| (Contender::Filch, "", value));
        let outcome = outcome("fib", 1, &rounds);
        assert_eq!(outcome.median(Contender::Filch, ""), Some(2.0));
        assert_eq!(outcome.median(Contender::Rayon, ""), None);
    }
}
