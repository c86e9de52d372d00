//! The placed objects of a build, and the sums over them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::bodies::Solid;
use crate::error::MeshError;
use crate::indexed::Mesh;
use crate::limits::{Inspection, Limits, Measures, Mended};
use crate::overlap;
use crate::surface::Surface;
use crate::tally::{Bounds, Sum, Vector, cross, dot};
use crate::threemf::linear::{Affine, IDENTITY, apply, common_scale};
use crate::threemf::model::{Model, Placement, Shape};
use crate::threemf::package::PartId;
use crate::threemf::settings::Settings;
use crate::unit::Unit;

/// The deepest nesting of components. A cycle exceeds any depth.
const MAX_NESTING: usize = 32;

/// The most placed objects among which overlaps are looked for.
const MAX_COMPARED: usize = 100_000;

/// What the build items of the root part place.
pub(crate) struct Scene<'m> {
    pub(crate) models: &'m HashMap<PartId, Model>,
    pub(crate) root: PartId,
    pub(crate) settings: &'m Settings,
    pub(crate) limits: &'m Limits,
}

impl Scene<'_> {
    /// Inspects everything that is placed.
    pub(crate) fn inspect(&self) -> Result<Inspection, MeshError> {
        let mut sums = Sums::default();
        self.visit(&mut |placed| sums.add(placed))?;
        let measures = Measures {
            triangles: sums.triangles,
            volume_mm3: sums.volume_mm3.value(),
            surface_mm2: sums.surface_mm2.value(),
        };
        Ok(Inspection {
            measures,
            unit: self.models.get(&self.root).map_or(Unit::Millimetre, |model| model.unit),
            size_mm: sums.bounds.iter().fold(Bounds::default(), |all, bounds| all.with(bounds)).size(),
            bodies: sums.bodies,
            overlapping_bodies: sums.overlapping_bodies + self.overlapping_objects(&sums.bounds)?,
            mended: sums.mended,
        })
    }

    /// The number of placed objects that share a part of their inside with another one.
    fn overlapping_objects(&self, bounds: &[Bounds]) -> Result<u64, MeshError> {
        if bounds.len() < 2 || bounds.len() > MAX_COMPARED {
            return Ok(0);
        }
        overlap::count(bounds, &vec![false; bounds.len()], &mut |visitor| {
            let mut object = 0;
            self.visit(&mut |placed| {
                placed.triangles(&mut |triangle| visitor(object, triangle))?;
                object += 1;
                Ok(())
            })
        })
    }

    /// Visits the triangles of everything that is placed, in millimetres.
    #[cfg(feature = "picture")]
    pub(crate) fn triangles(&self, visitor: &mut dyn FnMut([Vector; 3])) -> Result<(), MeshError> {
        self.visit(&mut |placed| placed.triangles(visitor))
    }

    /// Visits every mesh that is placed, as often as it is.
    fn visit(&self, visitor: &mut dyn FnMut(&Placed<'_>) -> Result<(), MeshError>) -> Result<(), MeshError> {
        let mut walk = Walk { scene: self, steps: 0, visitor };
        let items = self.models.get(&self.root).map_or(&[][..], |model| &model.items);
        items.iter().try_for_each(|item| walk.place(item, &IDENTITY, 0))
    }
}

/// A mesh with triangles, where it is placed.
struct Placed<'m> {
    mesh: &'m Mesh,
    id: (PartId, u32),
    map: Affine,
    /// The unit of its part in millimetres.
    unit: f64,
}

impl Placed<'_> {
    /// Visits the triangles in millimetres.
    fn triangles(&self, visitor: &mut dyn FnMut([Vector; 3])) -> Result<(), MeshError> {
        self.mesh.visit(|_| (), |triangle, _| visitor(triangle.map(|position| self.image(position))))
    }

    fn image(&self, position: Vector) -> Vector {
        self.map.image(position).map(|coordinate| coordinate * self.unit)
    }

    /// The bounds in millimetres.
    fn bounds(&self, solid: &Solid) -> Result<Bounds, MeshError> {
        let mut bounds = Bounds::default();
        if self.map.keeps_boxes() {
            bounds.add(self.image(solid.bounds.min));
            bounds.add(self.image(solid.bounds.max));
        } else {
            self.triangles(&mut |triangle| triangle.into_iter().for_each(|corner| bounds.add(corner)))?;
        }
        Ok(bounds)
    }
}

