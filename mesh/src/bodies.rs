//! The volume of a surface's bodies: each faces outwards, unless it is a cavity in another one.

use crate::edges::Topology;
use crate::error::MeshError;
use crate::nesting::{self, Relations};
use crate::surface::Surface;
use crate::tally::{Bounds, Sum, Vector, dot, doubled_area, length, minus};

/// What the bodies of a surface enclose, in the units of its coordinates.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Solid {
    pub(crate) volume: f64,
    pub(crate) surface: f64,
    pub(crate) bounds: Bounds,
    pub(crate) bodies: u64,
    /// Whether the surface was closed by welding corners.
    pub(crate) welded: bool,
    /// The number of triangles that face against most of their body.
    pub(crate) reoriented_triangles: u64,
    /// The number of bodies that face inwards, or outwards as a cavity.
    pub(crate) turned_bodies: u64,
    /// The number of bodies whose inside is shared with another one.
    pub(crate) overlapping_bodies: u64,
}

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
    fn new(origin: Vector) -> Self {
        Self { origin, sixfold_volume: Sum::default(), ways: [(0.0, 0); 2], bounds: Bounds::default() }
    }

    fn add(&mut self, triangle: [Vector; 3], against: bool) {
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
    fn reoriented(&self) -> u64 {
        let [(like, likes), (against, opposites)] = self.ways;
        if against > like { likes } else { opposites }
    }

    pub(crate) fn triangles(&self) -> u64 {
        self.ways[0].1 + self.ways[1].1
    }
}

/// Measures the bodies of a surface, of which `points` and `triangles` are the index.
pub(crate) fn measure(
    surface: &impl Surface,
    points: &[Vector],
    triangles: &[[u32; 3]],
    topology: &Topology,
) -> Result<Solid, MeshError> {
    let mut bodies: Vec<Option<Body>> = vec![None; topology.bodies];
    let mut index = 0;
    surface.visit(|triangle| {
        if let Some((body, against)) = topology.body(index) {
            bodies[body as usize].get_or_insert_with(|| Body::new(triangle[0])).add(triangle, against);
        }
        index += 1;
    })?;
    let bodies: Vec<Body> = bodies.into_iter().flatten().collect();
    let Relations { cavities, overlapping } = nesting::relations(&bodies, points, triangles, topology)?;
    let mut solid = Solid { bodies: bodies.len() as u64, overlapping_bodies: overlapping, ..Solid::default() };
    let mut volume = Sum::default();
    for (body, is_cavity) in bodies.iter().zip(cavities) {
        let signed = body.signed_volume();
        volume.add(if is_cavity { -signed.abs() } else { signed.abs() });
        solid.reoriented_triangles += body.reoriented();
        solid.turned_bodies += u64::from((signed < 0.0) != is_cavity);
    }
    solid.volume = volume.value();
    Ok(solid)
}
