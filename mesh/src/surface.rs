//! What the formats have in common: triangles that can be visited, and whose corners can be numbered.

use crate::error::MeshError;
use crate::tally::Vector;
use crate::weld::{Point, Welder};

/// The number of triangles whose corners are numbered together.
const BATCH: usize = 64;

/// Triangles that can be visited more than once.
pub(crate) trait Surface {
    /// Visits the triangles as they are written, with a label of each corner's position.
    fn visit<L: Copy>(
        &self,
        label: impl FnMut(Vector) -> L,
        visitor: impl FnMut([Vector; 3], [L; 3]),
    ) -> Result<(), MeshError>;

    /// Visits the triangles in single precision.
    fn visit_single(&self, mut visitor: impl FnMut([Point; 3])) -> Result<(), MeshError> {
        // Not as labels, which an indexed surface keeps for all of its vertices.
        self.visit(|_| (), |triangle, _| visitor(triangle.map(single)))
    }

    /// Visits the numbers of the triangles' corners.
    fn number(&self, welder: &mut Welder, mut visitor: impl FnMut([u32; 3])) -> Result<(), MeshError> {
        let mut numbers = Vec::with_capacity(3 * BATCH);
        let mut number = |batch: &mut Vec<Point>| {
            welder.number_all(batch, &mut numbers);
            numbers.as_chunks().0.iter().for_each(|&triangle| visitor(triangle));
            batch.clear();
            numbers.clear();
        };
        let mut batch = Vec::with_capacity(3 * BATCH);
        self.visit_single(|corners| {
            batch.extend(corners);
            if batch.len() == 3 * BATCH {
                number(&mut batch);
            }
        })?;
        number(&mut batch);
        Ok(())
    }
}

/// Visits the triangles, with their corners where they are after welding.
pub(crate) type Placed<'p> = dyn FnMut(&mut dyn FnMut([Vector; 3])) -> Result<(), MeshError> + 'p;

#[inline]
fn single(position: Vector) -> Point {
    position.map(|coordinate| coordinate as f32)
}
