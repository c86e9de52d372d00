//! Text as an STL file.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = mesh_fuzz::check(mesh::Format::Stl, bytes);
});
