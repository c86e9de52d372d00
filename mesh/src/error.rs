//! The errors of measuring a model: a stable code, and a sentence on what is wrong.

use crate::numbers::{coordinates, rounded, widest};
use crate::unit::Unit;

/// An error of measuring a model. `Display` is one sentence on what is wrong; [`MeshError::for_customer`] adds what to
/// do, in the customer's language.
///
/// The only text from the file is the name of an extension, of which nothing but the characters of a URL is kept. So
/// all texts are safe to store and to show.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MeshError {
    /// The file has no bytes, or no triangles.
    #[error("The file contains no triangles.")]
    Empty,
    /// The file violates its format.
    #[error("The file can't be read as a 3D model: {reason}{}.", at_line(*line))]
    Unreadable {
        /// The reason, as a clause without a full stop.
        reason: &'static str,
        /// The line of a text file at which it was found, from 1.
        line: Option<u64>,
    },
    /// A part of the 3MF file is encrypted, or the archive is protected by a password.
    #[error("The 3MF file is encrypted.")]
    Encrypted,
    /// The 3MF file requires an extension that could change its volume and isn't supported.
    #[error("The 3MF file requires the extension \"{extension}\", which isn't supported.")]
    UnsupportedExtension {
        /// The common name of a known extension, or else its namespace.
        extension: String,
    },
    /// A slicer's part that is cut out of the others, whose volume is known only after cutting.
    #[error("The 3MF file has a negative part, which a slicer would cut out of the others.")]
    NegativePart,
    /// A coordinate is NaN, infinite, or beyond the range of single precision.
    #[error("The model contains a coordinate that is not a number or is out of range.")]
    NotFinite,
    /// More triangles than [`Limits::max_triangles`](crate::limits::Limits::max_triangles).
    #[error("The model has more than {limit} triangles.")]
    TooManyTriangles {
        /// The limit.
        limit: u64,
    },
    /// More vertices than [`Limits::max_vertices`](crate::limits::Limits::max_vertices).
    #[error("The model has more than {limit} vertices.")]
    TooManyVertices {
        /// The limit.
        limit: u64,
    },
    /// The file unpacks to more than [`Limits::max_unpacked_bytes`](crate::limits::Limits::max_unpacked_bytes).
    #[error("The model unpacks to more than {} MiB.", limit / (1024 * 1024))]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// Some edges belong to one triangle only.
    #[error(
        "The model is not a closed surface: {}, {} a triangle on one side only.", holes_at(*holes, largest_at),
        edges_have(*open_edges)
    )]
    NotClosed {
        /// The number of edges.
        open_edges: u64,
        /// The number of holes: connected open edges.
        holes: u64,
        /// The middle of the longest hole's edges, in the coordinates of the file.
        largest_at: [f64; 3],
    },
    /// At some edges three or more triangles meet that are no closed bodies.
    #[error(
        "Bodies touch along an edge, or a surface is doubled: {} three or more triangles, the first at {}.",
        edges_have(*edges), place(first_at)
    )]
    NonManifold {
        /// The number of edges.
        edges: u64,
        /// The middle of the first edge, in the coordinates of the file.
        first_at: [f64; 3],
    },
    /// A closed surface with only one side, such as a Klein bottle.
    #[error("The surface has no inside: followed around, it comes back as its own outside, at {}.", place(at))]
    NotOrientable {
        /// The middle of an edge at which both sides meet, in the coordinates of the file.
        at: [f64; 3],
    },
    /// There are more than 65,536 bodies, or so many lie inside or behind each other that distinguishing solids from
    /// cavities exceeds the bounds.
    #[error("The model has too many bodies, or too many inside or behind each other.")]
    TooComplex,
    /// The model's largest extent is not within [`Limits::smallest_mm`](crate::limits::Limits::smallest_mm) and
    /// [`Limits::largest_mm`](crate::limits::Limits::largest_mm), most likely because it was read in the wrong unit.
    #[error("The model is {} mm wide{}", rounded(widest(size_mm)), drawn_in(*likely))]
    ImplausibleSize {
        /// The extents along x, y and z, in millimetres.
        size_mm: [f64; 3],
        /// The unit in which the file was read.
        unit: Unit,
        /// The unit in which it was probably drawn, if one makes the size plausible.
        likely: Option<Unit>,
    },
    /// A closed surface without volume, such as a doubled sheet.
    #[error("The model encloses no volume.")]
    NoVolume,
}

impl MeshError {
    /// The stable name of the error, for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Unreadable { .. } => "unreadable",
            Self::Encrypted => "encrypted",
            Self::UnsupportedExtension { .. } => "unsupported_extension",
            Self::NegativePart => "negative_part",
            Self::NotFinite => "not_finite",
            Self::TooManyTriangles { .. } => "too_many_triangles",
            Self::TooManyVertices { .. } => "too_many_vertices",
            Self::TooLarge { .. } => "too_large",
            Self::NotClosed { .. } => "not_closed",
            Self::NonManifold { .. } => "non_manifold",
            Self::NotOrientable { .. } => "not_orientable",
            Self::TooComplex => "too_complex",
            Self::ImplausibleSize { .. } => "implausible_size",
            Self::NoVolume => "no_volume",
        }
    }

    /// The stable name of the error's class: `model_unreadable`, `model_not_closed` or `model_too_large`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Empty
            | Self::Unreadable { .. }
            | Self::Encrypted
            | Self::UnsupportedExtension { .. }
            | Self::NegativePart
            | Self::NotFinite => "model_unreadable",
            Self::TooManyTriangles { .. }
            | Self::TooManyVertices { .. }
            | Self::TooLarge { .. }
            | Self::ImplausibleSize { .. }
            | Self::TooComplex => "model_too_large",
            Self::NotClosed { .. } | Self::NonManifold { .. } | Self::NotOrientable { .. } | Self::NoVolume => {
                "model_not_closed"
            }
        }
    }

    /// An [`MeshError::Unreadable`] with this reason.
    pub(crate) fn unreadable(reason: &'static str) -> Self {
        Self::Unreadable { reason, line: None }
    }
}

/// The number of holes and where they are.
fn holes_at(holes: u64, largest: &[f64; 3]) -> String {
    if holes == 1 {
        format!("it has a hole at {}", place(largest))
    } else {
        format!("it has {holes} holes, the largest at {}", place(largest))
    }
}

fn place(position: &[f64; 3]) -> String {
    let [x, y, z] = coordinates(position);
    format!("({x}, {y}, {z})")
}

fn at_line(line: Option<u64>) -> String {
    line.map_or_else(String::new, |line| format!(" (line {line})"))
}

fn drawn_in(likely: Option<Unit>) -> String {
    likely.map_or_else(|| ".".to_owned(), |unit| format!("; was it drawn in {}?", unit.plural()))
}

/// The beginning of a clause about edges.
fn edges_have(edges: u64) -> String {
    if edges == 1 { "1 edge has".to_owned() } else { format!("{edges} edges have") }
}
