//! An order's 3D model.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::notice::Notice;

/// The file formats that a model may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[sqlx(type_name = "text")]
pub enum ModelFormat {
    /// STL, binary or ASCII; names no unit.
    #[serde(rename = "stl")]
    #[sqlx(rename = "stl")]
    Stl,
    /// Wavefront OBJ; names no unit.
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

    /// The unit of a file that says nothing else; a 3MF file always names its own.
    #[must_use]
    pub const fn unit(self) -> Option<ModelUnit> {
        match self {
            Self::Stl | Self::Obj => Some(ModelUnit::Millimetre),
            Self::ThreeMf => None,
        }
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

/// The units of length in which a model may be drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[sqlx(type_name = "text")]
pub enum ModelUnit {
    /// Only a 3MF file names it.
    #[serde(rename = "micron")]
    #[sqlx(rename = "micron")]
    Micron,
    /// That of STL and OBJ files, unless another one is given.
    #[serde(rename = "mm")]
    #[sqlx(rename = "mm")]
    Millimetre,
    /// 10 mm.
    #[serde(rename = "cm")]
    #[sqlx(rename = "cm")]
    Centimetre,
    /// 1,000 mm.
    #[serde(rename = "m")]
    #[sqlx(rename = "m")]
    Metre,
    /// 25.4 mm.
    #[serde(rename = "in")]
    #[sqlx(rename = "in")]
    Inch,
    /// 304.8 mm.
    #[serde(rename = "ft")]
    #[sqlx(rename = "ft")]
    Foot,
}

impl ModelUnit {
    /// What a client can choose from, as the refusal of another unit says it.
    pub const CHOICES: &str = "unit must be mm, cm, m, in or ft";

    /// The symbol.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        mesh::Unit::from(self).symbol()
    }

    /// The unit that a client has chosen for a file that names none.
    #[must_use]
    pub fn chosen(symbol: &str) -> Option<Self> {
        mesh::Unit::from_symbol(symbol).map(Self::from)
    }
}

impl From<ModelUnit> for mesh::Unit {
    fn from(unit: ModelUnit) -> Self {
        match unit {
            ModelUnit::Micron => Self::Micron,
            ModelUnit::Millimetre => Self::Millimetre,
            ModelUnit::Centimetre => Self::Centimetre,
            ModelUnit::Metre => Self::Metre,
            ModelUnit::Inch => Self::Inch,
            ModelUnit::Foot => Self::Foot,
        }
    }
}

impl From<mesh::Unit> for ModelUnit {
    fn from(unit: mesh::Unit) -> Self {
        match unit {
            mesh::Unit::Micron => Self::Micron,
            mesh::Unit::Millimetre => Self::Millimetre,
            mesh::Unit::Centimetre => Self::Centimetre,
            mesh::Unit::Metre => Self::Metre,
            mesh::Unit::Inch => Self::Inch,
            mesh::Unit::Foot => Self::Foot,
        }
    }
}

/// An order's 3D model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
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
    /// The unit that it is drawn in; of a 3MF file, which names its own, known once it was measured.
    #[serde(default)]
    pub unit: Option<ModelUnit>,
    /// What was measured, with the price.
    #[serde(default)]
    pub measured: Option<Measured>,
    /// What the customer should know of the model, found while it was measured.
    #[serde(default)]
    pub warnings: Vec<Notice>,
}

/// What was measured of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Measured {
    /// The extents along x, y and z, in millimetres.
    #[schema(example = json!([21.5, 21.5, 6.0]))]
    pub size_mm: [f64; 3],
    /// The volume in cubic millimetres.
    #[schema(example = 177.6)]
    pub volume_mm3: f64,
    /// The weight of one piece in the order's material, in grams.
    #[schema(example = 2.735)]
    pub weight_g: f64,
    /// The number of triangles.
    #[schema(example = 20000)]
    pub triangles: u64,
    /// The number of separate bodies, cavities included.
    #[schema(example = 1)]
    pub bodies: u64,
}
