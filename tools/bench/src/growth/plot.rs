//! A picture of curves, and the file with their figures beside it.

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
/// InboundMessage apart by those who see no red or no green as well.
const COLOURS: [RGBColor; 3] = [RGBColor(0, 114, 178), RGBColor(213, 94, 0), RGBColor(0, 158, 115)];

/// What there is more and more of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Across {
    /// In words, for the axis.
    pub(super) what: &'static str,
    /// How many there are, from the fewest to the most: each so many times as many as the one before, or so many more. So
    /// they are drawn equally far from each other.
    pub(super) places: &'static [u64],
}

/// Curves over the same axis, in panels one below the other.
#[derive(Clone, Debug)]
pub(super) struct Plot {
    pub(super) title: String,
    pub(super) across: Across,
    pub(super) panels: Vec<Panel>,
}

/// Curves of the same unit.
#[derive(Clone, Debug)]
pub(super) struct Panel {
    /// With its unit.
    pub(super) what: &'static str,
    /// Whether it is drawn on a logarithmic scale.
    pub(super) logarithmic: bool,
    pub(super) curves: Vec<Curve>,
}

/// What came out at each place, in each round.
#[derive(Clone, Debug)]
pub(super) struct Curve {
    name: &'static str,
    rounds: Vec<Vec<f64>>,
}

impl Curve {
    pub(super) fn new(name: &'static str, across: Across) -> Self {
        Self { name, rounds: vec![Vec::new(); across.places.len()] }
    }

    /// Adds what came out at this place.
    pub(super) fn add(&mut self, place: usize, figure: f64) {
        self.rounds[place].push(figure);
    }

    fn spreads(&self) -> impl Iterator<Item = Spread> {
        self.rounds.iter().map(|rounds| Spread::of(rounds.iter().copied()))
    }
}

impl Plot {
    /// Writes the picture and its figures.
    pub(super) fn write(&self, folder: &Path, name: &str) -> Result<()> {
        let (picture, figures) = (folder.join(format!("{name}.svg")), folder.join(format!("{name}.csv")));
        fs::write(&figures, self.figures()?).with_context(|| format!("writing {}", figures.display()))?;
        self.draw(&picture).with_context(|| format!("drawing {}", picture.display()))
    }

    /// A line for each place; of each curve the median and, where it was measured more than once, the least and the most.
    fn figures(&self) -> Result<String> {
        let curves = || self.panels.iter().flat_map(|panel| panel.curves.iter().map(move |curve| (panel.what, curve)));
        let mut text = self.across.what.to_owned();
        for (what, Curve { name, .. }) in curves() {
            write!(text, ",\"{name}: {what}\",least,most")?;
        }
        for (at, place) in self.across.places.iter().enumerate() {
            write!(text, "\n{place}")?;
            for Spread { median, least, most } in curves().filter_map(|(_, curve)| curve.spreads().nth(at)) {
                write!(text, ",{median:.2},{least:.2},{most:.2}")?;
            }
        }
        text.push('\n');
        Ok(text)
    }

    fn draw(&self, picture: &Path) -> Result<()> {
        let panels = u32::try_from(self.panels.len())?;
        let area = SVGBackend::new(picture, (WIDTH, PANEL_HEIGHT * panels + 40)).into_drawing_area();
        area.fill(&WHITE)?;
        let area = area.titled(&self.title, (FONT, 20))?;
        for (panel, area) in self.panels.iter().zip(area.split_evenly((self.panels.len(), 1))) {
            let across = -1..i32::try_from(self.across.places.len())?;
            let spreads = || panel.curves.iter().flat_map(Curve::spreads);
            let highest = spreads().map(|spread| spread.most).fold(0.0, f64::max);
            let lowest = spreads().map(|spread| spread.least).fold(highest, f64::min);
            let mut chart = ChartBuilder::on(&area);
            chart.margin(12).x_label_area_size(44).y_label_area_size(64);
            // With room for the legend.
            if panel.logarithmic {
                let scale = (lowest / 2.0..highest * 4.0).log_scale();
                panel.draw(chart.build_cartesian_2d(across, scale)?, self.across)?;
            } else {
                panel.draw(chart.build_cartesian_2d(across, 0.0..highest * 1.35)?, self.across)?;
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
        across: Across,
    ) -> Result<()> {
        let place = |at: &i32| usize::try_from(*at).ok().and_then(|at| across.places.get(at));
        let label = |at: &i32| place(at).map_or_else(String::new, |place| short(*place as f64));
        let mut mesh = chart.configure_mesh();
        mesh.x_desc(across.what).y_desc(self.what).axis_desc_style((FONT, 15)).label_style((FONT, 13));
        mesh.x_labels(across.places.len() + 2).x_label_formatter(&label).y_label_formatter(&|y| short(*y));
        mesh.light_line_style(TRANSPARENT).bold_line_style(BLACK.mix(0.12)).draw()?;
        for (curve, colour) in self.curves.iter().zip(COLOURS) {
            let points: Vec<_> = (0..).zip(curve.spreads()).collect();
            let medians = || points.iter().map(|(x, spread)| (*x, spread.median));
            chart
                .draw_series(LineSeries::new(medians(), colour.stroke_width(2)))?
                .label(curve.name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], colour.stroke_width(2)));
            chart.draw_series(medians().map(|point| Circle::new(point, 3, colour.filled())))?;
            // From the least to the most.
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

/// A number as one reads it on an axis.
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
    fn the_picture_and_its_figures_have_every_curve() -> Result<()> {
        let folder = std::env::temp_dir().join(format!("alexandrite-plot-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        for (name, logarithmic) in [("curves", false), ("logarithmic-curves", true)] {
            let across = Across { what: "clients", places: &[1, 2, 4, 8] };
            let [mut quick, mut slow] = ["quick", "slow"].map(|name| Curve::new(name, across));
            for place in 0..across.places.len() {
                quick.add(place, 1.5);
                slow.add(place, 1000.0 * (place + 1) as f64);
                slow.add(place, 3000.0 * (place + 1) as f64);
            }
            let panels = vec![Panel { what: "duration, ms", logarithmic, curves: vec![quick, slow] }];
            Plot { title: "Durations".to_owned(), across, panels }.write(&folder, name)?;
            let picture = fs::read_to_string(folder.join(format!("{name}.svg")))?;
            assert!(
                ["Durations", "clients", "duration, ms", "quick", "slow"].iter().all(|text| picture.contains(text))
            );
            let figures = fs::read_to_string(folder.join(format!("{name}.csv")))?;
            assert_eq!(figures.lines().nth(3), Some("4,1.50,1.50,1.50,6000.00,3000.00,9000.00"));
        }
        fs::remove_dir_all(folder)?;
        Ok(())
    }
}
