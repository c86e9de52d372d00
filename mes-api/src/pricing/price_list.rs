//! The file of materials and prices: `prices.toml` beside this crate's manifest, or the one that `PRICES_FILE` names.

use std::{ops::RangeInclusive, path::Path};

use anyhow::{Context as _, ensure};
use common::domain::Material;
use serde::Deserialize;

const DEFAULT: &str = include_str!("../../prices.toml");

/// Everything that a price depends on beside the model, checked. Amounts are in the currency's minor unit.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceList {
    pub(super) currency: String,
    /// Prices above this are not given automatically.
    pub(super) largest_minor: u64,
    pub(super) work: Work,
    materials: Materials,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Work {
    pub(super) base_minor: u64,
    pub(super) per_1000_triangles_minor: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Materials {
    silver_925: Metal,
    gold_585: Metal,
    gold_750: Metal,
    platinum_950: Metal,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Metal {
    pub(super) density_mg_per_cm3: u64,
    pub(super) per_gram_minor: u64,
}

// Wide enough for every metal and currency, and narrow enough that no price overflows on its way.
const DENSITIES: RangeInclusive<u64> = 1..=50_000;
const PER_GRAM: RangeInclusive<u64> = 1..=100_000_000;
const WORK: RangeInclusive<u64> = 0..=1_000_000_000;
const LARGEST: RangeInclusive<u64> = 1..=1_000_000_000_000_000;

impl PriceList {
    /// Reads the file, or the one that the program comes with if there is none.
    ///
    /// # Errors
    ///
    /// If it can't be read or an entry makes no sense; the message names `PRICES_FILE` and the entry.
    pub fn load(file: Option<&Path>) -> anyhow::Result<Self> {
        let Some(file) = file else {
            return Self::read(DEFAULT).context("the program's own prices");
        };
        let name = || format!("PRICES_FILE: {}", file.display());
        let text = std::fs::read_to_string(file).with_context(name)?;
        Self::read(&text).with_context(name)
    }

    /// Reads the text of such a file.
    ///
    /// # Errors
    ///
    /// If an entry is missing, unknown or makes no sense; the message names it.
    pub fn read(text: &str) -> anyhow::Result<Self> {
        let list: Self = toml::from_str(text)?;
        ensure!(
            list.currency.len() == 3 && list.currency.bytes().all(|letter| letter.is_ascii_uppercase()),
            "currency must be an ISO 4217 code, such as EUR"
        );
        check("largest_minor", list.largest_minor, LARGEST)?;
        check("work.base_minor", list.work.base_minor, WORK)?;
        check("work.per_1000_triangles_minor", list.work.per_1000_triangles_minor, WORK)?;
        for (name, metal) in list.materials.named() {
            check(&format!("materials.{name}.density_mg_per_cm3"), metal.density_mg_per_cm3, DENSITIES)?;
            check(&format!("materials.{name}.per_gram_minor"), metal.per_gram_minor, PER_GRAM)?;
        }
        Ok(list)
    }

    pub(super) const fn metal(&self, material: Material) -> Metal {
        match material {
            Material::Silver925 => self.materials.silver_925,
            Material::Gold585 => self.materials.gold_585,
            Material::Gold750 => self.materials.gold_750,
            Material::Platinum950 => self.materials.platinum_950,
        }
    }
}

impl Materials {
    const fn named(&self) -> [(&'static str, Metal); 4] {
        [
            ("silver_925", self.silver_925),
            ("gold_585", self.gold_585),
            ("gold_750", self.gold_750),
            ("platinum_950", self.platinum_950),
        ]
    }
}

fn check(entry: &str, value: u64, range: RangeInclusive<u64>) -> anyhow::Result<()> {
    ensure!(range.contains(&value), "{entry} must be between {} and {}, and is {value}", range.start(), range.end());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        format!("{:#}", PriceList::read(text).expect_err("it is wrong"))
    }

    #[test]
    fn the_prices_that_the_program_comes_with_are_good() {
        PriceList::load(None).unwrap();
    }

    #[test]
    fn a_wrong_entry_is_named() {
        let gold = "density_mg_per_cm3 = 13_600";
        assert!(
            error(&DEFAULT.replace(gold, "density_mg_per_cm3 = 0")).contains("materials.gold_585.density_mg_per_cm3")
        );
        assert!(error(&DEFAULT.replace(gold, "")).contains("density_mg_per_cm3"));
        assert!(error(&DEFAULT.replace("base_minor", "base")).contains("base"));
        assert!(error(&DEFAULT.replace("\"EUR\"", "\"euro\"")).contains("currency"));
        assert!(
            error(&DEFAULT.replace("largest_minor = 1_000_000_000", "largest_minor = -1")).contains("largest_minor")
        );
        assert!(error(&DEFAULT.replace("[materials.gold_750]", "[materials.gold_999]")).contains("gold_999"));
    }

    #[test]
    fn a_missing_file_is_named_with_its_setting() {
        let error = PriceList::load(Some(Path::new("/nowhere/prices.toml"))).expect_err("it is not there");
        let error = format!("{error:#}");
        assert!(error.starts_with("PRICES_FILE: /nowhere/prices.toml: "), "{error}");
    }
}
