//! Reads a 3D model, checks that its surface is closed, and measures its number of triangles, volume and surface.
//!
//! The input is the whole file in memory and is not trusted: declared counts size no allocation, names inside the file
//! are never opened, nesting is bounded, and the unpacked size is limited by [`Limits`]. The cost is linear in the size
//! of the unpacked file.
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

mod bodies;
mod body;
mod closed;
mod connected;
mod edges;
mod error;
mod forest;
mod format;
mod grid;
mod holes;
mod indexed;
mod limits;
mod lines;
mod nesting;
mod numbers;
mod obj;
mod overlap;
mod passes;
#[cfg(feature = "picture")]
mod picture;
mod samples;
#[cfg(feature = "solids")]
pub mod solids;
mod stl;
mod surface;
mod tally;
mod text;
mod texts;
mod threemf;
mod topology;
mod unit;
mod weld;

pub use error::MeshError;
pub use format::{Format, sniff};
pub use limits::{Inspection, Limits, Measures, Mended};
#[cfg(feature = "picture")]
pub use picture::picture;
pub use texts::Language;
pub use unit::Unit;

/// Reads a whole model file and measures it. Lengths are millimetres, unless a 3MF file names another unit.
///
/// Several bodies add up, whichever way they face; a body inside another one that faces against it is a cavity. Corners
/// that differ by rounding are welded and single triangles turned, where the surface isn't closed otherwise. Overlaps
/// count twice.
///
/// Takes milliseconds to seconds of CPU time, so an asynchronous caller runs it on a blocking thread.
///
/// # Errors
///
/// The file can't be read as `format`, exceeds `limits`, or its surface isn't closed.
pub fn measure(format: Format, bytes: &[u8], limits: &Limits) -> Result<Measures, MeshError> {
    inspect(format, Unit::Millimetre, bytes, limits).map(|inspection| inspection.measures)
}

/// Like [`measure`], with the unit of a file that names none, and with all that is known of the model.
///
/// # Errors
///
/// Those of [`measure`].
pub fn inspect(format: Format, unit: Unit, bytes: &[u8], limits: &Limits) -> Result<Inspection, MeshError> {
    let inspection = match format {
        Format::Stl => stl::inspect(bytes, limits).map(|inspection| inspection.scaled(unit)),
        Format::Obj => obj::inspect(bytes, limits).map(|inspection| inspection.scaled(unit)),
        Format::ThreeMf => threemf::inspect(bytes, limits),
    }?;
    check(&inspection.measures)?;
    check_size(&inspection, limits)?;
    Ok(inspection)
}

/// The unit that a file names: a 3MF file's, which is millimetres unless it says otherwise; `None` for other formats.
///
/// # Errors
///
/// The file can't be read as `format`.
pub fn named_unit(format: Format, bytes: &[u8], limits: &Limits) -> Result<Option<Unit>, MeshError> {
    match format {
        Format::Stl | Format::Obj => Ok(None),
        Format::ThreeMf => threemf::unit(bytes, limits).map(Some),
    }
}

/// Checks that the model encloses a volume.
fn check(measures: &Measures) -> Result<(), MeshError> {
    if measures.triangles == 0 {
        return Err(MeshError::Empty);
    }
    if !(measures.volume_mm3.is_finite() && measures.surface_mm2.is_finite()) {
        return Err(MeshError::NotFinite);
    }
    // A sphere has the largest volume for its surface; only corners on one line exceed it, by rounding. Rounding alone
    // leaves a flat, doubled sheet about 1e-15 of that volume, and the thinnest real solid is far above the threshold.
    let sphere = measures.surface_mm2.powf(1.5) / (6.0 * PI.sqrt());
    if !(1e-12 * sphere..=sphere).contains(&measures.volume_mm3) || measures.volume_mm3 == 0.0 {
        return Err(MeshError::NoVolume);
    }
    Ok(())
}

/// Checks that the model's largest extent is within the limits.
fn check_size(inspection: &Inspection, limits: &Limits) -> Result<(), MeshError> {
    let Inspection { unit, size_mm, .. } = *inspection;
    let largest = numbers::widest(&size_mm);
    let plausible = limits.smallest_mm..=limits.largest_mm;
    if plausible.contains(&largest) {
        return Ok(());
    }
    let extent = largest / unit.millimetres();
    let likely = Some(Unit::likely(extent)).filter(|likely| plausible.contains(&(extent * likely.millimetres())));
    Err(MeshError::ImplausibleSize { size_mm, unit, likely })
}
