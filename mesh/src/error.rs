//! The errors of measuring a model, with a text for the log and a text for the customer.

/// An error of measuring a model. `Display` is for the log; [`MeshError::for_customer`] is for the order.
///
/// No variant contains data from the file, so both texts are safe to store and to show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MeshError {
    /// The file has no bytes, or no triangles.
    #[error("the file contains no triangles")]
    Empty,
    /// The file violates its format.
    #[error("unreadable file: {reason}")]
    Unreadable {
        /// The reason and its place, as a clause without a full stop.
        reason: String,
    },
    /// A coordinate is NaN, infinite, or beyond the range of single precision.
    #[error("a coordinate or a measure is not a finite number")]
    NotFinite,
    /// More triangles than [`Limits::max_triangles`](crate::limits::Limits::max_triangles).
    #[error("more than {limit} triangles")]
    TooManyTriangles {
        /// The limit.
        limit: u64,
    },
    /// More vertices than [`Limits::max_vertices`](crate::limits::Limits::max_vertices).
    #[error("more than {limit} vertices")]
    TooManyVertices {
        /// The limit.
        limit: u64,
    },
    /// The file unpacks to more than [`Limits::max_unpacked_bytes`](crate::limits::Limits::max_unpacked_bytes).
    #[error("unpacks to more than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// Some edges belong to an odd number of triangles.
    #[error("not a closed surface: {open_edges} open edges")]
    NotClosed {
        /// The number of edges.
        open_edges: u64,
    },
    /// Every edge is shared, but some adjacent triangles face opposite sides.
    #[error("inconsistent orientation: {edges} edges run the same way in both of their triangles")]
    InconsistentOrientation {
        /// The number of edges between such triangles.
        edges: u64,
    },
    /// A closed surface without volume, such as a doubled sheet.
    #[error("the surface encloses no volume")]
    NoVolume,
}

impl MeshError {
    /// The stable name of the error's class: `model_unreadable`, `model_not_closed` or `model_too_large`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Empty | Self::Unreadable { .. } | Self::NotFinite => "model_unreadable",
            Self::TooManyTriangles { .. } | Self::TooManyVertices { .. } | Self::TooLarge { .. } => "model_too_large",
            Self::NotClosed { .. } | Self::InconsistentOrientation { .. } | Self::NoVolume => "model_not_closed",
        }
    }

    /// A text for the customer: what is wrong with the model and how to correct it.
    #[must_use]
    pub fn for_customer(&self) -> String {
        match self {
            Self::Empty => "The file contains no 3D surface. Export the model from your CAD program as a mesh and \
                            upload it again."
                .to_owned(),
            Self::Unreadable { reason } => format!(
                "The file can't be read as a 3D model: {reason}. Export it from your CAD program again and upload the \
                 new file."
            ),
            Self::NotFinite => "The model contains a coordinate that is not a number or is out of range. Export it \
                                from your CAD program again and upload the new file."
                .to_owned(),
            Self::TooManyTriangles { limit } => format!(
                "The model has more than {limit} triangles. Export it with a coarser resolution and upload it again."
            ),
            Self::TooManyVertices { limit } => format!(
                "The model has more than {limit} vertices. Export it with a coarser resolution and upload it again."
            ),
            Self::TooLarge { limit } => format!(
                "The model unpacks to more than {} MiB. Export it with a coarser resolution and upload it again.",
                limit / (1024 * 1024)
            ),
            Self::NotClosed { open_edges } => {
                let edges = if *open_edges == 1 { "1 edge has".to_owned() } else { format!("{open_edges} edges have") };
                format!(
                    "The model is not a closed surface: {edges} a triangle on one side only. Close the holes in your \
                     CAD program and upload it again."
                )
            }
            Self::InconsistentOrientation { .. } => "The model is not a closed surface: some triangles face inwards \
                                                     and others outwards. Unify the normals in your CAD program and \
                                                     upload it again."
                .to_owned(),
            Self::NoVolume => "The model encloses no volume. Give it a thickness in your CAD program and upload it \
                               again."
                .to_owned(),
        }
    }

    /// An [`MeshError::Unreadable`] with this reason.
    pub(crate) fn unreadable(reason: impl Into<String>) -> Self {
        Self::Unreadable { reason: reason.into() }
    }
}
