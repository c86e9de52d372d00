//! The texts for customers: one sentence on what is wrong with a model, and one on what to do.

use crate::error::MeshError;
use crate::numbers::{coordinates, rounded, widest};
use crate::unit::Unit;

/// A language of the texts for customers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// Russian.
    Russian,
}

impl MeshError {
    /// A text for the customer: one sentence on what is wrong with the model, and one on what to do.
    #[must_use]
    pub fn for_customer(&self, language: Language) -> String {
        match language {
            Language::English => format!("{self} {}", self.remedy()),
            Language::Russian => format!("{} {}", self.in_russian(), self.remedy_in_russian()),
        }
    }

    /// A submitted order keeps its model, so that a new file needs a new order.
    fn remedy(&self) -> &'static str {
        match self {
            Self::Empty => "Export the model from your CAD program as a mesh, and place a new order with the new file.",
            Self::Unreadable { .. } | Self::NotFinite => {
                "Export it from your CAD program again, and place a new order with the new file."
            }
            Self::Encrypted => {
                "Save it without encryption and without a password, and place a new order with the new file."
            }
            Self::NegativePart => "Cut it out in your CAD program or slicer, and place a new order with the new file.",
            Self::UnsupportedExtension { .. } => {
                "Export the model as a plain mesh, and place a new order with the new file."
            }
            Self::TooManyTriangles { .. } | Self::TooManyVertices { .. } | Self::TooLarge { .. } => {
                "Export it with a coarser resolution, and place a new order with the new file."
            }
            Self::NotClosed { .. } => "Close the holes in your CAD program, and place a new order with the new file.",
            Self::NonManifold { .. } => {
                "Join the bodies in your CAD program, or delete the doubled surface, and place a new order with the new \
                 file."
            }
            Self::NotOrientable { .. } => {
                "Separate the surface there in your CAD program, and place a new order with the new file."
            }
            Self::ImplausibleSize { .. } => {
                "Place a new order with the right unit, chosen with the upload or in your CAD program."
            }
            Self::TooComplex => "Join the bodies in your CAD program, and place a new order with the new file.",
            Self::NoVolume => "Give it a thickness in your CAD program, and place a new order with the new file.",
        }
    }

    fn in_russian(&self) -> String {
        match *self {
            Self::Empty => "В файле нет ни одного треугольника.".to_owned(),
            Self::Unreadable { line, .. } => {
                let place = line.map_or_else(String::new, |line| format!(" (строка {line})"));
                format!("Файл не читается как 3D-модель: он повреждён или не соответствует своему формату{place}.")
            }
            Self::Encrypted => "Файл 3MF зашифрован.".to_owned(),
            Self::UnsupportedExtension { ref extension } => {
                format!("Файлу 3MF нужно расширение «{}», которое не поддерживается.", extension_in_russian(extension))
            }
            Self::NegativePart => {
                "В файле 3MF есть объём для вычитания, который слайсер вырезал бы из остальных тел.".to_owned()
            }
            Self::NotFinite => {
                "Одна из координат модели не является числом или выходит за допустимые пределы.".to_owned()
            }
            Self::TooManyTriangles { limit } => {
                format!(
                    "В модели больше {limit} {}.",
                    plural(limit, ["треугольника", "треугольников", "треугольников"])
                )
            }
            Self::TooManyVertices { limit } => {
                format!("В модели больше {limit} {}.", plural(limit, ["вершины", "вершин", "вершин"]))
            }
            Self::TooLarge { limit } => format!("В распакованном виде модель больше {} МиБ.", limit / (1024 * 1024)),
            Self::NotClosed { open_edges, holes, ref largest_at } => {
                let place = place_in_russian(largest_at);
                let holes = match holes {
                    1 => format!("есть отверстие около точки {place}"),
                    _ => {
                        let noun = plural(holes, ["отверстие", "отверстия", "отверстий"]);
                        format!("{holes} {noun}, самое большое около точки {place}")
                    }
                };
                let edges = plural(open_edges, ["ребра", "рёбер", "рёбер"]);
                format!(
                    "Поверхность модели не замкнута: в ней {holes}, и у {open_edges} {edges} треугольник есть только с \
                     одной стороны."
                )
            }
            Self::NonManifold { edges, ref first_at } => format!(
                "Тела соприкасаются вдоль ребра, или поверхность удвоена: к {edges} {} примыкает больше двух \
                 треугольников, первое такое ребро около точки {}.",
                plural(edges, ["ребру", "рёбрам", "рёбрам"]),
                place_in_russian(first_at)
            ),
            Self::NotOrientable { ref at } => format!(
                "У поверхности нет внутренней стороны: если идти вдоль неё, она переходит в собственную наружную \
                 сторону около точки {}.",
                place_in_russian(at)
            ),
            Self::TooComplex => {
                "В модели слишком много тел, или слишком многие из них лежат внутри или позади друг друга.".to_owned()
            }
            Self::ImplausibleSize { ref size_mm, likely, .. } => {
                let drawn = likely.map_or_else(
                    || ".".to_owned(),
                    |unit| format!("; может быть, она начерчена в {}?", unit_in_russian(unit)),
                );
                let size = with_comma(rounded(widest(size_mm)));
                format!("Наибольший размер модели равен {size} мм{drawn}")
            }
            Self::NoVolume => "Модель не ограничивает никакого объёма.".to_owned(),
        }
    }

    fn remedy_in_russian(&self) -> &'static str {
        match self {
            Self::Empty => "Экспортируйте модель из САПР в виде сетки и оформите новый заказ с новым файлом.",
            Self::Unreadable { .. } | Self::NotFinite => {
                "Экспортируйте модель из САПР ещё раз и оформите новый заказ с новым файлом."
            }
            Self::Encrypted => "Сохраните его без шифрования и без пароля и оформите новый заказ с новым файлом.",
            Self::NegativePart => "Вырежьте его в САПР или в слайсере и оформите новый заказ с новым файлом.",
            Self::UnsupportedExtension { .. } => {
                "Экспортируйте модель в виде обычной сетки и оформите новый заказ с новым файлом."
            }
            Self::TooManyTriangles { .. } | Self::TooManyVertices { .. } | Self::TooLarge { .. } => {
                "Экспортируйте её с более грубым разрешением и оформите новый заказ с новым файлом."
            }
            Self::NotClosed { .. } => "Закройте отверстия в САПР и оформите новый заказ с новым файлом.",
            Self::NonManifold { .. } => {
                "Объедините тела в САПР или удалите лишнюю поверхность и оформите новый заказ с новым файлом."
            }
            Self::NotOrientable { .. } => {
                "Разделите поверхность в этом месте в САПР и оформите новый заказ с новым файлом."
            }
            Self::ImplausibleSize { .. } => {
                "Оформите новый заказ с правильной единицей длины, указав её при загрузке или в САПР."
            }
            Self::TooComplex => "Объедините тела в САПР и оформите новый заказ с новым файлом.",
            Self::NoVolume => "Придайте ей толщину в САПР и оформите новый заказ с новым файлом.",
        }
    }
}

