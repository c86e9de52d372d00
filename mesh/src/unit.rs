//! Units of length.

/// A unit of length in which a model is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Unit {
    /// A thousandth of a millimetre; only a 3MF file names it.
    Micron,
    /// The unit of files that name none.
    #[default]
    Millimetre,
    /// 10 mm.
    Centimetre,
    /// 1,000 mm.
    Metre,
    /// 25.4 mm.
    Inch,
    /// 304.8 mm.
    Foot,
}

impl Unit {
    /// The units that can be chosen for a file that names none.
    pub const CHOICES: [Self; 5] = [Self::Millimetre, Self::Centimetre, Self::Metre, Self::Inch, Self::Foot];

    /// The choice of this symbol, such as `mm`, or `None`.
    #[must_use]
    pub fn from_symbol(symbol: &str) -> Option<Self> {
        Self::CHOICES.into_iter().find(|unit| unit.symbol() == symbol)
    }

    /// The symbol.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Micron => "micron",
            Self::Millimetre => "mm",
            Self::Centimetre => "cm",
            Self::Metre => "m",
            Self::Inch => "in",
            Self::Foot => "ft",
        }
    }

    /// The plural of the English name.
    #[must_use]
    pub fn plural(self) -> &'static str {
        match self {
            Self::Micron => "microns",
            Self::Millimetre => "millimetres",
            Self::Centimetre => "centimetres",
            Self::Metre => "metres",
            Self::Inch => "inches",
            Self::Foot => "feet",
        }
    }

    /// The length in millimetres.
    #[must_use]
    pub fn millimetres(self) -> f64 {
        match self {
            Self::Micron => 0.001,
            Self::Millimetre => 1.0,
            Self::Centimetre => 10.0,
            Self::Metre => 1000.0,
            Self::Inch => 25.4,
            Self::Foot => 304.8,
        }
    }

    /// The unit in which a model of this extent, in units of the file, is nearest to a jewel of 20 mm.
    pub(crate) fn likely(extent: f64) -> Self {
        let distance = |unit: Self| (extent * unit.millimetres() / 20.0).ln().abs();
        Self::CHOICES
            .into_iter()
            .chain([Self::Micron])
            .min_by(|&one, &other| distance(one).total_cmp(&distance(other)))
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_is_found_by_its_symbol() {
        for unit in Unit::CHOICES {
            assert_eq!(Unit::from_symbol(unit.symbol()), Some(unit));
        }
        assert_eq!(Unit::from_symbol("micron"), None);
        assert_eq!(Unit::from_symbol("MM"), None);
    }

    #[test]
    fn the_likely_unit_makes_the_model_a_jewel() {
        for (extent, unit) in [
            (0.029, Unit::Metre),
            (0.8, Unit::Inch),
            (2.2, Unit::Centimetre),
            (0.07, Unit::Foot),
            (25.0, Unit::Millimetre),
            (30_000.0, Unit::Micron),
        ] {
            assert_eq!(Unit::likely(extent), unit, "{extent}");
        }
    }
}
