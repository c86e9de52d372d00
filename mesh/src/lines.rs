//! Where lines along the x axis cross the triangles of bodies.
//!
//! The lines are points in the plane of y and z, kept as a tree that splits at medians, so that its depth is logarithmic
//! however they lie. The triangles are visited once, in their own order. The steps and the crossings of all lines together
//! are limited, because a small file can stack all of its triangles above each other.

use crate::error::MeshError;
use crate::tally::Vector;

/// Visits the triangles of all bodies with the number of their body.
pub(crate) type Triangles<'t> = dyn FnMut(&mut dyn FnMut(u32, [Vector; 3])) -> Result<(), MeshError> + 't;

/// A place at which a line crosses a body.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Crossing {
    pub(crate) line: u32,
    pub(crate) x: f64,
    pub(crate) body: u32,
}

/// The crossings of all lines, in the order of the lines and of x.
pub(crate) struct Crossings(Vec<Crossing>);

impl Crossings {
    /// The crossings of the lines through these places in the plane of y and z, or `None` if there are too many, or
    /// finding them takes too many steps. Only those count for whose line, by its index, and body `counts` is true.
    pub(crate) fn find(
        lines: impl Iterator<Item = [f64; 2]>,
        counts: impl Fn(usize, u32) -> bool,
        triangles: &mut Triangles<'_>,
    ) -> Result<Option<Self>, MeshError> {
        let mut places: Vec<Place> = (0..).zip(lines).map(|(line, at)| Place { at, line }).collect();
        if places.is_empty() {
            return Ok(Some(Self(Vec::new())));
        }
        split(&mut places, 0);
        let mut found = Vec::new();
        let mut budget = Budget { fixed: 4_000_000, exhausted: false };
        triangles(&mut |body, corners| {
            if budget.exhausted {
                return;
            }
            budget.fixed += PER_TRIANGLE;
            let [low, high] = [f64::min as fn(f64, f64) -> f64, f64::max]
                .map(|best| [1, 2].map(|axis| best(best(corners[0][axis], corners[1][axis]), corners[2][axis])));
            within(&places, 0, [low, high], &mut budget, &mut |place| {
                if found.len() <= MAX_FOUND
                    && counts(place.line as usize, body)
                    && let Some(x) = crossing(corners, place.at)
                {
                    found.push(Crossing { line: place.line, x, body });
                }
            });
            budget.exhausted |= found.len() > MAX_FOUND;
        })?;
        if budget.exhausted {
            return Ok(None);
        }
        found.sort_unstable_by(|one: &Crossing, other| {
            one.line.cmp(&other.line).then(one.x.total_cmp(&other.x)).then(one.body.cmp(&other.body))
        });
        Ok(Some(Self(found)))
    }

    /// The crossings of each line that has some.
    pub(crate) fn by_line(&self) -> impl Iterator<Item = (usize, &[Crossing])> {
        self.0.chunk_by(|one, other| one.line == other.line).map(|crossings| (crossings[0].line as usize, crossings))
    }
}

/// The most crossings of all lines together: 32 MiB.
const MAX_FOUND: usize = 2_000_000;

/// The steps in the tree that each triangle may take on average.
const PER_TRIANGLE: u64 = 128;

struct Budget {
    fixed: u64,
    exhausted: bool,
}

/// A line, where it is in the plane of y and z.
struct Place {
    at: [f64; 2],
    line: u32,
}

/// Puts the median along the axis in the middle, what is less before it, what is greater behind it, and so on with the
/// other axis.
fn split(places: &mut [Place], axis: usize) {
    if places.len() > 1 {
        let middle = places.len() / 2;
        places.select_nth_unstable_by(middle, |one, other| one.at[axis].total_cmp(&other.at[axis]));
        split(&mut places[..middle], 1 - axis);
        split(&mut places[middle + 1..], 1 - axis);
    }
}

/// Visits the places within a box.
fn within(places: &[Place], axis: usize, area: [[f64; 2]; 2], budget: &mut Budget, visit: &mut impl FnMut(&Place)) {
    let middle = places.len() / 2;
    let Some(place) = places.get(middle) else { return };
    let Some(left) = budget.fixed.checked_sub(1) else {
        budget.exhausted = true;
        return;
    };
    budget.fixed = left;
    let [low, high] = area;
    if low[axis] <= place.at[axis] {
        within(&places[..middle], 1 - axis, area, budget, visit);
    }
    if (0..2).all(|axis| (low[axis]..=high[axis]).contains(&place.at[axis])) {
        visit(place);
    }
    if place.at[axis] <= high[axis] {
        within(&places[middle + 1..], 1 - axis, area, budget, visit);
    }
}

