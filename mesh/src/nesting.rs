//! How bodies lie to each other: which are cavities, inside another one and facing against it, and which overlap.
//!
//! A body is inside another one if points all over its surface are: from each, a line along the x axis crosses the
//! other body an odd number of times. Only bodies whose boxes meet are looked at.

use std::collections::HashMap;

use crate::bodies::Body;
use crate::edges::Topology;
use crate::error::MeshError;
use crate::lines::Lines;
use crate::overlap;
use crate::tally::{Bounds, Vector};

/// The number of points at which a body is compared with those around it.
const SAMPLES: usize = 16;
/// The weights of a triangle's corners in a point inside of it; uneven, so that lines miss the edges of regular models.
const WEIGHTS: [f64; 3] = [0.413, 0.331, 0.256];
/// The share of the model's extent within which a point is on a surface, rather than on one of its sides.
const TOUCHING: f64 = 1e-6;

/// How the bodies of a surface lie to each other.
pub(crate) struct Relations {
    /// By body, whether it is a cavity.
    pub(crate) cavities: Vec<bool>,
    /// The number of bodies that share a part of their inside with another one.
    pub(crate) overlapping: u64,
}

/// Finds out how the bodies lie to each other.
///
/// # Errors
///
/// So many lie behind each other that finding out exceeds its bounds.
pub(crate) fn relations(
    bodies: &[Body],
    points: &[Vector],
    triangles: &[[u32; 3]],
    topology: &Topology,
) -> Result<Relations, MeshError> {
    let mut cavities = vec![false; bodies.len()];
    let meets = meeting(bodies);
    if meets.iter().all(Option::is_none) {
        return Ok(Relations { cavities, overlapping: 0 });
    }
    let groups = Groups::new(bodies, topology, triangles.len());
    let order =
        groups.triangles.iter().copied().filter(|&triangle| {
            topology.body(triangle as usize).is_some_and(|(body, _)| meets[body as usize].is_some())
        });
    let mut lines = Lines::new(points, triangles, order.collect());
    let extent = bodies.iter().fold(Bounds::default(), |all, body| all.with(&body.bounds)).diagonal();
    let touching = TOUCHING * extent;
    for body in (0..bodies.len()).filter(|&body| meets[body].is_some()) {
        let samples = groups.samples(body, SAMPLES);
        // By other body: the number of points inside of it, and of those on its surface.
        let mut votes: HashMap<u32, (usize, usize)> = HashMap::new();
        let mut crossings = Vec::new();
        let mut taken = 0;
        for triangle in samples {
            let point = inner_point(points, triangles[triangle as usize]);
            lines.crossings(point[1], point[2], &mut crossings).map_err(|_| MeshError::TooComplex)?;
            taken += 1;
            for (other, inside) in sides(&crossings, topology, point[0], touching) {
                let vote = votes.entry(other).or_default();
                match inside {
                    Some(true) => vote.0 += 1,
                    Some(false) => {}
                    None => vote.1 += 1,
                }
            }
        }
        let volume = |other: u32| bodies[other as usize].signed_volume();
        let outermost = votes
            .into_iter()
            .filter(|&(other, (inside, on))| {
                other as usize != body
                    && inside > 0
                    && inside + on == taken
                    && bodies[other as usize].bounds.contains(&bodies[body].bounds, touching)
            })
            .map(|(other, _)| other)
            .max_by(|&one, &other| volume(one).abs().total_cmp(&volume(other).abs()).then(other.cmp(&one)));
        cavities[body] = outermost.is_some_and(|outer| (volume(outer) < 0.0) != (volume(body as u32) < 0.0));
    }
    let overlapping = overlap::count(&mut lines, topology, &cavities, extent, |body| {
        let region = meets[body]?;
        Some(groups.points_in(body, &region, points, triangles))
    });
    Ok(Relations { cavities, overlapping })
}

