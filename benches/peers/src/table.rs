//! The outcomes of a section as a Markdown table.

use crate::contender::Contender;
use crate::outcome::Outcome;
use crate::rows::{Reference, Section};
use crate::targets;
use std::collections::BTreeSet;

/// With a heading. Whether targets are reached is only said if the run is long enough to be
/// `judged`.
pub fn section(section: &Section, outcomes: &[Outcome], judged: bool) -> String {
    let contenders: BTreeSet<_> = outcomes.iter().flat_map(|it| it.cells.keys().copied()).collect();
    let mut head = vec!["work".to_owned(), "unit".to_owned()];
    head.extend(contenders.iter().map(Contender::to_string));
    head.extend(["to rayon", "to best peer"].map(str::to_owned));
    head.push(format!("to {}", section.reference.name()));
    head.extend(["targets", "disturbed"].map(str::to_owned));
    let rule = head.iter().map(|_| "---".to_owned()).collect();
    let mut text = format!("### {}\n\n{}{}", section.title, line(head), line(rule));
    for outcome in outcomes {
        for figure in outcome.row.figures {
            let mut cells = vec![name(outcome, figure), outcome.unit(figure).to_owned()];
            cells.extend(contenders.iter().map(|contender| cell(outcome, *contender, figure)));
            cells.extend(ratios(section.reference, outcome, figure));
            cells.push(targets::listed(outcome, outcomes, figure, judged));
            cells.push(outcome.disturbed().map_or("-".into(), |share| format!("{share:.1} %")));
            text.push_str(&line(cells));
        }
    }
    text
}

fn line(cells: Vec<String>) -> String {
    format!("| {} |\n", cells.join(" | "))
}

fn name(outcome: &Outcome, figure: &str) -> String {
    let Outcome { workers, .. } = outcome;
    let plural = if *workers == 1 { "" } else { "s" };
    let colon = if figure.is_empty() { "" } else { ": " };
    format!("{}; {workers} worker{plural}{colon}{figure}", outcome.title())
}

/// The median, in brackets from where to where all rounds reach, and whether there should have
/// been more of them.
fn cell(outcome: &Outcome, contender: Contender, figure: &str) -> String {
    let sample = outcome.sample(contender, figure).map(|it| {
        let [low, median, high] = [it.low, it.median, it.high].map(digits);
        if low == high { median } else { format!("{median} ({low}-{high})") }
    });
    let failure = outcome.cells.get(&contender).and_then(|cell| cell.failure.as_ref());
    match (sample, failure) {
        (Some(sample), Some(failure)) => format!("{sample}, then {failure}"),
        (Some(sample), None) => sample,
        (None, Some(failure)) => failure.to_string(),
        (None, None) => "-".to_owned(),
    }
}

/// Of filch's figure to rayon's, to the best peer's and to the reference's.
fn ratios(reference: Reference, outcome: &Outcome, figure: &str) -> [String; 3] {
    let filch = outcome.median(Contender::Filch, figure);
    // Of two figures of which one is nothing, none is a multiple of the other.
    let ratio = |to: Option<f64>| {
        let (filch, to) = filch.zip(to).filter(|(filch, to)| *filch > 0.0 && *to > 0.0)?;
        Some(format!("{}x", digits(filch / to)))
    };
    let best = outcome.best_peer(figure);
    let to_best = ratio(best.map(|it| it.1)).zip(best);
    [
        ratio(outcome.median(Contender::Rayon, figure)),
        to_best.map(|(ratio, (peer, _))| format!("{ratio} {peer}")),
        ratio(match reference {
            Reference::Share => outcome.share(figure),
            Reference::RawFutex => outcome.median(Contender::RawFutex, figure),
        }),
    ]
    .map(|it| it.unwrap_or("-".to_owned()))
}

/// Three that count, but at most four after the point.
pub fn digits(figure: f64) -> String {
    let magnitude = figure.abs().max(1e-4).log10().floor() as i32;
    let decimals = (2 - magnitude).clamp(0, 4) as usize;
    format!("{figure:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contender::Contender::*;
    use crate::outcome::{Failure, tests::outcome};
    use crate::rows::SECTIONS;

    fn joins(outcomes: &[Outcome]) -> String {
        section(&SECTIONS[0], outcomes, true)
    }

    #[test]
    fn a_figure_has_three_digits() {
        assert_eq!(digits(1234.5), "1234");
        assert_eq!(digits(12.345), "12.3");
        assert_eq!(digits(1.2345), "1.23");
        assert_eq!(digits(0.12345), "0.123");
        assert_eq!(digits(0.0), "0.0000");
    }

    #[test]
    fn all_lines_have_as_many_cells_as_the_head() {
        let all = [(Filch, "", 2.0), (Rayon, "", 8.0), (Serial, "", 1.0)];
        let text = joins(&[outcome("fib", 1, &all), outcome("fib", 2, &all[..1])]);
        let cells = |line: &str| line.matches('|').count();
        let lines: Vec<_> = text.lines().filter(|line| line.starts_with('|')).collect();
        assert_eq!(lines.len(), 4);
        assert!(lines.iter().all(|line| cells(line) == cells(lines[0])), "{text}");
    }

    #[test]
    fn a_missing_peer_is_a_dash_and_takes_no_part() {
        let text = joins(&[outcome("fib", 1, &[(Filch, "", 2.0)])]);
        let line = text.lines().last().unwrap();
        assert!(
            line.starts_with("| work; 1 worker | ms | - | 2.00 | - | - | - | - | - | - |"),
            "{line}"
        );
    }

    #[test]
    fn who_hung_is_said_to_have() {
        let mut outcome = outcome("fib", 1, &[(Filch, "", 2.0), (Chili, "", 4.0)]);
        outcome.cells.get_mut(&Rayon).unwrap().failure = Some(Failure::Hung);
        outcome.cells.get_mut(&Chili).unwrap().failure = Some(Failure::Failed(String::new()));
        let text = joins(&[outcome]);
        assert!(
            text.contains("| 2.00 | hung | 4.00, then failed | - | - | 0.500x chili |"),
            "{text}"
        );
    }

    #[test]
    fn the_spread_is_in_brackets() {
        let rounds = [1.0, 3.0, 2.0].map(|value| (Filch, "", value));
        assert!(joins(&[outcome("fib", 1, &rounds)]).contains("| 2.00 (1.00-3.00) |"));
    }
}
