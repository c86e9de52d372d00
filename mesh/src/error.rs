//! The errors of measuring a model: a stable code, a sentence on what is wrong, and a text for the customer.

/// An error of measuring a model. `Display` is one sentence on what is wrong; [`MeshError::for_customer`] adds what to
/// do. The values in the texts are public fields, so that a translation can use them.
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
    #[error("The file can't be read as a 3D model: {reason}.")]
    Unreadable {
        /// The reason and its place, as a clause without a full stop.
        reason: String,
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
    /// Some edges belong to an odd number of triangles.
    #[error("The model is not a closed surface: {} a triangle on one side only.", edges_have(*open_edges))]
    NotClosed {
        /// The number of edges.
        open_edges: u64,
    },
    /// Every edge is shared, but some adjacent triangles face opposite sides.
    #[error("The model is not a closed surface: at {edges} edges, one triangle faces inwards and one outwards.")]
    InconsistentOrientation {
        /// The number of edges between such triangles.
        edges: u64,
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
            Self::NotFinite => "not_finite",
            Self::TooManyTriangles { .. } => "too_many_triangles",
            Self::TooManyVertices { .. } => "too_many_vertices",
            Self::TooLarge { .. } => "too_large",
            Self::NotClosed { .. } => "not_closed",
            Self::InconsistentOrientation { .. } => "inconsistent_orientation",
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
            | Self::NotFinite => "model_unreadable",
            Self::TooManyTriangles { .. } | Self::TooManyVertices { .. } | Self::TooLarge { .. } => "model_too_large",
            Self::NotClosed { .. } | Self::InconsistentOrientation { .. } | Self::NoVolume => "model_not_closed",
        }
    }

    /// A text for the customer: what is wrong with the model and how to correct it.
    #[must_use]
    pub fn for_customer(&self) -> String {
        format!("{self} {}", self.remedy())
    }

    fn remedy(&self) -> &'static str {
        match self {
            Self::Empty => "Export the model from your CAD program as a mesh and upload it again.",
            Self::Unreadable { .. } | Self::NotFinite => {
                "Export it from your CAD program again and upload the new file."
            }
            Self::Encrypted => "Save it without encryption and without a password, and upload it again.",
            Self::UnsupportedExtension { .. } => "Export the model as a plain mesh and upload it again.",
            Self::TooManyTriangles { .. } | Self::TooManyVertices { .. } | Self::TooLarge { .. } => {
                "Export it with a coarser resolution and upload it again."
            }
            Self::NotClosed { .. } => "Close the holes in your CAD program and upload it again.",
            Self::InconsistentOrientation { .. } => "Unify the normals in your CAD program and upload it again.",
            Self::NoVolume => "Give it a thickness in your CAD program and upload it again.",
        }
    }

    /// An [`MeshError::Unreadable`] with this reason.
    pub(crate) fn unreadable(reason: impl Into<String>) -> Self {
        Self::Unreadable { reason: reason.into() }
    }
}

/// The beginning of a clause about edges.
fn edges_have(edges: u64) -> String {
    if edges == 1 { "1 edge has".to_owned() } else { format!("{edges} edges have") }
}
