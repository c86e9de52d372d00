//! Checks whether a surface is closed, in one pass and without a table of its edges.
//!
//! A surface is closed and consistently oriented if every directed edge a→b is matched by as many b→a. Each edge gets a
//! direction that counts as forwards, so that is an equality of two multisets: the edges of the sides that run forwards,
//! and those of the sides that run backwards. Both are folded into a product in the field of integers modulo the prime
//! 2⁶¹ − 1, where an edge becomes the factor `x + w(a) + T·w(b)`, a being its start when it runs forwards. `w` is a hash
//! of the position, linear in its two words with secret random coefficients, whose order also decides the direction;
//! `x` and `T` are secret and random too. Equal multisets have equal products, so a closed surface always passes.
//!
//! Different multisets rarely have equal products. The hashes map an edge without its match onto one of the n others
//! with a chance of at most n / 2⁶¹. If they don't, the products are different polynomials in `x` and `T` (linear
//! factors with coefficient 1 at `x` are distinct primes) of degree n, and such polynomials agree at a random point with
//! a probability of at most n / 2⁶¹ (the Schwartz–Zippel lemma). Together that is below 1 in 10¹⁰ for two million
//! triangles. The keys are random for each model, and nothing that depends on them is published, so a file can't be
//! constructed to fit them.
//!
//! Vertices are identified by their coordinates in single precision, the precision of binary STL, so that all formats
//! agree. Merging vertices can't open a closed surface. The sides of a triangle with two equal corners match each other,
//! so such a triangle has none here.

use std::hash::{BuildHasher, RandomState};

use crate::tally::Vector;

/// 2⁶¹ − 1, a Mersenne prime: reducing modulo it takes a shift and an addition.
const PRIME: u64 = (1 << 61) - 1;

/// The secret point at which the polynomials are compared.
pub(crate) struct Key {
    x: u64,
    words: [u64; 2],
    to: u64,
}

/// A vertex as the start and as the end of an edge; the factor of an edge is the sum of both.
#[derive(Clone, Copy)]
pub(crate) struct Corner {
    from: u64,
    to: u64,
}

/// A side of a triangle: its edge, and whether it runs backwards.
#[derive(Clone, Copy)]
pub(crate) struct Side {
    /// The factor of the edge, which is the same for both directions: not fully reduced, and below 3·2⁶².
    factor: u64,
    backwards: bool,
    /// A key of the edge, the same for both directions too. Edges along a line have factors at equal distances, whose
    /// squares have none.
    pub(crate) key: u64,
}

impl Corner {
    #[inline(always)]
    fn side_to(self, end: Self) -> Side {
        let backwards = self.from > end.from;
        let (forth, back) = (self.from + end.to, end.from + self.to);
        let factor = if backwards { back } else { forth };
        Side { factor, backwards, key: factor.wrapping_mul(factor) }
    }
}

/// The sides of a triangle; none if two of its corners are equal.
#[inline(always)]
pub(crate) fn sides(&[a, b, c]: &[Corner; 3]) -> Option<[Side; 3]> {
    let flat = a.from == b.from || b.from == c.from || c.from == a.from;
    (!flat).then(|| [a.side_to(b), b.side_to(c), c.side_to(a)])
}

impl Key {
    /// Random keys from the standard library's hasher, which the operating system seeds.
    pub(crate) fn random() -> Self {
        let random = RandomState::new();
        let word = |index: u8| random.hash_one(index) & PRIME;
        Self { x: word(0), words: [word(1), word(2)], to: word(3) }
    }

    /// The corner at a position, in single precision.
    #[inline(always)]
    pub(crate) fn corner(&self, position: Vector) -> Corner {
        // Adding zero turns -0.0 into 0.0, its equal.
        let [x, y, z] = position.map(|coordinate| u64::from((coordinate as f32 + 0.0).to_bits()));
        // 96 bits, as two words below the prime.
        self.hashed(product(x | (y & 0xffff) << 32, self.words[0]) + product(z | (y >> 16) << 32, self.words[1]))
    }

    /// The corner in a cell of a grid, whose index has at most 24 bits along each axis.
    #[inline(always)]
    pub(crate) fn cell(&self, [x, y, z]: [u64; 3]) -> Corner {
        self.hashed(product(x | y << 24, self.words[0]) + product(z, self.words[1]))
    }

    #[inline(always)]
    fn hashed(&self, sum: u128) -> Corner {
        // Below 2⁶¹ + 2⁴⁹, as the words are below 2⁴⁸.
        let hash = folded(sum);
        Corner { from: self.x + hash, to: folded(product(hash, self.to)) }
    }
}

/// The products over the sides that run forwards and backwards; three of each, so that the multiplications overlap.
pub(crate) struct Balance {
    forwards: [u64; 3],
    backwards: [u64; 3],
}

impl Balance {
    pub(crate) fn new() -> Self {
        Self { forwards: [1; 3], backwards: [1; 3] }
    }

