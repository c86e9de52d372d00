//! The passes over a surface that lead to its solid.
//!
//! The first one measures the triangles, checks that they are closed, and finds the bodies of nearly all files. Where it
//! fails because corners differ by rounding, a second one rounds them to a grid. Only where both fail, corners are welded
//! and numbered for a complete index of the edges.

use crate::bodies::{self, Solid};
use crate::closed::{self, Corner, Key, Parity};
use crate::connected::Pieces;
use crate::edges;
use crate::error::MeshError;
use crate::grid::Grid;
use crate::surface::{Placed, Surface};
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
    let solid = if let Some(topology) = pieces.topology() {
        measure(&topology, &mut |visitor| {
            surface.visit_single(|corners| visitor(corners.map(|corner| corner.map(f64::from))))
        })?
    } else {
        let tolerance = if pieces.is_closed() || parity.is_even() { 0.0 } else { WELD * bounds.diagonal() };
        drop(pieces);
        // A closed surface has about half as many vertices as triangles.
        let vertices = tally.triangles as usize / 2;
        let by_grid = if tolerance > 0.0 {
            rounded(surface, Grid::new(&key, vertices, tolerance, bounds.min), &measure)?
        } else {
            None
        };
        match by_grid {
            Some(solid) => solid,
            None => numbered(surface, Welder::new(vertices, tolerance, bounds.min), tally.triangles, &measure)?,
        }
    };
    Ok((Solid { surface: tally.surface(), bounds, ..solid }, tally.triangles))
}

/// Measures the bodies of a surface.
type Measure<'m> = dyn Fn(&Topology, &mut Placed<'_>) -> Result<Solid, MeshError> + 'm;

/// The solid of a surface whose corners are rounded to a grid; none if it isn't closed by that.
fn rounded(surface: &impl Surface, mut grid: Grid<'_>, measure: &Measure<'_>) -> Result<Option<Solid>, MeshError> {
    let mut pieces = Pieces::new();
    // Not as a label of each vertex: which corners are the same depends on the order, and that of the triangles is the one
    // that all formats have.
    surface.visit_single(|corners| {
        pieces.add(closed::sides(&corners.map(|position| grid.corner(position))).as_ref());
    })?;
    let Some(topology) = pieces.topology() else { return Ok(None) };
    let solid = measure(&topology, &mut |visitor| {
        surface.visit_single(|corners| visitor(corners.map(|position| grid.middle(position))))
    })?;
    Ok(Some(Solid { welded: true, ..solid }))
}

/// The solid of a surface by a complete index of its edges.
fn numbered(surface: &impl Surface, mut welder: Welder, count: u64, measure: &Measure<'_>) -> Result<Solid, MeshError> {
    let mut triangles = Vec::with_capacity(count as usize);
    surface.number(&mut welder, |triangle| triangles.push(triangle))?;
    let (points, welded) = welder.into_points();
    let topology = edges::topology(&points, &triangles)?;
    let solid = measure(&topology, &mut |visitor| {
        triangles.iter().for_each(|triangle| visitor(triangle.map(|number| points[number as usize].map(f64::from))));
        Ok(())
    })?;
    Ok(Solid { welded, ..solid })
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