/// The form of a noun after a number: that for 1, for 2 to 4, and for the rest; 21 is like 1, 11 isn't.
fn plural(number: u64, [one, few, many]: [&'static str; 3]) -> &'static str {
    match (number % 10, number % 100) {
        (_, 11..=14) => many,
        (1, _) => one,
        (2..=4, _) => few,
        _ => many,
    }
}

/// The Russian name of an extension of 3MF that has a common name.
fn extension_in_russian(extension: &str) -> &str {
    match extension {
        "beam lattice" => "решётка из балок",
        "beam lattice with balls" => "решётка из балок с шарами",
        "boolean operations" => "булевы операции",
        "displacement" => "смещение поверхности",
        "volumetric" => "объёмные данные",
        "implicit" => "неявные поверхности",
        "slice" => "слои",
        namespace => namespace,
    }
}

/// The unit in the plural, as it follows «в».
fn unit_in_russian(unit: Unit) -> &'static str {
    match unit {
        Unit::Micron => "микронах",
        Unit::Millimetre => "миллиметрах",
        Unit::Centimetre => "сантиметрах",
        Unit::Metre => "метрах",
        Unit::Inch => "дюймах",
        Unit::Foot => "футах",
    }
}

fn place_in_russian(position: &[f64; 3]) -> String {
    let [x, y, z] = coordinates(position).map(with_comma);
    format!("({x}; {y}; {z})")
}

fn with_comma(number: String) -> String {
    number.replace('.', ",")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Each variant, some with different numbers.
    fn samples() -> Vec<MeshError> {
        let at = [0.5, -12.25, 3e7];
        let mut samples = vec![
            MeshError::Empty,
            MeshError::Unreadable { reason: "expected a facet", line: Some(7) },
            MeshError::unreadable("the 3MF archive is damaged"),
            MeshError::Encrypted,
            MeshError::NegativePart,
            MeshError::NotFinite,
            MeshError::NotOrientable { at },
            MeshError::TooComplex,
            MeshError::NoVolume,
        ];
        for extension in crate::threemf::extension_names() {
            samples.push(MeshError::UnsupportedExtension { extension: extension.to_owned() });
        }
        for number in [1, 2, 5, 11, 21, 112, 5_000_000] {
            samples.extend([
                MeshError::TooManyTriangles { limit: number },
                MeshError::TooManyVertices { limit: number },
                MeshError::TooLarge { limit: number << 20 },
                MeshError::NotClosed { open_edges: number, holes: number, largest_at: at },
                MeshError::NonManifold { edges: number, first_at: at },
            ]);
        }
        for likely in Unit::CHOICES.into_iter().chain([Unit::Micron]).map(Some).chain([None]) {
            samples.push(MeshError::ImplausibleSize { size_mm: [0.01, 0.029, 0.0], unit: Unit::Millimetre, likely });
        }
        samples
    }

    #[test]
    fn every_error_has_two_sentences_in_each_language() {
        let codes: HashSet<_> = samples().iter().map(MeshError::code).collect();
        assert_eq!(codes.len(), 15);
        for error in samples() {
            for language in [Language::English, Language::Russian] {
                let text = error.for_customer(language);
                // A point in a number is followed by a digit.
                let ends = text
                    .match_indices(['.', '?'])
                    .filter(|(at, _)| matches!(text[at + 1..].chars().next(), None | Some(' ')));
                assert_eq!(ends.count(), 2, "{text}");
                assert!(text.ends_with('.') && text.len() < 600, "{text}");
            }
        }
    }

    #[test]
    fn every_text_asks_for_a_new_order_because_a_submitted_one_keeps_its_model() {
        for error in samples() {
            for (language, words) in [(Language::English, "new order"), (Language::Russian, "новый заказ")] {
                let text = error.for_customer(language);
                assert!(text.contains(words), "{text}");
            }
        }
    }

    #[test]
    fn english_texts_are_ascii_and_russian_ones_have_no_english_word() {
        for error in samples() {
            assert!(error.for_customer(Language::English).is_ascii(), "{error}");
            let text = error.for_customer(Language::Russian);
            let words = text.split(|character: char| !character.is_alphanumeric());
            let latin: Vec<_> = words.filter(|word| word.contains(|c: char| c.is_ascii_alphabetic())).collect();
            assert!(latin.iter().all(|word| ["3D", "3MF", "3e7", "000e7"].contains(word)), "{text}");
            assert!(!text.contains("  ") && !text.contains(" ."), "{text}");
        }
    }

    #[test]
    fn russian_texts_have_the_forms_of_their_numbers() {
        let russian = |error: MeshError| error.for_customer(Language::Russian);
        let holes =
            |holes, open_edges| russian(MeshError::NotClosed { open_edges, holes, largest_at: [0.5, 0.0, -2.0] });
        assert_eq!(
            holes(1, 3),
            "Поверхность модели не замкнута: в ней есть отверстие около точки (0,5; 0; -2), и у 3 рёбер треугольник есть \
             только с одной стороны. Закройте отверстия в САПР и оформите новый заказ с новым файлом."
        );
        for (number, text) in [
            (2, "2 отверстия, самое большое около"),
            (5, "5 отверстий,"),
            (12, "12 отверстий,"),
            (21, "21 отверстие,"),
            (111, "111 отверстий,"),
        ] {
            assert!(holes(number, 40).contains(text), "{}", holes(number, 40));
        }
        assert!(holes(2, 21).contains("у 21 ребра ") && holes(2, 22).contains("у 22 рёбер "));
        let crowded = |edges| russian(MeshError::NonManifold { edges, first_at: [0.0; 3] });
        assert!(crowded(1).contains("к 1 ребру ") && crowded(16).contains("к 16 рёбрам "));
        let text = russian(MeshError::ImplausibleSize {
            size_mm: [0.029, 0.01, 0.0],
            unit: Unit::Millimetre,
            likely: Some(Unit::Metre),
        });
        assert!(
            text.starts_with("Наибольший размер модели равен 0,029 мм; может быть, она начерчена в метрах? "),
            "{text}"
        );
    }
}
