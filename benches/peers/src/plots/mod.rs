//! The outcomes as pictures, and the Markdown that shows them.

mod bars;
mod curves;
mod growth;
mod sheet;

use crate::contender::Contender;
use crate::outcome::Outcome;
use crate::rows::{Growth, Section};
use plotters::style::RGBColor;
use std::error::Error;
use std::fs;
use std::path::Path;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Bars of the section, and curves of those rows that have some.
pub fn section(folder: &Path, section: &Section, outcomes: &[Outcome]) -> Result<Vec<String>> {
    fs::create_dir_all(folder)?;
    let name = section.title.to_lowercase().replace([' ', ','], "-").replace("--", "-");
    let mut images = vec![];
    let title = format!("{}, times filch's figure", section.title);
    if bars::draw(&folder.join(format!("{name}.svg")), &title, outcomes)? {
        images.push(image(folder, &title, &name));
    }
    for outcome in outcomes {
        for curve in outcome.curves() {
            let Outcome { row, workers, .. } = outcome;
            let what = if curve.is_empty() { String::new() } else { format!(": {curve}") };
            let title = format!("{}{what}; {workers} workers", outcome.title());
            let short = if curve.is_empty() { "" } else { "-call" };
            let name = format!("{}{short}-{workers}", row.name);
            curves::draw(&folder.join(format!("{name}.svg")), &title, outcome, curve)?;
            images.push(image(folder, &title, &name));
        }
    }
    Ok(images)
}

pub fn growth(folder: &Path, growth: &Growth, outcomes: &[Outcome]) -> Result<String> {
    fs::create_dir_all(folder)?;
    let name = growth.row.name;
    growth::draw(&folder.join(format!("{name}.svg")), growth, outcomes)?;
    Ok(image(folder, growth.title, name))
}

/// As seen from a page beside the folder.
fn image(folder: &Path, title: &str, name: &str) -> String {
    let folder = folder.file_name().unwrap_or_default().to_string_lossy();
    format!("![{title}]({folder}/{name}.svg)")
}

/// The same for a contender in all plots.
fn color(contender: Contender) -> RGBColor {
    match contender {
        Contender::Serial => RGBColor(120, 120, 120),
        Contender::RawFutex => RGBColor(60, 60, 60),
        Contender::RawFutexFloating => RGBColor(160, 160, 160),
        Contender::Filch => RGBColor(200, 30, 30),
        Contender::FilchFloating => RGBColor(240, 140, 120),
        Contender::Rayon => RGBColor(30, 90, 200),
        Contender::Chili => RGBColor(20, 140, 60),
        Contender::Forte => RGBColor(230, 150, 0),
        Contender::Tokio => RGBColor(130, 60, 180),
        Contender::AsyncExecutor => RGBColor(0, 160, 180),
        Contender::Threadpool => RGBColor(150, 100, 50),
        Contender::Paralight => RGBColor(220, 80, 170),
        Contender::OrxParallel => RGBColor(110, 130, 20),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contender::Contender::*;
    use crate::outcome::tests::outcome;
    use crate::rows::{GROWTHS, SECTIONS};

    #[test]
    fn what_nobody_measured_is_left_out_of_pictures() {
        let folder = std::env::temp_dir().join(format!("peers-plots-{}", std::process::id()));
        let outcomes = [outcome("fib", 1, &[(Filch, "", 2.0), (Rayon, "", 9.0)])];
        assert_eq!(section(&folder, &SECTIONS[0], &outcomes).unwrap().len(), 1);
        assert!(section(&folder, &SECTIONS[0], &[outcome("fib", 1, &[])]).unwrap().is_empty());
        let depths =
            [outcome("grow-depth", 10, &[(Filch, "", 2.0)]), outcome("grow-depth", 100, &[])];
        let growth = growth(&folder, &GROWTHS[2], &depths).unwrap();
        assert!(growth.ends_with("/grow-depth.svg)"), "{growth}");
        fs::remove_dir_all(folder).unwrap();
    }
}
