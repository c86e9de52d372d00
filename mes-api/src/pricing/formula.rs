//! The formula: what a model of this size costs in this material. `docs/pricing.md` explains it with the examples that
//! are tested here.
//!
//! Whole numbers from the volume on, so that the same model costs the same everywhere and nothing is lost on the way.

use common::domain::{Material, Price};
use mesh::Measures;

use super::price_list::PriceList;

/// The price is more than is given automatically.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the price would be above {largest_minor} minor units")]
pub struct OutOfRange {
    largest_minor: u64,
}

/// The price list counts densities per cm³ in mg and prices per g; volumes are counted in thousandths of a mm³.
const THOUSANDTH_MM3_TIMES_MG_PER_CM3_IN_A_GRAM: u128 = 1_000_000_000;
/// No volume that could be made; also far from any overflow.
const LARGEST_VOLUME_MM3: f64 = 1e12;

/// The price list has densities in mg per cm³, and volumes come in mm³.
const MM3_TIMES_MG_PER_CM3_IN_A_GRAM: f64 = 1_000_000.0;

impl PriceList {
    /// The weight of one piece in grams.
    #[must_use]
    pub fn weight_g(&self, volume_mm3: f64, material: Material) -> f64 {
        // Below 2^53, so the conversion is exact.
        volume_mm3 * self.metal(material).density_mg_per_cm3 as f64 / MM3_TIMES_MG_PER_CM3_IN_A_GRAM
    }