    /// Multiplies the products by a triangle's sides.
    #[inline(always)]
    pub(crate) fn add(&mut self, sides: &[Side; 3]) {
        for (index, side) in sides.iter().enumerate() {
            // Without a branch, because the directions are as good as random.
            let (forwards, backwards) = (self.forwards[index], self.backwards[index]);
            let mask = 0_u64.wrapping_sub(u64::from(side.backwards));
            let old = forwards ^ (forwards ^ backwards) & mask;
            let change = old ^ multiply(old, side.factor);
            self.forwards[index] = forwards ^ change & !mask;
            self.backwards[index] = backwards ^ change & mask;
        }
    }

    /// Multiplies the products by those of other triangles.
    pub(crate) fn merge(&mut self, other: &Self) {
        for index in 0..3 {
            self.forwards[index] = multiply(self.forwards[index], other.forwards[index]);
            self.backwards[index] = multiply(self.backwards[index], other.backwards[index]);
        }
    }

    /// Whether the surface is closed and consistently oriented.
    pub(crate) fn is_closed(&self) -> bool {
        let product = |factors: [u64; 3]| factors.into_iter().fold(1, multiply) % PRIME;
        product(self.forwards) == product(self.backwards)
    }
}

/// Whether every edge has an even number of sides, up to a chance of about 1 in 2⁶⁰.
#[derive(Default)]
pub(crate) struct Parity(u64);

impl Parity {
    /// Counts a triangle's sides.
    #[inline(always)]
    pub(crate) fn add(&mut self, sides: &[Side; 3]) {
        self.0 ^= sides[0].key ^ sides[1].key ^ sides[2].key;
    }

    pub(crate) fn is_even(&self) -> bool {
        self.0 == 0
    }
}

#[inline(always)]
fn product(one: u64, other: u64) -> u128 {
    u128::from(one) * u128::from(other)
}

/// A number modulo [`PRIME`], not fully reduced: the lower 61 bits and the others are added.
#[inline(always)]
fn folded(number: u128) -> u64 {
    (number as u64 & PRIME) + (number >> 61) as u64
}

/// The product modulo [`PRIME`], not fully reduced: below 2⁶¹ + 8, for `accumulated` below 2⁶² and `factor` below 2⁶³, or
/// below 2⁶¹ + 8 and 3·2⁶².
#[inline(always)]
fn multiply(accumulated: u64, factor: u64) -> u64 {
    let once = folded(product(accumulated, factor));
    (once & PRIME) + (once >> 61)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_closed(triangles: &[[Vector; 3]]) -> bool {
        let key = Key::random();
        let mut balance = Balance::new();
        for triangle in triangles {
            if let Some(sides) = sides(&triangle.map(|position| key.corner(position))) {
                balance.add(&sides);
            }
        }
        balance.is_closed()
    }

    const A: Vector = [0.0, 0.0, 0.0];
    const B: Vector = [1.0, 0.0, 0.0];
    const C: Vector = [0.0, 1.0, 0.0];
    const D: Vector = [0.0, 0.0, 1.0];
    const TETRAHEDRON: [[Vector; 3]; 4] = [[A, C, B], [A, B, D], [B, C, D], [C, A, D]];

    #[test]
    fn multiplying_agrees_with_wide_arithmetic_at_the_extremes() {
        for a in [0, 1, PRIME - 1, PRIME, PRIME + 7, (1 << 62) - 1] {
            for b in [0, 1, PRIME, (1 << 62) + 12_345, (1 << 63) - 1] {
                let product = multiply(a, b);
                assert!(product < PRIME + 9);
                assert_eq!(u128::from(product % PRIME), u128::from(a) * u128::from(b) % u128::from(PRIME));
            }
        }
    }

    #[test]
    fn a_tetrahedron_is_closed_even_inside_out_or_doubled() {
        assert!(is_closed(&TETRAHEDRON));
        assert!(is_closed(&TETRAHEDRON.map(|[a, b, c]| [a, c, b])));
        assert!(is_closed(&[TETRAHEDRON, TETRAHEDRON].concat()));
    }

    #[test]
    fn a_missing_triangle_leaves_the_surface_open() {
        assert!(!is_closed(&TETRAHEDRON[..3]));
    }

    #[test]
    fn a_flipped_triangle_is_not_consistent() {
        let mut triangles = TETRAHEDRON;
        triangles[0].reverse();
        assert!(!is_closed(&triangles));
    }

    #[test]
    fn triangles_without_area_are_ignored() {
        let mut triangles = TETRAHEDRON.to_vec();
        triangles.extend([[A, A, B], [C, D, C], [D, D, D]]);
        assert!(is_closed(&triangles));
        triangles.remove(1);
        assert!(!is_closed(&triangles));
    }

    #[test]
    fn negative_zero_equals_zero() {
        let mut triangles = TETRAHEDRON;
        triangles[1][0] = [-0.0, 0.0, -0.0];
        assert!(is_closed(&triangles));
    }

    #[test]
    fn a_vertex_on_an_adjacent_triangles_edge_leaves_the_surface_open() {
        let middle = [0.5, 0.0, 0.0];
        let triangles = [[A, C, B], [A, middle, D], [middle, B, D], [B, C, D], [C, A, D]];
        assert!(!is_closed(&triangles));
    }
}
