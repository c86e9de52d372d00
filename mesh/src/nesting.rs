//! Which bodies are cavities: those inside another one that face against it.
//!
//! A body is inside another one if points all over its surface are: from each, a line along the x axis crosses the
//! other body an odd number of times. Only bodies whose boxes meet are looked at.

use std::collections::HashMap;

use crate::bodies::Body;
use crate::edges::Topology;
use crate::error::MeshError;
use crate::lines::Lines;
use crate::tally::{Bounds, Vector};

/// The number of points at which a body is compared with those around it.
const SAMPLES: usize = 16;
/// The weights of a triangle's corners in a point inside of it; uneven, so that lines miss the edges of regular models.
const WEIGHTS: [f64; 3] = [0.413, 0.331, 0.256];
/// The share of the model's extent within which a point is on a surface, rather than on one of its sides.
const TOUCHING: f64 = 1e-6;

/// By body, whether it is a cavity.
pub(crate) fn cavities(
    bodies: &[Body],
    points: &[Vector],
    triangles: &[[u32; 3]],
    topology: &Topology,
) -> Result<Vec<bool>, MeshError> {
    let mut cavities = vec![false; bodies.len()];
    let meets = meeting(bodies);
    if !meets.contains(&true) {
        return Ok(cavities);
    }
    let groups = Groups::new(bodies, topology, triangles.len());
    let order = groups
        .triangles
        .iter()
        .copied()
        .filter(|&triangle| topology.body(triangle as usize).is_some_and(|(body, _)| meets[body as usize]));
    let mut lines = Lines::new(points, triangles, order.collect());
    let touching = TOUCHING * bodies.iter().fold(Bounds::default(), |all, body| all.with(&body.bounds)).diagonal();
    for body in (0..bodies.len()).filter(|&body| meets[body]) {
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
    Ok(cavities)
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

/// By body, whether its box meets that of another. Boxes are compared in the order of their least x; where very many
/// overlap along x, all are said to meet.
fn meeting(bodies: &[Body]) -> Vec<bool> {
    let mut budget = 4_000_000 + 16 * bodies.iter().map(Body::triangles).sum::<u64>();
    let mut order: Vec<usize> = (0..bodies.len()).collect();
    order.sort_unstable_by(|&one, &other| bodies[one].bounds.min[0].total_cmp(&bodies[other].bounds.min[0]));
    let mut meets = vec![false; bodies.len()];
    let mut active: Vec<usize> = Vec::new();
    for body in order {
        let bounds = &bodies[body].bounds;
        active.retain(|&other| bodies[other].bounds.max[0] >= bounds.min[0]);
        let Some(left) = budget.checked_sub(active.len() as u64) else { return vec![true; bodies.len()] };
        budget = left;
        for &other in &active {
            if bounds.meets(&bodies[other].bounds) {
                meets[body] = true;
                meets[other] = true;
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

    /// Up to `count` triangles of a body, spread over all of them.
    fn samples(&self, body: usize, count: usize) -> impl Iterator<Item = u32> {
        let all = &self.triangles[self.starts[body] as usize..self.starts[body + 1] as usize];
        all.iter().copied().step_by(all.len().div_ceil(count).max(1))
    }
}
