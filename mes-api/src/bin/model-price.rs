//! `model-price`: reads a 3D model as the price workers do, and shows what they would say of it: `cargo run -- model FILE`.

use std::{
    fmt::Write as _,
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, ensure};
use clap::{Parser, ValueEnum};
use common::domain::{Language, Localize as _, Material, ModelFormat, ModelUnit, NewOrder, Notice, Price};
use mes_api::{
    orders::Finding,
    pricing::{PriceList, Refusal},
};
use mesh::{Inspection, Limits};
use serde::{Deserialize as _, de::IntoDeserializer as _};
use serde_json::json;

/// Reads a 3D model, says what it is and what was put right in it, and what it costs or why it has no price.
#[derive(Debug, Parser)]
#[command(name = "model-price", bin_name = "cargo run -- model")]
struct Arguments {
    /// The file: STL, OBJ or 3MF.
    file: PathBuf,
    /// What an STL or OBJ file is drawn in: mm (the default), cm, m, in or ft.
    #[arg(long, value_parser = unit)]
    unit: Option<ModelUnit>,
    /// What the jewel is made of: silver_925, gold_585, gold_750 or platinum_950.
    #[arg(long, default_value = "silver_925", value_parser = material)]
    material: Material,
    /// How many pieces.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(NewOrder::MAX_QUANTITY)))]
    quantity: u32,
    /// The language of the texts for customers.
    #[arg(long, value_enum, default_value_t)]
    language: TextLanguage,
    /// A file of materials and prices, instead of those of the program.
    #[arg(long, env = "PRICES_FILE")]
    prices_file: Option<PathBuf>,
    /// Millimetres that the model's largest extent has at least, as the MES is set.
    #[arg(long, env = "MODEL_SMALLEST_MM", default_value_t = Limits::default().smallest_mm)]
    model_smallest_mm: f64,
    /// Millimetres that the model's largest extent has at most, as the MES is set.
    #[arg(long, env = "MODEL_LARGEST_MM", default_value_t = Limits::default().largest_mm)]
    model_largest_mm: f64,
    /// Shows one JSON object.
    #[arg(long)]
    json: bool,
    /// Draws the model from the front, the side and above into this PNG file.
    #[arg(long, value_name = "PNG")]
    picture: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum TextLanguage {
    #[default]
    En,
    Ru,
}

impl From<TextLanguage> for Language {
    fn from(language: TextLanguage) -> Self {
        match language {
            TextLanguage::En => Self::English,
            TextLanguage::Ru => Self::Russian,
        }
    }
}

/// What was found out about a file.
struct Report {
    format: ModelFormat,
    /// The unit that the file was read in, if it could be.
    unit: Option<ModelUnit>,
    read: Option<(Inspection, Finding)>,
    price: Result<Price, Notice>,
}

fn unit(symbol: &str) -> Result<ModelUnit, &'static str> {
    ModelUnit::chosen(symbol).ok_or(ModelUnit::CHOICES)
}

fn material(name: &str) -> Result<Material, serde::de::value::Error> {
    Material::deserialize(name.into_deserializer())
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let name = arguments.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let format = ModelFormat::of_file_name(&name).context("the file's name must end in .stl, .obj or .3mf")?;
    let bytes = std::fs::read(&arguments.file).with_context(|| format!("reading {}", arguments.file.display()))?;
    let mut report = inspect(arguments, format, &bytes)?;
    let language = arguments.language.into();
    if let Err(failure) = &mut report.price {
        failure.localize(language);
    }
    if let Some((_, finding)) = &mut report.read {
        finding.warnings.iter_mut().for_each(|warning| warning.localize(language));
    }
    let text = if arguments.json { report.json(&name) } else { report.lines(&name, arguments.material) };
    std::io::stdout().write_all(text.as_bytes())?;
    arguments.picture.as_ref().map_or(Ok(()), |file| draw(file, format, &bytes))
}

