//! The 3D models that are uploaded, by their SHA-256: a ring, and a larger one that has another price.

use std::collections::BTreeMap;

use mesh::solids;
use sha2::{Digest as _, Sha256};

/// Models as binary STL.
#[derive(Debug)]
pub(crate) struct Models {
    pub(crate) small: String,
    pub(crate) large: String,
    files: BTreeMap<String, Vec<u8>>,
}

impl Models {
    pub(crate) fn new() -> Self {
        let [small, large] = [9.0, 11.0].map(|radius| solids::torus(radius, 1.0, 12).to_binary_stl());
        let sha256 = |file: &Vec<u8>| Sha256::digest(file).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let names = [sha256(&small), sha256(&large)];
        let files = names.clone().into_iter().zip([small, large]).collect();
        let [small, large] = names;
        Self { small, large, files }
    }

    /// The file with this SHA-256.
    pub(crate) fn file(&self, sha256: &str) -> Vec<u8> {
        self.files.get(sha256).cloned().unwrap_or_default()
    }
}
