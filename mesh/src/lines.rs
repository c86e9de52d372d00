//! Finds the triangles that a line along the x axis crosses, with a tree of boxes in the plane of y and z.
//!
//! The tree splits at medians, so its depth is logarithmic however the triangles lie. All lines together have a budget,
//! because a small file can stack all of its triangles above each other.

use crate::tally::Vector;

/// The most triangles of a leaf.
const LEAF: usize = 8;

/// A box in the plane of y and z: the least and the greatest coordinates.
type Flat = [[f64; 2]; 2];

/// Triangles of an indexed surface.
pub(crate) struct Lines<'s> {
    points: &'s [Vector],
    triangles: &'s [[u32; 3]],
    /// The triangles in the order of the leaves.
    order: Vec<u32>,
    /// The boxes of the tree: the children of node n are 2n and 2n + 1.
    boxes: Vec<Flat>,
    steps_left: u64,
}

/// The lines cost more than their budget.
#[derive(Debug)]
pub(crate) struct Exhausted;

impl<'s> Lines<'s> {
    /// Lines through those of the triangles that `order` lists.
    pub(crate) fn new(points: &'s [Vector], triangles: &'s [[u32; 3]], order: Vec<u32>) -> Self {
        let steps_left = 4_000_000 + 128 * order.len() as u64;
        let leaves = order.len().div_ceil(LEAF).next_power_of_two();
        let boxes = vec![[[f64::INFINITY; 2], [f64::NEG_INFINITY; 2]]; 2 * leaves];
        let mut lines = Self { points, triangles, order, boxes, steps_left };
        lines.split(1, 0, lines.order.len());
        lines
    }

    fn corners(&self, triangle: u32) -> [Vector; 3] {
        self.triangles[triangle as usize].map(|corner| self.points[corner as usize])
    }

    fn split(&mut self, node: usize, start: usize, end: usize) {
        let [mut low, mut high] = self.boxes[node];
        for &triangle in &self.order[start..end] {
            for [_, y, z] in self.corners(triangle) {
                low = [low[0].min(y), low[1].min(z)];
                high = [high[0].max(y), high[1].max(z)];
            }
        }
        self.boxes[node] = [low, high];
        if end - start <= LEAF {
            return;
        }
        let axis = if high[0] - low[0] > high[1] - low[1] { 1 } else { 2 };
        let (points, triangles) = (self.points, self.triangles);
        let centre = |triangle: u32| -> f64 {
            triangles[triangle as usize].iter().map(|&corner| points[corner as usize][axis]).sum()
        };
        let half = (end - start) / 2;
        self.order[start..end]
            .select_nth_unstable_by(half, |&one, &other| centre(one).total_cmp(&centre(other)).then(one.cmp(&other)));
        self.split(2 * node, start, start + half);
        self.split(2 * node + 1, start + half, end);
    }

    /// Collects where the line through `y` and `z` crosses which triangle, in no order.
    pub(crate) fn crossings(&mut self, y: f64, z: f64, crossings: &mut Vec<(f64, u32)>) -> Result<(), Exhausted> {
        crossings.clear();
        let mut pending = vec![(1, 0, self.order.len())];
        while let Some((node, start, end)) = pending.pop() {
            let [low, high] = self.boxes[node];
            self.steps_left = self.steps_left.checked_sub(1).ok_or(Exhausted)?;
            if y < low[0] || y > high[0] || z < low[1] || z > high[1] {
                continue;
            }
            if end - start > LEAF {
                let half = (end - start) / 2;
                pending.extend([(2 * node, start, start + half), (2 * node + 1, start + half, end)]);
                continue;
            }
            self.steps_left = self.steps_left.saturating_sub((end - start) as u64);
            let leaf = self.order[start..end].iter();
            crossings.extend(leaf.filter_map(|&triangle| Some((self.crossing(triangle, y, z)?, triangle))));
        }
        Ok(())
    }

    /// Where the line crosses a triangle. Both triangles at an edge agree on which side of it the line is, because that
    /// is computed from the edge's lower vertex to its higher one.
    fn crossing(&self, triangle: u32, y: f64, z: f64) -> Option<f64> {
        let corners = self.triangles[triangle as usize];
        let sides = [(1, 2), (2, 0), (0, 1)].map(|(from, to)| {
            let (from, to) = (corners[from], corners[to]);
            let [low, high] = [from.min(to), from.max(to)].map(|vertex| self.points[vertex as usize]);
            let area = (high[1] - low[1]) * (z - low[2]) - (high[2] - low[2]) * (y - low[1]);
            // Zero counts as left, in both triangles.
            (area >= 0.0) == (from < to)
        });
        if sides[0] != sides[1] || sides[1] != sides[2] {
            return None;
        }
        let [a, b, c] = self.corners(triangle);
        let weight =
            |from: Vector, to: Vector| ((to[1] - from[1]) * (z - from[2]) - (to[2] - from[2]) * (y - from[1])).abs();
        let weights = [weight(b, c), weight(c, a), weight(a, b)];
        let sum: f64 = weights.iter().sum();
        let x = (weights[0] * a[0] + weights[1] * b[0] + weights[2] * c[0]) / sum;
        x.is_finite().then_some(x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two triangles that make a square in the plane of y and z, for each of `layers` at x = 0, 1, 2…
    fn layers(layers: u32) -> (Vec<Vector>, Vec<[u32; 3]>) {
        let square = |x: u32| [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]].map(|[y, z]| [f64::from(x), y, z]);
        let points = (0..layers).flat_map(square).collect();
        let triangles = (0..layers).flat_map(|n| [[4 * n, 4 * n + 1, 4 * n + 2], [4 * n, 4 * n + 2, 4 * n + 3]]);
        (points, triangles.collect())
    }

    #[test]
    fn a_line_crosses_each_layer_once_even_through_an_edge() {
        let (points, triangles) = layers(50);
        let mut lines = Lines::new(&points, &triangles, (0..100).collect());
        let mut crossings = Vec::new();
        for (y, z) in [(0.3, 0.6), (0.6, 0.3), (0.5, 0.5)] {
            lines.crossings(y, z, &mut crossings).expect("a small model");
            crossings.sort_by(|one, other| one.0.total_cmp(&other.0));
            assert_eq!(
                crossings.iter().map(|(x, _)| x.round()).collect::<Vec<_>>(),
                (0..50).map(f64::from).collect::<Vec<_>>()
            );
        }
        lines.crossings(1.5, 0.5, &mut crossings).expect("a small model");
        assert!(crossings.is_empty());
    }

    #[test]
    fn lines_through_many_layers_exhaust_their_budget() {
        let (points, triangles) = layers(10_000);
        let mut lines = Lines::new(&points, &triangles, (0..20_000).collect());
        let lines = (0..10_000).map(|_| lines.crossings(0.3, 0.6, &mut Vec::new()));
        assert!(lines.collect::<Result<(), _>>().is_err());
    }
}
