//! 3MF: meshes as resources of XML parts, and a tree of components that places them.
//!
//! Implements the core specification and the production extension (objects in other parts of the package). Each mesh is
//! measured once, however often it is placed: only the linear part of a placement changes a volume, by its determinant.
//! Based on `quick-xml` and `rawzip`, because the general readers of 3MF keep the whole document in memory and limit
//! neither the unpacked size nor the repetition of components.

mod extensions;
mod linear;
mod model;
mod package;
mod reader;
mod scene;
mod settings;
mod utf16;
mod values;
mod xml;

use crate::error::MeshError;
use crate::limits::{Inspection, Limits};
use crate::unit::Unit;
#[cfg(test)]
pub(crate) use extensions::names as extension_names;
use package::{Package, Part, PartId};
use scene::Scene;
use settings::Settings;
use xml::{Tag, Xml};

/// The relationship from the package to its model.
const MODEL_RELATIONSHIP: &[u8] = b"http://schemas.microsoft.com/3dmanufacturing/2013/01/3dmodel";
/// The conventional name of the model's part.
const MODEL_PART: &[u8] = b"3D/3dmodel.model";

pub(crate) fn inspect(bytes: &[u8], limits: &Limits) -> Result<Inspection, MeshError> {
    read(bytes, limits, |scene| scene.inspect())
}

/// Reads a file, and calls `use_scene` with what it places.
pub(crate) fn read<T>(
    bytes: &[u8],
    limits: &Limits,
    use_scene: impl FnOnce(&Scene<'_>) -> Result<T, MeshError>,
) -> Result<T, MeshError> {
    if bytes.is_empty() {
        return Err(MeshError::Empty);
    }
    let package = Package::open(bytes, limits)?;
    let root = root_part(&package)?;
    let mut models = reader::read_models(&package, root, limits)?;
    let mut settings = Settings::read(&package)?;
    if let Some(model) = models.get_mut(&root) {
        settings.remove_helpers(model)?;
    }
    use_scene(&Scene { models: &models, root, settings: &settings, limits })
}

/// The unit that the file names, without reading its meshes.
pub(crate) fn unit(bytes: &[u8], limits: &Limits) -> Result<Unit, MeshError> {
    let package = Package::open(bytes, limits)?;
    reader::read_unit(&package, root_part(&package)?)
}

/// The part of the model that the package names, or else the conventional one.
fn root_part(package: &Package<'_>) -> Result<PartId, MeshError> {
    let named = match package.find(b"_rels/.rels") {
        Some(relationships) => model_target(package.part(relationships)?)?,
        None => None,
    };
    named
        .and_then(|target| package.find(target.as_bytes()))
        .or_else(|| package.find(MODEL_PART))
        .ok_or_else(|| MeshError::unreadable("the 3MF archive contains no 3D model"))
}

fn model_target(relationships: Part<'_>) -> Result<Option<String>, MeshError> {
    let mut xml = Xml::new(relationships);
    loop {
        match xml.next()? {
            Tag::Open if xml::local(xml.name()) == b"Relationship" => {
                let is_model = xml.attributes().any(|(name, value)| name == b"Type" && value == MODEL_RELATIONSHIP);
                let target = xml.attributes().find(|(name, _)| *name == b"Target");
                if let (true, Some((_, target))) = (is_model, target) {
                    return xml::unescape(target).map(Some);
                }
            }
            Tag::End => return Ok(None),
            _ => {}
        }
    }
}
