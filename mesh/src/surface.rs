//! A surface of any format: the check whether it is closed, and its way to a solid.
//!
//! One pass over the triangles measures them, checks that they are closed, and proves in nearly all files that they are
//! one piece. Only if it doesn't, corners are numbered (and welded, if an edge is open), and bodies are told apart.

use crate::bodies::{self, Solid};
use crate::closed::{Balance, Corner};
use crate::connected::Pieces;
use crate::edges::Topology;
use crate::error::MeshError;
use crate::tally::{Bounds, Tally, Vector};
use crate::weld::Welder;

/// The distance within which corners are welded, as a share of the diagonal of the model's box. Rounding of exports is
/// far below it, and no gap that is part of a model.
const WELD: f64 = 1e-6;

/// Triangles that can be visited more than once.
pub(crate) trait Surface {
    /// Visits the triangles as they are written.
    fn visit(&self, visitor: impl FnMut([Vector; 3])) -> Result<(), MeshError>;

    /// The numbers of the triangles' corners.
    fn number(&self, welder: &mut Welder) -> Result<Vec<[u32; 3]>, MeshError>;
}

/// The sums and checks of the first pass.
pub(crate) struct FirstPass {
    pub(crate) tally: Tally,
    bounds: Bounds,
    balance: Balance,
    pieces: Pieces,
}

impl FirstPass {
    /// A pass whose volumes refer to `origin`, which should be a vertex of the model.
    pub(crate) fn new(origin: Vector) -> Self {
        Self { tally: Tally::new(origin), bounds: Bounds::default(), balance: Balance::new(), pieces: Pieces::new() }
    }

    #[inline(always)]
    pub(crate) fn add(&mut self, triangle: [Vector; 3], corners: &[Corner; 3]) {
        self.tally.add(triangle);
        triangle.iter().for_each(|&corner| self.bounds.add(corner));
        self.balance.add(corners);
        self.pieces.add(corners);
    }

    /// The solid that the surface encloses.
    ///
    /// # Errors
    ///
    /// The surface isn't closed, also not after welding, or has no inside.
    pub(crate) fn solid(self, surface: &impl Surface) -> Result<Solid, MeshError> {
        let Self { tally, bounds, balance, pieces } = self;
        if !tally.is_finite() {
            return Err(MeshError::NotFinite);
        }
        let is_closed = balance.is_closed();
        if is_closed && pieces.is_one() {
            let volume = tally.signed_volume();
            return Ok(Solid {
                volume: volume.abs(),
                surface: tally.surface(),
                bounds,
                bodies: 1,
                turned_bodies: u64::from(volume < 0.0),
                ..Solid::default()
            });
        }
        let tolerance = if is_closed || pieces.is_even() { 0.0 } else { WELD * bounds.diagonal() };
        drop(pieces);
        // A closed surface has about half as many vertices as triangles.
        let mut welder = Welder::new(tally.triangles as usize / 2, tolerance, bounds.min);
        let triangles = surface.number(&mut welder)?;
        let (points, welded) = (std::mem::take(&mut welder.points), welder.merged);
        drop(welder);
        let topology = Topology::of(&points, &triangles)?;
        let solid = bodies::measure(surface, &points, &triangles, &topology)?;
        Ok(Solid { surface: tally.surface(), bounds, welded, ..solid })
    }
}

/// A position in single precision, in which vertices are compared.
#[inline]
pub(crate) fn rounded(position: Vector) -> Vector {
    position.map(|coordinate| f64::from(coordinate as f32))
}
