//! The placed objects of a build, and the sums over them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::bodies::Solid;
use crate::error::MeshError;
use crate::indexed::Mesh;
use crate::limits::{Inspection, Limits, Measures, Mended};
use crate::surface::Surface;
use crate::tally::{Bounds, Sum, cross, dot};
use crate::threemf::linear::{Affine, IDENTITY, apply, common_scale};
use crate::threemf::model::{Model, Placement, Shape};
use crate::threemf::package::PartId;
use crate::threemf::settings::Settings;
use crate::unit::Unit;

/// The deepest nesting of components. A cycle exceeds any depth.
const MAX_NESTING: usize = 32;

/// Inspects everything that the build items of the part `root` place.
pub(crate) fn inspect(
    models: &HashMap<PartId, Model>,
    root: PartId,
    settings: &Settings,
    limits: &Limits,
) -> Result<Inspection, MeshError> {
    let mut scene = Scene {
        models,
        root,
        settings,
        limits,
        solids: HashMap::new(),
        bodies: 0,
        overlapping_bodies: 0,
        mended: Mended::default(),
        steps: 0,
        triangles: 0,
        volume_mm3: Sum::default(),
        surface_mm2: Sum::default(),
        bounds: Bounds::default(),
    };
    for item in models.get(&root).map_or(&[][..], |model| &model.items) {
        scene.place(item, &IDENTITY, 0)?;
    }
    let measures = Measures {
        triangles: scene.triangles,
        volume_mm3: scene.volume_mm3.value(),
        surface_mm2: scene.surface_mm2.value(),
    };
    Ok(Inspection {
        measures,
        unit: models.get(&root).map_or(Unit::Millimetre, |model| model.unit),
        size_mm: scene.bounds.size(),
        bodies: scene.bodies,
        overlapping_bodies: scene.overlapping_bodies,
        mended: scene.mended,
    })
}

/// The tree of placements and the sums over it.
struct Scene<'m> {
    models: &'m HashMap<PartId, Model>,
    root: PartId,
    settings: &'m Settings,
    limits: &'m Limits,
    /// The solid of each mesh that has been placed, in the units of its part.
    solids: HashMap<(PartId, u32), Solid>,
    /// The number of placed objects and triangles, which a small file could multiply.
    steps: u64,
    triangles: u64,
    bodies: u64,
    overlapping_bodies: u64,
    mended: Mended,
    volume_mm3: Sum,
    surface_mm2: Sum,
    /// In millimetres.
    bounds: Bounds,
}

impl Scene<'_> {
    /// Adds the content of an object, with `outer` applied after its own map.
    fn place(&mut self, placement: &Placement, outer: &Affine, nesting: usize) -> Result<(), MeshError> {
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
        let in_root = placement.part == self.root;
        if in_root {
            self.settings.check(placement.object)?;
        }
        let map = placement.map.then(outer);
        match &object.shape {
            Shape::Mesh(mesh) => self.add(mesh, placement, &map, model.unit.millimetres()),
            Shape::Components(components) => components.iter().try_for_each(|component| {
                if in_root && self.settings.leaves_out(placement.object, component.object)? {
                    return Ok(());
                }
                self.place(component, &map, nesting + 1)
            }),
        }
    }

    fn add(&mut self, mesh: &Mesh, placement: &Placement, map: &Affine, unit: f64) -> Result<(), MeshError> {
        if mesh.triangles() == 0 {
            return Ok(());
        }
        self.step(mesh.triangles())?;
        let solid = match self.solids.entry((placement.part, placement.object)) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(unknown) => {
                let solid = mesh.solid()?;
                self.mended.add(&solid);
                *unknown.insert(solid)
            }
        };
        self.bounds = self.bounds.with(&placed_bounds(mesh, &solid, map, unit)?);
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

    fn step(&mut self, steps: u64) -> Result<(), MeshError> {
        self.steps += steps;
        if self.steps > self.limits.max_triangles {
            return Err(MeshError::TooManyTriangles { limit: self.limits.max_triangles });
        }
        Ok(())
    }
}

/// The bounds of a placed mesh in millimetres.
fn placed_bounds(mesh: &Mesh, solid: &Solid, map: &Affine, unit: f64) -> Result<Bounds, MeshError> {
    let mut bounds = Bounds::default();
    let mut add = |position| bounds.add(map.image(position).map(|coordinate| coordinate * unit));
    if map.keeps_boxes() {
        add(solid.bounds.min);
        add(solid.bounds.max);
    } else {
        mesh.visit(|_| (), |triangle, _| triangle.into_iter().for_each(&mut add))?;
    }
    Ok(bounds)
}
