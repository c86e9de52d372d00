//! Triangles in every format: all have the same measures or the same error.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Some(solid) = mesh_fuzz::solid(bytes) {
        mesh_fuzz::check_formats_agree(&solid);
    }
});
