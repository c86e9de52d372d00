//! Makes corners that differ by rounding the same, nearly without a table: all in one cell of a fine grid are.
//!
//! Only positions near the border of a cell, which may have their equals beyond it, are looked up by the welder; so few
//! that its table stays near the processor. What isn't closed then may be so by welding all of them.

use crate::closed::{Corner, Key};
use crate::tally::Vector;
use crate::weld::{Cells, Point, Welder};

/// The length of a cell's edge, in tolerances. Smaller cells have more positions near their borders, and in larger ones
/// more is the same that differs.
const CELL: f64 = 16.0;
/// How far beyond a border equals are looked for, in tolerances: twice the last place of a model of that size.
const NEAR: f64 = 0.25;

/// The grid, and the positions near its borders.
pub(crate) struct Grid<'k> {
    key: &'k Key,
    cells: Cells,
    near_borders: Welder,
}

impl<'k> Grid<'k> {
    /// A grid for about so many positions. `origin` and the tolerance are as for a [`Welder`].
    pub(crate) fn new(key: &'k Key, expected: usize, tolerance: f64, origin: Vector) -> Self {
        // The share of the positions that are near a border along one of three axes.
        let near = 3.0 * 2.0 * NEAR / CELL;
        let near_borders = Welder::new((expected as f64 * near) as usize, tolerance, origin);
        Self { key, cells: Cells::new(tolerance * CELL, origin), near_borders }
    }

    /// The corner of all positions that are the same as this one.
    #[inline(always)]
    pub(crate) fn corner(&mut self, position: Point) -> Corner {
        let cell = self.cell(position);
        self.key.cell(cell)
    }

    /// The middle of the cell of all positions that are the same as this one.
    #[inline]
    pub(crate) fn middle(&mut self, position: Point) -> Vector {
        let cell = self.cell(position);
        self.cells.middle(cell)
    }

    #[inline(always)]
    fn cell(&mut self, position: Point) -> [u64; 3] {
        let (cell, inside) = self.cells.at(position);
        if inside.iter().all(|away| away.abs() < 0.5 - NEAR / CELL) {
            return cell;
        }
        self.cells.at(self.near_borders.first_like(position)).0
    }
}
