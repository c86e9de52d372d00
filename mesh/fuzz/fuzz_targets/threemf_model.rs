//! The content of a 3MF file: the model, its relationships, further parts and slicers' settings, separated by zero bytes.

#![no_main]

use mesh::solids::archive;

const NAMES: [&str; 6] = [
    "3D/3dmodel.model",
    "_rels/.rels",
    "3D/1.model",
    "3D/2.model",
    "Metadata/model_settings.config",
    "Metadata/Slic3r_PE_model.config",
];

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let parts: Vec<_> = NAMES.into_iter().zip(bytes.split(|&byte| byte == 0)).collect();
    let _ = mesh_fuzz::check(mesh::Format::ThreeMf, &archive(&parts));
});
