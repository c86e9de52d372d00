//! A plot of curves as SVG, and their figures as CSV.

use std::{fmt::Write as _, fs, path::Path};

use anyhow::{Context as _, Result};
use plotters::{
    coord::{ranged1d::ValueFormatter, types::RangedCoordi32},
    prelude::*,
};

use crate::table::Spread;

const WIDTH: u32 = 800;
const PANEL_HEIGHT: u32 = 340;
const FONT: &str = "sans-serif";
/// Distinguishable with red or green blindness as well.
const COLOURS: [RGBColor; 3] = [RGBColor(0, 114, 178), RGBColor(213, 94, 0), RGBColor(0, 158, 115)];
/// Rounds that each point of a curve is measured in.
pub(super) const ROUNDS: usize = 3;

/// The horizontal axis.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    pub(super) name: &'static str,
    /// Ascending; drawn at equal distances.
    pub(super) values: &'static [u64],
}

/// Panels with the same horizontal axis, one below the other.
#[derive(Clone, Debug)]
pub(super) struct Plot {
    pub(super) title: String,
    pub(super) axis: Axis,
    pub(super) panels: Vec<Panel>,
}

/// Curves of the same unit.
#[derive(Clone, Debug)]
pub(super) struct Panel {
    /// The vertical axis, with its unit.
    pub(super) what: &'static str,
    /// Whether the vertical axis is logarithmic.
    pub(super) logarithmic: bool,
    pub(super) curves: Vec<Curve>,
}

/// A figure for each value of the axis.
#[derive(Clone, Debug)]
pub(super) struct Curve {
    pub(super) name: &'static str,
    pub(super) points: Vec<Spread>,
}

impl Curve {
    /// The curve of a figure over rounds; each round has a result for each value of the axis.
    pub(super) fn of<T>(name: &'static str, rounds: &[Vec<T>], figure: impl Fn(&T) -> f64) -> Self {
        let values = rounds.first().map_or(0, Vec::len);
        Self { name, points: (0..values).map(|at| Spread::of(rounds, |round| figure(&round[at]))).collect() }
    }
}

impl Plot {
    /// Writes the plot and its figures.
    pub(super) fn write(&self, folder: &Path, name: &str) -> Result<()> {
        let (plot, figures) = (folder.join(format!("{name}.svg")), folder.join(format!("{name}.csv")));
        fs::write(&figures, self.figures()?).with_context(|| format!("writing {}", figures.display()))?;
        self.draw(&plot).with_context(|| format!("drawing {}", plot.display()))
    }

    /// A line for each value of the axis, with the median, the least and the most of each curve.
    fn figures(&self) -> Result<String> {
        let curves = || self.panels.iter().flat_map(|panel| panel.curves.iter().map(move |curve| (panel.what, curve)));
        let mut text = self.axis.name.to_owned();
        for (what, Curve { name, .. }) in curves() {
            write!(text, ",\"{name}: {what}\",least,most")?;
        }
        for (at, value) in self.axis.values.iter().enumerate() {
            write!(text, "\n{value}")?;
            for Spread { median, least, most } in curves().filter_map(|(_, curve)| curve.points.get(at)) {
                write!(text, ",{median:.2},{least:.2},{most:.2}")?;
            }
        }
        text.push('\n');
        Ok(text)
    }

