//! Takes all measurements in turn, and prints what they come to.

use crate::common::{machine, quick};
use crate::contender::Contender;
use crate::outcome::Outcome;
use crate::rows::{GROWTHS, Row, SECTIONS};
use crate::{child, plots, table};
use std::error::Error;
use std::mem;
use std::path::Path;
use std::time::Instant;

const ROUNDS: usize = 5;

/// Rows whose names hold one of `words`, or all if there are none. Plots go into a folder, if
/// one is given.
pub fn run(words: &[String], folder: Option<&Path>) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let wanted =
        |row: &Row| words.is_empty() || words.iter().any(|word| row.name.contains(&**word));
    let mut took =
        Took { rows: 0, measurements: 0, repeated: 0, filch_failed: false, since: start };
    println!("{}\n", machine::line());
    for section in SECTIONS {
        let rows = section.rows.iter().filter(|row| wanted(row));
        let outcomes: Vec<_> = rows.flat_map(outcomes).collect();
        if outcomes.is_empty() {
            continue;
        }
        took.note(section.title, &outcomes);
        println!("{}", table::section(section, &outcomes, !quick()));
        for image in folder.map_or(Ok(vec![]), |to| plots::section(to, section, &outcomes))? {
            println!("{image}\n");
        }
    }
    if let Some(folder) = folder {
        for growth in GROWTHS.iter().filter(|growth| wanted(&growth.row)) {
            // The further ones are large.
            let points = if quick() { 2 } else { usize::MAX };
            let outcomes: Vec<_> = outcomes(&growth.row).take(points).collect();
            took.note(growth.title, &outcomes);
            println!("{}\n", plots::growth(folder, growth, &outcomes)?);
        }
    }
    if took.rows == 0 {
        return Err("no row has such a name; `peers rows` lists them".into());
    }
    let minutes = start.elapsed().as_secs_f64() / 60.0;
    println!(
        "{} measurements in {minutes:.0} minutes. {} were repeated, as others took more than {} % of \
         the machine.",
        took.measurements,
        took.repeated,
        child::DISTURBED
    );
    // Peers may fail, and the table says so.
    match took.filch_failed {
        true => Err("filch failed".into()),
        false => Ok(()),
    }
}

/// What has been measured so far.
struct Took {
    rows: usize,
    measurements: usize,
    repeated: usize,
    filch_failed: bool,
    since: Instant,
}

impl Took {
    fn note(&mut self, title: &str, outcomes: &[Outcome]) {
        let since = mem::replace(&mut self.since, Instant::now());
        eprintln!("{title}: {:.0} s", since.elapsed().as_secs_f64());
        for outcome in outcomes {
            let cells = outcome.cells.values();
            self.rows += 1;
            self.measurements += cells.map(|cell| cell.reports.len()).sum::<usize>();
            self.repeated += outcome.repeated;
            let failed =
                |contender| outcome.cells.get(&contender).is_some_and(|it| it.failure.is_some());
            self.filch_failed |= failed(Contender::Filch) || failed(Contender::FilchFloating);
        }
    }
}

/// One for each number of workers.
fn outcomes(row: &'static Row) -> impl Iterator<Item = Outcome> {
    row.workers.iter().map(move |workers| outcome(row, *workers))
}

/// All contenders take turns, to and fro, so that nobody always comes after the same one, and
/// what changes with time changes for all.
fn outcome(row: &'static Row, workers: usize) -> Outcome {
    let start = Instant::now();
    let mut outcome = Outcome::new(row, workers);
    let mut turn: Vec<_> = outcome.cells.keys().copied().collect();
    for _ in 0..if quick() { 1 } else { row.rounds.min(ROUNDS) } {
        for contender in &turn {
            let cell = outcome.cells.entry(*contender).or_default();
            if cell.failure.is_some() {
                continue;
            }
            match child::measure(row, *contender, workers) {
                Ok((report, repeated)) => {
                    cell.reports.push(report);
                    outcome.repeated += repeated;
                }
                Err(failure) => {
                    let reason = failure.reason();
                    eprintln!("{} {workers}: {contender} {failure}: {reason}", row.name);
                    cell.failure = Some(failure);
                }
            }
        }
        turn.reverse();
    }
    let Outcome { repeated, .. } = outcome;
    let disturbed = outcome.disturbed().unwrap_or(0.0);
    let seconds = start.elapsed().as_secs_f64();
    eprintln!(
        "{} {workers}: {seconds:.1} s, disturbed at most {disturbed:.1} %, {repeated} again",
        row.name
    );
    outcome
}