    /// The price of `quantity` pieces. Each piece is rounded once, half a minor unit up, and costs at least one.
    ///
    /// # Errors
    ///
    /// If the price is more than is given automatically.
    pub fn price(&self, measures: &Measures, material: Material, quantity: u32) -> Result<Price, OutOfRange> {
        let out_of_range = OutOfRange { largest_minor: self.largest_minor };
        if !(0.0..=LARGEST_VOLUME_MM3).contains(&measures.volume_mm3) {
            return Err(out_of_range);
        }
        // A whole number below 10^15, so the conversion is exact.
        let volume = (measures.volume_mm3 * 1_000.0).round() as u128;
        let metal = self.metal(material);
        let metal = volume * u128::from(metal.density_mg_per_cm3) * u128::from(metal.per_gram_minor);
        let work = u128::from(self.work.base_minor)
            + u128::from(measures.triangles.div_ceil(1_000)) * u128::from(self.work.per_1000_triangles_minor);

        let unit = THOUSANDTH_MM3_TIMES_MG_PER_CM3_IN_A_GRAM;
        let piece = ((metal + unit / 2) / unit + work).max(1);
        let total = piece * u128::from(quantity);
        match i64::try_from(total) {
            Ok(amount_minor) if total <= u128::from(self.largest_minor) => {
                Ok(Price { amount_minor, currency: self.currency.clone() })
            }
            _ => Err(out_of_range),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn measures(volume_mm3: f64, triangles: u64) -> Measures {
        Measures { triangles, volume_mm3, surface_mm2: 1.0 }
    }

    fn amount(volume_mm3: f64, triangles: u64, material: Material, quantity: u32) -> i64 {
        let list = PriceList::load(None).unwrap();
        let price = list.price(&measures(volume_mm3, triangles), material, quantity).unwrap();
        assert_eq!(price.currency, "EUR");
        price.amount_minor
    }

    #[test]
    fn the_examples_of_the_documentation_hold() {
        // A silver cube of 1 cm, three of them.
        assert_eq!(amount(1_000.0, 12, Material::Silver925, 3), 13_680);
        // A fine ring in 18 carat gold, two of them.
        assert_eq!(amount(177.6, 20_000, Material::Gold750, 2), 59_178);
        // The same ring with one more triangle begins another thousand.
        assert_eq!(amount(177.6, 20_001, Material::Gold750, 2), 59_258);
        // A heavy signet ring in platinum.
        assert_eq!(amount(712.345, 84_310, Material::Platinum950, 1), 81_816);
    }

    #[test]
    fn a_cubic_centimetre_weighs_the_density_of_its_material() {
        let list = PriceList::load(None).unwrap();
        assert!((list.weight_g(1_000.0, Material::Silver925) - 10.36).abs() < 1e-12);
        assert!((list.weight_g(177.6, Material::Gold750) - 2.752_8).abs() < 1e-12);
    }

    /// One gram per cm³ at one euro per gram, and work for nothing: a mm³ costs a tenth of a cent.
    fn cheap() -> PriceList {
        let mut text = String::from(
            "currency = \"EUR\"\nlargest_minor = 100_000\n[work]\nbase_minor = 0\nper_1000_triangles_minor = 0\n",
        );
        for material in ["silver_925", "gold_585", "gold_750", "platinum_950"] {
            text += &format!("[materials.{material}]\ndensity_mg_per_cm3 = 1_000\nper_gram_minor = 100\n");
        }
        PriceList::read(&text).unwrap()
    }

    #[test]
    fn half_a_cent_is_rounded_up_once_per_piece() {
        let cheap = cheap();
        let amount = |volume, quantity| {
            let price = cheap.price(&measures(volume, 12), Material::Gold585, quantity).unwrap();
            price.amount_minor
        };
        assert_eq!(amount(24.999, 1), 2);
        assert_eq!(amount(25.0, 1), 3);
        assert_eq!(amount(25.0, 10), 30);
    }

    #[test]
    fn a_piece_costs_at_least_a_cent() {
        let price = cheap().price(&measures(0.000_1, 4), Material::Silver925, 7).unwrap();
        assert_eq!(price.amount_minor, 7);
    }

    #[test]
    fn a_price_out_of_range_is_refused() {
        let cheap = cheap();
        let price = |volume, quantity| cheap.price(&measures(volume, 12), Material::Silver925, quantity);
        assert_eq!(price(1_000_000.0, 1).unwrap().amount_minor, 100_000);
        for (volume, quantity) in [(1_000_010.0, 1), (1_000_000.0, 2), (f64::MAX, 1), (f64::INFINITY, 1), (f64::NAN, 1)]
        {
            assert!(price(volume, quantity).is_err(), "{volume} mm³, {quantity}");
        }
    }

    proptest! {
        #[test]
        fn more_of_anything_never_costs_less(
            volume in 0.0..1e7_f64,
            triangles in 4..6_000_000_u64,
            quantity in 1..1_000_u32,
            more_volume in 0.0..1e6_f64,
            more_triangles in 0..100_000_u64,
            more_pieces in 0..100_u32,
            material in proptest::sample::select(vec![
                Material::Silver925, Material::Gold585, Material::Gold750, Material::Platinum950,
            ]),
        ) {
            let list = PriceList::load(None).unwrap();
            // Out of range counts as dearer than everything.
            let amount = |volume, triangles, quantity| {
                list.price(&measures(volume, triangles), material, quantity).map_or(i64::MAX, |price| price.amount_minor)
            };
            let price = amount(volume, triangles, quantity);
            prop_assert!(price >= i64::from(quantity));
            prop_assert!(amount(volume + more_volume, triangles, quantity) >= price);
            prop_assert!(amount(volume, triangles + more_triangles, quantity) >= price);
            prop_assert!(amount(volume, triangles, quantity + more_pieces) >= price);
        }

        #[test]
        fn no_measures_and_no_quantity_overflow(
            volume in proptest::num::f64::ANY, triangles in proptest::num::u64::ANY, quantity in proptest::num::u32::ANY,
        ) {
            let list = PriceList::load(None).unwrap();
            if let Ok(price) = list.price(&measures(volume, triangles), Material::Gold750, quantity) {
                prop_assert!((0..=1_000_000_000).contains(&price.amount_minor));
            }
        }
    }
}
