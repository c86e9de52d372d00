//! Finds the bodies of an indexed surface by all of its edges.
//!
//! The edges are grouped by their lower vertex, so no table of edges is needed. Two triangles at an edge belong to one
//! body; where four or more meet, bodies touch, and each is closed by itself, or else they are one. Triangles with two
//! equal corners are left out.

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
    let uses = Uses::new(points.len(), triangles);
    if uses.edges().any(|halves| halves.len() == 1) {
        let open = uses.into_open();
        return Err(holes::error(points, open.iter().map(|&half| edge(triangles, half))));
    }
    let mut forest = Forest::new(triangles.len());
    let mut twisted = None;
    for halves in uses.edges() {
        if let [one, other] = *halves {
            let same_way = is_forward(triangles, one) == is_forward(triangles, other);
            if !forest.join(one / 3, other / 3, same_way) {
                twisted.get_or_insert(one);
            }
        }
    }
    let crowded = || uses.edges().filter(|halves| halves.len() > 2);
    for halves in crowded() {
        join_crowded(triangles, halves, &mut forest);
    }
    // The second time, all bodies that have to be joined are.
    let mut branching = crowded().filter(|halves| !join_crowded(triangles, halves, &mut forest));
    if let Some(first) = branching.next() {
        let first_at = middle(points, edge(triangles, first[0]));
        return Err(MeshError::NonManifold { edges: 1 + branching.count() as u64, first_at });
    }
    drop(branching);
    if let Some(first) = twisted {
        return Err(MeshError::NotOrientable { at: middle(points, edge(triangles, first)) });
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

/// The numbers of the triangles' sides, grouped by the lower of their vertices and in the order of the higher one.
struct Uses<'t> {
    triangles: &'t [[u32; 3]],
    starts: Vec<u32>,
    halves: Vec<u32>,
}

impl<'t> Uses<'t> {
    fn new(points: usize, triangles: &'t [[u32; 3]]) -> Self {
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
        let mut halves = vec![0; starts[points] as usize];
        for (index, &[a, b, c]) in sides() {
            for (side, (one, other)) in [(a, b), (b, c), (c, a)].into_iter().enumerate() {
                let next = &mut starts[one.min(other) as usize];
                halves[*next as usize] = (3 * index + side) as u32;
                *next += 1;
            }
        }
        // Each start has moved to the next one's place.
        starts.rotate_right(1);
        starts[0] = 0;
        for group in starts.windows(2) {
            let group = &mut halves[group[0] as usize..group[1] as usize];
            group.sort_unstable_by_key(|&half| (edge(triangles, half).1, half));
        }
        Self { triangles, starts, halves }
    }

    /// The sides of each edge.
    fn edges(&self) -> impl Iterator<Item = &[u32]> {
        self.starts.windows(2).flat_map(|group| {
            let group = &self.halves[group[0] as usize..group[1] as usize];
            group.chunk_by(|&one, &other| edge(self.triangles, one).1 == edge(self.triangles, other).1)
        })
    }

    /// The sides that are alone at their edge. They take the place of all: a file may have nothing else.
    fn into_open(self) -> Vec<u32> {
        let Self { triangles, starts, mut halves } = self;
        let mut open = 0;
        for group in starts.windows(2) {
            let (mut next, end) = (group[0] as usize, group[1] as usize);
            while next < end {
                let first = halves[next];
                let high = edge(triangles, first).1;
                let sides = halves[next..end].iter().take_while(|&&half| edge(triangles, half).1 == high).count();
                if sides == 1 {
                    halves[open] = first;
                    open += 1;
                }
                next += sides;
            }
        }
        halves.truncate(open);
        halves
    }
}

/// Joins the parts that aren't closed by themselves at an edge of more than two triangles. Returns whether all parts are
/// closed there.
fn join_crowded(triangles: &[[u32; 3]], halves: &[u32], forest: &mut Forest) -> bool {
    // By part: how many more of its sides run forwards than backwards.
    let mut balances: Vec<(u32, i32)> = halves
        .iter()
        .map(|&half| {
            let (root, opposite) = forest.root(half / 3);
            (root, if is_forward(triangles, half) == opposite { -1 } else { 1 })
        })
        .collect();
    balances.sort_unstable();
    let parts: Vec<(u32, i32)> = balances
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
        [(first, _), ..] if parts.iter().map(|(_, balance)| balance).sum::<i32>() == 0 => {
            parts.iter().all(|&(part, _)| forest.join(first, part, false))
        }
        _ => false,
    }
}

#[inline]
fn is_flat(&[a, b, c]: &[u32; 3]) -> bool {
    a == b || b == c || c == a
}

/// The edge of a side.
#[inline]
fn edge(triangles: &[[u32; 3]], half: u32) -> Edge {
    let (from, to) = ends(triangles, half);
    (from.min(to), from.max(to))
}

/// Whether a side runs from its lower to its higher vertex.
#[inline]
fn is_forward(triangles: &[[u32; 3]], half: u32) -> bool {
    let (from, to) = ends(triangles, half);
    from < to
}

#[inline]
fn ends(triangles: &[[u32; 3]], half: u32) -> (u32, u32) {
    let (triangle, side) = (triangles[half as usize / 3], half as usize % 3);
    (triangle[side], triangle[(side + 1) % 3])
}
