//! Which bodies share a part of their inside, found along lines through their surfaces where their boxes meet.
//!
//! The lines are a sample, so an overlap that is much smaller than its bodies may stay unseen. Bodies that only touch
//! don't overlap.

use crate::error::MeshError;
use crate::lines::{Crossing, Crossings, Triangles};
use crate::samples::Samples;
use crate::tally::{Bounds, extent};

/// The numbers of lines for each body: fewer, if more exceed their budget.
const LINES: [usize; 3] = [128, 16, 2];
/// The share of the model's extent that two bodies have to share along a line.
const DEPTH: f64 = 1e-4;
/// How far the lines are from the points on the surface, in y and z, as a share of the model's extent: a line within a
/// side that runs along x would be both in and beside a body that touches there.
const ASIDE: [f64; 2] = [0.7e-5, 1.1e-5];

/// The number of bodies that share a part of their inside with another one.
pub(crate) fn count(bounds: &[Bounds], cavities: &[bool], triangles: &mut Triangles<'_>) -> Result<u64, MeshError> {
    let extent = extent(bounds);
    let mut overlapping = vec![false; bounds.len()];
    let samples = Samples::where_near(bounds, triangles)?;
    for count in LINES {
        let points = samples.of_bodies(count);
        let aside = |(_, [_, y, z]): &(u32, [f64; 3])| [y + ASIDE[0] * extent, z + ASIDE[1] * extent];
        let lines: Vec<_> = points.iter().map(aside).collect();
        if let Some(crossings) = Crossings::find(&lines, triangles)? {
            for (_, crossings) in crossings.by_line() {
                mark(crossings, cavities, DEPTH * extent, &mut overlapping);
            }
            break;
        }
    }
    Ok(overlapping.iter().filter(|&&overlaps| overlaps).count() as u64)
}

/// Marks the bodies that are inside each other between two crossings of a line.
fn mark(crossings: &[Crossing], cavities: &[bool], depth: f64, overlapping: &mut [bool]) {
    let (mut inside, mut marked) = (Vec::new(), Vec::new());
    // How many solids the line is in, less the cavities.
    let mut solids = 0_i64;
    let mut last = f64::NEG_INFINITY;
    for &Crossing { x, body, .. } in crossings {
        if solids > 1 && x - last > depth {
            marked.extend(inside.iter().copied().filter(|&body: &u32| !cavities[body as usize]));
        }
        last = x;
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
