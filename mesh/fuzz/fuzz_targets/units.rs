//! Text models in every unit: the same model, scaled, or the same error.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    for format in [mesh::Format::Stl, mesh::Format::Obj] {
        mesh_fuzz::check_units(format, bytes);
    }
});
