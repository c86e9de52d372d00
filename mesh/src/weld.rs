//! Numbers the positions of a surface: equal ones, or those within a tolerance, get the same number.
//!
//! A hash grid whose cells are larger than the tolerance: a position looks into its own cell, and into the neighbouring
//! ones that the tolerance reaches. The number of comparisons for a position is bounded, so the cost is linear.

use std::hash::{BuildHasher, RandomState};

use crate::tally::{Vector, dot, minus};

/// The length of a cell's edge, in tolerances. Larger cells need fewer looks into neighbours.
const CELL: f64 = 16.0;
/// The most positions that one is compared with, far more than a model has within such a cell.
const MAX_COMPARISONS: usize = 64;
/// The bits of a cell's index along an axis.
const AXIS_BITS: u32 = 21;
/// The mark of a free slot.
const FREE: u32 = u32::MAX;

/// The positions so far and their table.
pub(crate) struct Welder {
    /// The first position of each number.
    pub(crate) points: Vec<Vector>,
    keys: Vec<u64>,
    numbers: Vec<u32>,
    tolerance: f64,
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
        let slots = (expected + expected / 3 + 16).next_power_of_two();
        Self {
            points: Vec::with_capacity(expected),
            keys: vec![0; slots],
            numbers: vec![FREE; slots],
            tolerance,
            origin,
            multiplier: RandomState::new().hash_one(0) | 1,
            merged: false,
        }
    }

    /// The number of a position.
    #[inline]
    pub(crate) fn number(&mut self, position: Vector) -> u32 {
        if self.tolerance == 0.0 {
            let key = self.exact_key(position);
            let found = self.with_key(key).find(|&number| self.points[number as usize] == position);
            return found.unwrap_or_else(|| self.insert(key, position));
        }
        let size = self.tolerance * CELL;
        let scaled = minus(position, self.origin).map(|coordinate| coordinate / size + 1.0);
        let cell = scaled.map(|coordinate| coordinate as u64);
        let key = cell_key(cell);
        let mut nearest = self.nearest(key, position, None);
        if nearest.is_none_or(|(_, distance)| distance > 0.0) {
            let inside = scaled.map(|coordinate| coordinate - coordinate.floor());
            if inside.iter().any(|&share| !(1.0 / CELL..=1.0 - 1.0 / CELL).contains(&share)) {
                nearest = self.nearest_around(cell, inside, position, nearest);
            }
        }
        match nearest {
            Some((number, distance)) => {
                self.merged |= distance > 0.0;
                number
            }
            None => self.insert(key, position),
        }
    }

    /// The nearest position within the tolerance in the neighbouring cells that it reaches, or else `nearest`.
    fn nearest_around(
        &self,
        cell: [u64; 3],
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
            nearest = self.nearest(cell_key(moved), position, nearest);
        }
        nearest
    }

    /// The nearest position within the tolerance in a cell, or else `nearest`; the first of equally near ones.
    #[inline]
    fn nearest(&self, key: u64, position: Vector, mut nearest: Option<(u32, f64)>) -> Option<(u32, f64)> {
        let limit = self.tolerance * self.tolerance;
        for number in self.with_key(key).take(MAX_COMPARISONS) {
            let away = minus(self.points[number as usize], position);
            let distance = dot(away, away);
            let nearer = nearest.is_none_or(|(other, least)| distance < least || (distance == least && number < other));
            if distance <= limit && nearer {
                nearest = Some((number, distance));
            }
        }
        nearest
    }

    #[inline]
    fn exact_key(&self, position: Vector) -> u64 {
        // Adding zero turns -0.0 into 0.0, its equal.
        position.iter().fold(0, |key: u64, &coordinate| {
            (key.rotate_left(29) ^ (coordinate + 0.0).to_bits()).wrapping_mul(self.multiplier)
        })
    }

    #[inline]
    fn slot(&self, key: u64) -> usize {
        let mixed = u128::from(key) * u128::from(self.multiplier);
        (mixed as u64 ^ (mixed >> 64) as u64) as usize & (self.numbers.len() - 1)
    }

    /// The numbers of all positions with this key.
    #[inline]
    fn with_key(&self, key: u64) -> impl Iterator<Item = u32> {
        let start = self.slot(key);
        let mask = self.numbers.len() - 1;
        (start..)
            .map(move |slot| slot & mask)
            .take_while(|&slot| self.numbers[slot] != FREE)
            .filter(move |&slot| self.keys[slot] == key)
            .map(|slot| self.numbers[slot])
    }

    #[inline]
    fn insert(&mut self, key: u64, position: Vector) -> u32 {
        if (self.points.len() + 1) * 4 > self.numbers.len() * 3 {
            self.grow();
        }
        let number = self.points.len() as u32;
        self.points.push(position);
        self.place(key, number);
        number
    }

    #[inline]
    fn place(&mut self, key: u64, number: u32) {
        let mask = self.numbers.len() - 1;
        let mut slot = self.slot(key);
        while self.numbers[slot] != FREE {
            slot = (slot + 1) & mask;
        }
        self.keys[slot] = key;
        self.numbers[slot] = number;
    }

    #[cold]
    fn grow(&mut self) {
        let slots = self.numbers.len() * 2;
        let keys = std::mem::replace(&mut self.keys, vec![0; slots]);
        let numbers = std::mem::replace(&mut self.numbers, vec![FREE; slots]);
        let mut entries: Vec<_> = numbers.into_iter().zip(keys).filter(|&(number, _)| number != FREE).collect();
        // In the order of their numbers, as they came, so that comparisons don't depend on the random multiplier.
        entries.sort_unstable();
        for (number, key) in entries {
            self.place(key, number);
        }
    }
}

#[inline]
fn cell_key(cell: [u64; 3]) -> u64 {
    cell[0] | cell[1] << AXIS_BITS | cell[2] << (2 * AXIS_BITS)
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
    fn many_different_positions_in_one_cell_cost_a_bounded_number_of_comparisons() {
        let mut welder = Welder::new(0, 1.0, [0.0; 3]);
        let position = |index: u32| [f64::from(index % 10), f64::from(index / 10 % 10), f64::from(index / 100)];
        let numbers: Vec<u32> = (0..1000).map(|index| welder.number(position(index).map(|c| c * 1.5))).collect();
        assert_eq!(numbers, (0..1000).collect::<Vec<_>>());
    }
}
