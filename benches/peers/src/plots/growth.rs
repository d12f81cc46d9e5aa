//! Growth: a cost over what may raise it, both logarithmic, so that what doesn't depend on it
//! is level and what is proportional to it a slope of one.

use super::sheet::{FONT, label, log, range, sheet};
use super::{Result, color};
use crate::contender::Contender;
use crate::outcome::Outcome;
use crate::rows::Growth;
use plotters::prelude::*;
use std::path::Path;

pub fn draw(path: &Path, growth: &Growth, outcomes: &[Outcome]) -> Result<()> {
    let points = |contender: Contender| -> Vec<_> {
        let point = |it: &Outcome| Some((it.workers as f64, it.median(contender, "")?));
        outcomes.iter().filter_map(point).collect()
    };
    let series: Vec<_> = growth.row.contenders().map(|it| (it, points(it))).collect();
    let all = || series.iter().flat_map(|it| &it.1);
    let (Some(across), Some(up)) = (range(all().map(|it| it.0)), range(all().map(|it| it.1)))
    else {
        return Ok(());
    };
    let unit = outcomes.iter().map(|it| it.unit("")).find(|unit| !unit.is_empty());
    let (sheet, area) = sheet(path, 640, growth.row.contenders())?;
    let mut chart = ChartBuilder::on(&area)
        .caption(growth.title, (FONT, 18))
        .margin(8)
        .x_label_area_size(40)
        .y_label_area_size(70)
        .build_cartesian_2d(log(across), log(up))?;
    chart
        .configure_mesh()
        .x_label_formatter(&label)
        .x_desc(growth.x)
        .y_label_formatter(&label)
        .y_desc(unit.unwrap_or_default())
        .draw()?;
    for (contender, points) in series {
        let style = color(contender);
        chart.draw_series(LineSeries::new(points.iter().copied(), style.stroke_width(2)))?;
        chart.draw_series(points.iter().map(|point| Circle::new(*point, 3, style.filled())))?;
    }
    sheet.present()?;
    Ok(())
}
