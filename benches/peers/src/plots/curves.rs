//! Percentile curves: how long all but so few had to wait.

use super::sheet::{FONT, label, log, range, sheet};
use super::{Result, color};
use crate::contender::Contender;
use crate::outcome::Outcome;
use crate::report::DECADE;
use plotters::prelude::*;
use std::path::Path;

pub fn draw(path: &Path, title: &str, outcome: &Outcome, name: &str) -> Result<()> {
    let curve = |contender: &Contender| Some((*contender, outcome.curve(*contender, name)?));
    let curves: Vec<_> = outcome.cells.keys().filter_map(curve).collect();
    let Some(range) = range(curves.iter().flat_map(|it| it.1.iter().copied())) else {
        return Ok(());
    };
    let (sheet, area) = sheet(path, 760, curves.iter().map(|it| it.0))?;
    // Across, each decade is a further nine.
    let nines = |point: usize| point as f64 / f64::from(DECADE);
    let longest = curves.iter().map(|it| it.1.len()).max().unwrap_or(1);
    let mut chart = ChartBuilder::on(&area)
        .caption(title, (FONT, 18))
        .margin(8)
        .x_label_area_size(40)
        .y_label_area_size(70)
        .build_cartesian_2d(0.0..nines(longest - 1), log(range))?;
    chart
        .configure_mesh()
        .x_labels(4)
        .x_label_formatter(&|x| format!("{} %", 100.0 * (1.0 - 10_f64.powf(-x))))
        .x_desc("of all")
        .y_label_formatter(&label)
        .y_desc("us")
        .draw()?;
    for (contender, micros) in curves {
        let points = micros.into_iter().enumerate().map(|(i, micros)| (nines(i), micros));
        chart.draw_series(LineSeries::new(points, color(contender).stroke_width(2)))?;
    }
    sheet.present()?;
    Ok(())
}
