//! A mesh as a list of vertices and a list of triangles that refer to them, as in OBJ and 3MF.

use std::ops::{Range, RangeInclusive};

use crate::bodies::Solid;
use crate::error::MeshError;
use crate::limits::Limits;
use crate::passes;
use crate::surface::Surface;
use crate::tally::{Sum, Vector, dot, doubled_area, length};

/// The vertices and triangles of a mesh. The indices are not checked until it is measured.
#[derive(Default)]
pub(crate) struct Mesh {
    vertices: Vec<Vector>,
    triangles: Vec<[u32; 3]>,
    /// The triangles of each polygon that has more than three corners.
    polygons: Vec<Range<u32>>,
}

/// The number of vertices and triangles that a file may still list, over all of its meshes.
pub(crate) struct Budget {
    limits: Limits,
    vertices: u32,
    triangles: u32,
}

impl Budget {
    pub(crate) fn new(limits: &Limits) -> Self {
        let narrow = |limit: u64| u32::try_from(limit).unwrap_or(u32::MAX);
        Self { limits: *limits, vertices: narrow(limits.max_vertices), triangles: narrow(limits.max_triangles) }
    }

    #[inline]
    fn spend_vertex(&mut self) -> Result<(), MeshError> {
        let left = self.vertices.checked_sub(1);
        self.vertices = left.ok_or(MeshError::TooManyVertices { limit: self.limits.max_vertices })?;
        Ok(())
    }

    #[inline]
    fn spend_triangle(&mut self) -> Result<(), MeshError> {
        let left = self.triangles.checked_sub(1);
        self.triangles = left.ok_or(MeshError::TooManyTriangles { limit: self.limits.max_triangles })?;
        Ok(())
    }
}

impl Mesh {
    pub(crate) fn vertices(&self) -> u64 {
        self.vertices.len() as u64
    }

    pub(crate) fn triangles(&self) -> u64 {
        self.triangles.len() as u64
    }

    #[inline]
    pub(crate) fn push_vertex(&mut self, vertex: Vector, budget: &mut Budget) -> Result<(), MeshError> {
        budget.spend_vertex()?;
        self.vertices.push(vertex);
        Ok(())
    }

    #[inline]
    pub(crate) fn push_triangle(&mut self, triangle: [u32; 3], budget: &mut Budget) -> Result<(), MeshError> {
        budget.spend_triangle()?;
        self.triangles.push(triangle);
        Ok(())
    }

    /// Gives back what the lists have reserved: a file may have very many meshes.
    pub(crate) fn shrink(&mut self) {
        self.vertices.shrink_to_fit();
        self.triangles.shrink_to_fit();
    }

    /// Removes the triangles of these ranges; `None` if one is reversed, or ends after the last triangle.
    pub(crate) fn remove_triangles(&mut self, mut ranges: Vec<RangeInclusive<u32>>) -> Option<()> {
        ranges.sort_unstable_by_key(|range| *range.start());
        let mut kept = Vec::with_capacity(self.triangles.len());
        let mut next = 0;
        for range in ranges {
            let (start, end) = (*range.start() as usize, *range.end() as usize);
            if end < start {
                return None;
            }
            kept.extend_from_slice(self.triangles.get(next..start.max(next))?);
            next = next.max(end + 1);
        }
        kept.extend_from_slice(self.triangles.get(next..)?);
        self.triangles = kept;
        Some(())
    }

    /// Marks the triangles from `first` on as one polygon.
    pub(crate) fn end_polygon(&mut self, first: u64) {
        if self.triangles() > first + 1 {
            // Both are within the budget, which has 32 bits.
            self.polygons.push(first as u32..self.triangles() as u32);
        }
    }

    /// The solid that the mesh encloses.
    pub(crate) fn solid(&self) -> Result<Solid, MeshError> {
        let (mut solid, _) = passes::solid(self)?;
        solid.surface += self.polygons_excess(|area| area)?;
        Ok(solid)
    }

    /// The surface after a linear map, given as the corresponding map of area vectors.
    pub(crate) fn mapped_surface(&self, map_area: impl Fn(Vector) -> Vector) -> Result<f64, MeshError> {
        let mut doubled = Sum::default();
        for triangle in &self.triangles {
            doubled.add(length(map_area(doubled_area(pick(&self.vertices, triangle)?))));
        }
        Ok(doubled.value() / 2.0 + self.polygons_excess(map_area)?)
    }

    /// The difference between the polygons' areas and those of their triangles: zero, or negative for a concave
    /// polygon, some of whose triangles lie outside of it and overlap others.
    ///
    /// Polygons that aren't flat are left out: their surface is that of their triangles.
    fn polygons_excess(&self, map_area: impl Fn(Vector) -> Vector) -> Result<f64, MeshError> {
        let mut excess = Sum::default();
        for polygon in &self.polygons {
            let triangles = &self.triangles[polygon.start as usize..polygon.end as usize];
            let areas = || triangles.iter().map(|triangle| pick(&self.vertices, triangle).map(doubled_area));
            let (mut total, mut lengths) = ([0.0; 3], 0.0);
            for area in areas() {
                let area = map_area(area?);
                lengths += length(area);
                total = [total[0] + area[0], total[1] + area[1], total[2] + area[2]];
            }
            let total_length = length(total);
            if total_length >= lengths {
                continue;
            }
            let mut along_total = 0.0;
            for area in areas() {
                along_total += dot(map_area(area?), total).abs();
            }
            if along_total >= FLAT * lengths * total_length && total_length > 0.0 {
                excess.add(total_length - lengths);
            }
        }
        Ok(excess.value() / 2.0)
    }
}

impl Surface for Mesh {
    fn visit<L: Copy>(
        &self,
        label: impl FnMut(Vector) -> L,
        mut visitor: impl FnMut([Vector; 3], [L; 3]),
    ) -> Result<(), MeshError> {
        let labels: Vec<L> = self.vertices.iter().copied().map(label).collect();
        for triangle in &self.triangles {
            visitor(pick(&self.vertices, triangle)?, pick(&labels, triangle)?);
        }
        Ok(())
    }
}

/// The share of its triangles' area that a flat polygon has along its normal; the rest is rounding of the coordinates.
const FLAT: f64 = 0.999;

/// The entries of a triangle's corners in a list by vertex.
#[inline]
fn pick<T: Copy>(list: &[T], triangle: &[u32; 3]) -> Result<[T; 3], MeshError> {
    match triangle.map(|index| list.get(index as usize)) {
        [Some(a), Some(b), Some(c)] => Ok([*a, *b, *c]),
        _ => Err(MeshError::unreadable("a triangle refers to a vertex that doesn't exist")),
    }
}
