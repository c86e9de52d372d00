//! Bytes as an STL file, unchanged and with the count of triangles that fits their length.

#![no_main]

use mesh::Format;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = mesh_fuzz::check(Format::Stl, bytes);
    if let Some(triangles) = bytes.len().checked_sub(84).map(|rest| rest as u32 / 50) {
        let mut counted = bytes.to_vec();
        counted[80..84].copy_from_slice(&triangles.to_le_bytes());
        let _ = mesh_fuzz::check(Format::Stl, &counted);
    }
});
