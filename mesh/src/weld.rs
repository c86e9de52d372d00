//! Numbers the positions of a surface: equal ones, or those within a tolerance, get the same number.
//!
//! A hash grid whose cells are larger than the tolerance: a position looks into its own cell, and into the neighbouring
//! ones that the tolerance reaches. The number of positions in a cell is bounded, so the cost is linear.

use std::hash::{BuildHasher, RandomState};

use crate::tally::{Vector, dot, minus};

/// The length of a cell's edge, in tolerances. Larger cells need fewer looks into neighbours.
const CELL: f64 = 64.0;
/// The most positions of a cell that others are welded to, far more than a model has within one.
const MAX_IN_CELL: usize = 64;
/// The bits of a cell's index along an axis.
const AXIS_BITS: u32 = 21;
/// How far from a cell's middle others aren't within the tolerance.
const WELL_INSIDE: f64 = 0.5 - 1.0 / CELL;
/// The mark of a free slot.
const FREE: u64 = u64::MAX;

/// A position in single precision, in which vertices are compared.
pub(crate) type Point = [f32; 3];

/// The cells of a grid over a model.
pub(crate) struct Cells {
    per_unit: f64,
    origin: Vector,
}

impl Cells {
    /// Cells of this length. `origin` is the model's least coordinate of each axis, and it extends over less than 2²¹ of them.
    pub(crate) fn new(length: f64, origin: Vector) -> Self {
        Self { per_unit: 1.0 / length, origin }
    }

    /// The cell of a position, and how far it is from the cell's middle along each axis, in cells.
    #[inline(always)]
    pub(crate) fn at(&self, position: Point) -> ([u64; 3], Vector) {
        /// 2⁵²: added to a small positive number, it leaves the nearest whole number in the lowest bits.
        const WHOLE: f64 = 4_503_599_627_370_496.0;
        let scaled = minus(double(position), self.origin).map(|coordinate| coordinate * self.per_unit + 1.0);
        let shifted = scaled.map(|coordinate| coordinate + WHOLE);
        let cell = shifted.map(|coordinate| coordinate.to_bits() & ((1 << AXIS_BITS) - 1));
        (cell, [0, 1, 2].map(|axis| scaled[axis] - (shifted[axis] - WHOLE)))
    }

    /// The middle of a cell.
    pub(crate) fn middle(&self, cell: [u64; 3]) -> Vector {
        [0, 1, 2].map(|axis| self.origin[axis] + (cell[axis] as f64 - 1.0) / self.per_unit)
    }
}

/// The positions so far and their table.
pub(crate) struct Welder {
    /// The first position of each number.
    points: Vec<Point>,
    /// Numbers in the low half, and in the high one that of the hash.
    slots: Vec<u64>,
    used: usize,
    tolerance: f64,
    cells: Cells,
    /// Random, so that no file can be made to collide.
    multiplier: u64,
    /// Whether two different positions got the same number.
    merged: bool,
}

impl Welder {
    /// A table for about `expected` numbers. With a tolerance of zero, only equal positions are the same.
    ///
    /// `origin` is the least coordinate of each axis, and the tolerance not below a millionth of the extent.
    pub(crate) fn new(expected: usize, tolerance: f64, origin: Vector) -> Self {
        Self {
            points: Vec::with_capacity(expected),
            slots: vec![FREE; (expected + expected / 3 + 16).next_power_of_two()],
            used: 0,
            tolerance,
            cells: Cells::new(tolerance * CELL, origin),
            multiplier: RandomState::new().hash_one(0) | 1,
            merged: false,
        }
    }

    /// The first position of each number, without the table, and whether two different positions got the same one.
    pub(crate) fn into_points(self) -> (Vec<Point>, bool) {
        (self.points, self.merged)
    }

    /// The first position with the same number as this one.
    #[inline]
    pub(crate) fn first_like(&mut self, position: Point) -> Point {
        let number = self.number(position);
        self.points[number as usize]
    }

    /// The number of a position.
    #[inline]
    pub(crate) fn number(&mut self, position: Point) -> u32 {
        self.number_hashed(position, self.hash(position))
    }

