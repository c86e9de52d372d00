//! Finds the bodies of a surface in one pass, with a small table of recent edges.
//!
//! Triangles that share an edge belong to the same piece. The table drops older edges, so it may find more pieces than
//! there are, but never fewer: a piece that is closed by itself is a body. Programs write neighbouring triangles near
//! each other, so this nearly always suffices, at the cost of a few accesses to memory near the processor. Where it
//! doesn't, the caller pays for a complete index.
//!
//! Two triangles at an edge close it. A third one means that bodies may only touch there, so nothing is known then. It
//! goes unseen if the table has dropped the edge in between; then it is taken for another edge.

use crate::closed::{Balance, Side};
use crate::topology::{FLAT, Topology};

/// Each remembers two edges; 256 KiB, which stay near the processor.
const BUCKETS: usize = 1 << 14;
/// The bits of a slot that hold those of the edge's key, of which two differ with a chance of about 1 − 2⁻³⁹. The others
/// hold the piece and whether the edge is closed.
const KEY: u64 = u64::MAX << 25;
/// The bit of a slot whose edge has two triangles.
const CLOSED: u64 = 1 << 24;
/// The most pieces, those included that have been joined to others.
const MAX_PIECES: usize = 1 << 16;

/// The pieces of the triangles so far.
pub(crate) struct Pieces {
    /// Edges by some bits of their key, the last one first: the high bits of the key, and the piece.
    buckets: Box<[[u64; 2]; BUCKETS]>,
    /// Each piece's parent in a union-find forest.
    parents: Vec<u32>,
    /// By piece: the balance of its triangles, but for those in `balance`.
    balances: Vec<Balance>,
    /// The piece of the last triangle, and the balance of the triangles in a row that belong to it.
    piece: u32,
    balance: Balance,
    /// By triangle: its piece, or [`FLAT`]. Empty as long as all belong to the first piece.
    labels: Vec<u32>,
    triangles: usize,
    /// Whether there were too many pieces, or an edge of more than two triangles.
    undecided: bool,
}

/// The place of a side's edge. The lowest bits are left out, as those of squares are rarely set.
#[inline(always)]
fn place(side: &Side) -> usize {
    (side.key >> 8) as usize % BUCKETS
}

impl Pieces {
    pub(crate) fn new() -> Self {
        Self {
            buckets: Box::new([[0; 2]; BUCKETS]),
            parents: Vec::new(),
            balances: Vec::new(),
            piece: 0,
            balance: Balance::new(),
            labels: Vec::new(),
            triangles: 0,
            undecided: false,
        }
    }

    /// Adds a triangle, or only counts it if it has no sides.
    #[inline(always)]
    pub(crate) fn add(&mut self, sides: Option<&[Side; 3]>) {
        let Some(sides) = sides else {
            self.label(FLAT);
            return;
        };
        if !self.undecided {
            let piece = self.piece_at(sides);
            if piece != self.piece {
                self.switch_to(piece);
            }
            self.label(piece);
        }
        self.balance.add(sides);
    }

    /// The piece of a triangle with these sides, which joins all pieces that have one of its edges.
    #[inline(always)]
    fn piece_at(&mut self, sides: &[Side; 3]) -> u32 {
        // Most triangles continue the piece of the last one at open edges: found without a branch for each side.
        let piece = u64::from(self.piece);
        let (mut continued, mut other) = (false, false);
        let mut buckets = [[0; 2]; 3];
        for (bucket, side) in buckets.iter_mut().zip(sides) {
            let expected = side.key & KEY | piece;
            let [last, before] = self.buckets[place(side)];
            let (is_last, is_before) = (last == expected, before == expected);
            let is_other = |slot: u64| (slot ^ expected).wrapping_sub(1) < !KEY;
            other |= is_other(last) | is_other(before);
            continued |= is_last | is_before;
            let closed = u64::from(is_last | is_before) * CLOSED;
            *bucket = [expected | closed, if is_last { before } else { last }];
        }
        if other || !continued {
            return self.joined(sides);
        }
        for (bucket, side) in buckets.into_iter().zip(sides) {
            self.buckets[place(side)] = bucket;
        }
        self.piece
    }

    /// The piece that joins those that have one of these sides' edges, or a new one.
    #[cold]
    fn joined(&mut self, sides: &[Side; 3]) -> u32 {
        let mut piece = None;
        let mut closed = [0; 3];
        for (side, closed) in sides.iter().zip(&mut closed) {
            let bucket = &mut self.buckets[place(side)];
            let Some(index) = bucket.iter().position(|slot| (slot ^ side.key) & KEY == 0) else { continue };
            // The last one comes first.
            bucket[..=index].rotate_right(1);
            let slot = bucket[0];
            self.undecided |= slot & CLOSED != 0;
            *closed = CLOSED;
            let found = self.root((slot & !KEY & !CLOSED) as u32);
            // The lowest one becomes the root: the first piece of a body is nearly always its largest.
            let root = piece.map_or(found, |joined| found.min(joined));
            for other in piece.into_iter().chain([found]) {
                self.parents[other as usize] = root;
            }
            piece = Some(root);
        }
        let piece = piece.unwrap_or_else(|| self.new_piece());
        for (side, closed) in sides.iter().zip(closed) {
            let bucket = &mut self.buckets[place(side)];
            if closed == 0 {
                bucket[1] = bucket[0];
            }
            bucket[0] = side.key & KEY | closed | u64::from(piece);
        }
        piece
    }

    fn new_piece(&mut self) -> u32 {
        if self.parents.len() == MAX_PIECES {
            self.undecided = true;
            return 0;
        }
        let piece = self.parents.len() as u32;
        self.parents.push(piece);
        self.balances.push(Balance::new());
        piece
    }

