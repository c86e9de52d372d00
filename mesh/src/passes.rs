//! The passes over a surface that lead to its solid.
//!
//! The first one measures the triangles, checks that they are closed, and finds the bodies of nearly all files. Where it
//! fails because corners differ by rounding, a second one welds them. Only where both fail, corners are numbered for a
//! complete index of the edges.

use crate::bodies::{self, Solid};
use crate::closed::{self, Corner, Key, Parity};
use crate::connected::Pieces;
use crate::edges;
use crate::error::MeshError;
use crate::surface::{Placed, Surface, single};
use crate::tally::{Bounds, Tally, Vector};
use crate::topology::Topology;
use crate::weld::Welder;

/// The distance within which corners are welded, as a share of the diagonal of the model's box. Rounding of exports is
/// far below it, and no gap that is part of a model.
const WELD: f64 = 1e-6;

/// The solid that a surface encloses, and its number of triangles.
///
/// # Errors
///
/// The surface isn't closed, also not after welding, or has no inside.
pub(crate) fn solid(surface: &impl Surface) -> Result<(Solid, u64), MeshError> {
    let key = Key::random();
    let mut pass: Option<FirstPass> = None;
    surface.visit(
        |position| key.corner(position),
        |triangle, corners| {
            pass.get_or_insert_with(|| FirstPass::new(triangle[0])).add(triangle, &corners);
        },
    )?;
    let FirstPass { tally, bounds, mut pieces, parity } = pass.ok_or(MeshError::Empty)?;
    if !tally.is_finite() {
        return Err(MeshError::NotFinite);
    }
    let measure = |topology: &Topology, placed: &mut Placed<'_>| match topology.bodies {
        1 if topology.is_oriented() => Ok(Solid::of_one_body(tally.signed_volume())),
        _ => bodies::measure(surface, topology, placed),
    };
    let solid = match pieces.topology() {
        Some(topology) => measure(&topology, &mut |visitor| {
            surface.visit(single, |_, corners| visitor(corners.map(|corner| corner.map(f64::from))))
        })?,
        None => {
            let tolerance = if pieces.is_closed() || parity.is_even() { 0.0 } else { WELD * bounds.diagonal() };
            drop(pieces);
            // A closed surface has about half as many vertices as triangles.
            let mut welder = Welder::new(tally.triangles as usize / 2, tolerance, bounds.min);
            let topology = numbered_topology(surface, &mut welder, &key)?;
            let solid = measure(&topology, &mut |visitor| {
                surface.number(&mut welder, |points, triangle| {
                    visitor(triangle.map(|number| points[number as usize].map(f64::from)));
                })
            })?;
            Solid { welded: welder.merged, ..solid }
        }
    };
    Ok((Solid { surface: tally.surface(), bounds, ..solid }, tally.triangles))
}

/// The bodies of a surface whose corners are numbered, found in one pass if welding them suffices.
fn numbered_topology(surface: &impl Surface, welder: &mut Welder, key: &Key) -> Result<Topology, MeshError> {
    if welder.is_tolerant() {
        let mut pieces = Pieces::new();
        surface.number(welder, |_, triangle| {
            pieces.add(closed::sides(&triangle.map(|number| key.numbered(number))).as_ref());
        })?;
        if let Some(topology) = pieces.topology() {
            return Ok(topology);
        }
    }
    let mut triangles = Vec::new();
    surface.number(welder, |_, triangle| triangles.push(triangle))?;
    edges::topology(&welder.points, &triangles)
}

/// The sums and checks of the first pass.
struct FirstPass {
    tally: Tally,
    bounds: Bounds,
    pieces: Pieces,
    parity: Parity,
}

impl FirstPass {
    /// A pass whose volumes refer to `origin`, which should be a vertex of the model.
    fn new(origin: Vector) -> Self {
        Self { tally: Tally::new(origin), bounds: Bounds::default(), pieces: Pieces::new(), parity: Parity::default() }
    }

    #[inline(always)]
    fn add(&mut self, triangle: [Vector; 3], corners: &[Corner; 3]) {
        self.tally.add(triangle);
        triangle.iter().for_each(|&corner| self.bounds.add(corner));
        let sides = closed::sides(corners);
        self.pieces.add(sides.as_ref());
        if let Some(sides) = &sides {
            self.parity.add(sides);
        }
    }
}