    /// Appends the numbers of several positions. Their places in the table are read first, so that the processor waits
    /// for the memory once and not for each.
    pub(crate) fn number_all(&mut self, positions: &[Point], numbers: &mut Vec<u32>) {
        let hashes: Vec<(u64, bool)> = positions.iter().map(|&position| self.hash(position)).collect();
        let mask = self.slots.len() - 1;
        let likely: Vec<u64> = hashes.iter().map(|&(hash, _)| self.slots[hash as usize & mask]).collect();
        for number in likely {
            std::hint::black_box(self.points.get(number as u32 as usize).map(|point| point[0]));
        }
        numbers.extend(positions.iter().zip(hashes).map(|(&position, hash)| self.number_hashed(position, hash)));
    }

    #[inline]
    fn number_hashed(&mut self, position: Point, (hash, near_others): (u64, bool)) -> u32 {
        let mut first = self.first(hash, position);
        if near_others && first.is_none_or(|(_, distance)| distance > 0.0) {
            first = self.first_around(position, first);
        }
        match first {
            Some((number, distance)) => {
                self.merged |= distance > 0.0;
                number
            }
            None => self.insert(hash, position),
        }
    }

    /// The first position within the tolerance in the neighbouring cells that it reaches, or `first` if that came before.
    fn first_around(&self, position: Point, first: Option<(u32, f64)>) -> Option<(u32, f64)> {
        let (cell, inside) = self.cells.at(position);
        let reached = [0, 1, 2].map(|axis| inside[axis].abs() > WELL_INSIDE);
        let step = |axis: usize| if inside[axis] > 0.0 { 1 } else { u64::MAX };
        let around = (1..8_u32).map(|neighbour| [0, 1, 2].map(|axis| neighbour >> axis & 1 == 1));
        around
            .filter(|taken| (0..3).all(|axis| reached[axis] || !taken[axis]))
            .filter_map(|taken| {
                let moved =
                    [0, 1, 2].map(|axis| if taken[axis] { cell[axis].wrapping_add(step(axis)) } else { cell[axis] });
                self.first(self.cell_hash(moved), position)
            })
            .chain(first)
            .min_by_key(|&(number, _)| number)
    }

    /// The first position within the tolerance in a cell, and its squared distance. The first and not the nearest one, so
    /// that a position has the same number whenever it comes.
    #[inline]
    fn first(&self, hash: u64, position: Point) -> Option<(u32, f64)> {
        let limit = self.tolerance * self.tolerance;
        let squared = |number: u32| {
            let away = minus(double(self.points[number as usize]), double(position));
            dot(away, away)
        };
        self.with_hash(hash).map(|number| (number, squared(number))).find(|&(_, distance)| distance <= limit)
    }

    /// The hash of all positions that are in the same cell, or equal, and whether others may be within the tolerance.
    #[inline]
    fn hash(&self, position: Point) -> (u64, bool) {
        if self.tolerance == 0.0 {
            return (self.exact_hash(position), false);
        }
        let (cell, inside) = self.cells.at(position);
        (self.cell_hash(cell), inside.iter().any(|away| away.abs() > WELL_INSIDE))
    }

    #[inline]
    fn cell_hash(&self, [x, y, z]: [u64; 3]) -> u64 {
        self.mixed(x | y << AXIS_BITS | z << (2 * AXIS_BITS))
    }

    #[inline]
    fn exact_hash(&self, position: Point) -> u64 {
        // Adding zero turns -0.0 into 0.0, its equal.
        let [x, y, z] = position.map(|coordinate| u64::from((coordinate + 0.0).to_bits()));
        self.mixed((x | y << 32).wrapping_mul(self.multiplier).rotate_left(32) ^ z)
    }

    #[inline]
    fn mixed(&self, key: u64) -> u64 {
        let product = u128::from(key) * u128::from(self.multiplier);
        product as u64 ^ (product >> 64) as u64
    }

    /// The numbers of all positions with this hash, in their order: each took the first free slot behind the others.
    #[inline]
    fn with_hash(&self, hash: u64) -> impl Iterator<Item = u32> {
        let mask = self.slots.len() - 1;
        (hash as usize & mask..)
            .map(move |place| self.slots[place & mask])
            .take_while(|&slot| slot != FREE)
            .filter(move |&slot| (slot ^ hash) >> 32 == 0)
            .map(|slot| slot as u32)
    }

