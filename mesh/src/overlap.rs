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
        let aside = |(_, [_, y, z]): (u32, [f64; 3])| [y + ASIDE[0] * extent, z + ASIDE[1] * extent];
        let lines = samples.of_bodies(count).map(aside);
        if let Some(crossings) = Crossings::find(lines, |_, _| true, triangles)? {
            let mut inside = vec![false; bounds.len()];
            for (_, crossings) in crossings.by_line() {
                for body in sharing(crossings, cavities, DEPTH * extent, &mut inside) {
                    overlapping[body as usize] = true;
                }
            }
            break;
        }
    }
    Ok(overlapping.iter().filter(|&&overlaps| overlaps).count() as u64)
}

/// The bodies that are inside each other between two crossings of a line. `inside` is false for each body, before and
/// after.
fn sharing(crossings: &[Crossing], cavities: &[bool], depth: f64, inside: &mut [bool]) -> Vec<u32> {
    // The bodies that the line has entered since some were found: all others that it is in were found then. So a line takes
    // as many steps as it has crossings, however many bodies are inside each other.
    let mut entered = Vec::new();
    let mut found = Vec::new();
    // How many bodies the line is in, and how many solids, less the cavities.
    let (mut bodies, mut solids) = (0_usize, 0_i64);
    let mut last = f64::NEG_INFINITY;
    for &Crossing { x, body, .. } in crossings {
        if solids > 1 && x - last > depth {
            found.extend(entered.drain(..).filter(|&body: &u32| inside[body as usize] && !cavities[body as usize]));
        }
        last = x;
        let sign = if cavities[body as usize] { -1 } else { 1 };
        let enters = !inside[body as usize];
        inside[body as usize] = enters;
        if enters {
            entered.push(body);
            bodies += 1;
            solids += sign;
        } else {
            bodies -= 1;
            solids -= sign;
        }
    }
    // A line that comes out of every body again; one through an edge may not, by rounding.
    if bodies > 0 {
        crossings.iter().for_each(|crossing| inside[crossing.body as usize] = false);
        found.clear();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line that crosses these bodies at x = 0, 1, 2…
    fn through(bodies: impl IntoIterator<Item = u32>) -> Vec<Crossing> {
        (0_u32..).zip(bodies).map(|(x, body)| Crossing { line: 0, x: f64::from(x), body }).collect()
    }

    #[test]
    fn each_of_many_bodies_inside_each_other_is_found_once() {
        let (cavities, mut inside) = ([false; 1_000], [false; 1_000]);
        let crossings = through((0..1_000).chain((0..1_000).rev()));
        let found = sharing(&crossings, &cavities, 0.5, &mut inside);
        assert_eq!(found, (0..1_000).collect::<Vec<_>>());
    }

    #[test]
    fn a_body_that_the_line_has_left_shares_nothing_and_a_line_that_ends_inside_finds_nothing() {
        let (cavities, mut inside) = ([false; 3], [false; 3]);
        assert_eq!(sharing(&through([0, 0, 1, 2, 1, 2]), &cavities, 0.5, &mut inside), [1, 2]);
        assert_eq!(sharing(&through([0, 1, 0]), &cavities, 0.5, &mut inside), [0; 0]);
        assert_eq!(inside, [false; 3]);
        let cavity = [false, true, false];
        assert_eq!(sharing(&through([0, 1, 2, 2, 1, 0]), &cavity, 0.5, &mut inside), [0; 0]);
        assert_eq!(sharing(&through([0, 2, 1, 1, 2, 0]), &cavity, 0.5, &mut inside), [0, 2]);
    }
}