/// Reads the model as the MES does.
fn inspect(arguments: &Arguments, format: ModelFormat, bytes: &[u8]) -> anyhow::Result<Report> {
    let price_list = PriceList::load(arguments.prices_file.as_deref())?;
    let limits = Limits {
        smallest_mm: arguments.model_smallest_mm,
        largest_mm: arguments.model_largest_mm,
        ..Limits::default()
    };
    let named = mesh::named_unit(format.into(), bytes, &limits).ok().flatten().map(ModelUnit::from);
    let differs = arguments.unit.is_some_and(|given| named.is_some_and(|named| named != given));
    ensure!(!differs, "the 3MF file names its own unit, another one than --unit");
    let unit = arguments.unit.or(named).or(format.unit());
    let given = unit.map_or(mesh::Unit::Millimetre, mesh::Unit::from);
    let report = match mesh::inspect(format.into(), given, bytes, &limits) {
        Ok(inspection) => {
            let finding = price_list.finding(&inspection, arguments.material);
            let price = price_list.price(&inspection.measures, arguments.material, arguments.quantity);
            let price = price.map_err(|refused| refused.notice());
            Report { format, unit: Some(finding.unit), read: Some((inspection, finding)), price }
        }
        Err(error) => Report { format, unit, read: None, price: Err(error.notice()) },
    };
    Ok(report)
}

impl Report {
    /// All of it as one JSON object, with the members that the order of such a model has.
    fn json(&self, name: &str) -> String {
        let mut report = json!({"file": name, "format": self.format, "unit": self.unit});
        if let Some((inspection, finding)) = &self.read {
            report["measured"] = json!(finding.measured);
            report["mended"] = json!(inspection.mended.names());
            report["warnings"] = json!(finding.warnings);
        }
        match &self.price {
            Ok(price) => report["price"] = json!(price),
            Err(failure) => report["failure"] = json!(failure),
        }
        format!("{report}\n")
    }

    /// A line for each thing that is known.
    fn lines(&self, name: &str, material: Material) -> String {
        let mut lines = vec![("file", name.to_owned()), ("format", self.format.extension().to_owned())];
        lines.extend(self.unit.map(|unit| ("unit", unit.symbol().to_owned())));
        if let Some((inspection, finding)) = &self.read {
            let measured = &finding.measured;
            let [x, y, z] = measured.size_mm.map(|extent| grouped(extent, 2));
            let mended = inspection.mended.names();
            lines.push(("size", format!("{x} × {y} × {z} mm")));
            lines.push(("bodies", measured.bodies.to_string()));
            lines.push(("triangles", grouped(measured.triangles as f64, 0)));
            lines.push(("volume", format!("{} mm³", grouped(measured.volume_mm3, 3))));
            lines.push(("weight", format!("{} g of {}", grouped(measured.weight_g, 3), name_of(material))));
            lines.push(("mended", if mended.is_empty() { "nothing".to_owned() } else { mended.join(", ") }));
            lines.extend(finding.warnings.iter().map(|warning| ("warning", words(warning))));
        }
        lines.push(match &self.price {
            Ok(price) => ("price", format!("{} {}", grouped(price.amount_minor as f64 / 100.0, 2), price.currency)),
            Err(failure) => ("no price", words(failure)),
        });
        lines.iter().fold(String::new(), |mut text, (what, value)| {
            // Writing to a string doesn't fail.
            let _ = writeln!(text, "{what:<10} {value}");
            text
        })
    }
}

fn words(notice: &Notice) -> String {
    format!("{} ({})", notice.detail, notice.code)
}

fn name_of(material: Material) -> String {
    json!(material).as_str().unwrap_or_default().to_owned()
}

/// A number with so many decimals, its thousands separated.
fn grouped(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut grouped = String::new();
    for (place, digit) in whole.char_indices() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + rest
}

/// Draws the model, also one that has no price, as long as its triangles can be read.
fn draw(file: &Path, format: ModelFormat, bytes: &[u8]) -> anyhow::Result<()> {
    let Ok(picture) = mesh::picture(format.into(), bytes, &Limits::default(), PICTURE_WIDTH) else {
        return Ok(());
    };
    std::fs::write(file, picture).with_context(|| format!("writing {}", file.display()))?;
    eprintln!("picture    {}", file.display());
    Ok(())
}

/// The width of the picture in pixels, three views beside each other.
const PICTURE_WIDTH: u32 = 960;
