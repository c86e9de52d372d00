//! Which bodies are cavities: inside another one, and facing against it.
//!
//! A body is inside another one if points all over its surface are: from each, a line along the x axis crosses the
//! other body an odd number of times. Only bodies whose boxes meet are looked at.

use std::collections::HashMap;

use crate::body::Body;
use crate::error::MeshError;
use crate::lines::{Crossing, Crossings, Triangles};
use crate::samples::Samples;
use crate::tally::{Bounds, extent};

/// The number of points at which a body is compared with those around it.
const POINTS: usize = 16;
/// The share of the model's extent within which a point is on a surface, rather than on one of its sides.
const TOUCHING: f64 = 1e-6;

/// Finds out which bodies are cavities.
///
/// # Errors
///
/// So many bodies lie behind each other that finding out exceeds its bounds.
pub(crate) fn cavities(
    bodies: &[Body],
    bounds: &[Bounds],
    triangles: &mut Triangles<'_>,
) -> Result<Vec<bool>, MeshError> {
    let touching = TOUCHING * extent(bounds);
    let mut cavities = vec![false; bodies.len()];
    let points = Samples::near_others(bounds, triangles)?.of_bodies(POINTS);
    let lines: Vec<_> = points.iter().map(|(_, [_, y, z])| [*y, *z]).collect();
    let crossings = Crossings::find(&lines, triangles)?.ok_or(MeshError::TooComplex)?;
    // By body and other body: the number of points inside of it, and of those on its surface.
    let mut votes: HashMap<(u32, u32), (usize, usize)> = HashMap::new();
    for (line, crossings) in crossings.by_line() {
        let (body, [x, ..]) = points[line];
        for (other, inside) in sides(crossings, x, touching) {
            let vote = votes.entry((body, other)).or_default();
            match inside {
                Some(true) => vote.0 += 1,
                Some(false) => {}
                None => vote.1 += 1,
            }
        }
    }
    let mut taken = vec![0; bodies.len()];
    points.iter().for_each(|(body, _)| taken[*body as usize] += 1);
    let volume = |body: u32| bodies[body as usize].signed_volume();
    let mut outermost: Vec<Option<u32>> = vec![None; bodies.len()];
    for ((body, other), (inside, on)) in votes {
        let is_around = other != body
            && inside > 0
            && inside + on == taken[body as usize]
            && bounds[other as usize].contains(&bounds[body as usize], touching);
        let place = &mut outermost[body as usize];
        let larger = |known: u32| volume(other).abs().total_cmp(&volume(known).abs()).then(known.cmp(&other)).is_gt();
        if is_around && place.is_none_or(larger) {
            *place = Some(other);
        }
    }
    for (body, outermost) in (0..).zip(outermost) {
        cavities[body as usize] = outermost.is_some_and(|outer| (volume(outer) < 0.0) != (volume(body) < 0.0));
    }
    Ok(cavities)
}

/// For each body that a line crosses, whether the point at `x` is inside of it; `None` on its surface.
fn sides(crossings: &[Crossing], x: f64, touching: f64) -> Vec<(u32, Option<bool>)> {
    let mut found = crossings.to_vec();
    found.sort_unstable_by_key(|crossing| crossing.body);
    found
        .chunk_by(|one, other| one.body == other.body)
        .map(|group| {
            let on_surface = group.iter().any(|crossing| (crossing.x - x).abs() <= touching);
            let beyond = group.iter().filter(|crossing| crossing.x > x).count();
            (group[0].body, (!on_surface).then_some(beyond % 2 == 1))
        })
        .collect()
}
