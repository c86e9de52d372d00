//! The holes of a surface: connected open edges, how many there are, and where the largest is.

use crate::error::MeshError;
use crate::forest::Forest;
use crate::tally::{length, minus};
use crate::weld::Point;

/// An edge, as its lower and its higher vertex.
pub(crate) type Edge = (u32, u32);

/// The error for a surface with these open edges, of which there is at least one.
///
/// Only a length is kept of each hole: a file may have nothing but holes.
pub(crate) fn error(points: &[Point], open: impl ExactSizeIterator<Item = Edge> + Clone) -> MeshError {
    let mut forest = Forest::new(points.len());
    for (from, to) in open.clone() {
        forest.join(from, to, false);
    }
    let mut hole = |(from, _): Edge| forest.root(from).0 as usize;
    // By the hole's root; negative where there is none.
    let mut lengths = vec![-1.0_f64; points.len()];
    let (mut holes, mut largest) = (0, 0);
    for edge in open.clone() {
        let [from, to] = ends(points, edge).map(|point| point.map(f64::from));
        let sum = &mut lengths[hole(edge)];
        holes += u64::from(*sum < 0.0);
        *sum = sum.max(0.0) + length(minus(to, from));
    }
    for edge in open.clone() {
        let hole = hole(edge);
        if lengths[hole] > lengths[largest] {
            largest = hole;
        }
    }
    let (mut edges, mut middles) = (0.0, [0.0; 3]);
    for edge in open.clone().filter(|edge| hole(*edge) == largest) {
        let middle = middle(points, edge);
        edges += 1.0;
        middles = [0, 1, 2].map(|axis| middles[axis] + middle[axis]);
    }
    MeshError::NotClosed { open_edges: open.len() as u64, holes, largest_at: middles.map(|sum| sum / edges) }
}

fn ends(points: &[Point], (from, to): Edge) -> [Point; 2] {
    [from, to].map(|vertex| points[vertex as usize])
}

/// The middle of an edge.
pub(crate) fn middle(points: &[Point], edge: Edge) -> [f64; 3] {
    let [from, to] = ends(points, edge);
    [0, 1, 2].map(|axis| (f64::from(from[axis]) + f64::from(to[axis])) / 2.0)
}
