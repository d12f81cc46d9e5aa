//! Lines over a value across, as a picture.

use plotters::prelude::*;
use std::path::Path;

const COLOURS: [RGBColor; 4] =
    [RGBColor(30, 90, 200), RGBColor(20, 140, 60), RGBColor(200, 30, 30), RGBColor(120, 120, 120)];

pub fn lines(path: &Path, title: &str, axes: [&str; 2], curves: &[(String, Vec<(f64, f64)>)]) {
    let points = || curves.iter().flat_map(|curve| &curve.1);
    let most = |of: fn(&(f64, f64)) -> f64| points().map(of).fold(0.0, f64::max) * 1.1;
    let sheet = SVGBackend::new(path, (760, 420)).into_drawing_area();
    sheet.fill(&WHITE).unwrap();
    let mut chart = ChartBuilder::on(&sheet)
        .caption(title, ("sans-serif", 18))
        .margin(8)
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d(0.0..most(|point| point.0), 0.0..most(|point| point.1))
        .unwrap();
    chart.configure_mesh().x_desc(axes[0]).y_desc(axes[1]).draw().unwrap();
    for ((name, points), colour) in curves.iter().zip(COLOURS.iter().cycle()) {
        let line = LineSeries::new(points.iter().copied(), colour.stroke_width(2));
        let mark = move |(x, y)| Rectangle::new([(x, y - 5), (x + 16, y + 5)], colour.filled());
        chart.draw_series(line).unwrap().label(name).legend(mark);
    }
    let labels = &mut chart.configure_series_labels();
    labels.position(SeriesLabelPosition::UpperLeft).background_style(WHITE).draw().unwrap();
    sheet.present().unwrap();
}
