//! Reads a 3D model and measures it: number of triangles, volume, surface, and whether it is a closed surface at all.
//!
//! The input is the whole file in memory and comes from strangers, so nothing in it is believed before it has been
//! checked: declared counts size no allocation, names inside the file are never opened, nesting is bounded, and what
//! a file may unpack to is limited by [`Limits`]. The cost is linear in the size of what is read.
//!
//! ```
//! use mesh::{Format, Limits, measure};
//!
//! let tetrahedron = b"v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 2 3 4\nf 3 1 4\n";
//! let measures = measure(Format::Obj, tetrahedron, &Limits::default())?;
//! assert_eq!(measures.triangles, 4);
//! assert!((measures.volume_mm3 - 1.0 / 6.0).abs() < 1e-12);
//! # Ok::<(), mesh::MeshError>(())
//! ```

use std::f64::consts::PI;

mod closed;
mod error;
mod format;
mod indexed;
mod obj;
mod package;
#[cfg(feature = "solids")]
pub mod solids;
mod stl;
mod tally;
mod text;
mod threemf;
mod xml;

pub use error::MeshError;
pub use format::{Format, sniff};

/// How much one model may ask for. A model beyond it is refused, never cut short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most triangles, counted after polygons are split and 3MF components are placed.
    pub max_triangles: u64,
    /// Most vertices that an OBJ or a 3MF file lists.
    pub max_vertices: u64,
    /// Most bytes that all parts of a 3MF file unpack to.
    pub max_unpacked_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_triangles: 5_000_000, max_vertices: 5_000_000, max_unpacked_bytes: 512 * 1024 * 1024 }
    }
}

/// What the price depends on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measures {
    /// Triangles, after polygons are split and 3MF components are placed.
    pub triangles: u64,
    /// Enclosed volume in cubic millimetres, always positive.
    pub volume_mm3: f64,
    /// Area of the surface in square millimetres.
    pub surface_mm2: f64,
}

/// Reads a whole model file and measures it. Lengths are millimetres, except where a 3MF file names another unit.
///
/// Several shells add up; one inside another that faces the other way is a cavity. A model that faces inwards as a whole
/// is measured as if it faced outwards. Overlaps count twice.
///
/// Takes milliseconds to seconds of computing, so an asynchronous caller runs it on a blocking thread.
///
/// # Errors
///
/// The file can't be read as `format`, is beyond `limits`, or its surface isn't closed.
pub fn measure(format: Format, bytes: &[u8], limits: &Limits) -> Result<Measures, MeshError> {
    let measures = match format {
        Format::Stl => stl::measure(bytes, limits),
        Format::Obj => obj::measure(bytes, limits),
        Format::ThreeMf => threemf::measure(bytes, limits),
    }?;
    if measures.triangles == 0 {
        return Err(MeshError::Empty);
    }
    if !(measures.volume_mm3.is_finite() && measures.surface_mm2.is_finite()) {
        return Err(MeshError::NotFinite);
    }
    // Nothing has more volume in its surface than a sphere; corners that all lie on one line do, by their rounding.
    // Rounding alone gives a flat, doubled sheet about 1e-15 of that, and the thinnest solid that could be made is far
    // above the threshold.
    let sphere = measures.surface_mm2.powf(1.5) / (6.0 * PI.sqrt());
    if !(1e-12 * sphere..=sphere).contains(&measures.volume_mm3) || measures.volume_mm3 == 0.0 {
        return Err(MeshError::NoVolume);
    }
    Ok(measures)
}
