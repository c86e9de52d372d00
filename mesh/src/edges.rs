//! Finds the bodies of an indexed surface by all of its edges.
//!
//! The edges are grouped by their lower vertex, so no table of edges is needed. Two triangles at an edge belong to one
//! body; where four or more meet, bodies touch, and each is closed by itself, or else they are one. Triangles with two
//! equal corners are left out.

use std::ops::Range;

use crate::error::MeshError;
use crate::forest::Forest;
use crate::holes::{self, Edge, middle};
use crate::topology::{FLAT, Topology};
use crate::weld::Point;

/// Finds the bodies of a surface.
///
/// # Errors
///
/// Some edges have one triangle only, or can't be made the edges of closed bodies.
pub(crate) fn topology(points: &[Point], triangles: &[[u32; 3]]) -> Result<Topology, MeshError> {
    let mut uses = Uses::new(points.len(), triangles);
    let mut forest = Forest::new(triangles.len());
    let (mut open, mut crowded, mut twisted) = (Vec::new(), Vec::new(), Vec::new());
    uses.for_each_edge(|edge, halves, range| match *halves {
        [_] => open.push(edge),
        [(_, one), (_, other)] => {
            let same_way = is_forward(triangles, one) == is_forward(triangles, other);
            if !forest.join(one / 3, other / 3, same_way) {
                twisted.push(edge);
            }
        }
        _ => crowded.push(range),
    });
    if !open.is_empty() {
        return Err(holes::error(points, &open));
    }
    let mut branching = Vec::new();
    // The second time, all bodies that have to be joined are.
    for last in [false, true] {
        for range in &crowded {
            let halves = &uses.halves[range.start as usize..range.end as usize];
            if !join_crowded(triangles, halves, &mut forest) && last {
                branching.push(halves[0]);
            }
        }
    }
    if let Some(&(_, half)) = branching.first() {
        let [from, to] = ends(triangles, half).map(|vertex| points[vertex as usize]);
        return Err(MeshError::NonManifold { edges: branching.len() as u64, first_at: middle(from, to) });
    }
    if let Some(first) = twisted.first() {
        let [from, to] = first.map(|vertex| points[vertex as usize]);
        return Err(MeshError::NotOrientable { at: middle(from, to) });
    }
    drop(uses);
    Ok(label(triangles, forest))
}

fn label(triangles: &[[u32; 3]], mut forest: Forest) -> Topology {
    let mut bodies = 0;
    let mut labels = vec![FLAT; triangles.len()];
    // A root is the first triangle of its body.
    for (index, triangle) in triangles.iter().enumerate() {
        if is_flat(triangle) {
            continue;
        }
        let (root, opposite) = forest.root(index as u32);
        labels[index] = if root as usize == index {
            bodies += 1;
            (bodies - 1) << 1
        } else {
            labels[root as usize] | u32::from(opposite)
        };
    }
    Topology::new(labels, bodies as usize)
}

/// The triangles' sides, grouped by the lower of their vertices: the higher vertex and the number of the side.
struct Uses {
    starts: Vec<u32>,
    halves: Vec<(u32, u32)>,
}

impl Uses {
    fn new(points: usize, triangles: &[[u32; 3]]) -> Self {
        let mut starts = vec![0_u32; points + 1];
        let sides = || triangles.iter().enumerate().filter(|(_, triangle)| !is_flat(triangle));
        for (_, &[a, b, c]) in sides() {
            for (one, other) in [(a, b), (b, c), (c, a)] {
                starts[one.min(other) as usize + 1] += 1;
            }
        }
        for index in 0..points {
            starts[index + 1] += starts[index];
        }
        let mut halves = vec![(0, 0); starts[points] as usize];
        for (index, &[a, b, c]) in sides() {
            for (side, (one, other)) in [(a, b), (b, c), (c, a)].into_iter().enumerate() {
                let next = &mut starts[one.min(other) as usize];
                halves[*next as usize] = (one.max(other), (3 * index + side) as u32);
                *next += 1;
            }
        }
        // Each start has moved to the next one's place.
        starts.rotate_right(1);
        starts[0] = 0;
        Self { starts, halves }
    }

    /// Visits every edge with its sides and their place in the list.
    fn for_each_edge(&mut self, mut visit: impl FnMut(Edge, &[(u32, u32)], Range<u32>)) {
        for low in 0..self.starts.len() - 1 {
            let (mut start, end) = (self.starts[low], self.starts[low + 1]);
            let group = &mut self.halves[start as usize..end as usize];
            group.sort_unstable();
            for halves in group.chunk_by(|one, other| one.0 == other.0) {
                let next = start + halves.len() as u32;
                visit([low as u32, halves[0].0], halves, start..next);
                start = next;
            }
        }
    }
}

/// Joins the parts that aren't closed by themselves at an edge of more than two triangles. Returns whether all parts are
/// closed there.
fn join_crowded(triangles: &[[u32; 3]], halves: &[(u32, u32)], forest: &mut Forest) -> bool {
    // By part: how many more of its sides run forwards than backwards.
    let mut balances: Vec<(u32, i64)> = halves
        .iter()
        .map(|&(_, half)| {
            let (root, opposite) = forest.root(half / 3);
            (root, if is_forward(triangles, half) == opposite { -1 } else { 1 })
        })
        .collect();
    balances.sort_unstable();
    let parts: Vec<(u32, i64)> = balances
        .chunk_by(|one, other| one.0 == other.0)
        .map(|part| (part[0].0, part.iter().map(|(_, direction)| direction).sum()))
        .filter(|&(_, balance)| balance != 0)
        .collect();
    match parts[..] {
        [] => true,
        [(one, balance), (other, against)] if balance.abs() == against.abs() => {
            forest.join(one, other, balance == against)
        }
        // More than two: the file's own orientation decides.
        [(first, _), ..] if parts.iter().map(|(_, balance)| balance).sum::<i64>() == 0 => {
            parts.iter().all(|&(part, _)| forest.join(first, part, false))
        }
        _ => false,
    }
}

#[inline]
fn is_flat(&[a, b, c]: &[u32; 3]) -> bool {
    a == b || b == c || c == a
}

#[inline]
fn ends(triangles: &[[u32; 3]], half: u32) -> Edge {
    let (triangle, side) = (triangles[half as usize / 3], half as usize % 3);
    [triangle[side], triangle[(side + 1) % 3]]
}

/// Whether a side runs from its lower to its higher vertex.
#[inline]
fn is_forward(triangles: &[[u32; 3]], half: u32) -> bool {
    let [from, to] = ends(triangles, half);
    from < to
}
