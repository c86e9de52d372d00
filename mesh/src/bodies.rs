//! The volume of a surface's bodies: each faces outwards, unless it is a cavity in another one.

use crate::body::Body;
use crate::error::MeshError;
use crate::nesting;
use crate::overlap;
use crate::surface::{Placed, Surface};
use crate::tally::{Bounds, Sum, Vector};
use crate::topology::Topology;

/// The most bodies of a surface: what is kept of each while they are compared is more than of its triangles.
const MAX_BODIES: usize = 1 << 16;

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

impl Solid {
    /// The solid of a single body whose triangles all face the same way.
    pub(crate) fn of_one_body(signed_volume: f64) -> Self {
        Self {
            volume: signed_volume.abs(),
            bodies: 1,
            turned_bodies: u64::from(signed_volume < 0.0),
            ..Self::default()
        }
    }
}

/// Measures the bodies of a surface.
///
/// # Errors
///
/// There are too many bodies, or too many inside or behind each other.
pub(crate) fn measure(
    surface: &impl Surface,
    topology: &Topology,
    placed: &mut Placed<'_>,
) -> Result<Solid, MeshError> {
    if topology.bodies > MAX_BODIES {
        return Err(MeshError::TooComplex);
    }
    let mut bodies: Vec<Option<Body>> = vec![None; topology.bodies];
    let mut index = 0;
    surface.visit(
        |_| (),
        |triangle, _| {
            if let Some((body, against)) = topology.body(index) {
                bodies[body as usize].get_or_insert_with(|| Body::new(triangle[0])).add(triangle, against);
            }
            index += 1;
        },
    )?;
    let bodies: Vec<Body> = bodies.into_iter().flatten().collect();
    let mut triangles = |visitor: &mut dyn FnMut(u32, [Vector; 3])| {
        let mut index = 0;
        placed(&mut |corners| {
            if let Some((body, _)) = topology.body(index) {
                visitor(body, corners);
            }
            index += 1;
        })
    };
    let bounds: Vec<Bounds> = bodies.iter().map(|body| body.bounds).collect();
    let cavities = nesting::cavities(&bodies, &bounds, &mut triangles)?;
    let overlapping = overlap::count(&bounds, &cavities, &mut triangles)?;
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
