//! What the inspection of a model says of its order, in numbers and in words for the customer.

use common::domain::{Material, Measured, Notice};
use mesh::{Inspection, Language, MeshError};

use super::{formula::OutOfRange, price_list::PriceList};
use crate::orders::Finding;

impl PriceList {
    /// What a model's inspection says of an order in this material.
    #[must_use]
    pub fn finding(&self, inspection: &Inspection, material: Material) -> Finding {
        let volume = inspection.measures.volume_mm3;
        let measured = Measured {
            size_mm: inspection.size_mm.map(rounded),
            volume_mm3: rounded(volume),
            weight_g: rounded(self.weight_g(volume, material)),
            triangles: inspection.measures.triangles,
            bodies: inspection.bodies,
        };
        Finding { unit: inspection.unit.into(), measured, warnings: warnings(inspection) }
    }
}

/// Why a model has no price, as its customer is told.
pub trait Refusal {
    /// The text with its stable word.
    fn notice(&self) -> Notice;
}

impl Refusal for MeshError {
    fn notice(&self) -> Notice {
        Notice::new(self.code(), |language| self.for_customer(language))
    }
}

impl Refusal for OutOfRange {
    fn notice(&self) -> Notice {
        Notice::new("price_out_of_range", |language| {
            match language {
            Language::English => {
                "The model is too large for an automatic price. If the unit that it was uploaded with is wrong, place a \
                 new order with the right one; otherwise ask us for an offer."
                    .to_owned()
            }
            Language::Russian => {
                "Модель слишком велика для автоматического расчёта цены. Если при загрузке указана неверная единица \
                 длины, оформите новый заказ с правильной; иначе запросите у нас предложение."
                    .to_owned()
            }
        }
        })
    }
}

/// Rounded to a millionth; further digits are rounding errors.
fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

fn warnings(inspection: &Inspection) -> Vec<Notice> {
    let mut warnings = Vec::new();
    if inspection.overlapping_bodies > 0 {
        warnings.push(Notice::new("overlapping_bodies", |language| match language {
            Language::English => {
                "Bodies of the model overlap, and what they share is priced more than once. If that isn't what you want, \
                 join them in your CAD program, and place a new order with the new file."
                    .to_owned()
            }
            Language::Russian => {
                "Тела модели пересекаются, и их общая часть учтена в цене больше одного раза. Если это не то, что вам \
                 нужно, объедините тела в САПР и оформите новый заказ с новым файлом."
                    .to_owned()
            }
        }));
    }
    warnings
}
