//! Numbers in texts: rounded as far as a reader needs them.

/// The coordinates of a position, rounded to thousandths.
pub(crate) fn coordinates(position: &[f64; 3]) -> [String; 3] {
    position.map(|coordinate| match coordinate {
        // Adding zero turns -0 into 0.
        small if small.abs() < 1e6 => format!("{}", (small * 1e3).round() / 1e3 + 0.0),
        large => format!("{large:.3e}"),
    })
}

/// The largest of three extents.
pub(crate) fn widest(size: &[f64; 3]) -> f64 {
    size.iter().copied().fold(0.0, f64::max)
}

/// A length with two significant digits, or all digits of its whole part.
pub(crate) fn rounded(length: f64) -> String {
    match length {
        _ if !(1e-6..1e6).contains(&length) => format!("{length:.1e}"),
        _ if length >= 10.0 => format!("{length:.0}"),
        _ => {
            let digits = (1.0 - length.log10().floor()).clamp(0.0, 9.0) as usize;
            let fixed = format!("{length:.digits$}");
            fixed.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
    }
}
