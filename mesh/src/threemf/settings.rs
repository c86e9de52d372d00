//! The settings that slicers keep beside a model: which of its parts are metal, and which only help to print it.
//!
//! Bambu Studio and Orca list the components of an object with a subtype (`Metadata/model_settings.config`).
//! PrusaSlicer joins all parts of an object to one mesh and lists ranges of its triangles with a volume type
//! (`Metadata/Slic3r_PE_model.config`).

use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;

use crate::error::MeshError;
use crate::threemf::model::{Model, Shape};
use crate::threemf::package::Package;
use crate::threemf::values::index;
use crate::threemf::xml::{self, Tag, Xml};

const COMPONENTS: &[u8] = b"Metadata/model_settings.config";
const RANGES: &[u8] = b"Metadata/Slic3r_PE_model.config";
/// The maximum number of parts that the settings list.
const MAX_PARTS: usize = 100_000;

/// A part that isn't metal.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A modifier, or what blocks or enforces supports.
    Helper,
    /// A part that is cut out of the others.
    Negative,
}

impl Kind {
    /// The kind of this subtype or volume type; `None` for a normal part.
    fn named(name: &[u8]) -> Result<Option<Self>, MeshError> {
        match name {
            b"normal_part" | b"ModelPart" => Ok(None),
            b"modifier_part" | b"support_blocker" | b"support_enforcer" | b"ParameterModifier" | b"SupportBlocker"
            | b"SupportEnforcer" => Ok(Some(Self::Helper)),
            b"negative_part" | b"NegativeVolume" => Ok(Some(Self::Negative)),
            _ => Err(MeshError::unreadable("the slicer's settings in the 3MF file name an unknown kind of part")),
        }
    }
}

/// The parts that aren't metal, by the numbers of the root model's objects.
#[derive(Default)]
pub(crate) struct Settings {
    /// By object and component.
    components: HashMap<(u32, u32), Kind>,
    /// By object: triangles.
    ranges: HashMap<u32, Vec<RangeInclusive<u32>>>,
    /// Objects with a negative part in their mesh.
    negative: HashSet<u32>,
    parts: usize,
}

impl Settings {
    pub(crate) fn read(package: &Package<'_>) -> Result<Self, MeshError> {
        let mut settings = Self::default();
        for file in [COMPONENTS, RANGES] {
            let Some(part) = package.find(file) else { continue };
            let mut xml = Xml::new(package.part(part)?);
            if xml.next()? != Tag::Open {
                return Err(invalid());
            }
            each_child(&mut xml, |xml, name| match name {
                b"object" => settings.object(xml),
                _ => xml.skip_element(),
            })?;
            // The part's checksum is compared at its end.
            while xml.next()? != Tag::End {}
        }
        Ok(settings)
    }

    fn object(&mut self, xml: &mut Xml<'_>) -> Result<(), MeshError> {
        let object = number(xml, b"id")?;
        each_child(xml, |xml, name| match name {
            b"part" => {
                self.count_part()?;
                let subtype = attribute(xml, b"subtype").map_or(Ok(None), Kind::named)?;
                if let Some(kind) = subtype {
                    self.components.insert((object, number(xml, b"id")?), kind);
                }
                xml.skip_element()
            }
            b"volume" => self.volume(xml, object),
            _ => xml.skip_element(),
        })
    }

    fn volume(&mut self, xml: &mut Xml<'_>, object: u32) -> Result<(), MeshError> {
        self.count_part()?;
        let range = number(xml, b"firstid")?..=number(xml, b"lastid")?;
        let mut kind = None;
        each_child(xml, |xml, name| {
            let value = attribute(xml, b"value").unwrap_or_default();
            match attribute(xml, b"key") {
                Some(b"volume_type") if name == b"metadata" => kind = Kind::named(value)?,
                // Its older name.
                Some(b"modifier") if name == b"metadata" && value == b"1" => kind = Some(Kind::Helper),
                _ => {}
            }
            xml.skip_element()
        })?;
        match kind {
            Some(Kind::Helper) => self.ranges.entry(object).or_default().push(range),
            Some(Kind::Negative) => _ = self.negative.insert(object),
            None => {}
        }
        Ok(())
    }

    fn count_part(&mut self) -> Result<(), MeshError> {
        self.parts += 1;
        if self.parts > MAX_PARTS { Err(invalid()) } else { Ok(()) }
    }

    /// Removes the triangles of helpers from the meshes of the root model.
    pub(crate) fn remove_helpers(&mut self, root: &mut Model) -> Result<(), MeshError> {
        for (object, ranges) in self.ranges.drain() {
            if let Some(Shape::Mesh(mesh)) = root.objects.get_mut(&object).map(|object| &mut object.shape) {
                mesh.remove_triangles(ranges).ok_or_else(invalid)?;
            }
        }
        Ok(())
    }

    /// Whether an object of the root model has to be left out as a component of another one.
    pub(crate) fn leaves_out(&self, object: u32, component: u32) -> Result<bool, MeshError> {
        match self.components.get(&(object, component)) {
            Some(Kind::Negative) => Err(MeshError::NegativePart),
            Some(Kind::Helper) => Ok(true),
            None => Ok(false),
        }
    }

    /// Checks that nothing is cut out of an object of the root model.
    pub(crate) fn check(&self, object: u32) -> Result<(), MeshError> {
        if self.negative.contains(&object) { Err(MeshError::NegativePart) } else { Ok(()) }
    }
}

/// Calls `read` with each child of the open element; it has to read the child up to its end.
fn each_child<'x>(
    xml: &mut Xml<'x>,
    mut read: impl FnMut(&mut Xml<'x>, &[u8]) -> Result<(), MeshError>,
) -> Result<(), MeshError> {
    while xml.next()? == Tag::Open {
        let name = xml::local(xml.name()).to_vec();
        read(xml, &name)?;
    }
    Ok(())
}

fn attribute<'x>(xml: &'x Xml<'_>, name: &[u8]) -> Option<&'x [u8]> {
    xml.attributes().find(|(candidate, _)| *candidate == name).map(|(_, value)| value)
}

fn number(xml: &Xml<'_>, name: &[u8]) -> Result<u32, MeshError> {
    attribute(xml, name).and_then(index).ok_or_else(invalid)
}

fn invalid() -> MeshError {
    MeshError::unreadable("the slicer's settings in the 3MF file don't fit its model")
}
