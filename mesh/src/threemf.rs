//! 3MF: meshes as resources of XML parts, and a tree of components that places them.
//!
//! Follows the core specification and the production extension (objects in other parts of the package). Each mesh is
//! measured once, however often it is placed: only the linear part of a placement changes a volume, by its determinant.
//! Read by hand on `quick-xml` and `rawzip`, because the general readers keep the whole document in memory and
//! limit neither what unpacks nor how often components repeat.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::indexed::{Budget, Mesh, MeshMeasures};
use crate::package::{Package, Part, PartId};
use crate::tally::{Sum, Vector, cross, dot};
use crate::text::{self, CoordinateError};
use crate::xml::{self, Tag, Xml};
use crate::{Limits, Measures, MeshError};

/// The relationship from the package to its model.
const MODEL_RELATIONSHIP: &[u8] = b"http://schemas.microsoft.com/3dmanufacturing/2013/01/3dmodel";
/// Where the model is by convention.
const MODEL_PART: &[u8] = b"3D/3dmodel.model";
/// How deep components may nest; a cycle is deeper than any depth.
const MAX_NESTING: usize = 32;
/// How many objects, components and items a file may list.
const MAX_RECORDS: usize = 100_000;

pub(crate) fn measure(bytes: &[u8], limits: &Limits) -> Result<Measures, MeshError> {
    if bytes.is_empty() {
        return Err(MeshError::Empty);
    }
    let package = Package::open(bytes, limits)?;
    let root = root_part(&package)?;
    let models = read_models(&package, root, limits)?;
    let mut scene = Scene {
        models: &models,
        limits,
        measured: HashMap::new(),
        steps: 0,
        triangles: 0,
        volume_mm3: Sum::default(),
        surface_mm2: Sum::default(),
    };
    for item in models.get(&root).map_or(&[][..], |model| &model.items) {
        scene.place(item, &IDENTITY, 0)?;
    }
    Ok(Measures {
        triangles: scene.triangles,
        volume_mm3: scene.volume_mm3.value(),
        surface_mm2: scene.surface_mm2.value(),
    })
}

/// The part that the package names as its model.
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

/// A linear map: the images of the three axes.
type Linear = [Vector; 3];

const IDENTITY: Linear = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];

/// A model part's content.
struct Model {
    millimetres_per_unit: f64,
    objects: HashMap<u32, Object>,
    items: Vec<Placement>,
}

struct Object {
    /// Of type `model`: neither support, which production decides on, nor an open surface.
    is_made: bool,
    shape: Shape,
}

enum Shape {
    Mesh(Mesh),
    Components(Vec<Placement>),
}

/// A component or a build item: an object, and how it is turned and scaled. Where it is doesn't matter here.
struct Placement {
    part: PartId,
    object: u32,
    map: Linear,
}

/// Reads the root model and all the parts that placements lead to.
fn read_models(package: &Package<'_>, root: PartId, limits: &Limits) -> Result<HashMap<PartId, Model>, MeshError> {
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

/// The elements of the core specification that matter here.
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

/// Reads one model part, with a method for each element that contains others. Elements of extensions are skipped with
/// all that they contain, so that nothing in them is taken for a part of the model.
struct ModelReader<'r> {
    package: &'r Package<'r>,
    part: PartId,
    xml: Xml<'r>,
    /// The prefix of the core namespace with its colon, as the root element has it; usually empty.
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
        let millimetres_per_unit = millimetres(self.attribute(b"unit"))?;
        let mut model = Model { millimetres_per_unit, objects: HashMap::new(), items: Vec::new() };
        while let Some(child) = self.next_child()? {
            match child {
                Element::Resources => self.resources(&mut model.objects)?,
                Element::Build => model.items.append(&mut self.placements(Element::Item)?),
                _ => self.xml.skip_element()?,
            }
        }
        // On to the end of the part, where its checksum is compared.
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
                    while let Some(child) = self.next_child()? {
                        if child == Element::Vertex {
                            mesh.push_vertex(self.vertex()?, self.budget)?;
                        }
                        self.xml.skip_element()?;
                    }
                }
                Element::Triangles => {
                    while let Some(child) = self.next_child()? {
                        if child == Element::Triangle {
                            mesh.push_triangle(self.triangle()?, self.budget)?;
                        }
                        self.xml.skip_element()?;
                    }
                }
                _ => self.xml.skip_element()?,
            }
        }
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

    /// The components of an object, or the items of the build.
    fn placements(&mut self, element: Element) -> Result<Vec<Placement>, MeshError> {
        let mut placements = Vec::new();
        while let Some(child) = self.next_child()? {
            if child == element {
                placements.push(self.placement()?);
            }
            self.xml.skip_element()?;
        }
        Ok(placements)
    }

    fn placement(&mut self) -> Result<Placement, MeshError> {
        self.count_record()?;
        let object = self.index(b"objectid")?;
        let map = self.attribute(b"transform").map_or(Ok(IDENTITY), linear_map)?;
        // The production extension's attribute, whatever its prefix.
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

    /// Goes to the next child of the element that is open; `None` at the element's end.
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

fn millimetres(unit: Option<&[u8]>) -> Result<f64, MeshError> {
    match unit {
        None | Some(b"millimeter") => Ok(1.0),
        Some(b"micron") => Ok(0.001),
        Some(b"centimeter") => Ok(10.0),
        Some(b"inch") => Ok(25.4),
        Some(b"foot") => Ok(304.8),
        Some(b"meter") => Ok(1000.0),
        Some(_) => Err(MeshError::unreadable("the 3MF file uses an unknown unit of length")),
    }
}

#[inline]
fn number(value: &[u8]) -> Result<f64, MeshError> {
    let value = value.trim_ascii();
    match text::coordinate(value) {
        Ok((number, taken)) if taken == value.len() => Ok(number),
        Err(CoordinateError::NotFinite) => Err(MeshError::NotFinite),
        _ => Err(MeshError::unreadable("a coordinate in the 3MF file is not a number")),
    }
}

#[inline]
fn index(value: &[u8]) -> Option<u32> {
    let value = value.trim_ascii();
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0_u32, |number, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 { None } else { number.checked_mul(10)?.checked_add(u32::from(digit)) }
    })
}

