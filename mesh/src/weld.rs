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
/// The mark of a free slot.
const FREE: u64 = u64::MAX;

/// The positions so far and their table.
pub(crate) struct Welder {
    /// The first position of each number.
    pub(crate) points: Vec<Vector>,
    /// Numbers in the low half, and in the high one that of the hash.
    slots: Vec<u64>,
    used: usize,
    tolerance: f64,
    cells_per_unit: f64,
    origin: Vector,
    /// Random, so that no file can be made to collide.
    multiplier: u64,
    /// Whether two different positions got the same number.
    pub(crate) merged: bool,
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
            cells_per_unit: 1.0 / (tolerance * CELL),
            origin,
            multiplier: RandomState::new().hash_one(0) | 1,
            merged: false,
        }
    }

    /// Whether positions that differ can get the same number.
    pub(crate) fn is_tolerant(&self) -> bool {
        self.tolerance > 0.0
    }

    /// The number of a position.
    #[cfg(test)]
    fn number(&mut self, position: Vector) -> u32 {
        self.number_hashed(position, self.hash(position))
    }

    /// Appends the numbers of several positions. Their places in the table are read first, so that the processor waits
    /// for the memory once and not for each.
    pub(crate) fn number_all(&mut self, positions: &[Vector], numbers: &mut Vec<u32>) {
        let hashes: Vec<u64> = positions.iter().map(|&position| self.hash(position)).collect();
        let mask = self.slots.len() - 1;
        let likely: Vec<u64> = hashes.iter().map(|&hash| self.slots[hash as usize & mask]).collect();
        for number in likely {
            std::hint::black_box(self.points.get(number as u32 as usize).map(|point| point[0]));
        }
        numbers.extend(positions.iter().zip(hashes).map(|(&position, hash)| self.number_hashed(position, hash)));
    }

    #[inline]
    fn number_hashed(&mut self, position: Vector, hash: u64) -> u32 {
        if self.tolerance == 0.0 {
            let found = self.with_hash(hash).find(|&number| self.points[number as usize] == position);
            return found.unwrap_or_else(|| self.insert(hash, position));
        }
        let mut nearest = self.nearest(hash, position, None);
        if nearest.is_none_or(|(_, distance)| distance > 0.0) {
            let (cell, inside) = self.cell(position);
            if inside.iter().any(|&share| !(1.0 / CELL..=1.0 - 1.0 / CELL).contains(&share)) {
                nearest = self.nearest_around(cell, inside, position, nearest);
            }
        }
        match nearest {
            Some((number, distance)) => {
                self.merged |= distance > 0.0;
                number
            }
            None => self.insert(hash, position),
        }
    }

    /// The nearest position within the tolerance in the neighbouring cells that it reaches, or else `nearest`.
    fn nearest_around(
        &self,
        cell: [u32; 3],
        inside: Vector,
        position: Vector,
        mut nearest: Option<(u32, f64)>,
    ) -> Option<(u32, f64)> {
        let steps = inside.map(|share| match share {
            share if share < 1.0 / CELL => -1,
            share if share > 1.0 - 1.0 / CELL => 1,
            _ => 0,
        });
        for neighbour in 1..8_u32 {
            let taken = [0, 1, 2].map(|axis| neighbour >> axis & 1 == 1);
            if (0..3).any(|axis| taken[axis] && steps[axis] == 0) {
                continue;
            }
            let moved = [0, 1, 2]
                .map(|axis| if taken[axis] { cell[axis].saturating_add_signed(steps[axis]) } else { cell[axis] });
            nearest = self.nearest(self.cell_hash(moved), position, nearest);
        }
        nearest
    }

    /// The nearest position within the tolerance in a cell, or else `nearest`; the first of equally near ones.
    #[inline]
    fn nearest(&self, hash: u64, position: Vector, mut nearest: Option<(u32, f64)>) -> Option<(u32, f64)> {
        let limit = self.tolerance * self.tolerance;
        for number in self.with_hash(hash) {
            let away = minus(self.points[number as usize], position);
            let distance = dot(away, away);
            let nearer = nearest.is_none_or(|(other, least)| distance < least || (distance == least && number < other));
            if distance <= limit && nearer {
                nearest = Some((number, distance));
            }
        }
        nearest
    }

    /// The hash of all positions that are in the same cell, or equal.
    #[inline]
    fn hash(&self, position: Vector) -> u64 {
        if self.tolerance == 0.0 { self.exact_hash(position) } else { self.cell_hash(self.cell(position).0) }
    }

    /// The cell of a position, and where in it the position is, from 0 to 1.
    #[inline]
    fn cell(&self, position: Vector) -> ([u32; 3], Vector) {
        let scaled = minus(position, self.origin).map(|coordinate| coordinate * self.cells_per_unit + 1.0);
        let cell = scaled.map(|coordinate| coordinate as u32);
        (cell, [0, 1, 2].map(|axis| scaled[axis] - f64::from(cell[axis])))
    }

    #[inline]
    fn cell_hash(&self, cell: [u32; 3]) -> u64 {
        let [x, y, z] = cell.map(u64::from);
        self.mixed(x | y << AXIS_BITS | z << (2 * AXIS_BITS))
    }

    #[inline]
    fn exact_hash(&self, position: Vector) -> u64 {
        // Adding zero turns -0.0 into 0.0, its equal.
        let key = position.iter().fold(0, |key: u64, &coordinate| {
            (key.rotate_left(29) ^ (coordinate + 0.0).to_bits()).wrapping_mul(self.multiplier)
        });
        self.mixed(key)
    }

    #[inline]
    fn mixed(&self, key: u64) -> u64 {
        let product = u128::from(key) * u128::from(self.multiplier);
        product as u64 ^ (product >> 64) as u64
    }

    /// The numbers of all positions with this hash.
    #[inline]
    fn with_hash(&self, hash: u64) -> impl Iterator<Item = u32> {
        let mask = self.slots.len() - 1;
        (hash as usize & mask..)
            .map(move |place| self.slots[place & mask])
            .take_while(|&slot| slot != FREE)
            .filter(move |&slot| (slot ^ hash) >> 32 == 0)
            .map(|slot| slot as u32)
    }

    /// Gives a position the next number. It gets a slot unless its cell is full, which only a file has that is made for
    /// it; then no other position is welded to it.
    #[inline]
    fn insert(&mut self, hash: u64, position: Vector) -> u32 {
        if (self.used + 1) * 4 > self.slots.len() * 3 {
            self.grow();
        }
        let number = self.points.len() as u32;
        self.points.push(position);
        if self.with_hash(hash).count() < MAX_IN_CELL {
            self.place(hash, number);
            self.used += 1;
        }
        number
    }

    #[inline]
    fn place(&mut self, hash: u64, number: u32) {
        let mask = self.slots.len() - 1;
        let mut place = hash as usize & mask;
        while self.slots[place] != FREE {
            place = (place + 1) & mask;
        }
        self.slots[place] = hash >> 32 << 32 | u64::from(number);
    }

    #[cold]
    fn grow(&mut self) {
        let slots = vec![FREE; self.slots.len() * 2];
        let slots = std::mem::replace(&mut self.slots, slots);
        // In the order of their numbers, as they came, so that comparisons don't depend on the random multiplier.
        let mut numbers: Vec<u32> = slots.into_iter().filter(|&slot| slot != FREE).map(|slot| slot as u32).collect();
        numbers.sort_unstable();
        for number in numbers {
            self.place(self.hash(self.points[number as usize]), number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_positions_have_the_same_number() {
        let mut welder = Welder::new(0, 0.0, [0.0; 3]);
        let positions: Vec<Vector> = (0..10_000).map(|index| [f64::from(index), 0.5, -f64::from(index)]).collect();
        for _ in 0..2 {
            for (index, position) in positions.iter().enumerate() {
                assert_eq!(welder.number(*position), index as u32);
            }
        }
        assert_eq!(welder.number([-0.0, 0.5, -0.0]), 0);
        assert_ne!(welder.number([f64::MIN_POSITIVE, 0.5, 0.0]), 0);
        assert!(!welder.merged);
    }

    #[test]
    fn positions_within_the_tolerance_have_the_same_number_wherever_the_cells_end() {
        let tolerance = 1e-3;
        for step in 0..2_000 {
            let mut welder = Welder::new(4, tolerance, [0.0; 3]);
            let base = f64::from(step) * 1.7e-5;
            let number = welder.number([base, base * 1.3, base * 0.7]);
            for away in [[0.5e-3, 0.5e-3, 0.5e-3], [-0.9e-3, 0.0, 0.0], [0.0, 0.7e-3, -0.7e-3]] {
                let near = [base + away[0], base * 1.3 + away[1], base * 0.7 + away[2]].map(|c: f64| c.max(0.0));
                assert_eq!(welder.number(near), number, "{near:?}");
            }
            assert!(welder.merged);
            assert_ne!(welder.number([base + 1.1e-3, base * 1.3, base * 0.7]), number);
        }
    }

    #[test]
    fn many_different_positions_in_one_cell_take_a_bounded_number_of_slots() {
        let mut welder = Welder::new(0, 1.0, [0.0; 3]);
        let position = |index: u32| [f64::from(index % 10), f64::from(index / 10 % 10), f64::from(index / 100)];
        let numbers: Vec<u32> = (0..1000).map(|index| welder.number(position(index).map(|c| c * 1.5))).collect();
        assert_eq!(numbers, (0..1000).collect::<Vec<_>>());
        assert_eq!(welder.used, MAX_IN_CELL);
        assert_eq!(welder.number([0.1, 0.0, 0.0]), 0);
    }
}
