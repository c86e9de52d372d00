//! The reader of model parts.

use std::collections::HashMap;

use crate::error::MeshError;
use crate::indexed::{Budget, Mesh};
use crate::limits::Limits;
use crate::tally::Vector;
use crate::threemf::extensions;
use crate::threemf::linear::IDENTITY;
use crate::threemf::model::{Model, Object, Placement, Shape};
use crate::threemf::package::{Package, PartId};
use crate::threemf::values::{affine_map, index, number, unit};
use crate::threemf::xml::{self, Tag, Xml};
use crate::unit::Unit;

/// The maximum number of objects, components and items of a file.
const MAX_RECORDS: usize = 100_000;

/// Reads the root model and all parts that placements refer to.
pub(crate) fn read_models(
    package: &Package<'_>,
    root: PartId,
    limits: &Limits,
) -> Result<HashMap<PartId, Model>, MeshError> {
    let mut models = HashMap::new();
    let mut budget = Budget::new(limits);
    let mut records = 0;
    let mut pending = vec![root];
    while let Some(part) = pending.pop() {
        if models.contains_key(&part) {
            continue;
        }
        let xml = Xml::new(package.part(part)?);
        let reader = ModelReader {
            package,
            part,
            xml,
            prefix: Vec::new(),
            budget: &mut budget,
            records: &mut records,
            other_parts: &mut pending,
        };
        models.insert(part, reader.model()?);
    }
    Ok(models)
}

/// Reads the unit of a model part.
pub(crate) fn read_unit(package: &Package<'_>, part: PartId) -> Result<Unit, MeshError> {
    let mut xml = Xml::new(package.part(part)?);
    if xml.next()? != Tag::Open {
        return Err(MeshError::unreadable("the 3MF file's model part contains no model"));
    }
    unit(xml.attributes().find(|(name, _)| *name == b"unit").map(|(_, value)| value))
}

/// The elements of the core specification that are read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Element {
    Resources,
    Object,
    Mesh,
    Vertices,
    Vertex,
    Triangles,
    Triangle,
    Components,
    Component,
    Build,
    Item,
    Unknown,
}

impl Element {
    #[inline]
    fn named(name: &[u8]) -> Self {
        match name {
            b"triangle" => Self::Triangle,
            b"vertex" => Self::Vertex,
            b"resources" => Self::Resources,
            b"object" => Self::Object,
            b"mesh" => Self::Mesh,
            b"vertices" => Self::Vertices,
            b"triangles" => Self::Triangles,
            b"components" => Self::Components,
            b"component" => Self::Component,
            b"build" => Self::Build,
            b"item" => Self::Item,
            _ => Self::Unknown,
        }
    }
}

/// The reader of one model part, with a method for each element that contains others. Elements of extensions are
/// skipped with their content, so that nothing in them is taken for a part of the model.
struct ModelReader<'r> {
    package: &'r Package<'r>,
    part: PartId,
    xml: Xml<'r>,
    /// The root element's prefix of the core namespace, with its colon; usually empty.
    prefix: Vec<u8>,
    budget: &'r mut Budget,
    records: &'r mut usize,
    other_parts: &'r mut Vec<PartId>,
}

