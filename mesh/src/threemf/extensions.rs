//! The extensions that a 3MF model requires: those that change no volume are accepted, all others are errors.

use std::collections::{HashMap, HashSet};

use crate::error::MeshError;
use crate::threemf::xml::{self, Attributes};

/// The extensions whose content either is read or changes no volume, by namespace.
const SUPPORTED: [&str; 4] = [
    // Colours and materials of triangles.
    "http://schemas.microsoft.com/3dmanufacturing/material/2015/02",
    // Objects in other parts of the package.
    "http://schemas.microsoft.com/3dmanufacturing/production/2015/06",
    // Layers beside the mesh; an object whose mesh is only a sketch of them says so, and is an error.
    "http://schemas.microsoft.com/3dmanufacturing/slice/2015/07",
    // Names for groups of triangles.
    "http://schemas.microsoft.com/3dmanufacturing/trianglesets/2021/07",
];

/// The extension for encrypted parts.
const SECURE_CONTENT: &str = "http://schemas.microsoft.com/3dmanufacturing/securecontent/";

/// The common names of extensions that aren't supported, by the beginning of their namespace.
const NAMES: [(&str, &str); 6] = [
    ("http://schemas.microsoft.com/3dmanufacturing/beamlattice/balls/", "beam lattice with balls"),
    ("http://schemas.microsoft.com/3dmanufacturing/beamlattice/", "beam lattice"),
    ("http://schemas.3mf.io/3dmanufacturing/booleanoperations/", "boolean operations"),
    ("http://schemas.3mf.io/3dmanufacturing/displacement/", "displacement"),
    ("http://schemas.3mf.io/3dmanufacturing/volumetric/", "volumetric"),
    ("http://schemas.3mf.io/3dmanufacturing/implicit/", "implicit"),
];

/// The longest name of an extension that an error repeats.
const MAX_NAME: usize = 100;

/// Checks the prefixes that a model's root element lists in `requiredextensions`.
///
/// # Errors
///
/// The first extension that isn't supported; encryption first, because nothing else matters then.
pub(crate) fn check_required(attributes: Attributes<'_>, required: &[u8]) -> Result<(), MeshError> {
    // The attributes are read once, and each prefix is looked up once: a tag has room for a hundred thousand of both.
    let mut namespaces = HashMap::new();
    for (name, value) in attributes {
        if let Some(prefix) = name.strip_prefix(b"xmlns:") {
            namespaces.entry(prefix).or_insert(value);
        }
    }
    let mut seen = HashSet::new();
    let mut unsupported = None;
    for prefix in required.split(u8::is_ascii_whitespace).filter(|prefix| !prefix.is_empty()) {
        if !seen.insert(prefix) {
            continue;
        }
        let namespace = xml::unescape(namespaces.get(prefix).copied().unwrap_or(prefix))?;
        if namespace.starts_with(SECURE_CONTENT) {
            return Err(MeshError::Encrypted);
        }
        if !SUPPORTED.contains(&namespace.as_str()) {
            unsupported.get_or_insert(namespace);
        }
    }
    match unsupported {
        Some(namespace) => Err(MeshError::UnsupportedExtension { extension: name(&namespace) }),
        None => Ok(()),
    }
}

/// The error for an object whose mesh is only a sketch of its slices.
pub(crate) fn slices_only() -> MeshError {
    MeshError::UnsupportedExtension { extension: "slice".to_owned() }
}

/// The common name of an extension, or else its namespace, of which only the characters of a URL are kept.
fn name(namespace: &str) -> String {
    let known = NAMES.iter().find(|(start, _)| namespace.starts_with(start));
    let printable = |character: char| match character {
        character if character.is_ascii_alphanumeric() || "-._~:/?#".contains(character) => character,
        _ => '?',
    };
    known.map_or_else(|| namespace.chars().take(MAX_NAME).map(printable).collect(), |(_, name)| (*name).to_owned())
}

/// All common names of extensions that an error can contain.
#[cfg(test)]
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    NAMES.into_iter().map(|(_, name)| name).chain(["slice"])
}
