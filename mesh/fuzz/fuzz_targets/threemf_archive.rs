//! Bytes as a 3MF file: mostly the zip container, because its content is compressed.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = mesh_fuzz::check(mesh::Format::ThreeMf, bytes);
});