impl ModelReader<'_> {
    fn model(mut self) -> Result<Model, MeshError> {
        let tag = self.xml.next()?;
        let name = self.xml.name();
        if tag != Tag::Open || xml::local(name) != b"model" {
            return Err(MeshError::unreadable("the 3MF file's model part contains no model"));
        }
        self.prefix = name[..name.len() - xml::local(name).len()].to_vec();
        if let Some(required) = self.attribute(b"requiredextensions") {
            extensions::check_required(self.xml.attributes(), required)?;
        }
        let unit = unit(self.attribute(b"unit"))?;
        let mut model = Model { unit, objects: HashMap::new(), items: Vec::new() };
        while let Some(child) = self.next_child()? {
            match child {
                Element::Resources => self.resources(&mut model.objects)?,
                Element::Build => model.items.append(&mut self.placements(Element::Item)?),
                _ => self.xml.skip_element()?,
            }
        }
        // The part's checksum is compared at its end.
        while self.xml.next()? != Tag::End {}
        Ok(model)
    }

    fn resources(&mut self, objects: &mut HashMap<u32, Object>) -> Result<(), MeshError> {
        while let Some(child) = self.next_child()? {
            if child == Element::Object {
                let id = self.index(b"id")?;
                if objects.insert(id, self.object()?).is_some() {
                    return Err(MeshError::unreadable("two objects in the 3MF file have the same number"));
                }
            } else {
                self.xml.skip_element()?;
            }
        }
        Ok(())
    }

    fn object(&mut self) -> Result<Object, MeshError> {
        self.count_record()?;
        let is_made = self.attribute(b"type").is_none_or(|kind| kind == b"model");
        // The slice extension's attribute, with any prefix.
        let resolution = self.xml.attributes().find(|(name, _)| xml::local(name) == b"meshresolution");
        if resolution.is_some_and(|(_, value)| value == b"lowres") {
            return Err(extensions::slices_only());
        }
        let mut shape = Shape::Components(Vec::new());
        while let Some(child) = self.next_child()? {
            match child {
                Element::Mesh => shape = Shape::Mesh(self.mesh()?),
                Element::Components => shape = Shape::Components(self.placements(Element::Component)?),
                _ => self.xml.skip_element()?,
            }
        }
        Ok(Object { is_made, shape })
    }

    fn mesh(&mut self) -> Result<Mesh, MeshError> {
        let mut mesh = Mesh::default();
        while let Some(child) = self.next_child()? {
            match child {
                Element::Vertices => {
                    self.each(Element::Vertex, |reader| mesh.push_vertex(reader.vertex()?, reader.budget))?;
                }
                Element::Triangles => {
                    self.each(Element::Triangle, |reader| mesh.push_triangle(reader.triangle()?, reader.budget))?;
                }
                _ => self.xml.skip_element()?,
            }
        }
        mesh.shrink();
        Ok(mesh)
    }

    #[inline]
    fn vertex(&self) -> Result<Vector, MeshError> {
        let mut vertex = [f64::NAN; 3];
        for (name, value) in self.xml.attributes() {
            match name {
                b"x" => vertex[0] = number(value)?,
                b"y" => vertex[1] = number(value)?,
                b"z" => vertex[2] = number(value)?,
                _ => {}
            }
        }
        if vertex.iter().any(|coordinate| coordinate.is_nan()) {
            return Err(MeshError::unreadable("a vertex in the 3MF file lacks a coordinate"));
        }
        Ok(vertex)
    }

    #[inline]
    fn triangle(&self) -> Result<[u32; 3], MeshError> {
        let mut corners = [None; 3];
        for (name, value) in self.xml.attributes() {
            match name {
                b"v1" => corners[0] = index(value),
                b"v2" => corners[1] = index(value),
                b"v3" => corners[2] = index(value),
                _ => {}
            }
        }
        match corners {
            [Some(a), Some(b), Some(c)] => Ok([a, b, c]),
            _ => Err(MeshError::unreadable("a triangle in the 3MF file lacks a corner")),
        }
    }

    /// Reads the components of an object, or the items of the build.
    fn placements(&mut self, element: Element) -> Result<Vec<Placement>, MeshError> {
        let mut placements = Vec::new();
        self.each(element, |reader| {
            placements.push(reader.placement()?);
            Ok(())
        })?;
        Ok(placements)
    }

    fn placement(&mut self) -> Result<Placement, MeshError> {
        self.count_record()?;
        let object = self.index(b"objectid")?;
        let map = self.attribute(b"transform").map_or(Ok(IDENTITY), affine_map)?;
        // The production extension's attribute, with any prefix.
        let path = self.xml.attributes().find(|(name, _)| xml::local(name) == b"path");
        let part = match path {
            Some((_, path)) => self
                .package
                .find(xml::unescape(path)?.as_bytes())
                .ok_or_else(|| MeshError::unreadable("the 3MF archive lacks a part of the model"))?,
            None => self.part,
        };
        if part != self.part {
            self.other_parts.push(part);
        }
        Ok(Placement { part, object, map })
    }

    /// Calls `read` for each child `element` of the open element, and skips all children's content.
    #[inline]
    fn each(
        &mut self,
        element: Element,
        mut read: impl FnMut(&mut Self) -> Result<(), MeshError>,
    ) -> Result<(), MeshError> {
        while let Some(child) = self.next_child()? {
            if child == element {
                read(self)?;
            }
            self.xml.skip_element()?;
        }
        Ok(())
    }

    /// Advances to the next child of the open element; `None` at the element's end.
    #[inline]
    fn next_child(&mut self) -> Result<Option<Element>, MeshError> {
        match self.xml.next()? {
            Tag::Open => {
                let name = self.xml.name().strip_prefix(self.prefix.as_slice());
                Ok(Some(name.map_or(Element::Unknown, Element::named)))
            }
            Tag::Close | Tag::End => Ok(None),
        }
    }

    fn attribute(&self, name: &[u8]) -> Option<&[u8]> {
        self.xml.attributes().find(|(candidate, _)| *candidate == name).map(|(_, value)| value)
    }

    fn index(&self, name: &[u8]) -> Result<u32, MeshError> {
        self.attribute(name)
            .and_then(index)
            .ok_or_else(|| MeshError::unreadable("an object in the 3MF file is not numbered"))
    }

    fn count_record(&mut self) -> Result<(), MeshError> {
        *self.records += 1;
        if *self.records > MAX_RECORDS {
            return Err(MeshError::unreadable("the 3MF file lists too many objects"));
        }
        Ok(())
    }
}
