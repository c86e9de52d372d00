//! Which triangles of a surface belong to the same body, and which of them face the wrong way.

/// The bodies of a surface.
pub(crate) struct Topology {
    /// By triangle: its body, and whether it faces against the first triangle of its body (the lowest bit), or [`FLAT`].
    /// Empty if all are one body and face the same way.
    labels: Vec<u32>,
    pub(crate) bodies: usize,
}

/// The label of a triangle that belongs to no body, because two of its corners are equal.
pub(crate) const FLAT: u32 = u32::MAX;

impl Topology {
    pub(crate) fn new(labels: Vec<u32>, bodies: usize) -> Self {
        Self { labels, bodies }
    }

    /// Whether all triangles are known to face the same way as their body.
    pub(crate) fn is_oriented(&self) -> bool {
        self.labels.is_empty()
    }

    /// The body of a triangle, and whether it faces against the first triangle of its body; `None` for one without area.
    #[inline]
    pub(crate) fn body(&self, triangle: usize) -> Option<(u32, bool)> {
        let label = self.labels.get(triangle).copied().unwrap_or(0);
        (label != FLAT).then_some((label >> 1, label & 1 == 1))
    }
}
