//! Transforms, and their linear part, which is all that changes lengths, areas and volumes.

use crate::tally::{Vector, dot};

/// A linear map, as the images of the three axes.
pub(crate) type Linear = [Vector; 3];

/// A linear map and a translation after it.
#[derive(Clone, Copy)]
pub(crate) struct Affine {
    pub(crate) linear: Linear,
    pub(crate) shift: Vector,
}

pub(crate) const IDENTITY: Affine =
    Affine { linear: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], shift: [0.0; 3] };

impl Affine {
    /// The map that applies `self` and then `second`.
    pub(crate) fn then(&self, second: &Self) -> Self {
        Self { linear: self.linear.map(|image| apply(&second.linear, image)), shift: second.image(self.shift) }
    }

    /// The image of a position.
    #[inline]
    pub(crate) fn image(&self, position: Vector) -> Vector {
        let image = apply(&self.linear, position);
        [0, 1, 2].map(|axis| image[axis] + self.shift[axis])
    }

    /// Whether each axis is mapped to an axis, so that boxes are mapped to boxes.
    pub(crate) fn keeps_boxes(&self) -> bool {
        self.linear.iter().all(|image| image.iter().filter(|&&component| component != 0.0).count() <= 1)
    }
}

/// The image of a vector.
#[inline]
pub(crate) fn apply(map: &Linear, vector: Vector) -> Vector {
    let component = |index: usize| map[0][index] * vector[0] + map[1][index] * vector[1] + map[2][index] * vector[2];
    [component(0), component(1), component(2)]
}

/// The factor by which the map scales every length, or `None` if there is no common one.
pub(crate) fn common_scale(map: &Linear) -> Option<f64> {
    let squared = dot(map[0], map[0]);
    let tolerance = squared * 1e-12;
    let alike = [(1, 1), (2, 2)].iter().all(|&(i, j)| (dot(map[i], map[j]) - squared).abs() <= tolerance);
    let right_angled = [(0, 1), (1, 2), (2, 0)].iter().all(|&(i, j)| dot(map[i], map[j]).abs() <= tolerance);
    (alike && right_angled).then(|| squared.sqrt())
}
