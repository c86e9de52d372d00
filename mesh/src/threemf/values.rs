//! The values of attributes: units, numbers, indices and transforms.

use crate::error::MeshError;
use crate::text::{self, CoordinateError};
use crate::threemf::linear::Affine;
use crate::unit::Unit;

pub(crate) fn unit(name: Option<&[u8]>) -> Result<Unit, MeshError> {
    match name {
        None | Some(b"millimeter") => Ok(Unit::Millimetre),
        Some(b"micron") => Ok(Unit::Micron),
        Some(b"centimeter") => Ok(Unit::Centimetre),
        Some(b"inch") => Ok(Unit::Inch),
        Some(b"foot") => Ok(Unit::Foot),
        Some(b"meter") => Ok(Unit::Metre),
        Some(_) => Err(MeshError::unreadable("the 3MF file uses an unknown unit of length")),
    }
}

#[inline]
pub(crate) fn number(value: &[u8]) -> Result<f64, MeshError> {
    let value = value.trim_ascii();
    match text::coordinate(value) {
        Ok((number, taken)) if taken == value.len() => Ok(number),
        Err(CoordinateError::NotFinite) => Err(MeshError::NotFinite),
        _ => Err(MeshError::unreadable("a coordinate in the 3MF file is not a number")),
    }
}

#[inline]
pub(crate) fn index(value: &[u8]) -> Option<u32> {
    let value = value.trim_ascii();
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0_u32, |number, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 { None } else { number.checked_mul(10)?.checked_add(u32::from(digit)) }
    })
}

/// A transform of twelve numbers, of which the last three are the translation.
pub(crate) fn affine_map(value: &[u8]) -> Result<Affine, MeshError> {
    let mut numbers = [0.0; 12];
    let mut words = value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    for slot in &mut numbers {
        *slot = number(words.next().unwrap_or_default())?;
    }
    if words.next().is_some() {
        return Err(MeshError::unreadable("a transform in the 3MF file has more than twelve numbers"));
    }
    let [a, b, c, d, e, f, g, h, i, x, y, z] = numbers;
    Ok(Affine { linear: [[a, b, c], [d, e, f], [g, h, i]], shift: [x, y, z] })
}