/// Where a line crosses a triangle. Both triangles at an edge agree on which side of it the line is, because that is
/// computed from the edge's lower end to its higher one.
fn crossing(corners: [Vector; 3], [y, z]: [f64; 2]) -> Option<f64> {
    let sides = [(1, 2), (2, 0), (0, 1)].map(|(from, to)| {
        let (from, to) = (corners[from], corners[to]);
        let [low, high] = if from < to { [from, to] } else { [to, from] };
        let area = (high[1] - low[1]) * (z - low[2]) - (high[2] - low[2]) * (y - low[1]);
        // Zero counts as left, in both triangles.
        (area >= 0.0) == (from < to)
    });
    if sides[0] != sides[1] || sides[1] != sides[2] {
        return None;
    }
    let [a, b, c] = corners;
    let weight =
        |from: Vector, to: Vector| ((to[1] - from[1]) * (z - from[2]) - (to[2] - from[2]) * (y - from[1])).abs();
    let weights = [weight(b, c), weight(c, a), weight(a, b)];
    let sum: f64 = weights.iter().sum();
    let x = (weights[0] * a[0] + weights[1] * b[0] + weights[2] * c[0]) / sum;
    x.is_finite().then_some(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The crossings with squares in the plane of y and z, at x = 0, 1, 2… and each of two triangles.
    fn through_layers(layers: u32, lines: &[[f64; 2]], counts: impl Fn(usize, u32) -> bool) -> Option<Crossings> {
        let mut triangles = |visitor: &mut dyn FnMut(u32, [Vector; 3])| {
            for layer in 0..layers {
                let [a, b, c, d] =
                    [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]].map(|[y, z]| [f64::from(layer), y, z]);
                visitor(layer, [a, b, c]);
                visitor(layer, [a, c, d]);
            }
            Ok(())
        };
        Crossings::find(lines.iter().copied(), counts, &mut triangles).expect("triangles")
    }

    fn all(_: usize, _: u32) -> bool {
        true
    }

    #[test]
    fn a_line_crosses_each_layer_once_even_through_an_edge() {
        let lines = [[0.3, 0.6], [1.5, 0.5], [0.6, 0.3], [0.5, 0.5]];
        let crossings = through_layers(50, &lines, all).expect("a small model");
        let found: Vec<_> = crossings.by_line().collect();
        assert_eq!(found.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [0, 2, 3]);
        for (_, crossings) in found {
            assert_eq!(crossings.iter().map(|crossing| crossing.body).collect::<Vec<_>>(), (0..50).collect::<Vec<_>>());
            assert!(crossings.iter().all(|crossing| (crossing.x - f64::from(crossing.body)).abs() < 1e-12));
        }
    }

    #[test]
    fn each_of_many_lines_is_found() {
        let lines: Vec<_> =
            (0..10_000).map(|line| [f64::from(line % 100) / 99.0, f64::from(line / 100) / 99.0]).collect();
        let crossings = through_layers(1, &lines, all).expect("a small model");
        // Those on the outline may count to it or not.
        let inner = lines.iter().filter(|place| place.iter().all(|&c| 0.0 < c && c < 1.0)).count();
        assert!((inner..=lines.len()).contains(&crossings.by_line().count()));
    }

    #[test]
    fn many_lines_through_many_layers_exhaust_their_budget() {
        assert!(through_layers(10_000, &[[0.3, 0.6]; 10_000], all).is_none());
    }

    #[test]
    fn more_crossings_than_their_limit_are_not_kept_though_the_steps_suffice() {
        // Each triangle takes a step for each line, which is its share of the budget.
        let lines = [[0.3, 0.6]; PER_TRIANGLE as usize];
        let layers = (MAX_FOUND / lines.len()) as u32 + 1;
        assert!(through_layers(layers, &lines, all).is_none());
        let of_one_body = through_layers(layers, &lines, |_, body| body == 7).expect("few crossings");
        assert_eq!(of_one_body.by_line().count(), lines.len());
    }
}
