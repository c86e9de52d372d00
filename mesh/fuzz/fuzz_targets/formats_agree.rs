//! Triangles written in every format: all of them measure the same, or are refused for the same reason.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Some(solid) = mesh_fuzz::solid(bytes) {
        mesh_fuzz::check_formats_agree(&solid);
    }
});
