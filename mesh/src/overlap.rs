//! Which bodies share a part of their inside, found along lines through their surfaces where their boxes meet.
//!
//! The lines are a sample, so an overlap that is much smaller than its bodies may stay unseen. Bodies that only touch
//! don't overlap.

use crate::edges::Topology;
use crate::lines::Lines;
use crate::tally::Vector;

/// The most lines for each body.
const LINES: usize = 128;
/// The share of the model's extent that two bodies have to share along a line.
const DEPTH: f64 = 1e-4;
/// How far the lines are from the points on the surface, in y and z, as a share of the model's extent: a line within a
/// side that runs along x would be both in and beside a body that touches there.
const ASIDE: [f64; 2] = [0.7e-5, 1.1e-5];

/// The number of bodies that share a part of their inside with another one. `points` are on the surface of a body, or
/// `None` if no other is near.
pub(crate) fn count(
    lines: &mut Lines<'_>,
    topology: &Topology,
    cavities: &[bool],
    extent: f64,
    points: impl Fn(usize) -> Option<Vec<Vector>>,
) -> u64 {
    let mut overlapping = vec![false; cavities.len()];
    let (mut crossings, mut inside) = (Vec::new(), Vec::new());
    for body in 0..cavities.len() {
        let Some(points) = points(body) else { continue };
        for point in points.iter().step_by(points.len().div_ceil(LINES).max(1)) {
            if overlapping[body] {
                break;
            }
            // What has been found until the lines exceed their budget is true.
            if lines.crossings(point[1] + ASIDE[0] * extent, point[2] + ASIDE[1] * extent, &mut crossings).is_err() {
                return found(&overlapping);
            }
            crossings.sort_unstable_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
            mark(&crossings, topology, cavities, DEPTH * extent, &mut inside, &mut overlapping);
        }
    }
    found(&overlapping)
}

/// Marks the bodies that are inside each other between two crossings of a line.
fn mark(
    crossings: &[(f64, u32)],
    topology: &Topology,
    cavities: &[bool],
    depth: f64,
    inside: &mut Vec<u32>,
    overlapping: &mut [bool],
) {
    inside.clear();
    let mut marked = Vec::new();
    // How many solids the line is in, less the cavities.
    let mut solids = 0_i64;
    let mut last = f64::NEG_INFINITY;
    for &(x, triangle) in crossings {
        if solids > 1 && x - last > depth {
            marked.extend(inside.iter().copied().filter(|&body| !cavities[body as usize]));
        }
        last = x;
        let Some((body, _)) = topology.body(triangle as usize) else { continue };
        let sign = if cavities[body as usize] { -1 } else { 1 };
        match inside.iter().position(|&other| other == body) {
            Some(place) => {
                inside.swap_remove(place);
                solids -= sign;
            }
            None => {
                inside.push(body);
                solids += sign;
            }
        }
    }
    // A line that comes out of every body again; one through an edge may not, by rounding.
    if inside.is_empty() {
        marked.into_iter().for_each(|body| overlapping[body as usize] = true);
    }
}

fn found(overlapping: &[bool]) -> u64 {
    overlapping.iter().filter(|&&overlaps| overlaps).count() as u64
}
