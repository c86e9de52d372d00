//! Points on the surfaces of bodies whose boxes meet those of others, spread over all of each body's triangles.

use crate::error::MeshError;
use crate::lines::Triangles;
use crate::tally::{Bounds, Vector};

/// The most points that are asked for of a body.
const MOST: usize = 128;
/// The most points of all bodies together: 12 MiB, and up to twice as many while they are collected.
const MOST_OF_ALL: usize = 1 << 19;
/// The weights of a triangle's corners in a point inside of it; uneven, so that lines miss the edges of regular models.
const WEIGHTS: [f64; 3] = [0.413, 0.331, 0.256];

/// By body, points on its surface; none if its box meets no other.
pub(crate) struct Samples(Vec<Spread>);

impl Samples {
    /// Points all over each body that is near others.
    pub(crate) fn near_others(bounds: &[Bounds], triangles: &mut Triangles<'_>) -> Result<Self, MeshError> {
        let meets = meeting(bounds);
        Self::collect(&meets, |_, _| true, triangles)
    }

    /// Points of each body where it is near others; all over it if it has none there.
    pub(crate) fn where_near(bounds: &[Bounds], triangles: &mut Triangles<'_>) -> Result<Self, MeshError> {
        let meets = meeting(bounds);
        let mut samples = Self::collect(&meets, |region, point| region.contains(&Bounds::of(point), 0.0), triangles)?;
        let missing: Vec<Option<Bounds>> =
            meets.iter().zip(&samples.0).map(|(region, spread)| region.filter(|_| spread.kept.is_empty())).collect();
        if missing.iter().any(Option::is_some) {
            let others = Self::collect(&missing, |_, _| true, triangles)?;
            for (spread, other) in samples.0.iter_mut().zip(others.0) {
                if spread.kept.is_empty() {
                    *spread = other;
                }
            }
        }
        Ok(samples)
    }

    fn collect(
        regions: &[Option<Bounds>],
        takes: impl Fn(&Bounds, Vector) -> bool,
        triangles: &mut Triangles<'_>,
    ) -> Result<Self, MeshError> {
        let mut spreads = vec![Spread::default(); regions.len()];
        // None if no body is near another one.
        if let Some(share) = MOST_OF_ALL.checked_div(regions.iter().flatten().count()) {
            let most = share.clamp(1, MOST);
            triangles(&mut |body, corners| {
                let Some(region) = &regions[body as usize] else { return };
                let point = [0, 1, 2].map(|axis| (0..3).map(|corner| WEIGHTS[corner] * corners[corner][axis]).sum());
                if takes(region, point) {
                    spreads[body as usize].offer(point, most);
                }
            })?;
        }
        Ok(Self(spreads))
    }

    /// Up to `count` points of each body, with the body.
    pub(crate) fn of_bodies(&self, count: usize) -> impl Iterator<Item = (u32, Vector)> {
        (0..).zip(&self.0).flat_map(move |(body, spread)| {
            let step = spread.kept.len().div_ceil(count).max(1);
            spread.kept.iter().step_by(step).map(move |point| (body, *point))
        })
    }
}

/// Evenly spread ones of many points, whose number isn't known before.
#[derive(Clone)]
struct Spread {
    kept: Vec<Vector>,
    seen: usize,
    step: usize,
}

impl Default for Spread {
    fn default() -> Self {
        Self { kept: Vec::new(), seen: 0, step: 1 }
    }
}

impl Spread {
    #[inline]
    fn offer(&mut self, point: Vector, most: usize) {
        if self.seen.is_multiple_of(self.step) {
            if self.kept.len() == 2 * most {
                self.step *= 2;
                let mut index = 0;
                self.kept.retain(|_| {
                    index += 1;
                    index % 2 == 1
                });
            }
            self.kept.push(point);
        }
        self.seen += 1;
    }
}

/// By body, the part of its box that meets those of others, if one does. Boxes are compared in the order of their least
/// x; where very many overlap along x, all are said to meet.
pub(crate) fn meeting(bounds: &[Bounds]) -> Vec<Option<Bounds>> {
    let mut budget = 4_000_000 + 64 * bounds.len() as u64;
    let mut order: Vec<usize> = (0..bounds.len()).collect();
    order.sort_unstable_by(|&one, &other| bounds[one].min[0].total_cmp(&bounds[other].min[0]));
    let mut meets: Vec<Option<Bounds>> = vec![None; bounds.len()];
    let mut active: Vec<usize> = Vec::new();
    for body in order {
        let own = &bounds[body];
        active.retain(|&other| bounds[other].max[0] >= own.min[0]);
        let Some(left) = budget.checked_sub(active.len() as u64) else {
            return bounds.iter().copied().map(Some).collect();
        };
        budget = left;
        for &other in &active {
            if own.meets(&bounds[other]) {
                let common = own.common(&bounds[other]);
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
