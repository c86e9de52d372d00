//! The content of a model part: objects, which are meshes or components, and the items of the build.

use std::collections::HashMap;

use crate::indexed::Mesh;
use crate::threemf::linear::Affine;
use crate::threemf::package::PartId;
use crate::unit::Unit;

/// The content of a model part.
pub(crate) struct Model {
    pub(crate) unit: Unit,
    pub(crate) objects: HashMap<u32, Object>,
    pub(crate) items: Vec<Placement>,
}

pub(crate) struct Object {
    /// Whether its type is `model`, so neither a support, which production decides on, nor an open surface.
    pub(crate) is_made: bool,
    pub(crate) shape: Shape,
}

pub(crate) enum Shape {
    Mesh(Mesh),
    Components(Vec<Placement>),
}

/// A component or a build item: an object with its transform.
pub(crate) struct Placement {
    pub(crate) part: PartId,
    pub(crate) object: u32,
    pub(crate) map: Affine,
}
