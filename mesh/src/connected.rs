//! Proves in one pass that a surface is one connected piece, with a small table of recent edges.
//!
//! Triangles that share an edge belong to the same piece. The table forgets edges, so it may find more pieces than
//! there are, but never fewer: a surface that comes out as one piece is one. Programs write neighbouring triangles near
//! each other, so this nearly always suffices, at the cost of a few accesses to memory near the processor. Where it
//! doesn't, the caller pays for a complete index.
//!
//! Two triangles at an edge close it. A third one means that bodies may only touch there, so nothing is proved then. It
//! goes unseen if the table has forgotten the edge in between; then it is taken for another edge.

use crate::closed::Corner;

/// The number of edges that are remembered: 512 KiB.
const SLOTS: usize = 1 << 16;
/// The bits of a slot that hold the piece and whether the edge is closed. The others hold those of the edge's key, of
/// which two differ with a chance of 1 − 2⁻³⁹.
const PIECE_BITS: u32 = 25;
/// The bit of a slot whose edge has two triangles.
const CLOSED: u64 = 1 << 24;

/// The pieces of the triangles so far.
pub(crate) struct Pieces {
    /// Edges by the low bits of their key: the high bits of the key, and the piece.
    slots: Vec<u64>,
    /// Each piece's parent in a union-find forest.
    parents: Vec<u32>,
    pieces: usize,
    /// All keys of edges, added without carry: zero if every edge has an even number of triangles.
    parity: u64,
    /// Whether there were more pieces than a slot can tell apart, or an edge of more than two triangles.
    undecided: bool,
}

impl Pieces {
    pub(crate) fn new() -> Self {
        Self { slots: vec![0; SLOTS], parents: Vec::new(), pieces: 0, parity: 0, undecided: false }
    }

    #[inline(always)]
    pub(crate) fn add(&mut self, &[a, b, c]: &[Corner; 3]) {
        if a == b || b == c || c == a {
            return;
        }
        let keys = [a.edge_with(b), b.edge_with(c), c.edge_with(a)];
        self.parity ^= keys[0] ^ keys[1] ^ keys[2];
        if self.undecided {
            return;
        }
        let mut piece = None;
        let mut closed = [0; 3];
        for (key, closed) in keys.into_iter().zip(&mut closed) {
            let slot = self.slots[key as usize % SLOTS];
            if (slot ^ key) >> PIECE_BITS == 0 {
                self.undecided |= slot & CLOSED != 0;
                *closed = CLOSED;
                let found = self.root((slot & (CLOSED - 1)) as u32);
                match piece {
                    None => piece = Some(found),
                    Some(joined) if joined != found => {
                        self.parents[found as usize] = joined;
                        self.pieces -= 1;
                    }
                    Some(_) => {}
                }
            }
        }
        let Some(piece) = piece.or_else(|| self.new_piece()) else { return };
        for (key, closed) in keys.into_iter().zip(closed) {
            self.slots[key as usize % SLOTS] = key >> PIECE_BITS << PIECE_BITS | closed | u64::from(piece);
        }
    }

    #[cold]
    fn new_piece(&mut self) -> Option<u32> {
        let piece = u32::try_from(self.parents.len()).ok().filter(|&piece| u64::from(piece) < CLOSED);
        self.undecided = piece.is_none();
        self.parents.extend(piece);
        self.pieces += 1;
        piece
    }

    #[inline]
    fn root(&mut self, mut piece: u32) -> u32 {
        loop {
            let parent = self.parents[piece as usize];
            if parent == piece {
                return piece;
            }
            let grandparent = self.parents[parent as usize];
            self.parents[piece as usize] = grandparent;
            piece = grandparent;
        }
    }

    /// Whether the surface certainly is one piece.
    pub(crate) fn is_one(&self) -> bool {
        self.pieces == 1 && !self.undecided
    }

    /// Whether every edge has an even number of triangles, up to a chance of about 1 in 2⁶⁰.
    pub(crate) fn is_even(&self) -> bool {
        self.parity == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::closed::Key;

    /// The pieces of a plane of squares for each of these widths, all of the same length.
    fn planes(widths: &[u32], length: u32) -> Pieces {
        let key = Key::random();
        let mut pieces = Pieces::new();
        for (plane, &width) in widths.iter().enumerate() {
            let corner = |x: u32, y: u32| key.corner([x as f32, y as f32, plane as f32]);
            for (x, y) in (0..length).flat_map(|x| (0..width).map(move |y| (x, y))) {
                pieces.add(&[corner(x, y), corner(x + 1, y), corner(x + 1, y + 1)]);
                pieces.add(&[corner(x, y), corner(x + 1, y + 1), corner(x, y + 1)]);
            }
        }
        pieces
    }

    #[test]
    fn neighbouring_triangles_are_one_piece_and_separate_ones_are_not() {
        assert!(planes(&[1_000], 100).is_one());
        assert!(planes(&[4], 25_000).is_one());
        assert!(!planes(&[10, 10], 10).is_one());
        assert!(!planes(&[1; 70_000], 1).is_one());
        assert!(!planes(&[], 1).is_one());
    }

    #[test]
    fn an_edge_of_one_triangle_is_odd_and_a_doubled_triangle_is_even() {
        let key = Key::random();
        let [a, b, c] = [0.0, 1.0, 2.0].map(|x| key.corner([x, x * x, 0.0]));
        let mut pieces = Pieces::new();
        pieces.add(&[a, b, c]);
        assert!(!pieces.is_even() && pieces.is_one());
        pieces.add(&[a, c, b]);
        assert!(pieces.is_even() && pieces.is_one());
        // Triangles without area belong to no piece.
        pieces.add(&[key.corner([9.0; 3]), a, a]);
        assert!(pieces.is_even() && pieces.is_one());
    }

    #[test]
    fn a_third_triangle_at_an_edge_leaves_it_open_whether_all_are_one_piece() {
        let key = Key::random();
        let corner = |x: f32| key.corner([x, x * x, 0.0]);
        let mut pieces = Pieces::new();
        for third in [2.0, 3.0, 4.0] {
            assert!(third == 2.0 || pieces.is_one());
            pieces.add(&[corner(0.0), corner(1.0), corner(third)]);
        }
        assert!(!pieces.is_one());
    }
}
