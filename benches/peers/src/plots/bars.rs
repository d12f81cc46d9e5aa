//! Bars: what each pool's figures are, as a multiple of filch's.

use super::sheet::{FONT, label, log, range, sheet};
use super::{Result, color};
use crate::contender::Contender;
use crate::outcome::Outcome;
use plotters::prelude::*;
use std::collections::BTreeSet;
use std::path::Path;

/// Part of a row's width that its bars leave free.
const GAP: f64 = 0.2;

/// The first figure of each row. Says whether there was anything to draw.
pub fn draw(path: &Path, title: &str, outcomes: &[Outcome]) -> Result<bool> {
    let groups: Vec<_> = outcomes.iter().filter_map(group).collect();
    let Some(range) = range(groups.iter().flat_map(|it| &it.1).map(|bar| bar.1)) else {
        return Ok(false);
    };
    let all: BTreeSet<_> = groups.iter().flat_map(|it| &it.1).map(|bar| bar.0).collect();
    let width = 100 + 110 * groups.len() as u32;
    let (sheet, area) = sheet(path, width.max(360), all.iter().copied())?;
    let mut chart = ChartBuilder::on(&area)
        .caption(title, (FONT, 18))
        .margin(8)
        .x_label_area_size(30)
        .y_label_area_size(60)
        .build_cartesian_2d(0.0..groups.len() as f64, log(range))?;
    let middle = |x: &f64| {
        // Only at the middle of a group.
        let at = (*x - 0.5).round();
        let group = groups.get(at as usize).filter(|_| (*x - 0.5 - at).abs() < 1e-6);
        group.map_or(String::new(), |group| group.0.clone())
    };
    chart
        .configure_mesh()
        .disable_x_mesh()
        .x_labels(2 * groups.len() + 1)
        .x_label_formatter(&middle)
        .y_desc("times filch's; less is better")
        .y_label_formatter(&label)
        .draw()?;
    // filch's own bars have no height.
    for contender in all.into_iter().filter(|contender| *contender != Contender::Filch) {
        let bars = groups.iter().enumerate().flat_map(|(at, (_, bars))| {
            let width = (1.0 - GAP) / bars.len() as f64;
            bars.iter().enumerate().filter(|(_, bar)| bar.0 == contender).map(move |(i, bar)| {
                let left = at as f64 + GAP / 2.0 + i as f64 * width;
                Rectangle::new([(left, 1.0), (left + width, bar.1)], color(contender).filled())
            })
        });
        chart.draw_series(bars)?;
    }
    let line = [(0.0, 1.0), (groups.len() as f64, 1.0)];
    chart.draw_series(LineSeries::new(line, color(Contender::Filch).stroke_width(2)))?;
    sheet.present()?;
    Ok(true)
}

/// The row's name, and everybody's figure over filch's.
fn group(outcome: &Outcome) -> Option<(String, Vec<(Contender, f64)>)> {
    let figure = outcome.row.figures.first()?;
    let filch = outcome.median(Contender::Filch, figure).filter(|figure| *figure > 0.0)?;
    let bar = |contender: &Contender| {
        let value = outcome.median(*contender, figure)?;
        Some((*contender, value / filch)).filter(|bar| bar.1 > 0.0)
    };
    let bars = outcome.cells.keys().filter_map(bar).collect();
    Some((format!("{} {}", outcome.row.name, outcome.workers), bars))
}