/// The linear part of a transform: twelve numbers, of which the last three only move.
fn linear_map(value: &[u8]) -> Result<Linear, MeshError> {
    let mut numbers = [0.0; 12];
    let mut words = value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    for slot in &mut numbers {
        *slot = number(words.next().unwrap_or_default())?;
    }
    if words.next().is_some() {
        return Err(MeshError::unreadable("a transform in the 3MF file has more than twelve numbers"));
    }
    let [a, b, c, d, e, f, g, h, i, ..] = numbers;
    Ok([[a, b, c], [d, e, f], [g, h, i]])
}

/// `first`, and then `second`.
fn compose(first: &Linear, second: &Linear) -> Linear {
    first.map(|image| apply(second, image))
}

/// The image of a vector.
#[inline]
fn apply(map: &Linear, vector: Vector) -> Vector {
    let component = |index: usize| map[0][index] * vector[0] + map[1][index] * vector[1] + map[2][index] * vector[2];
    [component(0), component(1), component(2)]
}

/// How much the map scales all lengths, if it scales them alike.
fn common_scale(map: &Linear) -> Option<f64> {
    let squared = dot(map[0], map[0]);
    let tolerance = squared * 1e-12;
    let alike = [(1, 1), (2, 2)].iter().all(|&(i, j)| (dot(map[i], map[j]) - squared).abs() <= tolerance);
    let right_angled = [(0, 1), (1, 2), (2, 0)].iter().all(|&(i, j)| dot(map[i], map[j]).abs() <= tolerance);
    (alike && right_angled).then(|| squared.sqrt())
}

/// The tree of placements, and the sums over it.
struct Scene<'m> {
    models: &'m HashMap<PartId, Model>,
    limits: &'m Limits,
    /// Each mesh that has been placed, in the units of its part.
    measured: HashMap<(PartId, u32), MeshMeasures>,
    /// Placed objects and triangles: what a small file could multiply.
    steps: u64,
    triangles: u64,
    volume_mm3: Sum,
    surface_mm2: Sum,
}

impl Scene<'_> {
    /// Adds what an object contains, after `outer` has been applied to its placement.
    fn place(&mut self, placement: &Placement, outer: &Linear, nesting: usize) -> Result<(), MeshError> {
        if nesting > MAX_NESTING {
            return Err(MeshError::unreadable("components in the 3MF file contain themselves or nest too deeply"));
        }
        self.step(1)?;
        let models = self.models;
        let model = models.get(&placement.part);
        let (model, object) = model
            .and_then(|model| Some((model, model.objects.get(&placement.object)?)))
            .ok_or_else(|| MeshError::unreadable("the 3MF file refers to an object that doesn't exist"))?;
        if !object.is_made {
            return Ok(());
        }
        let map = compose(&placement.map, outer);
        match &object.shape {
            Shape::Mesh(mesh) => self.add(mesh, placement, &map, model.millimetres_per_unit),
            Shape::Components(components) => {
                components.iter().try_for_each(|component| self.place(component, &map, nesting + 1))
            }
        }
    }

    fn add(&mut self, mesh: &Mesh, placement: &Placement, map: &Linear, unit: f64) -> Result<(), MeshError> {
        if mesh.triangles() == 0 {
            return Ok(());
        }
        self.step(mesh.triangles())?;
        let known = self.measured.entry((placement.part, placement.object));
        let measures = match known {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(unknown) => *unknown.insert(mesh.measure()?),
        };
        // Area vectors transform by the cofactors, whose columns are the areas that the axes' images span.
        let areas = [cross(map[1], map[2]), cross(map[2], map[0]), cross(map[0], map[1])];
        let determinant = dot(map[0], areas[0]);
        let surface = match common_scale(map) {
            Some(scale) => measures.surface * scale * scale,
            None => mesh.mapped_surface(|area| apply(&areas, area))?,
        };
        self.triangles += mesh.triangles();
        // A mirrored placement doesn't change the sign of a volume, says the specification.
        self.volume_mm3.add((measures.signed_volume * determinant).abs() * unit.powi(3));
        self.surface_mm2.add(surface * unit * unit);
        Ok(())
    }

    fn step(&mut self, steps: u64) -> Result<(), MeshError> {
        self.steps += steps;
        if self.steps > self.limits.max_triangles {
            return Err(MeshError::TooManyTriangles { limit: self.limits.max_triangles });
        }
        Ok(())
    }
}
