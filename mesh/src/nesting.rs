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
    let points: Vec<_> = Samples::near_others(bounds, triangles)?.of_bodies(POINTS).collect();
    let lines = points.iter().map(|(_, [_, y, z])| [*y, *z]);
    // Only such a body can be around another one. The crossings of all others would be too many where a lot of bodies lie
    // behind each other, like the links of a long chain.
    let may_be_around = |line: usize, other: u32| {
        let (body, _) = points[line];
        other != body && bounds[other as usize].contains(&bounds[body as usize], touching)
    };
    let crossings = Crossings::find(lines, may_be_around, triangles)?.ok_or(MeshError::TooComplex)?;
    let volume = |body: u32| bodies[body as usize].signed_volume();
    // Body by body, as the points are: the votes on all bodies at once would take as much memory as the crossings.
    let mut by_line = crossings.by_line().peekable();
    let mut end = 0;
    for of_body in points.chunk_by(|one, other| one.0 == other.0) {
        let (body, _) = of_body[0];
        end += of_body.len();
        // By other body: the number of points inside of it, and of those on its surface.
        let mut votes: HashMap<u32, (usize, usize)> = HashMap::new();
        while let Some((line, crossings)) = by_line.next_if(|(line, _)| *line < end) {
            let (_, [x, ..]) = points[line];
            for (other, inside) in sides(crossings, x, touching) {
                let vote = votes.entry(other).or_default();
                match inside {
                    Some(true) => vote.0 += 1,
                    Some(false) => {}
                    None => vote.1 += 1,
                }
            }
        }
        let around = votes.into_iter().filter(|(_, (inside, on))| *inside > 0 && inside + on == of_body.len());
        let outermost = around
            .map(|(other, _)| other)
            .max_by(|one, other| volume(*one).abs().total_cmp(&volume(*other).abs()).then(other.cmp(one)));
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
