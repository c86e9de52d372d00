//! The limits and the results of a measurement.

use crate::bodies::Solid;
use crate::unit::Unit;

/// The limits of one model. A model that exceeds one is rejected, never truncated.
///
/// The numbers of triangles and vertices bound the memory: beyond the file itself, a model at both of the defaults takes
/// up to 176 MiB (`tests/memory.rs`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// The maximum number of triangles, after polygons are split and 3MF components are placed.
    pub max_triangles: u64,
    /// The maximum number of vertices that an OBJ or a 3MF file lists.
    pub max_vertices: u64,
    /// The maximum unpacked size of all parts of a 3MF file, in bytes.
    pub max_unpacked_bytes: u64,
    /// The smallest plausible value of the model's largest extent, in millimetres.
    pub smallest_mm: f64,
    /// The largest plausible value of the model's largest extent, in millimetres.
    pub largest_mm: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // A binary STL file of 64 MiB has 1.34 million triangles. A closed surface has half as many vertices.
            max_triangles: 2_000_000,
            max_vertices: 2_000_000,
            max_unpacked_bytes: 512 * 1024 * 1024,
            // No jewel is smaller or larger, and a ring in metres, inches or microns is.
            smallest_mm: 1.0,
            largest_mm: 1000.0,
        }
    }
}

/// The measures of a model, which its price depends on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measures {
    /// The number of triangles, after polygons are split and 3MF components are placed.
    pub triangles: u64,
    /// The enclosed volume in cubic millimetres, always positive.
    pub volume_mm3: f64,
    /// The area of the surface in square millimetres.
    pub surface_mm2: f64,
}

/// What is known of a model that can be priced.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Inspection {
    /// The measures, which the price depends on.
    pub measures: Measures,
    /// The unit in which the file was read; a 3MF file names its own.
    pub unit: Unit,
    /// The extents along x, y and z, in millimetres.
    pub size_mm: [f64; 3],
    /// The number of separate bodies, cavities included.
    pub bodies: u64,
    /// The number of bodies that share a part of their inside with another one, as far as a sample of lines through
    /// their surfaces finds them. What is shared counts in the volume as often as it is there.
    pub overlapping_bodies: u64,
    /// What the file lacked and the reader has put right.
    pub mended: Mended,
}

/// What a file lacked and the reader has put right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mended {
    /// The surface was closed by rounding its corners to cells of sixteen millionths of the model's diagonal, or by
    /// welding those within a millionth.
    pub welded: bool,
    /// The number of triangles that faced against the rest of their body.
    pub reoriented_triangles: u64,
    /// The number of bodies that faced inwards, or outwards as a cavity.
    pub turned_bodies: u64,
    /// The number of faces of an OBJ with fewer than three corners, which are left out.
    pub degenerate_faces: u64,
}

impl Inspection {
    /// The inspection of one solid, whose unit is not yet known.
    pub(crate) fn of(solid: &Solid, triangles: u64) -> Self {
        let mut mended = Mended::default();
        mended.add(solid);
        Self {
            measures: Measures { triangles, volume_mm3: solid.volume, surface_mm2: solid.surface },
            unit: Unit::Millimetre,
            size_mm: solid.bounds.size(),
            bodies: solid.bodies,
            overlapping_bodies: solid.overlapping_bodies,
            mended,
        }
    }

    /// The inspection of a model in this unit that was read in millimetres.
    pub(crate) fn scaled(mut self, unit: Unit) -> Self {
        let scale = unit.millimetres();
        self.unit = unit;
        self.size_mm = self.size_mm.map(|extent| extent * scale);
        self.measures.surface_mm2 *= scale * scale;
        self.measures.volume_mm3 *= scale * scale * scale;
        self
    }
}

impl Mended {
    /// The names of what was put right, for programs; none if nothing was.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        let Self { welded, reoriented_triangles, turned_bodies, degenerate_faces } = *self;
        let all = [
            (welded, "welded"),
            (reoriented_triangles > 0, "reoriented"),
            (turned_bodies > 0, "turned"),
            (degenerate_faces > 0, "left_out"),
        ];
        all.into_iter().filter_map(|(mended, name)| mended.then_some(name)).collect()
    }

    pub(crate) fn add(&mut self, solid: &Solid) {
        self.welded |= solid.welded;
        self.reoriented_triangles += solid.reoriented_triangles;
        self.turned_bodies += solid.turned_bodies;
    }
}
