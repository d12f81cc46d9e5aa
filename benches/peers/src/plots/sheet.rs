//! What plots look like: white, a legend beside the chart, logarithmic axes.

use super::{Result, color};
use crate::contender::Contender;
use plotters::coord::Shift;
use plotters::coord::combinators::WithKeyPoints;
use plotters::prelude::*;
use std::ops::Range;
use std::path::Path;

pub type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

pub const FONT: &str = "sans-serif";

const HEIGHT: u32 = 420;
const LEGEND: u32 = 150;

/// A sheet to be presented at last, and the part of it, so wide, where the chart goes.
pub fn sheet<'a>(
    path: &'a Path,
    width: u32,
    contenders: impl Iterator<Item = Contender>,
) -> Result<(Area<'a>, Area<'a>)> {
    let sheet = SVGBackend::new(path, (width + LEGEND, HEIGHT)).into_drawing_area();
    sheet.fill(&WHITE)?;
    let (chart, legend) = sheet.split_horizontally(width);
    for (line, contender) in (0..).zip(contenders) {
        let y = 50 + 20 * line;
        let mark = Rectangle::new([(8, y), (20, y + 10)], color(contender).filled());
        legend.draw(&mark)?;
        legend.draw(&Text::new(contender.to_string(), (28, y), (FONT, 13)))?;
    }
    Ok((sheet, chart))
}

/// From somewhat below the least to somewhat above the greatest; none without anything above
/// zero, as a logarithmic axis has no place for that.
pub fn range(values: impl Iterator<Item = f64>) -> Option<Range<f64>> {
    let values: Vec<_> = values.filter(|value| *value > 0.0).collect();
    let low = values.iter().copied().min_by(f64::total_cmp)?;
    let high = values.iter().copied().max_by(f64::total_cmp)?;
    Some(low / 1.3..high * 1.3)
}

/// With a label at 1, 2 and 5 of each power of ten; few ranges here hold two of those powers.
/// If they hold many, the powers must do.
pub fn log(range: Range<f64>) -> WithKeyPoints<LogCoord<f64>> {
    let powers = range.start.log10().floor() as i32..=range.end.log10().ceil() as i32;
    let steps: &[f64] = if powers.clone().count() > 4 { &[1.0] } else { &[1.0, 2.0, 5.0] };
    let points = powers.flat_map(|power| steps.iter().map(move |step| step * 10_f64.powi(power)));
    let points = points.filter(|point| range.contains(point)).collect();
    LogCoord::from(range.log_scale()).with_key_points(points)
}

/// The label of a point of a logarithmic axis.
pub fn label(point: &f64) -> String {
    // Powers of ten come out a little beside what they are.
    let rounded = format!("{point:.4}");
    rounded.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_holds_all_that_a_logarithmic_axis_can_show() {
        assert_eq!(range([0.0].into_iter()), None);
        let range = range([2.0, 0.0, 8.0].into_iter()).unwrap();
        assert!(range.contains(&2.0) && range.contains(&8.0) && !range.contains(&0.0));
    }

    #[test]
    fn labels_are_short() {
        assert_eq!(label(&0.1), "0.1");
        assert_eq!(label(&1000.0), "1000");
        assert_eq!(label(&1.9999999999), "2");
    }
}
