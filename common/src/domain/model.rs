//! An order's 3D model.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The file formats that a model may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[sqlx(type_name = "text")]
pub enum ModelFormat {
    /// STL, binary or ASCII; in millimetres.
    #[serde(rename = "stl")]
    #[sqlx(rename = "stl")]
    Stl,
    /// Wavefront OBJ; in millimetres.
    #[serde(rename = "obj")]
    #[sqlx(rename = "obj")]
    Obj,
    /// 3D Manufacturing Format; the file names its unit.
    #[serde(rename = "3mf")]
    #[sqlx(rename = "3mf")]
    ThreeMf,
}

impl ModelFormat {
    /// The format that a file's name claims by its extension, if it is one of these.
    #[must_use]
    pub fn of_file_name(name: &str) -> Option<Self> {
        let (_, extension) = name.rsplit_once('.')?;
        mesh::Format::from_extension(extension).map(Self::from)
    }

    /// The usual file extension, in lower case.
    #[must_use]
    pub fn extension(self) -> &'static str {
        mesh::Format::from(self).extension()
    }

    /// The registered media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Stl => "model/stl",
            Self::Obj => "model/obj",
            Self::ThreeMf => "model/3mf",
        }
    }
}

impl From<ModelFormat> for mesh::Format {
    fn from(format: ModelFormat) -> Self {
        match format {
            ModelFormat::Stl => Self::Stl,
            ModelFormat::Obj => Self::Obj,
            ModelFormat::ThreeMf => Self::ThreeMf,
        }
    }
}

impl From<mesh::Format> for ModelFormat {
    fn from(format: mesh::Format) -> Self {
        match format {
            mesh::Format::Stl => Self::Stl,
            mesh::Format::Obj => Self::Obj,
            mesh::Format::ThreeMf => Self::ThreeMf,
        }
    }
}

/// An order's 3D model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Model {
    /// What the customer calls the file. Only for display; it never names a file of ours.
    #[schema(example = "ring.stl")]
    pub filename: String,
    /// The file's format.
    pub format: ModelFormat,
    /// The file's size in bytes.
    #[schema(minimum = 1)]
    pub bytes: i64,
    /// The file's SHA-256, 64 hex digits.
    pub sha256: String,
}