/// A visit of the tree of placements.
struct Walk<'s, 'm> {
    scene: &'s Scene<'m>,
    /// The number of placed objects and triangles, or a third of the vertices where these are more, which a small file
    /// could multiply.
    steps: u64,
    visitor: &'s mut dyn FnMut(&Placed<'_>) -> Result<(), MeshError>,
}

impl Walk<'_, '_> {
    /// Visits the content of an object, with `outer` applied after its own map.
    fn place(&mut self, placement: &Placement, outer: &Affine, nesting: usize) -> Result<(), MeshError> {
        if nesting > MAX_NESTING {
            return Err(MeshError::unreadable("components in the 3MF file contain themselves or nest too deeply"));
        }
        self.step(1)?;
        let Scene { models, root, settings, .. } = *self.scene;
        let model = models.get(&placement.part);
        let (model, object) = model
            .and_then(|model| Some((model, model.objects.get(&placement.object)?)))
            .ok_or_else(|| MeshError::unreadable("the 3MF file refers to an object that doesn't exist"))?;
        if !object.is_made {
            return Ok(());
        }
        let in_root = placement.part == root;
        if in_root {
            settings.check(placement.object)?;
        }
        let map = placement.map.then(outer);
        match &object.shape {
            Shape::Mesh(mesh) if mesh.triangles() == 0 => Ok(()),
            Shape::Mesh(mesh) => {
                // A rotated placement maps all vertices, also those that no triangle uses.
                self.step(mesh.triangles().max(mesh.vertices() / 3))?;
                let id = (placement.part, placement.object);
                (self.visitor)(&Placed { mesh, id, map, unit: model.unit.millimetres() })
            }
            Shape::Components(components) => components.iter().try_for_each(|component| {
                if in_root && settings.leaves_out(placement.object, component.object)? {
                    return Ok(());
                }
                self.place(component, &map, nesting + 1)
            }),
        }
    }

    fn step(&mut self, steps: u64) -> Result<(), MeshError> {
        self.steps += steps;
        let limit = self.scene.limits.max_triangles;
        if self.steps > limit { Err(MeshError::TooManyTriangles { limit }) } else { Ok(()) }
    }
}

/// The sums over the placed meshes.
#[derive(Default)]
struct Sums {
    /// The solid of each mesh that has been placed, in the units of its part.
    solids: HashMap<(PartId, u32), Solid>,
    triangles: u64,
    bodies: u64,
    overlapping_bodies: u64,
    mended: Mended,
    volume_mm3: Sum,
    surface_mm2: Sum,
    /// By placed mesh, in millimetres; beyond [`MAX_COMPARED`], those of all others together.
    bounds: Vec<Bounds>,
}

impl Sums {
    fn add(&mut self, placed: &Placed<'_>) -> Result<(), MeshError> {
        let Placed { mesh, id, ref map, unit } = *placed;
        let solid = match self.solids.entry(id) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(unknown) => {
                let solid = mesh.solid()?;
                self.mended.add(&solid);
                *unknown.insert(solid)
            }
        };
        let bounds = placed.bounds(&solid)?;
        let count = self.bounds.len();
        match self.bounds.last_mut() {
            Some(last) if count > MAX_COMPARED => *last = last.with(&bounds),
            _ => self.bounds.push(bounds),
        }
        let map = &map.linear;
        // Area vectors transform by the cofactors, whose columns are the areas that the images of the axes span.
        let areas = [cross(map[1], map[2]), cross(map[2], map[0]), cross(map[0], map[1])];
        let determinant = dot(map[0], areas[0]);
        let surface = match common_scale(map) {
            Some(scale) => solid.surface * scale * scale,
            None => mesh.mapped_surface(|area| apply(&areas, area))?,
        };
        self.triangles += mesh.triangles();
        self.bodies += solid.bodies;
        self.overlapping_bodies += solid.overlapping_bodies;
        // By the core specification, a mirrored placement doesn't change the sign of a volume.
        self.volume_mm3.add((solid.volume * determinant.abs()) * unit.powi(3));
        self.surface_mm2.add(surface * unit * unit);
        Ok(())
    }
}
