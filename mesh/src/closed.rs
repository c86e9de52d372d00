//! Checks whether a surface is closed, in one pass and without a table of its edges.
//!
//! A surface is closed and consistently oriented if every directed edge a→b is matched by as many b→a. That is an
//! equality of two multisets: the directed edges, and the same edges reversed. Both are folded into a product in the
//! field of integers modulo the prime 2⁶¹ − 1, where an edge a→b becomes the factor `x + F·a + T·b`, with secret random
//! keys `x`, `F` and `T`. Equal multisets have equal products, so a closed surface always passes. Different multisets
//! are different polynomials in the keys (linear factors with coefficient 1 at `x` are distinct primes), whose degree
//! is the number n of edges, and such polynomials agree at a random point with a probability of at most n / 2⁶¹ (the
//! Schwartz–Zippel lemma): below 1 in 10¹¹ for five million triangles. The keys are random for each model, and nothing
//! that depends on them is published, so a file can't be constructed to fit them.
//!
//! Vertices are identified by their coordinates in single precision, the precision of binary STL, so that all formats
//! agree. Merging vertices can't open a closed surface. The edges of a triangle with two equal corners match each
//! other, so such triangles need no special case.

use std::hash::{BuildHasher, RandomState};

use crate::tally::Vector;

/// 2⁶¹ − 1, a Mersenne prime: reducing modulo it takes a shift and an addition.
const PRIME: u64 = (1 << 61) - 1;

/// The secret point at which the polynomials are compared.
pub(crate) struct Key {
    x: u64,
    from: [u64; 2],
    to: [u64; 2],
}

/// A vertex as the start and as the end of an edge; the factor of an edge is the sum of both.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Corner {
    from: u64,
    to: u64,
}

impl Corner {
    /// The factor of the directed edge from `self` to `end`, not fully reduced: below 2⁶³.
    #[inline]
    fn edge_to(self, end: Self) -> u64 {
        self.from + end.to
    }

    /// A key of the edge between both, in either direction.
    #[inline(always)]
    pub(crate) fn edge_with(self, other: Self) -> u64 {
        let product = u128::from(self.from) * u128::from(other.from);
        product as u64 ^ (product >> 64) as u64
    }
}

impl Key {
    /// Random keys from the standard library's hasher, which the operating system seeds.
    pub(crate) fn random() -> Self {
        let random = RandomState::new();
        let word = |index: u8| random.hash_one(index) & PRIME;
        Self { x: word(0), from: [word(1), word(2)], to: [word(3), word(4)] }
    }

    /// The corner at a position, in single precision.
    #[inline(always)]
    pub(crate) fn corner(&self, position: Vector) -> Corner {
        // Adding zero turns -0.0 into 0.0, its equal.
        let [x, y, z] = position.map(|coordinate| u64::from((coordinate as f32 + 0.0).to_bits()));
        // 96 bits, as two words below the prime.
        self.words(x | (y & 0xffff) << 32, z | (y >> 16) << 32)
    }

    /// The corner with a number, for a surface whose corners are all numbered.
    #[inline(always)]
    pub(crate) fn numbered(&self, number: u32) -> Corner {
        self.words(u64::from(number), 0)
    }

    #[inline(always)]
    fn words(&self, low: u64, high: u64) -> Corner {
        let dot = |start: u64, key: [u64; 2]| {
            let sum = u128::from(start) + u128::from(low) * u128::from(key[0]) + u128::from(high) * u128::from(key[1]);
            // Below 2^61 + 2^50, enough for the sum of two of them.
            (sum as u64 & PRIME) + (sum >> 61) as u64
        };
        Corner { from: dot(self.x, self.from), to: dot(0, self.to) }
    }
}

/// The products over the directed edges and over their reverses; three of each, so that the multiplications overlap.
pub(crate) struct Balance {
    edges: [u64; 3],
    reverses: [u64; 3],
}

impl Balance {
    pub(crate) fn new() -> Self {
        Self { edges: [1; 3], reverses: [1; 3] }
    }

    /// Multiplies the products by a triangle's edges.
    #[inline(always)]
    pub(crate) fn add(&mut self, corners: &[Corner; 3]) {
        for (index, (a, b)) in directed_edges(corners).into_iter().enumerate() {
            self.edges[index] = multiply(self.edges[index], a.edge_to(b));
            self.reverses[index] = multiply(self.reverses[index], b.edge_to(a));
        }
    }

    /// Multiplies the products by those of other triangles.
    pub(crate) fn merge(&mut self, other: &Self) {
        for index in 0..3 {
            self.edges[index] = multiply(self.edges[index], other.edges[index]);
            self.reverses[index] = multiply(self.reverses[index], other.reverses[index]);
        }
    }

    /// Whether the surface is closed and consistently oriented.
    pub(crate) fn is_closed(&self) -> bool {
        let product = |factors: [u64; 3]| factors.into_iter().fold(1, multiply) % PRIME;
        product(self.edges) == product(self.reverses)
    }
}

#[inline(always)]
fn directed_edges(&[a, b, c]: &[Corner; 3]) -> [(Corner, Corner); 3] {
    [(a, b), (b, c), (c, a)]
}

/// The product modulo [`PRIME`], not fully reduced: below 2⁶¹ + 8, for `accumulated` below 2⁶² and `factor` below 2⁶³.
#[inline(always)]
fn multiply(accumulated: u64, factor: u64) -> u64 {
    let product = u128::from(accumulated) * u128::from(factor);
    let folded = (product as u64 & PRIME) + (product >> 61) as u64;
    (folded & PRIME) + (folded >> 61)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_closed(triangles: &[[Vector; 3]]) -> bool {
        let key = Key::random();
        let mut balance = Balance::new();
        for triangle in triangles {
            balance.add(&triangle.map(|position| key.corner(position)));
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