    /// Adds a position and returns its number, the next one. It gets a slot unless its cell is full, which only a file has
    /// that is made for it; then no other position is welded to it.
    #[inline]
    fn insert(&mut self, hash: u64, position: Point) -> u32 {
        if (self.used + 1) * 4 > self.slots.len() * 3 {
            self.grow();
        }
        let number = self.points.len() as u32;
        self.points.push(position);
        self.place(hash, number);
        number
    }

    #[inline]
    fn place(&mut self, hash: u64, number: u32) {
        if self.with_hash(hash).count() >= MAX_IN_CELL {
            return;
        }
        self.used += 1;
        let mask = self.slots.len() - 1;
        let mut place = hash as usize & mask;
        while self.slots[place] != FREE {
            place = (place + 1) & mask;
        }
        self.slots[place] = hash >> 32 << 32 | u64::from(number);
    }

    #[cold]
    fn grow(&mut self) {
        let slots = self.slots.len() * 2;
        // The old table goes before the new one comes: all that it says follows from the positions.
        self.slots = Vec::new();
        self.slots = vec![FREE; slots];
        self.used = 0;
        // As they came, so that comparisons don't depend on the random multiplier.
        for number in 0..self.points.len() {
            self.place(self.hash(self.points[number]).0, number as u32);
        }
    }
}

#[inline]
fn double(position: Point) -> Vector {
    position.map(f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_positions_have_the_same_number() {
        let mut welder = Welder::new(0, 0.0, [0.0; 3]);
        let positions: Vec<Point> = (0_u16..10_000).map(|index| [f32::from(index), 0.5, -f32::from(index)]).collect();
        for _ in 0..2 {
            for (index, position) in positions.iter().enumerate() {
                assert_eq!(welder.number(*position), index as u32);
            }
        }
        assert_eq!(welder.number([-0.0, 0.5, -0.0]), 0);
        assert_ne!(welder.number([f32::MIN_POSITIVE, 0.5, 0.0]), 0);
        assert!(!welder.merged);
    }

    #[test]
    fn positions_within_the_tolerance_have_the_same_number_wherever_the_cells_end() {
        let tolerance = 1e-3;
        for step in 0_u16..2_000 {
            let mut welder = Welder::new(4, tolerance, [0.0; 3]);
            let base = f32::from(step) * 1.7e-5;
            let number = welder.number([base, base * 1.3, base * 0.7]);
            for away in [[0.5e-3, 0.5e-3, 0.5e-3], [-0.9e-3, 0.0, 0.0], [0.0, 0.7e-3, -0.7e-3]] {
                let near = [base + away[0], base * 1.3 + away[1], base * 0.7 + away[2]].map(|c: f32| c.max(0.0));
                assert_eq!(welder.number(near), number, "{near:?}");
            }
            assert!(welder.merged);
            assert_ne!(welder.number([base + 1.1e-3, base * 1.3, base * 0.7]), number);
        }
    }

    #[test]
    fn a_position_keeps_its_number_when_a_nearer_one_comes_later() {
        let mut welder = Welder::new(4, 1.0, [0.0; 3]);
        assert_eq!([0.0, 0.9, 1.1].map(|x| welder.number([x, 0.0, 0.0])), [0, 0, 1]);
        assert_eq!(welder.number([0.9, 0.0, 0.0]), 0);
    }

    #[test]
    fn many_different_positions_in_one_cell_take_a_bounded_number_of_slots() {
        let mut welder = Welder::new(0, 1.0, [0.0; 3]);
        let position = |index: u16| [f32::from(index % 10), f32::from(index / 10 % 10), f32::from(index / 100)];
        let numbers: Vec<u32> = (0..1000).map(|index| welder.number(position(index).map(|c| c * 1.5))).collect();
        assert_eq!(numbers, (0..1000).collect::<Vec<_>>());
        assert_eq!(welder.used, MAX_IN_CELL);
        assert_eq!(welder.number([0.1, 0.0, 0.0]), 0);
    }
}