/// For each body that a line crosses, whether the point at `x` is inside of it; `None` on its surface.
fn sides(crossings: &[(f64, u32)], topology: &Topology, x: f64, touching: f64) -> Vec<(u32, Option<bool>)> {
    let body = |triangle: u32| topology.body(triangle as usize).map(|(body, _)| body);
    let mut found: Vec<(u32, f64)> =
        crossings.iter().filter_map(|&(crossing, triangle)| Some((body(triangle)?, crossing))).collect();
    found.sort_unstable_by_key(|&(body, _)| body);
    found
        .chunk_by(|one, other| one.0 == other.0)
        .map(|group| {
            let on_surface = group.iter().any(|(_, crossing)| (crossing - x).abs() <= touching);
            let beyond = group.iter().filter(|(_, crossing)| *crossing > x).count();
            (group[0].0, (!on_surface).then_some(beyond % 2 == 1))
        })
        .collect()
}

fn inner_point(points: &[Vector], triangle: [u32; 3]) -> Vector {
    let corners = triangle.map(|corner| points[corner as usize]);
    [0, 1, 2].map(|axis| (0..3).map(|corner| WEIGHTS[corner] * corners[corner][axis]).sum())
}

/// By body, the part of its box that meets those of others, if one does. Boxes are compared in the order of their least
/// x; where very many overlap along x, all are said to meet.
fn meeting(bodies: &[Body]) -> Vec<Option<Bounds>> {
    let mut budget = 4_000_000 + 16 * bodies.iter().map(Body::triangles).sum::<u64>();
    let mut order: Vec<usize> = (0..bodies.len()).collect();
    order.sort_unstable_by(|&one, &other| bodies[one].bounds.min[0].total_cmp(&bodies[other].bounds.min[0]));
    let mut meets: Vec<Option<Bounds>> = vec![None; bodies.len()];
    let mut active: Vec<usize> = Vec::new();
    for body in order {
        let bounds = &bodies[body].bounds;
        active.retain(|&other| bodies[other].bounds.max[0] >= bounds.min[0]);
        let Some(left) = budget.checked_sub(active.len() as u64) else {
            return bodies.iter().map(|body| Some(body.bounds)).collect();
        };
        budget = left;
        for &other in &active {
            if bounds.meets(&bodies[other].bounds) {
                let common = bounds.common(&bodies[other].bounds);
                for meeting in [body, other] {
                    let known = meets[meeting].unwrap_or_default();
                    meets[meeting] = Some(known.with(&common));
                }
            }
        }
        active.push(body);
    }
    meets
}

/// The triangles of each body.
struct Groups {
    starts: Vec<u32>,
    triangles: Vec<u32>,
}

impl Groups {
    fn new(bodies: &[Body], topology: &Topology, triangles: usize) -> Self {
        let mut starts = vec![0];
        for body in bodies {
            starts.push(starts[starts.len() - 1] + body.triangles() as u32);
        }
        let mut next = starts.clone();
        let mut grouped = vec![0; starts[bodies.len()] as usize];
        for triangle in 0..triangles {
            if let Some((body, _)) = topology.body(triangle) {
                let place = &mut next[body as usize];
                grouped[*place as usize] = triangle as u32;
                *place += 1;
            }
        }
        Self { starts, triangles: grouped }
    }

    fn all(&self, body: usize) -> &[u32] {
        &self.triangles[self.starts[body] as usize..self.starts[body + 1] as usize]
    }

    /// Up to `count` triangles of a body, spread over all of them.
    fn samples(&self, body: usize, count: usize) -> impl Iterator<Item = u32> {
        let all = self.all(body);
        all.iter().copied().step_by(all.len().div_ceil(count).max(1))
    }

    /// Points on the surface of a body within a region; on all of it if none is.
    fn points_in(&self, body: usize, region: &Bounds, points: &[Vector], triangles: &[[u32; 3]]) -> Vec<Vector> {
        let inner = |&triangle: &u32| inner_point(points, triangles[triangle as usize]);
        let within = |point: &Vector| region.contains(&Bounds { min: *point, max: *point }, 0.0);
        let found: Vec<Vector> = self.all(body).iter().map(inner).filter(within).collect();
        if found.is_empty() { self.all(body).iter().map(inner).collect() } else { found }
    }
}
