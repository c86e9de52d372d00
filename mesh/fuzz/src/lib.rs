//! The properties of every file: no panic, memory in proportion to its size, not to the sizes that it declares, and
//! plausible measures. The fuzzer itself limits the time.

use std::f64::consts::PI;

use mesh::solids::Solid;
use mesh::{Format, Language, Limits, Measures, MeshError, Unit, inspect, measure, sniff};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Limits that a small file can exceed.
const LIMITS: Limits = Limits {
    max_triangles: 20_000,
    max_vertices: 10_000,
    max_unpacked_bytes: 4 << 20,
    smallest_mm: 0.0,
    largest_mm: f64::INFINITY,
};

/// The memory that a reader needs for any file: the windows, tables and elements of a 3MF file, each of which is
/// bounded.
const FIXED_MEMORY: usize = 16 << 20;

/// The memory per byte of a file. A triangle takes at least two bytes in an OBJ, and in memory 12 for itself while lists
/// grow, and about 60 while corners are numbered and edges are grouped.
const MEMORY_PER_BYTE: usize = 96;

/// Measures a file and checks the result.
pub fn check(format: Format, bytes: &[u8]) -> Result<Measures, MeshError> {
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let result = measure(format, bytes, &LIMITS);
    let used = MEMORY.peak_usage().saturating_sub(before);
    assert!(used <= FIXED_MEMORY + MEMORY_PER_BYTE * bytes.len(), "{used} bytes of memory for {}", bytes.len());

    assert_eq!(measure(format, bytes, &LIMITS), result, "the result depends on the random keys");
    match &result {
        Ok(measures) => assert_plausible(measures),
        Err(error) => assert_explained(error),
    }
    result
}

fn assert_plausible(measures: &Measures) {
    let Measures { triangles, volume_mm3, surface_mm2 } = *measures;
    assert!((1..=LIMITS.max_triangles).contains(&triangles), "{measures:?}");
    assert!(volume_mm3.is_finite() && volume_mm3 > 0.0, "{measures:?}");
    assert!(surface_mm2.is_finite() && surface_mm2 > 0.0, "{measures:?}");
    // A sphere has the largest volume for its surface.
    let sphere = surface_mm2.powf(1.5) / (6.0 * PI.sqrt());
    assert!(volume_mm3 <= 1.01 * sphere, "{measures:?}");
}

/// Checks that the customer's text is short and contains no data from the file.
fn assert_explained(error: &MeshError) {
    for language in [Language::English, Language::Russian] {
        let text = error.for_customer(language);
        assert!(text.ends_with('.') && text.len() < 600 && !text.contains(char::is_control), "{text:?}");
    }
    assert!(error.to_string().is_ascii());
    if let MeshError::NotClosed { open_edges: 0, .. } | MeshError::NonManifold { edges: 0, .. } = error {
        panic!("an open surface has open edges");
    }
}

/// Checks that a file has the same measures in every unit, scaled.
pub fn check_units(format: Format, bytes: &[u8]) {
    let expected = check(format, bytes);
    for unit in Unit::CHOICES {
        let scale = unit.millimetres();
        match (&expected, inspect(format, unit, bytes, &LIMITS)) {
            (Ok(expected), Ok(actual)) => {
                let volume = expected.volume_mm3 * scale.powi(3);
                assert!((actual.measures.volume_mm3 - volume).abs() <= 1e-12 * volume, "{unit:?} {actual:?}");
                assert_eq!(actual.unit, unit);
            }
            // The check of the volume compares rounded numbers.
            (Ok(_), Err(MeshError::NoVolume | MeshError::NotFinite)) | (Err(MeshError::NoVolume), Ok(_)) => {}
            (Err(expected), Err(actual)) => assert_eq!(actual.code(), expected.code()),
            (expected, actual) => panic!("{unit:?} {actual:?} {expected:?}"),
        }
    }
}

/// Checks that a file that can be measured is rejected at its first bytes only if these are another format's.
pub fn check_sniff(bytes: &[u8]) {
    for format in Format::ALL {
        let head = &bytes[..bytes.len().min(512)];
        // With the whole length known, the same first bytes are not judged more strictly.
        if sniff(format, head, None) {
            assert!(sniff(format, head, Some(bytes.len() as u64)), "{format:?}");
        }
        if check(format, bytes).is_ok() && !sniff(format, bytes, Some(bytes.len() as u64)) {
            let contradicted = match format {
                Format::Stl => true,
                Format::Obj => bytes.contains(&0),
                Format::ThreeMf => !bytes.starts_with(b"PK\x03\x04"),
            };
            assert!(contradicted, "{format:?} is rejected although it can be measured");
        }
    }
}

/// A solid of any vertices and triangles; mostly not a closed surface.
#[must_use]
pub fn solid(bytes: &[u8]) -> Option<Solid> {
    let (&count, rest) = bytes.split_first()?;
    let (positions, corners) = rest.split_at_checked(12 * usize::from(count))?;
    let coordinate = |four: &[u8]| f32::from_le_bytes([four[0], four[1], four[2], four[3]]);
    let position = |twelve: &[u8]| [0, 4, 8].map(|start| f64::from(coordinate(&twelve[start..start + 4])));
    let vertices: Vec<_> = positions.chunks_exact(12).map(position).collect();
    let corner = |byte: u8| u32::from(byte) % u32::from(count.max(1));
    let triangles = corners.as_chunks().0.iter().map(|&triangle: &[u8; 3]| triangle.map(corner)).collect();
    (count > 0).then_some(Solid { vertices, triangles })
}

/// Checks that every format has the same result for the same triangles.
pub fn check_formats_agree(solid: &Solid) {
    // Formats may differ in which of several errors they report for coordinates that are not finite.
    if !solid.vertices.iter().flatten().all(|coordinate| coordinate.is_finite()) {
        return;
    }
    let expected = check(Format::Stl, &solid.to_binary_stl());
    for (format, bytes) in
        [(Format::Stl, solid.to_ascii_stl()), (Format::Obj, solid.to_obj()), (Format::ThreeMf, solid.to_3mf())]
    {
        let actual = check(format, &bytes);
        match (&expected, &actual) {
            (Ok(expected), Ok(actual)) => {
                assert_eq!(actual.triangles, expected.triangles);
                let surface_error = (actual.surface_mm2 - expected.surface_mm2).abs();
                assert!(surface_error <= 1e-9 * expected.surface_mm2, "{format:?} {actual:?} {expected:?}");
                let volume_error = (actual.volume_mm3 - expected.volume_mm3).abs();
                assert!(volume_error <= rounding(solid, expected.surface_mm2), "{format:?} {actual:?} {expected:?}");
            }
            // A tiny volume may be rounded to zero.
            (Ok(some), Err(MeshError::NoVolume)) | (Err(MeshError::NoVolume), Ok(some)) => {
                assert!(some.volume_mm3 <= rounding(solid, some.surface_mm2), "{format:?} {some:?}");
            }
            // Places are rounded to the precision of their format.
            _ => assert_eq!(
                actual.map_err(|error| error.code()),
                expected.clone().map_err(|error| error.code()),
                "{format:?}"
            ),
        }
    }
}

/// The difference that two volumes of this solid may have if they refer to different vertices.
fn rounding(solid: &Solid, surface: f64) -> f64 {
    let extent = solid.vertices.iter().flatten().fold(0.0, |extent: f64, coordinate| extent.max(coordinate.abs()));
    1e-12 * surface * extent
}
