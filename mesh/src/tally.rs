//! Sums of volume and surface over triangles, and the vectors for it.
//!
//! By the divergence theorem, the volume is the sum of the signed volumes of the tetrahedra between a fixed point and
//! each triangle. The fixed point is the first vertex, so that a model far from the origin loses no precision. Both
//! sums are compensated (Kahan), so that millions of triangles lose none either.

/// A point or a vector.
pub(crate) type Vector = [f64; 3];

#[inline]
pub(crate) fn minus(a: Vector, b: Vector) -> Vector {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

#[inline]
pub(crate) fn cross(a: Vector, b: Vector) -> Vector {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

#[inline]
pub(crate) fn dot(a: Vector, b: Vector) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

#[inline]
pub(crate) fn length(a: Vector) -> f64 {
    dot(a, a).sqrt()
}

/// Twice the triangle's area, as a vector along its normal.
#[inline]
pub(crate) fn doubled_area([a, b, c]: [Vector; 3]) -> Vector {
    cross(minus(b, a), minus(c, a))
}

/// A compensated sum (Kahan).
#[derive(Clone, Copy, Default)]
pub(crate) struct Sum {
    value: f64,
    error: f64,
}

impl Sum {
    #[inline]
    pub(crate) fn add(&mut self, term: f64) {
        let corrected = term - self.error;
        let value = self.value + corrected;
        self.error = (value - self.value) - corrected;
        self.value = value;
    }

    pub(crate) fn value(self) -> f64 {
        self.value
    }
}

/// The sums over the triangles so far.
pub(crate) struct Tally {
    origin: Vector,
    pub(crate) triangles: u64,
    sixfold_volume: Sum,
    doubled_surface: Sum,
}

impl Tally {
    /// An empty tally whose volumes refer to `origin`, which should be a vertex of the model.
    pub(crate) fn new(origin: Vector) -> Self {
        Self { origin, triangles: 0, sixfold_volume: Sum::default(), doubled_surface: Sum::default() }
    }

    #[inline]
    pub(crate) fn add(&mut self, triangle: [Vector; 3]) {
        let doubled_area = doubled_area(triangle);
        self.triangles += 1;
        self.sixfold_volume.add(dot(minus(triangle[0], self.origin), doubled_area));
        self.doubled_surface.add(length(doubled_area));
    }

    /// The volume: negative if the triangles face inwards, meaningless if the surface isn't closed.
    pub(crate) fn signed_volume(&self) -> f64 {
        self.sixfold_volume.value() / 6.0
    }

    pub(crate) fn surface(&self) -> f64 {
        self.doubled_surface.value() / 2.0
    }

    /// False if any coordinate was infinite or not a number: the area of its triangle isn't finite then either, and
    /// coordinates in single precision can't overflow a sum in double precision.
    pub(crate) fn is_finite(&self) -> bool {
        self.doubled_surface.value().is_finite()
    }
}

/// The least and the greatest coordinate along each axis.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) min: Vector,
    pub(crate) max: Vector,
}

impl Default for Bounds {
    /// The bounds of nothing.
    fn default() -> Self {
        Self { min: [f64::INFINITY; 3], max: [f64::NEG_INFINITY; 3] }
    }
}

impl Bounds {
    #[inline(always)]
    pub(crate) fn add(&mut self, point: Vector) {
        for ((least, greatest), coordinate) in self.min.iter_mut().zip(&mut self.max).zip(point) {
            *least = if coordinate < *least { coordinate } else { *least };
            *greatest = if coordinate > *greatest { coordinate } else { *greatest };
        }
    }

    /// The bounds of a point.
    pub(crate) fn of(point: Vector) -> Self {
        Self { min: point, max: point }
    }

    /// The bounds of both.
    pub(crate) fn with(mut self, other: &Self) -> Self {
        self.add(other.min);
        self.add(other.max);
        self
    }

    /// The box that two boxes which meet have in common.
    pub(crate) fn common(&self, other: &Self) -> Self {
        Self {
            min: [0, 1, 2].map(|axis| self.min[axis].max(other.min[axis])),
            max: [0, 1, 2].map(|axis| self.max[axis].min(other.max[axis])),
        }
    }

    pub(crate) fn size(&self) -> Vector {
        minus(self.max, self.min)
    }

    pub(crate) fn diagonal(&self) -> f64 {
        length(self.size())
    }

    /// Whether both have a point in common.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        (0..3).all(|axis| self.min[axis] <= other.max[axis] && other.min[axis] <= self.max[axis])
    }

    /// Whether `other` is inside, or outside by no more than `tolerance`.
    pub(crate) fn contains(&self, other: &Self, tolerance: f64) -> bool {
        (0..3)
            .all(|axis| self.min[axis] <= other.min[axis] + tolerance && other.max[axis] <= self.max[axis] + tolerance)
    }
}

/// The diagonal of the box around all of these.
pub(crate) fn extent(bounds: &[Bounds]) -> f64 {
    bounds.iter().fold(Bounds::default(), |all, bounds| all.with(bounds)).diagonal()
}
