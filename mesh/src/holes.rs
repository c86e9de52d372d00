//! The holes of a surface: connected open edges, how many there are, and where the largest is.

use std::collections::HashMap;

use crate::error::MeshError;
use crate::forest::Forest;
use crate::tally::{Vector, length, minus};
use crate::weld::Point;

/// An edge, as its lower and its higher vertex.
pub(crate) type Edge = [u32; 2];

/// The error for a surface with these open edges, of which there is at least one.
pub(crate) fn error(points: &[Point], open: &[Edge]) -> MeshError {
    let mut numbers = HashMap::new();
    let mut forest = Forest::new(open.len());
    // An edge joins the first one at each of its ends.
    for (index, edge) in open.iter().enumerate() {
        for vertex in edge {
            let first = *numbers.entry(*vertex).or_insert(index as u32);
            forest.join(first, index as u32, false);
        }
    }
    let mut holes = vec![Hole::default(); open.len()];
    for (index, edge) in open.iter().enumerate() {
        let (root, _) = forest.root(index as u32);
        let [from, to] = edge.map(|vertex| points[vertex as usize]);
        holes[root as usize].add(from, to);
    }
    let count = holes.iter().filter(|hole| hole.edges > 0.0).count() as u64;
    let mut largest = &holes[0];
    for hole in &holes {
        if hole.length > largest.length {
            largest = hole;
        }
    }
    MeshError::NotClosed { open_edges: open.len() as u64, holes: count, largest_at: largest.centre() }
}

/// The edges of a hole.
#[derive(Clone, Copy, Default)]
struct Hole {
    edges: f64,
    length: f64,
    /// The sum of the edges' middles.
    middles: Vector,
}

impl Hole {
    fn add(&mut self, from: Point, to: Point) {
        let middle = middle(from, to);
        self.edges += 1.0;
        self.length += length(minus(to.map(f64::from), from.map(f64::from)));
        self.middles = [0, 1, 2].map(|axis| self.middles[axis] + middle[axis]);
    }

    fn centre(&self) -> Vector {
        self.middles.map(|sum| sum / self.edges)
    }
}

/// The middle of an edge.
pub(crate) fn middle(from: Point, to: Point) -> Vector {
    [0, 1, 2].map(|axis| (f64::from(from[axis]) + f64::from(to[axis])) / 2.0)
}
