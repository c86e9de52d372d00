//! Linear maps: the part of a transform that changes lengths, areas and volumes.

use crate::tally::{Vector, dot};

/// A linear map, as the images of the three axes.
pub(crate) type Linear = [Vector; 3];

pub(crate) const IDENTITY: Linear = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];

/// The map that applies `first` and then `second`.
pub(crate) fn compose(first: &Linear, second: &Linear) -> Linear {
    first.map(|image| apply(second, image))
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