    fn draw(&self, file: &Path) -> Result<()> {
        let panels = u32::try_from(self.panels.len())?;
        let area = SVGBackend::new(file, (WIDTH, PANEL_HEIGHT * panels + 40)).into_drawing_area();
        area.fill(&WHITE)?;
        let area = area.titled(&self.title, (FONT, 20))?;
        for (panel, area) in self.panels.iter().zip(area.split_evenly((self.panels.len(), 1))) {
            let across = -1..i32::try_from(self.axis.values.len())?;
            let points = || panel.curves.iter().flat_map(|curve| &curve.points);
            let highest = points().map(|spread| spread.most).fold(0.0, f64::max);
            let lowest = points().map(|spread| spread.least).fold(highest, f64::min);
            let mut chart = ChartBuilder::on(&area);
            chart.margin(12).x_label_area_size(44).y_label_area_size(64);
            // The factors leave room for the legend.
            if panel.logarithmic {
                let scale = (lowest / 2.0..highest * 4.0).log_scale();
                panel.draw(chart.build_cartesian_2d(across, scale)?, self.axis)?;
            } else {
                panel.draw(chart.build_cartesian_2d(across, 0.0..highest * 1.35)?, self.axis)?;
            }
        }
        area.present()?;
        Ok(())
    }
}

impl Panel {
    fn draw<'a, Y: Ranged<ValueType = f64> + ValueFormatter<f64>>(
        &self,
        mut chart: ChartContext<'a, SVGBackend<'a>, Cartesian2d<RangedCoordi32, Y>>,
        axis: Axis,
    ) -> Result<()> {
        let value = |at: &i32| usize::try_from(*at).ok().and_then(|at| axis.values.get(at));
        let label = |at: &i32| value(at).map_or_else(String::new, |value| short(*value as f64));
        let mut mesh = chart.configure_mesh();
        mesh.x_desc(axis.name).y_desc(self.what).axis_desc_style((FONT, 15)).label_style((FONT, 13));
        mesh.x_labels(axis.values.len() + 2).x_label_formatter(&label).y_label_formatter(&|y| short(*y));
        mesh.light_line_style(TRANSPARENT).bold_line_style(BLACK.mix(0.12)).draw()?;
        for (curve, colour) in self.curves.iter().zip(COLOURS) {
            let points: Vec<_> = (0..).zip(&curve.points).collect();
            let medians = || points.iter().map(|(x, spread)| (*x, spread.median));
            chart
                .draw_series(LineSeries::new(medians(), colour.stroke_width(2)))?
                .label(curve.name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], colour.stroke_width(2)));
            chart.draw_series(medians().map(|point| Circle::new(point, 3, colour.filled())))?;
            let spreads = points
                .iter()
                .map(|(x, spread)| PathElement::new([(*x, spread.least), (*x, spread.most)], colour.mix(0.5)));
            chart.draw_series(spreads)?;
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .label_font((FONT, 14))
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK.mix(0.2))
            .draw()?;
        Ok(())
    }
}

/// A number as a label of an axis.
fn short(number: f64) -> String {
    match number {
        1e6.. => format!("{} M", number / 1e6),
        1e3.. => format!("{} k", number / 1e3),
        _ => format!("{}", (number * 100.0).round() / 100.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plot_and_its_figures_have_every_curve() -> Result<()> {
        let folder = std::env::temp_dir().join(format!("alexandrite-plot-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        for (name, logarithmic) in [("curves", false), ("logarithmic-curves", true)] {
            let axis = Axis { name: "clients", values: &[1, 2, 4, 8] };
            let rounds = [1000.0, 3000.0].map(|slow| (1..=4).map(|at| (1.5, slow * f64::from(at))).collect());
            let curves =
                vec![Curve::of("quick", &rounds, |round| round.0), Curve::of("slow", &rounds, |round| round.1)];
            let panels = vec![Panel { what: "duration, ms", logarithmic, curves }];
            Plot { title: "Durations".to_owned(), axis, panels }.write(&folder, name)?;
            let plot = fs::read_to_string(folder.join(format!("{name}.svg")))?;
            assert!(["Durations", "clients", "duration, ms", "quick", "slow"].iter().all(|text| plot.contains(text)));
            let figures = fs::read_to_string(folder.join(format!("{name}.csv")))?;
            assert_eq!(figures.lines().nth(3), Some("4,1.50,1.50,1.50,6000.00,3000.00,9000.00"));
        }
        fs::remove_dir_all(folder)?;
        Ok(())
    }
}