    #[inline]
    fn switch_to(&mut self, piece: u32) {
        self.balances[self.piece as usize].merge(&std::mem::replace(&mut self.balance, Balance::new()));
        self.piece = piece;
    }

    #[inline(always)]
    fn label(&mut self, piece: u32) {
        if piece != 0 || !self.labels.is_empty() {
            self.push_label(piece);
        }
        self.triangles += 1;
    }

    #[inline]
    fn push_label(&mut self, piece: u32) {
        self.labels.resize(self.triangles, 0);
        self.labels.push(piece);
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

    /// The bodies, if every piece is closed by itself.
    pub(crate) fn topology(&mut self) -> Option<Topology> {
        if self.undecided || self.parents.is_empty() {
            return None;
        }
        self.switch_to(self.piece);
        let roots: Vec<u32> = (0..self.parents.len() as u32).map(|piece| self.root(piece)).collect();
        for (piece, &root) in roots.iter().enumerate() {
            if root as usize != piece {
                let part = std::mem::replace(&mut self.balances[piece], Balance::new());
                self.balances[root as usize].merge(&part);
            }
        }
        if !self.balances.iter().all(Balance::is_closed) {
            return None;
        }
        let mut bodies = vec![FLAT; roots.len()];
        let mut count = 0;
        for &root in &roots {
            let body = &mut bodies[root as usize];
            if *body == FLAT {
                *body = count << 1;
                count += 1;
            }
        }
        if count == 1 {
            return Some(Topology::new(Vec::new(), 1));
        }
        let mut labels = std::mem::take(&mut self.labels);
        for label in labels.iter_mut().filter(|label| **label != FLAT) {
            *label = bodies[roots[*label as usize] as usize];
        }
        Some(Topology::new(labels, count as usize))
    }

    /// Whether the surface is closed and consistently oriented.
    pub(crate) fn is_closed(&self) -> bool {
        let mut all = Balance::new();
        self.balances.iter().chain([&self.balance]).for_each(|part| all.merge(part));
        all.is_closed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::closed::{Corner, Key, Parity, sides};

    fn add(pieces: &mut Pieces, corners: &[Corner; 3]) {
        pieces.add(sides(corners).as_ref());
    }

    /// The pieces of closed surfaces, for each of these widths, all of the same length.
    fn tubes(widths: &[u32], length: u32) -> Pieces {
        let key = Key::random();
        let mut pieces = Pieces::new();
        for (tube, &width) in widths.iter().enumerate() {
            let corner = |x: u32, y: u32| key.corner([f64::from(x % length), f64::from(y % width), tube as f64]);
            for (x, y) in (0..length).flat_map(|x| (0..width).map(move |y| (x, y))) {
                add(&mut pieces, &[corner(x, y), corner(x + 1, y), corner(x + 1, y + 1)]);
                add(&mut pieces, &[corner(x, y), corner(x + 1, y + 1), corner(x, y + 1)]);
            }
        }
        pieces
    }

    fn bodies(mut pieces: Pieces) -> Option<usize> {
        pieces.topology().map(|topology| topology.bodies)
    }

    #[test]
    fn closed_surfaces_are_told_apart() {
        assert_eq!(bodies(tubes(&[1_000], 100)), Some(1));
        assert_eq!(bodies(tubes(&[4], 25_000)), Some(1));
        assert_eq!(bodies(tubes(&[10, 12], 10)), Some(2));
        assert_eq!(bodies(tubes(&[3; 20_000], 3)), Some(20_000));
        assert_eq!(bodies(tubes(&[], 1)), None);
    }

    #[test]
    fn nothing_is_known_of_too_many_pieces_but_that_they_are_closed() {
        let pieces = tubes(&[3; 70_000], 3);
        assert!(pieces.is_closed());
        assert_eq!(bodies(pieces), None);
    }

    #[test]
    fn a_triangle_is_labelled_with_its_body() {
        let mut pieces = tubes(&[5, 5], 5);
        add(&mut pieces, &[Key::random().corner([9.0; 3]); 3]);
        let topology = pieces.topology().expect("two bodies");
        for triangle in 0..100 {
            assert_eq!(topology.body(triangle), Some((triangle as u32 / 50, false)));
        }
        assert_eq!(topology.body(100), None);
    }

    #[test]
    fn an_edge_of_one_triangle_is_odd_and_a_doubled_triangle_is_even() {
        let key = Key::random();
        let [a, b, c] = [0.0, 1.0, 2.0].map(|x| key.corner([x, x * x, 0.0]));
        let (mut pieces, mut parity) = (Pieces::new(), Parity::default());
        let mut add = |pieces: &mut Pieces, corners: &[Corner; 3]| {
            add(pieces, corners);
            sides(corners).iter().for_each(|sides| parity.add(sides));
            parity.is_even()
        };
        assert!(!add(&mut pieces, &[a, b, c]) && !pieces.is_closed());
        assert!(add(&mut pieces, &[a, c, b]));
        // Triangles without area belong to no body.
        assert!(add(&mut pieces, &[key.corner([9.0; 3]), a, a]) && pieces.is_closed());
        assert_eq!(bodies(pieces), Some(1));
    }

    #[test]
    fn a_third_triangle_at_an_edge_leaves_it_open_whether_all_are_one_body() {
        let key = Key::random();
        let corner = |x: f64| key.corner([x, x * x, 0.0]);
        let mut pieces = Pieces::new();
        for third in [2.0, 3.0] {
            add(&mut pieces, &[corner(0.0), corner(1.0), corner(third)]);
            add(&mut pieces, &[corner(0.0), corner(third), corner(1.0)]);
        }
        assert!(pieces.is_closed());
        assert_eq!(bodies(pieces), None);
    }
}
