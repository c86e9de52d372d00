//! What is summed up of a body.

use crate::tally::{Bounds, Sum, Vector, dot, doubled_area, length, minus};

/// A body: triangles that are connected by edges.
#[derive(Clone, Copy)]
pub(crate) struct Body {
    origin: Vector,
    sixfold_volume: Sum,
    /// The area and the number of the triangles that face like the first one, and of those that face against it.
    ways: [(f64, u64); 2],
    pub(crate) bounds: Bounds,
}

impl Body {
    pub(crate) fn new(origin: Vector) -> Self {
        Self { origin, sixfold_volume: Sum::default(), ways: [(0.0, 0); 2], bounds: Bounds::default() }
    }

    pub(crate) fn add(&mut self, triangle: [Vector; 3], against: bool) {
        let area = doubled_area(triangle);
        let volume = dot(minus(triangle[0], self.origin), area);
        self.sixfold_volume.add(if against { -volume } else { volume });
        let way = &mut self.ways[usize::from(against)];
        *way = (way.0 + length(area), way.1 + 1);
        triangle.iter().for_each(|&corner| self.bounds.add(corner));
    }

    /// The volume as most of the surface faces: negative if that is inwards.
    pub(crate) fn signed_volume(&self) -> f64 {
        let volume = self.sixfold_volume.value() / 6.0;
        if self.ways[1].0 > self.ways[0].0 { -volume } else { volume }
    }

    /// The number of triangles that face against most of the surface.
    pub(crate) fn reoriented(&self) -> u64 {
        let [(like, likes), (against, opposites)] = self.ways;
        if against > like { likes } else { opposites }
    }
}
