//! The content of a 3MF file: the model, its relationships and further parts, separated by zero bytes.

#![no_main]

use mesh::solids::archive;

const NAMES: [&str; 4] = ["3D/3dmodel.model", "_rels/.rels", "3D/1.model", "3D/2.model"];

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let parts: Vec<_> = NAMES.into_iter().zip(bytes.split(|&byte| byte == 0)).collect();
    let _ = mesh_fuzz::check(mesh::Format::ThreeMf, &archive(&parts));
});
